from pathlib import Path

from agent_sim.scenario.explain import explain
from agent_sim.scenario.forecast import forecast
from agent_sim.scenario.load import load

BLOCK = """version: 1
name: s
description: A scheduler alone.
seed: 1
stop: {after: 1m}
oig:
  tasks:
    - {task: T, duration: 2s, first: [failure], outcomes: [{result: success, weight: 90%}, {result: hang, weight: 10%}]}
  jobs:
    - {name: A, task: T, retry_count: 1, do: [{at: 1s, do: run}, {at: 9s, do: stop}]}
    - {name: B, task: T, count: 20, concurrent: true, enabled: false,
       trigger: {type: Cron, interval: WEEKLY, values: [Monday], start: 3s, end: 40s}}
    - {name: C, task: T, retry_count: 3, trigger: {type: Single, start: 5s}}
storms:
  - {name: many, at: 10s, op: oig_run, load: {rate: 5/s}, for: 4s}
"""


def test_the_scheduler_is_told_of_in_plain_words(tmp_path: Path):
    path = tmp_path / "s.yaml"
    path.write_text(BLOCK, encoding="utf-8")
    scenario = load(path)

    assert (
        explain(scenario, forecast(scenario))
        == """s: A scheduler alone.

What the scheduler does
  A: runs T; 1 retry; one at a time; run at 1s and stop at 9s
  B, 20 jobs alike: runs T; no retry; several at once; disabled at first; fires by Cron WEEKLY Monday, from 3s until 40s
  C: runs T; 3 retries; one at a time; fires once, at 5s
  T takes 2s and ends in 90% success and 10% hang, the first runs of a job failure

When
  the end at 1m; jobs in flight may take up to 1m more

What is thrown at the server
  10s to 14s many: oig_run with one job each, 5/s evenly

Forecast, if nothing goes wrong
  many: 20 requests at most, a job each
"""
    )
