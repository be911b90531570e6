"""A scenario in plain words, word for word."""

from pathlib import Path

import pytest

from agent_sim.cli.library import scenario_files
from agent_sim.scenario.checks import Invariants
from agent_sim.scenario.explain import explain
from agent_sim.scenario.explain_values import number
from agent_sim.scenario.forecast import forecast
from agent_sim.scenario.load import load
from tests.scenario.files import LAB, loaded
from tests.scenario.test_load import FULL

SMALL = """\
version: 1
name: small
description: Two sites, one of them shaky.
seed: 1
stop: {after: 1m, drain: 10s}
server: {retries: 0}
fleets:
  - {name: fra, count: 6, labels: {site: fra}, capabilities: [PEM, LOGS], heartbeat: {every: 2s},
     stores: {per_agent: 2}}
  - {name: shz, count: 1, capabilities: ["custom:Patch"], heartbeat: {every: 5s}, behaviour: shaky}
behaviours:
  - name: default
    jobs:
      - {type: Management, duration: 500ms, outcomes: [{result: failure, message: "{store} is locked"}]}
  - {name: shaky, jobs: [{type: LOGS, duration: 1h}]}
phases:
  - {name: ramp, duration: 10s, online: 100%, shape: burst}
  - {name: on, duration: 50s}
schedules:
  - {name: renew, type: Management, select: {labels: {site: fra}, count: 3}, at: on}
  - {name: patch, type: "custom:Patch", every: 20s, from: on, until: on+30s, spread: 5s}
  - {name: night, type: LOGS, schedule: {daily: "02:00"}}
storms:
  - {name: again, at: on+10s, op: reschedule, target: {batch: 4}, load: {stages: [{to: 2/s, over: 2s}, {hold: 3s}]}}
checks:
  thresholds: [{metric: error_rate, max: 1%, warn_only: true}]
  invariants: {at_most_once: true}
"""

TOLD = """\
small: Two sites, one of them shaky.

Who takes part
  6 agents of fra (site fra): PEM and LOGS; a heartbeat every 2s; stores of each kind: 2; certificates in each: 3
  1 agent of shz: custom:Patch; a heartbeat every 5s

What they do
  fra: Management takes 500ms; 100% failure "{store} is locked"
  fra: any other job succeeds in 1s
  shz: every job succeeds in 1s

When
  0s to 10s ramp: agents come online in ten groups, from 0% to 100%
  10s to 1m on: 100% of the agents are online
  renew: Management (remove a certificate) for 3 agents (site fra, by chance), once at 10s
  patch: custom:Patch for 1 agent, every 20s from 10s until 40s, spread over 5s
  night: LOGS for 6 agents, handed to the server from 0s: every day at 02:00 UTC
  the end at 1m; jobs in flight may take up to 10s more

What is thrown at the server
  20s to 25s again: reschedule with 4 ids each, to 2/s in 2s, then held for 3s, evenly

What must hold
  error_rate <= 1% (told, but no failure)
  at_most_once: {AT_MOST_ONCE}

Forecast, if nothing goes wrong
  Management: 6 jobs in 12 runs: 100% failure
  custom:Patch: 2 jobs in 2 runs: 100% success
"""


def test_a_past_is_told_before_the_run(tmp_path: Path):
    scenario = loaded(LAB + "history: {backfill: 10d, day: 30s}\n", tmp_path)

    told = explain(scenario, forecast(scenario)).split("What was before\n")[1].split("\n\n")[0]
    assert told == (
        "  the embedded server remembers 10d, made up before the run begins: the first 5m of all this\n"
        "  in slow motion, 30s of it a day; jobs last as long as ever, and no check looks at it"
    )


def told(text: str, folder: Path) -> str:
    scenario = loaded(text, folder)
    return explain(scenario, forecast(scenario))


def test_a_scenario_is_told_in_plain_words(tmp_path: Path):
    text = told(SMALL, tmp_path)

    about = str(Invariants.model_fields["at_most_once"].description)
    assert text.startswith(TOLD.replace("{AT_MOST_ONCE}", f"{about[:1].lower()}{about[1:].rstrip('.')}")), text
    assert "\n  requests of agents: " in text
    assert "\n  again: 8 requests at most, 6 ids to reschedule\n" in text
    assert text.endswith("% of the time at most\n")


def test_every_kind_of_value_has_words(tmp_path: Path):
    text = told(FULL, tmp_path)

    for words in (
        "3s or less half of the time, 20s or less 95% of the time, at most 5m",
        "2s (90%) or 5s or less half of the time, 1m or less 95% of the time (10%)",
        "1s on average, often less, at most 10s",
        "1s (50%) and 1.5s (50%)",
        "handed to the server from 0s: every monday and friday at 08:30 UTC",
        "on day 31 of every month at the next whole minute after steady",
        "once at steady+1m",
        "acknowledge with a query each",
        "agents come online at random, from 0% to 90%",
        "of them 99% well and 1% sick",
        "0.5% taken and never completed",
        "for each agent first failure, ended by a crash of its agent, success, then 100% success",
        "completed late by 10m",
        "completed under an older session when time < 10m and agent.index % 100 == 0",
        "agents go offline one after another, from 100% to 60%; 30%/h of them are restarted, down for 10s",
    ):
        assert words in text, words


def test_a_run_without_an_end_and_too_much_work_are_told(tmp_path: Path):
    text = told(
        LAB
        + "stop: {after: never}\nbehaviours: [{name: default, jobs: [{type: LOGS, duration: 5m}]}]\n"
        + "schedules: [{name: a, type: LOGS, every: 2m}]\n",
        tmp_path,
    )

    assert "it never ends by itself" in text
    assert "Forecast of the first 1h, if nothing goes wrong" in text
    assert "times the work that they can do: jobs will be left over" in text


def test_every_shipped_scenario_can_be_told():
    for path in scenario_files():
        scenario = load(path, seed=1)

        assert explain(scenario, forecast(scenario)).startswith(scenario.name)


def test_aligned_heartbeats_are_told(tmp_path: Path):
    text = LAB.replace("count: 10", "count: 10, heartbeat: {every: 30s, align: true}")
    scenario = loaded(text, tmp_path)

    assert "; a heartbeat every 30s, all at the same moments" in explain(scenario, forecast(scenario))


@pytest.mark.parametrize(
    ("value", "text"),
    [(3, "3"), (12.5, "12.5"), (0, "0"), (1e12, "1,000,000,000,000"), (1234567.5, "1,234,567.5"), (1e300, "1e+300")],
)
def test_numbers_are_told_without_powers_of_ten_while_they_can_be_read(value: float, text: str):
    assert number(value) == text
