"""Each fault over real HTTP, as the server sees it: one run, one small fleet for each fault, and one without."""

import pytest

from agent_sim.results import journal
from tests.fleet.live_runs import run_live
from tests.fleet.replays import play

pytestmark = pytest.mark.slow

BEGIN, END = 3.0, 9.0
TIMEOUT = 2.0
"""Of requests, in seconds: a busy machine answers in this time, and silence is noticed often enough."""

FAULTS = {
    "slow": "latency: 300ms",
    "shaky": "jitter: 200ms",
    "thin": "bandwidth: 3KB/s",
    "unheard": "drop: response",
    "lost": "drop: request",
    "cut": "reset: request",
    "torn": "reset: response",
    "closed": "refuse: true",
    "busy": "status: {code: 503, retry_after: 2s}",
    "short": "truncate: 50%",
    "noisy": "garbage: 300B",
    "deaf": "partition: in",
    "mute": "partition: out",
    "island": "partition: both",
    "nameless": "dns: not_found",
    "expired": "tls: expired",
    "twice": "duplicate: 50ms",
    "swapped": "reorder: 150ms",
    "dead": "crash: {point: before_configure, restart_after: 2s}",
    "wrong": "clock: {offset: 1h, drift: 1%}",
}
NEVER_SENT = ("lost", "cut", "closed", "busy", "mute", "island", "nameless", "expired")
UNHEARD = ("unheard", "torn", "deaf")
UNREADABLE = ("short", "noisy")
FAILING = (*(name for name in NEVER_SENT if name != "busy"), *UNHEARD)

_ONE = "  - {{name: f-{0}, at: 3s, for: 6s, select: {{fleets: [{0}]}}, do: {{{1}}}}}\n"
SCENARIO = f"""
version: 1
name: faults
seed: 3
stop: {{after: 14s, drain: 30s}}
server: {{retries: 0}}
transport: {{connections: {{limit: 20}}, timeouts: {{connect: 2s, request: 2s}}}}
fleets:
  - {{name: calm, count: 3, capabilities: [LOGS], heartbeat: {{every: 250ms}}}}
{"".join(f"  - {{name: {n}, count: 2, capabilities: [LOGS], heartbeat: {{every: 250ms}}}}" + chr(10) for n in FAULTS)}
behaviours: [{{name: default, jobs: [{{type: LOGS, duration: 100ms, outcomes: [{{result: success, weight: 100%}}]}}]}}]
schedules: [{{name: logs, type: LOGS, every: 2s, from: 1s, until: 11s}}]
faults:
{"".join(_ONE.format(name, do) for name, do in FAULTS.items())}
checks: {{invariants: {{no_lost_jobs: true, at_most_once: true}}}}
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return run_live(tmp_path_factory.mktemp("faults"), SCENARIO)


def arrived(run, fleet, since, until):
    """What the server saw of a fleet in a stretch of the run."""
    return [asked for asked in run.seen if f"-{fleet}-" in asked.machine and since <= asked.t < until]


def failures(run, fleet):
    return [line for line in run.of(journal.SendFailed) if line.fleet == fleet]


def test_every_fault_is_armed_in_time_and_over_in_time_and_met_its_own_agents_only(run):
    armed = {line.fault: line for line in run.of(journal.FaultArmed)}
    over = {line.fault: line for line in run.of(journal.FaultOver)}

    assert set(armed) == set(over) == {f"f-{name}" for name in FAULTS}
    for name in FAULTS:
        assert (armed[f"f-{name}"].t, over[f"f-{name}"].t) == (BEGIN, END)
        assert over[f"f-{name}"].agents != ()
        assert all(f"-{name}-" in agent for agent in over[f"f-{name}"].agents)


def test_the_requests_that_a_fault_met_are_counted_apart(run):
    over = {line.fault: line.requests for line in run.of(journal.FaultOver)}
    del over["f-dead"]  # at which agents die: nobody is left to hear how the request ended
    counted = dict.fromkeys(over, 0)
    for line in run.of(journal.Traffic):
        for fault in line.faults:
            counted[fault] += line.ok + line.failed

    assert counted == over


def test_those_who_are_not_selected_go_on_as_if_nothing_were(run):
    assert failures(run, "calm") == []
    assert len(arrived(run, "calm", BEGIN, END)) >= 6


@pytest.mark.parametrize("name", NEVER_SENT)
def test_the_server_sees_nothing_while_nothing_gets_out(run, name):
    assert arrived(run, name, BEGIN + 1.5, END) == []  # what left before may be under way for a moment
    assert len(arrived(run, name, END, END + 5)) >= 2


@pytest.mark.parametrize("name", UNHEARD)
def test_the_server_acts_and_nobody_hears_it(run, name):
    assert len(arrived(run, name, BEGIN, END)) >= 2
    assert len(failures(run, name)) >= 2


@pytest.mark.parametrize("name", FAILING)
def test_every_failure_belongs_to_the_window_and_names_its_fault(run, name):
    assert len(failures(run, name)) >= 2
    assert all(
        BEGIN <= line.t < END + TIMEOUT + 1 and f"(fault f-{name})" in line.error for line in failures(run, name)
    )


@pytest.mark.parametrize("name", [name for name in FAULTS if name not in FAILING])
def test_the_others_end_in_an_answer(run, name):
    assert failures(run, name) == []


def test_an_answer_from_the_way_is_counted_as_the_error_that_it_is(run):
    busy = [line for line in run.of(journal.Traffic) if line.faults == ("f-busy",)]

    assert {error for line in busy for error in line.errors} == {"http_5xx"}


@pytest.mark.parametrize(("name", "least"), [("slow", 300_000), ("thin", 60_000)])
def test_slow_requests_take_as_long_as_declared(run, name, least):
    met = [line for line in run.of(journal.Traffic) if line.faults == (f"f-{name}",) and line.operation == "heartbeat"]

    assert sum(line.ok for line in met) >= 2
    # What the window's end lets go of is quicker.
    assert max(line.latency["max_us"] for line in met) >= least


def test_dead_agents_say_nothing_until_they_are_back(run):
    crashes = run.of(journal.AgentCrashed)

    assert {crash.fleet for crash in crashes} == {"dead"}
    assert len(crashes) >= 2
    for crash in crashes:
        asked = [one for one in arrived(run, "dead", 0, 14) if one.machine == crash.agent]
        assert not [one for one in asked if crash.t + 1 <= one.t < crash.restart]  # but for what was under way
        assert next(one.operation for one in asked if one.t >= crash.restart) == "Register"


def test_faults_that_end_leave_the_outcome_of_a_replay(run, tmp_path):
    assert run.summary.outcome_digest == play(tmp_path, SCENARIO).digest


def test_a_copy_arrives_as_well(run):
    beats = [asked for asked in arrived(run, "twice", BEGIN, END) if asked.operation == "Heartbeat"]
    [over] = [line for line in run.of(journal.FaultOver) if line.fault == "f-twice"]

    assert len(arrived(run, "twice", BEGIN, END + 0.5)) > over.requests * 1.5
    assert len(beats) >= 4


def test_no_job_is_lost_and_none_runs_twice(run):
    assert run.answers == {"no_lost_jobs": "kept", "at_most_once": "kept"}
    assert run.lines[-1].reason == "finished"


def test_faults_that_only_slow_down_are_no_excuse_for_any_job(run):
    faults = {line.fault for line in run.of(journal.FaultStruck)}

    assert {"f-slow", "f-shaky", "f-thin"} & faults == set()
    assert faults != set()
