"""A file in, a whole scenario out, and the same again from what it is written as."""

import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent_sim.errors import ScenarioError, UsageError
from agent_sim.instants import MINUTE, NEVER, SECOND
from agent_sim.scenario.load import Overrides, dump, load, overrides, profiles
from tests.scenario.files import LAB, loaded, written

FULL = """\
version: 1
name: outage-and-return
description: A site goes dark.
seed: 42
x-notes: anything goes here
params:
  agents: {type: int, default: 2000, min: 1, max: 200000, help: orchestrators in all}
stop: {after: 30m, drain: 2m}
server: {retries: 1, job_timeout: 10m, enum_style: name, durability: full, max_data: 1MB}
transport: {kind: http, connections: {mode: shared, limit: 200}, timeouts: {connect: 5s, request: 30s}}
fleets:
  - name: emea
    count: "${agents * 0.6}"
    labels: {site: fra, ring: stable}
    capabilities: [PEM, LOGS, "custom:Patch"]
    heartbeat: {every: 60s, jitter: 10%}
    personas: [{name: well, share: 99%}, {name: sick, share: 1%, labels: {ring: canary}, behaviour: flaky}]
    stores:
      per_agent: {dist: discrete, values: {1: 70%, 5: 25%, 40: 5%}}
      certificates: {dist: lognormal, median: 12, p95: 150}
      change: {add: 1%, remove: 1%, modify: 2%}
      marks: full
      discovered: 4
    behaviour: standard
  - {name: factory, count: "${agents * 0.4}", labels: {site: shz}, capabilities: [LOGS, SSL], heartbeat: {every: 5m, align: true}, endpoints: 50, behaviour: flaky}
job_types:
  - {name: Patch, description: Puts a patch on a host., fields: [{name: Target, required: true}, {name: Tries, type: int, default: 3}, {name: Force, type: bool}]}
behaviours:
  - name: standard
    jobs:
      - type: Inventory
        duration: {dist: lognormal, median: 3s, p95: 20s, max: 5m}
        outcomes:
          - {result: success, weight: 96%}
          - {result: warning, weight: 2%, message: "Store {store} holds {n} expired certificates"}
          - {result: failure, weight: 1.5%, message: "Access to {store} denied"}
          - {result: hang, weight: 0.5%, at: after_upload}
      - type: Management
        duration: {dist: uniform, min: 1s, max: 4s}
        sequence: {per: agent, results: [failure, {result: crash, point: after_complete, restart_after: 30s, keeps_identity: false}, success], then: weights}
      - type: LOGS
        duration: {dist: mixture, parts: [{weight: 90%, of: {dist: constant, value: 2s}}, {weight: 10%, of: {dist: pareto, median: 5s, p95: 1m}}]}
        size: {dist: lognormal, median: 200KB, p95: 2MB}
        outcomes: [{result: success, weight: 97%}, {result: late, weight: 1%, by: 10m}, {result: complete_twice, weight: 1%, gap: 3s}, {result: oversize, weight: 1%, size: 3MB}]
      - {type: custom, duration: {dist: exponential, mean: 1s, max: 10s}}
      - {type: "custom:Patch", duration: {dist: discrete, values: {1s: 50%, 1500ms: 50%}}}
    rules:
      - {when: "agent.labels.ring == 'canary' and job.attempt == 1", result: failure, message: "canary, first try"}
      - {when: "time < 10m and agent.index % 100 == 0", result: stale_session}
  - {name: flaky, extends: standard, jobs: [{type: LOGS, outcomes: [{result: success, weight: 70%}, {result: failure, weight: 30%}]}]}
phases:
  - {name: ramp, duration: 5m, online: 90%, shape: poisson}
  - {name: steady, duration: 10m, online: 100%, shape: burst}
  - {name: back, duration: 5m, online: 60%, churn: {restart: 0.5%/min, down: 10s, keeps_identity: false}}
schedules:
  - {name: inventory, type: Inventory, select: {fleets: [emea]}, every: 15m, from: steady, until: back, spread: 1m}
  - {name: nightly, type: LOGS, select: {labels: {site: fra}, percent: 10%}, schedule: {daily: "02:00"}}
  - {name: weekly, type: "custom:Patch", fields: {Target: db01, Force: true}, schedule: {weekly: {days: [monday, friday], time: "08:30"}}}
  - {name: renew, type: Reenrollment, at: steady, subject: "CN=web01,O=Test", select: {percent: 5%, sticky: false}}
  - {name: find, type: Discovery, every: 10m, dirs: [/opt, /srv], select: {ids: [emea-0, emea-00007]}}
  - {name: scan, type: SslDiscovery, every: 5m}
  - {name: watch, type: Monitoring, schedule: {interval: 15m}}
  - {name: monthly, type: "custom:Patch", fields: {target: "5"}, schedule: {monthly: {day: 31, time: steady}}}
  - {name: once, type: LOGS, from: ramp, schedule: {exactly_once: steady+1m}}
  - {name: often, type: LOGS, select: {count: 3}, schedule: {interval: 5m}}
  - {name: now, type: Management, at: 90s, operation: add, alias: web01}
storms:
  - name: mass-reschedule
    at: back+1m
    op: reschedule
    target: {by: ids, batch: 50}
    load: {arrivals: poisson, stages: [{to: 50/s, over: 30s}, {hold: 2m}], max_in_flight: 500}
  - {name: ack, at: back, op: acknowledge, target: {by: query, query: 'Result -eq 4 AND Status -eq 3'}, load: {rate: 5/min}, for: 1m}
checks:
  thresholds:
    - {metric: "latency{op=complete}", stat: p99.9, max: 250ms, during: [steady]}
    - {metric: error_rate, max: 0.1%, warn_only: true}
    - {metric: "throughput{storm=mass-reschedule}", min: 40/s, max: 60/s}
    - {metric: "jobs{type=LOGS, outcome=failure}", min: 3}
  invariants: {no_lost_jobs: {settle: 2m}, at_most_once: true}
profiles:
  ci: {params: {agents: 200}}
  demo: {stop: {after: never}}
"""  # noqa: E501  # as the format's own example writes it


