from pathlib import Path

import pytest

from agent_sim.errors import ScenarioError
from agent_sim.instants import SECOND, from_iso
from agent_sim.protocol import oig
from agent_sim.protocol.oig import JobDetails, Parameter, Trigger, TriggerType
from agent_sim.scenario.load import load
from agent_sim.scenario.oig_plan import Duty, OigPlan
from agent_sim.scenario.plan import plan

START = from_iso("2026-01-01T00:00:00Z")


def written(tmp_path: Path, block: str, more: str = "") -> Path:
    path = tmp_path / "s.yaml"
    path.write_text(f"version: 1\nname: s\nseed: 3\n{more}oig:\n{block}", encoding="utf-8")
    return path


def planned(tmp_path: Path, block: str, more: str = "") -> OigPlan:
    found = plan(load(written(tmp_path, block, more)), START).oig
    assert found is not None
    return found


def test_a_job_is_created_then_triggered_then_asked_for_in_order_of_time(tmp_path):
    block = """
  jobs:
    - name: A
      task: T
      retry_count: 2
      parameters: {P: 1, Q: true, R: x}
      concurrent: true
      trigger: {type: Periodic, interval: HOURS, values: ["1"], start: 500ms, end: 90s}
      do: [{at: 20s, do: stop}, {at: 10s, do: run}]
"""

    [line] = planned(tmp_path, block).jobs

    values = (Parameter("P", "1"), Parameter("Q", "true"), Parameter("R", "x"))
    assert line == (
        Duty(START, oig.CreateJob(JobDetails("agentsim-s-A", "T", 2, values, concurrent=True))),
        Duty(
            START,
            oig.SetTrigger(
                "agentsim-s-A",
                Trigger(TriggerType.PERIODIC, "HOURS", ("1",), START + SECOND, START + 90 * SECOND),
            ),
        ),
        Duty(START + 10 * SECOND, oig.RunJob("agentsim-s-A")),
        Duty(START + 20 * SECOND, oig.StopJob("agentsim-s-A")),
    )


def test_many_alike_are_numbered(tmp_path):
    lines = planned(tmp_path, "  jobs: [{name: A, task: T, count: 3}]\n").jobs

    names = [line[0].operation.job.job_name for line in lines]
    assert names == ["agentsim-s-A 00000", "agentsim-s-A 00001", "agentsim-s-A 00002"]


def test_a_run_goes_the_same_way_whenever_it_is_asked_about(tmp_path):
    block = """
  tasks:
    - task: T
      duration: {dist: uniform, min: 1s, max: 9s}
      first: [failure]
      outcomes: [{result: success, weight: 50%}, {result: failure, weight: 50%, message: no}]
"""
    tasks = planned(tmp_path, block).tasks

    told = [tasks.decide("T", "A", occurrence, 1, occurrence + 1) for occurrence in range(1, 200)]
    again = [tasks.decide("T", "A", occurrence, 1, occurrence + 1) for occurrence in range(199, 0, -1)]

    assert told == again[::-1]
    results = [ending.result for ending, _ in told]
    assert 70 < results.count("failure") < 130
    assert {ending.message for ending, _ in told} == {"", "no"}
    assert tasks.decide("T", "A", 1, 1, 1)[0].result == "failure"  # as told, whatever chance says
    assert tasks.decide("other", "A", 1, 1, 1)[1] == SECOND


@pytest.mark.parametrize(
    ("block", "said"),
    [
        ("  jobs: [{name: A}]\n", "oig.jobs[0].task: found nothing"),
        ("  jobs: [{name: A, task: T}, {name: A, task: T}]\n", 'found the job "A" twice'),
        ("  jobs: [{name: A, task: T, retry_count: -1}]\n", "oig.jobs[0].retry_count"),
        ("  jobs: [{name: A, task: T, retry_count: 2147483648}]\n", "oig.jobs[0].retry_count"),
        ("  jobs: [{name: A, task: T, do: [{at: 10m, do: run}]}]\n", "expected a time before the run ends"),
        ("  jobs: [{name: A, task: T, do: [{at: later, do: run}]}]\n", "there are no phases"),
        ("  jobs: [{name: A, task: T, do: [{at: 1s, do: sing}]}]\n", "oig.jobs[0].do[0].do"),
        ("  jobs: [{name: A, task: T, trigger: {type: Cron, interval: HOURS}}]\n", "intervalType of a Cron trigger"),
        (
            "  tasks: [{task: T, outcomes: [{result: failure, weight: 90%}]}]\n",
            "found weights that total 90%, expected 100%",
        ),
        ("  job: []\n", "oig.job"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(tmp_path, block, said):
    with pytest.raises(ScenarioError) as refused:
        load(written(tmp_path, block))

    assert said in str(refused.value)


def test_agents_and_jobs_of_the_scheduler_may_share_a_scenario(tmp_path):
    fleets = "fleets: [{name: lab, count: 2, capabilities: [LOGS]}]\n"

    whole = plan(load(written(tmp_path, "  jobs: [{name: A, task: T}]\n", fleets)), START)

    assert (len(whole.members), whole.oig is not None) == (2, True)


def test_a_storm_on_jobs_needs_an_oig_block(tmp_path):
    path = tmp_path / "s.yaml"
    path.write_text(
        "version: 1\nname: s\nfleets: [{name: lab, count: 2, capabilities: [LOGS]}]\n"
        "storms: [{name: a, at: 1s, op: oig_run, load: {rate: 1/s}, for: 1s}]\n",
        encoding="utf-8",
    )

    with pytest.raises(ScenarioError, match=r"storms\[0\].op: found oig_run, but there is no oig block"):
        load(path)
