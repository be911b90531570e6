"""A threshold as one line."""

import pytest

from agent_sim.errors import UsageError
from agent_sim.results.checks import Threshold
from agent_sim.scenario.threshold_text import read_threshold


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "latency{op=reschedule} p99 <= 250ms",
            Threshold("latency", {"op": "reschedule"}, "p99", maximum=0.25, text="latency{op=reschedule} p99 <= 250ms"),
        ),
        ("latency<=1s", None),
        ("error_rate <= 1%", Threshold("error_rate", maximum=0.01, text="error_rate <= 1%")),
        ("ids_per_second >= 40/s", Threshold("ids_per_second", minimum=40.0, text="ids_per_second >= 40/s")),
    ],
)
def test_a_line_says_what_a_scenario_would(text, expected):
    if expected is None:
        with pytest.raises(UsageError):
            read_threshold(text)
    else:
        assert read_threshold(text) == expected


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "must be like"),
        ("latency p99", "must be like"),
        ("latency p99 = 3ms", "must be like"),
        ("latensy p99 <= 3ms", "no metric"),
        ("latency{op=nothing} p99 <= 3ms", "op=nothing"),
        ("latency p101 <= 3ms", "p101"),
        ("error_rate <= 3ms", "error_rate"),
        ("latency p99 <= soon", "soon"),
    ],
)
def test_what_is_none_is_refused_with_its_text(text, problem):
    with pytest.raises(UsageError, match="threshold") as refused:
        read_threshold(text)

    assert problem in str(refused.value)