def test_three_keys_are_a_scenario_and_all_else_has_its_default(tmp_path: Path):
    scenario = loaded("version: 1\nname: s\nfleets: [{name: lab, count: 3}]\n", tmp_path)

    [fleet] = scenario.fleets
    assert (scenario.stop.after, scenario.stop.drain) == (5 * MINUTE, MINUTE)
    assert (fleet.capabilities, fleet.heartbeat.every, fleet.heartbeat.jitter) == (("LOGS",), 5 * MINUTE, 0.1)
    assert (scenario.server.retries, scenario.transport.connections.mode) == (5, "auto")
    assert (scenario.behaviours, scenario.schedules, scenario.storms, scenario.phases) == ((), (), (), ())


def test_a_run_lasts_as_long_as_its_phases_unless_it_says_otherwise(tmp_path: Path):
    text = LAB + "phases: [{name: a, duration: 1m}, {name: b, duration: 30s}]\n"

    assert loaded(text, tmp_path).stop.after == 90 * SECOND
    assert loaded(text + "stop: {after: 2m}\n", tmp_path).stop.after == 2 * MINUTE
    assert loaded(text + "stop: {after: never}\n", tmp_path).stop.after == NEVER


def test_the_seed_is_the_options_then_the_files_then_the_callers(tmp_path: Path):
    assert loaded(LAB, tmp_path, seed=7).seed == 7
    assert loaded(LAB + "seed: 42\n", tmp_path, seed=7).seed == 42
    assert loaded(LAB + "seed: 42\n", tmp_path, Overrides(seed=9), seed=7).seed == 9


