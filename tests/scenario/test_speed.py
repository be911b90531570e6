"""A scenario at another speed: which of its values change, and which do not."""

import pytest

from agent_sim.errors import UsageError
from agent_sim.scenario.speed import at_speed

TREE = {
    "name": "1m",
    "stop": {"after": "10m", "drain": "1m"},
    "server": {"session_length": "23h", "age_out": "7d", "retries": 5},
    "transport": {"timeouts": {"connect": "5s"}},
    "fleets": [
        {"name": "f", "labels": {"every": "1m"}, "heartbeat": {"every": "500ms", "jitter": "10%"}},
        {"name": "g", "stores": {"per_agent": {"dist": "discrete", "values": {"1": "70%", "5": "30%"}}}},
    ],
    "behaviours": [
        {"jobs": [{"type": "LOGS", "duration": {"dist": "discrete", "values": {"1s": "50%", "1m30s": "50%"}}}]},
        {"jobs": [{"duration": "0s", "size": "400B", "outcomes": [{"message": "after 1m", "weight": "1%"}]}]},
    ],
    "phases": [{"name": "p", "duration": "5ms"}],
    "schedules": [{"name": "s", "at": "p+30s", "schedule": {"immediate": True}}],
    "storms": [{"at": "p", "load": {"rate": "20/s", "stages": [{"to": "90/h", "over": "30s"}]}, "for": "10s"}],
    "checks": {
        "thresholds": [{"metric": "latency{op=complete}", "max": "250ms"}, {"metric": "throughput", "min": "40/s"}],
        "invariants": {"no_lost_jobs": {"settle": "2m"}},
    },
}


def test_spans_shrink_and_rates_grow_and_nothing_else_changes():
    assert at_speed(TREE, 10.0) == {
        "name": "1m",
        "stop": {"after": "1m", "drain": "6s"},
        "server": {"session_length": "2h18m", "age_out": "7d", "retries": 5},
        "transport": {"timeouts": {"connect": "5s"}},
        "fleets": [
            {"name": "f", "labels": {"every": "1m"}, "heartbeat": {"every": "100ms", "jitter": "10%"}},
            {"name": "g", "stores": {"per_agent": {"dist": "discrete", "values": {"1": "70%", "5": "30%"}}}},
        ],
        "behaviours": [
            {"jobs": [{"type": "LOGS", "duration": {"dist": "discrete", "values": {"100ms": "50%", "9s": "50%"}}}]},
            {"jobs": [{"duration": "0s", "size": "400B", "outcomes": [{"message": "after 1m", "weight": "1%"}]}]},
        ],
        "phases": [{"name": "p", "duration": "1ms"}],
        "schedules": [{"name": "s", "at": "p+3s", "schedule": {"immediate": True}}],
        "storms": [{"at": "p", "load": {"rate": "200/s", "stages": [{"to": "900/h", "over": "3s"}]}, "for": "1s"}],
        "checks": {
            "thresholds": [
                {"metric": "latency{op=complete}", "max": "250ms"},
                {"metric": "throughput", "min": "400/s"},
            ],
            "invariants": {"no_lost_jobs": {"settle": "12s"}},
        },
    }


def test_slower_is_a_speed_too():
    assert at_speed({"stop": {"after": "1m"}}, 0.5) == {"stop": {"after": "2m"}}


def test_the_calendar_has_one_speed():
    daily = {"schedules": [{"name": "nightly", "schedule": {"daily": "02:00"}}]}

    assert at_speed(daily, 1.0) == daily
    with pytest.raises(UsageError) as refused:
        at_speed(daily, 2.0)
    assert str(refused.value) == "--speed: the schedule nightly is daily, which has only one speed"


def test_the_times_in_conditions_shrink_and_their_texts_stay():
    when = "time >= 10m and agent.labels.wait == '10m' or agent.index % 10 == 5 and time < 1m30s"
    tree = {"behaviours": [{"rules": [{"when": when, "result": "late", "by": "10m"}]}]}

    [rule] = at_speed(tree, 10.0)["behaviours"][0]["rules"]
    assert rule == {
        "when": "time >= 1m and agent.labels.wait == '10m' or agent.index % 10 == 5 and time < 9s",
        "result": "late",
        "by": "1m",
    }
