"""Two results beside each other: what counts as worse, and what is not compared at all."""

import json
from copy import deepcopy

import pytest

from agent_sim.errors import UsageError
from agent_sim.histogram import Histogram
from agent_sim.results.compare import compare, read_side, unlike


def histogram(*values):
    made = Histogram()
    for value in values:
        made.record(value)
    return made.to_json()


RESULT = {
    "schema": "agent-sim/result/1",
    "run": {"scenario": "lab", "agents": 5, "embedded": True, "target": "http://127.0.0.1:1", "connections": "shared"},
    "ended": {"reason": "finished"},
    "seconds": 10.0,
    "verdicts": [
        {"kind": "invariant", "name": "no_lost_jobs", "answer": "kept", "warn_only": False},
        {"kind": "run", "name": "end of the run", "answer": "unknown", "warn_only": True},
    ],
    "jobs": [{"type": "LOGS", "outcomes": {"success": 90, "failure": 10}, "worked": histogram(*[1000] * 100)}],
    "whole": {"operations": {"complete": {"ok": 100, "failed": 0, "latency": histogram(*[2000] * 200)}}},
    "storms": [
        {
            "name": "again",
            "result": {
                "response": histogram(*[5000] * 200),
                "service": histogram(),
                "completed": 200,
                "errors": {"timeout": 2},
                "achieved_rate": 20.0,
                "ids_per_second": 160.0,
            },
        }
    ],
    "environment": {
        "machine": "x86_64",
        "cores": "2",
        "system": "Linux",
        "python": "3.11",
        "server_cpu_seconds": "7.5",
    },
}

COMPLETE = ("whole", "operations", "complete")


def changed(way, value, result=RESULT):
    """The result with one member changed: `("whole", "operations", ...)`."""
    made = deepcopy(result)
    place = made
    for step in way[:-1]:
        place = place[step]
    place[way[-1]] = value
    return made


def side(result=RESULT, scenario=None):
    return read_side(json.loads(json.dumps(result)), "result.json", scenario)


def worse(result, tolerance=0.1):
    return [row.name for row in compare(side(), side(result), tolerance) if row.regressed]


def test_a_run_is_no_worse_than_itself():
    rows = compare(side(), side(), 0.0)

    assert not any(row.regressed for row in rows)
    assert {row.change for row in rows} == {None, 0.0}
    assert [row.name for row in rows][:2] == ["invariant no_lost_jobs", "storm again p50"]


@pytest.mark.parametrize(
    ("way", "value", "names"),
    [
        # slower by half, but the 99th percentile has too few samples to say so
        (("whole", "operations", "complete", "latency"), histogram(*[3000] * 200), ["complete p50", "complete p95"]),
        # slower by a twentieth: within the tolerance
        (("whole", "operations", "complete", "latency"), histogram(*[2100] * 200), []),
        # faster
        (("whole", "operations", "complete", "latency"), histogram(*[200] * 200), []),
        # one error in two hundred, where there was none
        (("whole", "operations", "complete", "failed"), 1, ["complete errors"]),
        # half the throughput
        (("storms", 0, "result", "ids_per_second"), 80.0, ["storm again ids/s"]),
        # a check that holds no more, or of which that is not known any more
        (("verdicts", 0, "answer"), "broken", ["invariant no_lost_jobs"]),
        (("verdicts", 0, "answer"), "unknown", ["invariant no_lost_jobs"]),
        # fewer jobs done; how many of them fail is the scenario's chance
        (("jobs", 0, "outcomes"), {"success": 50}, ["LOGS jobs done"]),
        (("jobs", 0, "outcomes"), {"success": 50, "failure": 50}, []),
        # CPU: a second more is a measurement's noise, three are not
        (("environment", "server_cpu_seconds"), "8.4", []),
        (("environment", "server_cpu_seconds"), "10.5", ["CPU of the server"]),
    ],
)
def test_worse_by_more_than_the_tolerance_is_a_regression(way, value, names):
    assert worse(changed(way, value)) == names


def test_microseconds_are_no_regression():
    quick = changed(("whole", "operations", "complete", "latency"), histogram(*[50] * 200))
    slower = changed(("whole", "operations", "complete", "latency"), histogram(*[120] * 200))

    assert not any(row.regressed for row in compare(side(quick), side(slower), 0.1))