@pytest.mark.parametrize("profile", [None, "ci", "demo"])
def test_what_is_dumped_loads_as_an_equal_scenario(profile: str | None, tmp_path: Path):
    scenario = loaded(FULL, tmp_path, Overrides(profile=profile))

    text = dump(scenario)
    again = load(written(text, tmp_path, "resolved.yaml"), seed=1)
    assert again == scenario
    assert dump(again) == text


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@given(description=TEXTS, labels=st.dictionaries(TEXTS, TEXTS, max_size=3), seed=st.integers(0, 2**63 - 1))
def test_any_text_survives_a_dump(description: str, labels: dict[str, str], seed: int, tmp_path: Path):
    scenario = loaded(LAB, tmp_path)
    fleet = scenario.fleets[0].model_copy(update={"labels": labels})
    changed = scenario.model_copy(update={"description": description, "fleets": (fleet,), "seed": seed})

    assert load(written(dump(changed), tmp_path, "resolved.yaml")) == changed


def test_every_key_of_a_file_is_taken_over(tmp_path: Path):
    scenario = loaded(FULL, tmp_path)

    assert [fleet.count for fleet in scenario.fleets] == [1200, 800]
    assert scenario.behaviours[1].jobs[2].outcomes[1].weight == 0.3
    assert scenario.behaviours[1].jobs[2].duration == scenario.behaviours[0].jobs[2].duration
    assert scenario.storms[0].span == 150 * SECOND
    assert scenario.checks.invariants.no_lost_jobs is not None
    assert scenario.checks.invariants.no_lost_jobs.settle == 2 * MINUTE


def test_the_profiles_of_a_file_are_known_by_name(tmp_path: Path):
    assert profiles(written(FULL, tmp_path)) == ("ci", "demo")
    assert profiles(written(LAB, tmp_path)) == ()


def test_overrides_are_read_from_options_as_typed():
    assert overrides("ci", ["a=1", "b=x=y"], ["stop.after=1m"], 5) == Overrides(
        "ci", {"a": "1", "b": "x=y"}, (("stop.after", "1m"),), 5
    )
    with pytest.raises(UsageError):
        overrides(params=["a"])


HOSTILE = {
    "two thousand fleets": "fleets:\n" + "".join(f"  - {{name: f{n}, count: 3}}\n" for n in range(2000)),
    "a million agents": "fleets: [{name: a, count: 1000000}]\n",
    "ten thousand unknown keys": "".join(f"key{n}: 1\n" for n in range(10_000)),
    "ten thousand expressions": 'description: "' + "${1 + 1} " * 10_000 + '"\n',
    "expressions that never close": 'description: "' + "${" * 100_000 + '"\n',
    "a number of digits": f"stop: {{after: {'9' * 100_000}}}\n",
    "a unit of digits": f"stop: {{after: {'1' * 100_000}d{'1' * 100_000}x}}\n",
    "a metric of labels": f"checks: {{thresholds: [{{metric: 'latency{{{'a = ' * 50_000}}}', max: 1s}}]}}\n",
    "a query of parentheses": (
        "fleets: [{name: a, count: 1}]\n"
        "storms: [{name: a, at: 1s, op: reschedule, load: {rate: 1/s}, for: 1s,"
        f" target: {{query: {'(' * 9000}}}}}]\n"
    ),
    "a message of braces": (
        "behaviours: [{name: a, jobs: [{type: LOGS, outcomes: [{result: failure, message: '"
        + "{" * 100_000
        + "'}]}]}]\n"
    ),
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_file_is_read_or_refused_in_seconds(text: str, tmp_path: Path):
    path = written(f"version: 1\nname: s\n{text}", tmp_path)

    begin = time.perf_counter()
    try:
        outcome: object = load(path).name
    except ScenarioError as error:
        outcome = error.problems[0].path
    assert outcome in ("s", str(path))
    assert time.perf_counter() - begin < 20
