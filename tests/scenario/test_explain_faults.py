"""Faults in plain words."""

from pathlib import Path

import pytest

from agent_sim.errors import ScenarioError
from agent_sim.scenario.explain_faults import _TOLD, fault
from agent_sim.scenario.faults import Do
from tests.scenario.files import LAB, loaded

PHASES = "phases: [{name: work, duration: 2m}, {name: rest, duration: 3m}]\n"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("during: [work], do: {partition: both}", "while work lasts, all agents: the network is cut both ways"),
        ("during: [work, rest], do: {refuse: true}", "while work and rest last, all agents: nobody listens"),
        (
            "at: work+30s, for: 2m, select: {percent: 25%, sticky: true}, do: {latency: 800ms}",
            "from 30s for 2m, agents (25% by chance): requests take longer by 800ms",
        ),
        (
            "at: 10s, probability: 5%, on: [configure, complete], do: {drop: response}",
            "from 10s, 5% of configure and complete requests of all agents: the answers never come back",
        ),
        (
            "every: 20s, during: [rest], select: {count: 1}, do: {crash: {restart_after: 5s}}",
            "while rest lasts, again and again after 20s, 1 agent (by chance): the process dies and is back after 5s",
        ),
        (
            "at: 0s, do: {crash: {point: before_complete, keeps_identity: false}}",
            "from 0s, all agents: the process dies before complete and is back after 15s as somebody else",
        ),
        (
            "at: 0s, do: {status: 429, jitter: 1s}",
            "from 0s, all agents: requests take longer by up to 1s and HTTP 429 is answered in the server's place",
        ),
        ("at: 0s, do: {bandwidth: 16KB/s}", "from 0s, all agents: everything trickles at 16KB/s"),
        ("at: 0s, do: {truncate: 50%}", "from 0s, all agents: answers end after 50%"),
        (
            "at: 0s, do: {duplicate: 100ms}",
            "from 0s, all agents: the server gets requests twice, the copy later by 100ms",
        ),
        (
            "at: 0s, select: {ids: [lab-0, lab-7]}, do: {refuse: true}",
            "from 0s, agents (lab-0, lab-7): nobody listens",
        ),
        (
            "at: 0s, select: {ids: [lab-0, lab-1, lab-2, lab-3, lab-4, lab-5, lab-6]}, do: {refuse: true}",
            "from 0s, agents (lab-0, lab-1, lab-2, lab-3, lab-4, 2 more): nobody listens",
        ),
        ("at: 0s, do: {clock: {offset: -90s}}", "from 0s, all agents: their clocks are 1m30s behind"),
        (
            "at: 0s, do: {clock: {offset: 2h, drift: -0.5%}}",
            "from 0s, all agents: their clocks are 2h ahead and lose 0.5%",
        ),
        (
            "at: 0s, do: {status: {code: 503, retry_after: 30s}}",
            "from 0s, all agents: HTTP 503 is answered in the server's place, to be asked again after 30s",
        ),
        ("at: 0s, do: {reset: request}", "from 0s, all agents: the connection breaks before the server acts"),
        ("at: 0s, do: {dns: not_found}", "from 0s, all agents: the server's name does not resolve (not found)"),
    ],
)  # fmt: skip  # a row, a case
def test_a_fault_is_told_in_a_sentence(said: str, told: str, tmp_path: Path):
    scenario = loaded(LAB + PHASES + f"faults: [{{name: f, {said}}}]\n", tmp_path)

    assert fault(scenario, scenario.faults[0]) == f"f: {told}"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("broker_disconnect: 5s", "the connection to the broker ends with a goodbye, back after 5s"),
        ("will: {dist: uniform, min: 1s, max: 9s}", "the connection to the broker breaks, back after 1s to 9s"),
        ("session_takeover: true", "somebody else takes their name at the broker"),
        ("duplicate_delivery: true", "the broker delivers everything twice"),
        ("broker_restart: 3s", "the broker goes down for 3s"),
    ],
)
def test_a_fault_at_a_broker_is_told_too(said: str, told: str, tmp_path: Path):
    text = LAB + f"transport: {{kind: mqtt}}\nfaults: [{{name: f, at: 0s, do: {{{said}}}}}]\n"
    scenario = loaded(text, tmp_path)

    assert fault(scenario, scenario.faults[0]) == f"f: from 0s, all agents: {told}"


def test_a_fault_of_a_storms_requests_meets_no_agent(tmp_path: Path):
    storm = "storms: [{name: a, at: 1s, for: 9s, op: reschedule, load: {rate: 1/s}}]\n"
    scenario = loaded(LAB + storm + "faults: [{name: f, at: 0s, on: reschedule, do: {drop: response}}]\n", tmp_path)

    told = fault(scenario, scenario.faults[0])

    assert told == "f: from 0s, reschedule requests of storms: the answers never come back"


def test_a_fault_at_a_broker_that_nobody_uses_makes_no_sense(tmp_path: Path):
    with pytest.raises(ScenarioError, match="nobody whom it selects uses a broker"):
        loaded(LAB + "faults: [{name: f, at: 0s, do: {broker_restart: 3s}}]\n", tmp_path)


def test_every_fault_has_words():
    assert set(_TOLD) == set(Do.model_fields)
