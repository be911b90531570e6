from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from agent_sim.protocol.enums import Result
from agent_sim.results.timeline import LIMIT, Point, Timeline, TimelineFold
from tests.results.journals import latencies


def test_each_second_of_a_short_run_has_its_own_bucket():
    fold = TimelineFold()
    fold.traffic(0.5, "heartbeat", ok=3, failed=1, latency=latencies(10, times=4))
    fold.outcome(2.9, Result.WARNING)

    assert replace(fold.finish(4.0), heat={}) == Timeline(
        width=1,
        operations={"heartbeat": (Point(3, 1, 10_000.0, 10_000.0), None, None, None)},
        outcomes={Result.WARNING: (0, 0, 1, 0)},
    )


def test_a_long_run_has_wider_buckets_and_loses_no_request():
    fold = TimelineFold()
    for second in range(5 * LIMIT):
        fold.traffic(second + 0.5, "heartbeat", ok=1, failed=0, latency=latencies(10))
        fold.outcome(second, Result.SUCCESS)

    timeline = fold.finish(5.0 * LIMIT)

    assert timeline.width == 8
    assert len(timeline.operations["heartbeat"]) == 5 * LIMIT / 8
    assert {point and point.ok for point in timeline.operations["heartbeat"]} == {8}
    assert timeline.outcomes[Result.SUCCESS] == (8,) * (5 * LIMIT // 8)


@given(st.lists(st.tuples(st.floats(0, 9 * LIMIT), st.sampled_from(["a", "b"]), st.integers(0, 9)), max_size=20))
def test_the_order_of_facts_does_not_matter(facts):
    def fold(order):
        made = TimelineFold()
        for at, operation, ok in order:
            made.traffic(at, operation, ok, 1, latencies(ok))
            made.outcome(at, Result.SUCCESS)
        return made.finish(9.0 * LIMIT)

    assert fold(facts) == fold(reversed(facts))


def test_a_bucket_that_the_end_cuts_is_shown_only_if_something_is_in_it():
    quiet, late = TimelineFold(), TimelineFold()
    for fold in (quiet, late):
        fold.outcome(0.5, Result.SUCCESS)
    late.outcome(2.1, Result.SUCCESS)

    assert quiet.finish(2.3).outcomes[Result.SUCCESS] == (1, 0)
    assert late.finish(2.3).outcomes[Result.SUCCESS] == (1, 0, 1)


def test_the_99th_percentile_of_a_bucket_stands_on_a_thousand_requests():
    fold = TimelineFold()
    fold.traffic(0.5, "heartbeat", ok=1000, failed=0, latency=latencies(10, times=1000))
    fold.traffic(1.5, "heartbeat", ok=999, failed=0, latency=latencies(10, times=999))

    enough, too_few = fold.finish(2.0).operations["heartbeat"]
    assert enough is not None
    assert enough.p99_us == 10_000.0
    assert too_few is not None
    assert too_few.p99_us is None


def test_nothing_measured_is_an_empty_timeline():
    assert TimelineFold().finish(0.0) == Timeline(1, {}, {})
