"""A warm-up that ends when the target is steady."""

from collections.abc import Sequence
from itertools import islice

import pytest

from agent_sim.instants import SECOND
from agent_sim.storms.kinds import dues
from agent_sim.storms.meter import Meter, SeriesEntry
from agent_sim.storms.plan import Stage, StormPlan, check
from agent_sim.storms.steps import steps
from agent_sim.storms.warm_up import MOST, WarmUp, cut
from tests.storms.examples import plan

STAGES = (Stage(20, 0), Stage(20, MOST), Stage(60, 5 * SECOND))


def settling(**changes: object) -> StormPlan:
    return plan(**{"stages": STAGES, "warm_up": MOST, "settles": True, **changes})


def second(number: int, p50_us: float) -> SeriesEntry:
    return SeriesEntry(
        t=float(number), offered=20, completed=20, ids=20, failed=0,
        response_p50_us=p50_us, response_p95_us=p50_us, response_max_us=0,
    )  # fmt: skip


def decided(medians: Sequence[float]) -> tuple[int, int | None, str]:
    """After how many seconds it was decided, what, and in which words."""
    watch, ends = WarmUp(settling()), None
    for number, median in enumerate(medians, 1):
        ends = watch.see(second(number, median), number * SECOND)
        if watch.is_over:
            return number, ends, watch.words(ends)
    return len(medians), ends, ""


@pytest.mark.parametrize(
    ("medians", "after", "ends", "said"),
    [
        ([900, 500, 210, 200, 204, 199, 1, 1], 6, 7, "steady, p50 0.205 ms and then 0.202 ms"),
        ([100] * 9, 4, 5, "steady, p50 0.1 ms and then 0.1 ms; the measuring begins after 5 s"),
        ([100, 100, 0, 0, 0, 0, 0, 0, 0], 9, None, "not steady, so all of its 10 s"),  # no answer is not steady
        ([100 * 2**each for each in range(9)], 9, None, "not steady"),
    ],
)
def test_it_ends_once_two_windows_agree_and_that_is_told(medians, after, ends, said):
    found = decided(medians)

    assert found[:2] == (after, None if ends is None else ends * SECOND)
    assert said in found[2]


def test_of_a_fixed_warm_up_nothing_is_decided():
    watch = WarmUp(settling(settles=False))

    assert [watch.see(second(number, 100), number * SECOND) for number in range(1, 9)] == [None] * 8


@pytest.mark.parametrize("arrivals", ["uniform", "poisson"])
@pytest.mark.parametrize("kind", ["plain", "contended"])
def test_what_was_due_before_the_cut_is_due_at_the_same_moments(arrivals, kind):
    whole = settling(arrivals=arrivals, kind=kind)
    shorter = cut(whole, 6 * SECOND)

    check(shorter)
    assert (shorter.warm_up, shorter.span) == (6 * SECOND, 11 * SECOND)
    before = [due for due in dues(whole) if due < 5 * SECOND]
    assert list(islice(dues(shorter), len(before))) == before
    assert [(each.begins, each.ends, each.warm_up) for each in steps(shorter)] == [
        (0, 6 * SECOND, True),
        (6 * SECOND, 11 * SECOND, False),
    ]


def test_a_closed_loop_is_as_much_shorter():
    loop = settling(stages=(Stage(0, MOST + 3 * SECOND),))

    assert cut(loop, 4 * SECOND).span == 7 * SECOND


def test_what_is_due_after_the_cut_is_measured():
    whole = settling()
    meter = Meter(steps(whole))
    meter.due(2 * SECOND)
    meter.cut(steps(cut(whole, 6 * SECOND)))
    for due in (5 * SECOND, 7 * SECOND):
        meter.due(due)

    assert (meter.warm_up.planned, meter.measured.planned) == (2, 1)