@pytest.mark.parametrize(
    ("way", "names"),
    [
        (("storms",), ["storm again p50", "storm again p95", "storm again errors", "storm again achieved"]),
        (("whole", "operations"), ["complete p50", "complete p95", "complete errors", "complete achieved"]),
        (("jobs",), ["LOGS jobs done", "LOGS failures"]),
        (("verdicts",), ["invariant no_lost_jobs"]),
    ],
)
def test_what_is_not_there_any_more_is_a_regression_told_by_name(way, names):
    value = {} if way[-1] == "operations" else []
    rows = {row.name: row for row in compare(side(), side(changed(way, value)), 0.1)}
    news = compare(side(changed(way, value)), side(), 0.1)

    assert all(rows[name].regressed for name in names)
    assert {rows[name].b for name in names} == {"–" if way == ("verdicts",) else "gone"}
    assert not any(row.regressed for row in news)


def test_a_measurement_of_cpu_may_be_missing():
    without = deepcopy(RESULT)
    del without["environment"]["server_cpu_seconds"]

    assert worse(without) == []


def test_a_run_that_a_threshold_aborted_is_worse_than_one_that_finished():
    aborted = changed(("ended", "reason"), "aborted: error_rate is 12 %")

    assert unlike(side(), side(aborted)) == ()
    assert worse(aborted) == ["end of the run"]
    assert unlike(side(aborted), side()) == ("end: aborted: error_rate is 12 % against finished",)


@pytest.mark.parametrize(
    ("way", "value", "said"),
    [
        (("run", "scenario"), "other", "scenario: lab against other"),
        (("run", "agents"), 500, "agents: 5 against 500"),
        (("run", "connections"), "per_agent", "connections: shared against per_agent"),
        (("run", "embedded"), False, "kind of run: live, own server against live, other server"),
        (("ended", "reason"), "interrupted", "end: finished against interrupted"),
        (("environment", "cores"), "64", "cores: 2 against 64"),
        (("environment", "machine"), "arm64", "machine: x86_64 against arm64"),
    ],
)
def test_runs_that_are_not_alike_say_why(way, value, said):
    assert unlike(side(), side(changed(way, value))) == (said,)


def test_the_place_of_a_server_and_the_version_may_differ():
    assert unlike(side(), side(changed(("run", "target"), "http://127.0.0.1:2"))) == ()


def test_replays_are_alike_on_every_machine():
    here = changed(("run", "target"), "the embedded server in virtual time")
    there = changed(("environment", "cores"), "64", here)

    assert unlike(side(here), side(there)) == ()


def test_the_scenarios_must_be_the_same_but_for_the_seed():
    first = side(scenario="name: lab\nseed: 1\nstop: 5m\n")

    assert unlike(first, side(scenario="name: lab\nseed: 2\nstop: 5m\n")) == ()
    assert unlike(first, side(scenario="name: lab\nseed: 1\nstop: 6m\n")) == (
        "resolved scenario: stop: 5m against stop: 6m",
    )


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ([], "result.json: must be an object"),
        ({}, "result.json: is no result of agent-sim: its schema is None"),
        ({"schema": "agent-sim/result/1"}, "result.json: the result lacks run"),
        (changed(("whole",), {}), "result.json: the run lacks operations"),
        (changed(("environment", "server_cpu_seconds"), 5), "result.json: must be seconds as text, is 5"),
        (changed(("environment", "server_cpu_seconds"), "nan"), "result.json: must be seconds as text, is 'nan'"),
        (changed(("environment", "server_cpu_seconds"), "-1"), "result.json: must be seconds as text, is '-1'"),
        (changed(("seconds",), 10**400), "result.json: must be a number, is 1000"),
        (changed(("seconds",), -1), "result.json: must be 0 or more"),
        (changed((*COMPLETE, "ok"), 10**400), "result.json: must be a count from 0 to 9223372036854775807, is 1000"),
        (changed((*COMPLETE, "failed"), -1), "result.json: must be a count from 0 to 9223372036854775807, is -1"),
        (changed((*COMPLETE, "latency", "count"), -5), "result.json: must be a count"),
        (changed((*COMPLETE, "latency", "buckets"), {"9" * 400: 1}), "result.json: has a bucket beyond the last"),
        (changed((*COMPLETE, "latency", "buckets"), {"99999": 1}), "result.json: has a bucket beyond the last"),
        (changed(("jobs", 0, "outcomes"), {"success": -90}), "result.json: must be a count"),
    ],
)
def test_what_is_no_result_is_refused(document, said):
    with pytest.raises(UsageError) as refused:
        read_side(document, "result.json", None)

    assert str(refused.value).startswith(said)
    assert len(str(refused.value)) < 200
