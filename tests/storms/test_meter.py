"""What a storm measures."""

from agent_sim.instants import MILLISECOND, SECOND
from agent_sim.storms.meter import Meter
from agent_sim.storms.taxonomy import ErrorKind

MS = MILLISECOND


def test_response_runs_from_the_due_time_and_service_from_the_sending():
    meter = Meter()
    meter.due()
    meter.start(due=0, now=3 * MS)
    meter.finish(due=0, sent=3 * MS, now=10 * MS, error=None, ids=5)

    assert (meter.response.max_us, meter.service.max_us, meter.lateness.max_us) == (10_000, 7_000, 3_000)
    assert (meter.planned, meter.started, meter.completed, meter.ids, meter.late_starts) == (1, 1, 1, 5, 1)


def test_a_start_within_a_millisecond_is_not_late():
    meter = Meter()
    meter.start(due=0, now=MS)

    assert meter.late_starts == 0
    assert meter.lateness.count == 1


def test_an_error_counts_by_kind_and_only_a_status_completes():
    meter = Meter()
    meter.finish(0, 0, MS, ErrorKind.READ_TIMEOUT, ids=5)
    meter.finish(0, 0, MS, ErrorKind.HTTP_5XX, ids=5)

    assert meter.errors == {ErrorKind.READ_TIMEOUT: 1, ErrorKind.HTTP_5XX: 1}
    assert (meter.completed, meter.ids, meter.response.count) == (1, 0, 2)


def test_a_dropped_arrival_answers_no_sooner_than_its_turn_and_the_shortest_service():
    meter = Meter()
    meter.drop(due=10 * MS)
    meter.drop(due=20 * MS)
    meter.finish(due=0, sent=0, now=100 * MS, error=None, ids=1)

    # The first turn comes with that answer: (100 - 10) + 100 ms; the second has not come yet.
    assert (meter.dropped, meter.response.count, meter.response.max_us) == (2, 2, 190_000)


def test_a_turn_that_never_comes_is_bounded_by_the_end():
    meter = Meter()
    meter.drop(due=0)
    meter.close(now=5 * SECOND)

    assert (meter.response.count, meter.response.min_us) == (1, 5_000_000)


def test_overload_cannot_look_healthy():
    """A target with one slot and 10 ms a request, offered twice what it can do for a second."""
    meter, free_at = Meter(), 0
    ends: list[tuple[int, int]] = []
    for due in range(0, SECOND, 5 * MS):
        while ends and ends[0][1] <= due:
            began, end = ends.pop(0)
            meter.finish(began, began, end, None, 1)
        if due < free_at:
            meter.drop(due)
        else:
            free_at = due + 10 * MS
            ends.append((due, free_at))
    for began, end in ends:
        meter.finish(began, began, end, None, 1)
    meter.close(SECOND)

    assert meter.dropped == 100
    assert meter.response.count == 200
    assert meter.service.percentile(0.5) == 10_000
    assert meter.response.percentile(0.75) > meter.service.percentile(0.75)


def test_a_second_counts_only_itself():
    meter = Meter()
    meter.due()
    meter.finish(0, 0, 4 * MS, None, ids=50)
    first = meter.tick(SECOND)
    meter.due()
    meter.finish(SECOND, SECOND, SECOND + 2 * MS, ErrorKind.HTTP_429, ids=50)
    second = meter.tick(2 * SECOND)

    assert (first["t"], first["offered"], first["completed"], first["ids"], first["failed"]) == (1.0, 1, 1, 50, 0)
    assert (second["t"], second["offered"], second["completed"], second["ids"], second["failed"]) == (2.0, 1, 1, 0, 1)
    assert second["response_max_us"] == 2_000
    assert meter.series == [first, second]
    assert meter.is_quiet
