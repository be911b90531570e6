"""Laws of replays, over scenarios made by chance whose retries, timeouts and storms get into each other's way."""

from dataclasses import replace

import pytest

from agent_sim.draws import key, unit
from agent_sim.results.judge import INVARIANTS
from tests.fleet.replays import backwards, play

TEXT = """
version: 1
name: law
seed: {seed}
stop: {{after: 6m, drain: 3h}}
server:
  retries: {retries}
  job_timeout: {timeout}
  session_length: {session}
  auto_approve: {approve}
  registration_check: 30s
  partial_policy: {partial}
  acknowledge_again: {again}
fleets:
  - {{name: a, count: {count}, capabilities: [LOGS, PEM], heartbeat: {{every: {beat}}}}}
  - {{name: b, count: 2, capabilities: [PEM, "custom:Patch"], heartbeat: {{every: 5s}}, stores: {{per_agent: 3}}}}
behaviours:
  - name: default
    jobs:
      - type: Management
        duration: {{dist: exponential, mean: {mean}, max: 2m}}
        outcomes: [{{result: success, weight: 30%}}, {{result: warning, weight: 10%}}, {{result: failure, weight: 60%}}]
      - {{type: LOGS, outcomes: [{{result: warning, weight: 50%}}, {{result: failure, weight: 50%}}]}}
schedules:
  - {{name: renewals, type: Management, every: {every}, until: 4m}}
  - {{name: logs, type: LOGS, every: 20s, until: 4m}}
  - {{name: inventory, type: Inventory, {inventory}}}
  - {{name: patches, type: "custom:Patch", at: 1m}}
storms:
  - {{name: first, at: {at}, op: {op}, target: {{by: {by}, batch: {batch}}},
      load: {{arrivals: {arrivals}, rate: {rate}}}, for: 5s}}
  - {{name: second, at: 3m, op: {op2}, target: {{batch: 3}}, load: {{rate: 20/s}}, for: 5s}}
checks: {{invariants: EVERY_LAW}}
"""

CHOICES = {
    "retries": (0, 0, 1, 5),
    "timeout": ("15s", "1m", "1h"),
    "session": ("1m", "23h"),
    "approve": ("true", "false"),
    "partial": ("atomic", "best_effort"),
    "again": ("refuse", "no_op"),
    "count": (1, 3, 5),
    "beat": ("2s", "30s"),
    "mean": ("1s", "10s"),
    "every": ("10s", "45s"),
    "at": ("1m", "90s", "2m"),
    "op": ("reschedule", "acknowledge"),
    "op2": ("reschedule", "acknowledge"),
    "by": ("ids", "ids", "query"),
    "batch": (1, 3, 10),
    "arrivals": ("uniform", "poisson"),
    "rate": ("1/s", "20/s"),
}


def anything(seed, inventory="every: 1m, until: 4m"):
    """A small scenario by chance."""
    chance = key("law", seed)
    picked = {name: choices[int(unit(chance, name) * len(choices))] for name, choices in CHOICES.items()}
    return TEXT.format(seed=seed, inventory=inventory, **picked)


@pytest.mark.parametrize("seed", [*range(12), 1013])
def test_whatever_happens_no_job_is_lost_and_none_done_twice(seed, tmp_path):
    played = play(tmp_path, anything(seed))

    assert [verdict for verdict in played.verdicts if verdict.answer == "broken"] == []
    assert {played.answers[law] for law in INVARIANTS} == {"kept"}
    assert played.lines[-1].drained


@pytest.mark.parametrize("seed", range(20, 26))
def test_who_comes_first_decides_no_outcome(seed, tmp_path):
    # One inventory a store: while one waits, asking again is the same job, so who is quicker would count.
    text = anything(seed, inventory="at: 1m")
    forwards = play(tmp_path, text, change=lambda planned: replace(planned, storms=()))
    reversed_ = play(tmp_path, text, change=lambda planned: backwards(replace(planned, storms=())))

    assert forwards.text != reversed_.text
    assert forwards.digest == reversed_.digest


@pytest.mark.parametrize("seed", range(30, 34))
def test_the_same_scenario_is_the_same_run_to_the_byte(seed, tmp_path):
    assert play(tmp_path, anything(seed)).text == play(tmp_path, anything(seed)).text
