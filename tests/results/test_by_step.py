"""Thresholds step by step."""

from typing import Any

from agent_sim.results.by_step import judge_steps
from agent_sim.results.checks import Threshold
from agent_sim.results.summary import Summary, summarise
from tests.results.journals import ended, latencies, started, storm, traffic

SLOW = Threshold("latency", {"op": "reschedule"}, "p50", maximum=0.1)


def step(begins: float, rate: float, milliseconds: float, **changes: Any) -> dict[str, Any]:
    latency = dict(latencies(milliseconds, times=100).to_json())
    return {
        "begins": begins, "seconds": 5.0, "warm_up": False, "from_rate": rate, "to_rate": rate, "planned": 100,
        "started": 100, "dropped": 0, "late_starts": 0, "completed": 100, "ids": 500, "errors": {}, "response": latency,
        "service": latency, "in_flight_mean": 1.0, "in_flight_max": 2, "little": 1.0, "apdex": 1.0, **changes,
    }  # fmt: skip


def run(*steps: dict[str, Any], agents: bool = True) -> Summary:
    return summarise([started(), *([traffic()] if agents else []), *storm(steps=list(steps)), ended(50.0)])


def judged(summary: Summary, *thresholds: Threshold) -> list[tuple[str, str, bool]]:
    return [(each.name, each.answer, each.warn_only) for each in judge_steps(summary, thresholds)]


WARM_UP, CALM, BUSY = step(0, 20, 900, warm_up=True), step(5, 20, 50), step(10, 40, 200, errors={"http_5xx": 10})


def test_each_measured_step_has_a_verdict_which_only_warns():
    name = "latency{op=reschedule} p50 <= 0.1 · storm again"

    assert judged(run(WARM_UP, CALM, BUSY), SLOW) == [
        (f"{name}, step 1 (20.0/s)", "held", True),
        (f"{name}, step 2 (40.0/s)", "broken", True),
    ]


def test_a_storm_of_one_step_has_the_verdict_of_the_whole():
    assert judged(run(WARM_UP, CALM), SLOW) == []


def test_rates_and_errors_are_those_of_the_step():
    found = judge_steps(
        run(CALM, BUSY),
        [Threshold("error_rate", {"storm": "again"}, maximum=0), Threshold("ids_per_second", minimum=9)],
    )

    assert [each.detail for each in found] == ["0 % of 100 requests", "10.0 % of 100 requests"]


def test_a_threshold_on_all_requests_is_a_storms_only_where_it_is_alone():
    rates = Threshold("ids_per_second", minimum=9)

    assert [each.detail for each in judge_steps(run(CALM, BUSY, agents=False), [rates])] == ["100/s over 5.00 s"] * 2
    assert judged(run(CALM, BUSY), rates, Threshold("latency", {"op": "complete"}, "p50", maximum=1)) == []
