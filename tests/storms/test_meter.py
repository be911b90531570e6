"""What a storm measures."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_sim.histogram import Histogram
from agent_sim.instants import MILLISECOND, SECOND
from agent_sim.storms.meter import Meter
from agent_sim.storms.steps import Step
from agent_sim.storms.taxonomy import ErrorKind

MS = MILLISECOND


def test_response_runs_from_the_due_time_and_service_from_the_sending():
    meter = Meter()
    meter.due(0)
    meter.start(due=0, now=3 * MS)
    meter.finish(due=0, sent=3 * MS, now=10 * MS, error=None, ids=5)

    assert (meter.measured.response.max_us, meter.measured.service.max_us, meter.measured.lateness.max_us) == (
        10_000,
        7_000,
        3_000,
    )
    assert (
        meter.measured.planned,
        meter.measured.started,
        meter.measured.completed,
        meter.ids,
        meter.measured.late_starts,
    ) == (1, 1, 1, 5, 1)


def test_a_start_within_a_millisecond_is_not_late():
    meter = Meter()
    meter.start(due=0, now=MS)

    assert meter.measured.late_starts == 0
    assert meter.measured.lateness.count == 1


def test_an_error_counts_by_kind_and_only_a_status_completes():
    meter = Meter()
    meter.finish(0, 0, MS, ErrorKind.READ_TIMEOUT, ids=5)
    meter.finish(0, 0, MS, ErrorKind.HTTP_5XX, ids=5)

    assert meter.measured.errors == {ErrorKind.READ_TIMEOUT: 1, ErrorKind.HTTP_5XX: 1}
    assert (meter.measured.completed, meter.ids, meter.measured.response.count) == (1, 0, 2)


def test_a_dropped_arrival_answers_no_sooner_than_its_turn_and_the_shortest_service():
    meter = Meter()
    meter.drop(due=10 * MS)
    meter.drop(due=20 * MS)
    meter.finish(due=0, sent=0, now=100 * MS, error=None, ids=1)

    # The first turn comes with that answer: (100 - 10) + 100 ms; the second has not come yet.
    assert (meter.measured.dropped, meter.measured.response.count, meter.measured.response.max_us) == (2, 2, 190_000)


def test_a_turn_that_never_comes_is_bounded_by_the_end():
    meter = Meter()
    meter.drop(due=0)
    meter.close(now=5 * SECOND)

    assert (meter.measured.response.count, meter.measured.response.min_us) == (1, 5_000_000)


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

    assert meter.measured.dropped == 100
    assert meter.measured.response.count == 200
    assert meter.measured.service.percentile(0.5) == 10_000
    assert meter.measured.response.percentile(0.75) > meter.measured.service.percentile(0.75)


def test_a_second_counts_only_itself():
    meter = Meter()
    meter.due(0)
    meter.finish(0, 0, 4 * MS, None, ids=50)
    first = meter.tick(SECOND)
    meter.due(0)
    meter.finish(SECOND, SECOND, SECOND + 2 * MS, ErrorKind.HTTP_429, ids=50)
    second = meter.tick(2 * SECOND)

    assert (first["t"], first["offered"], first["completed"], first["ids"], first["failed"]) == (1.0, 1, 1, 50, 0)
    assert (second["t"], second["offered"], second["completed"], second["ids"], second["failed"]) == (2.0, 1, 1, 0, 1)
    assert second["response_max_us"] == 2_000
    assert meter.series == [first, second]
    assert meter.is_quiet


# --- steps ------------------------------------------------------------------------------------

WARM_THEN_TWO = (
    Step(0, SECOND, 10, 10, warm_up=True),
    Step(SECOND, 2 * SECOND, 10, 10),
    Step(2 * SECOND, 3 * SECOND, 20, 20),
)


def asked(meter: Meter, due: int, took: int, error: ErrorKind | None = None) -> None:
    meter.due(due)
    meter.start(due, due)
    meter.finish(due, due, due + took, error, ids=5)


def test_the_warm_up_is_sent_and_not_measured():
    meter = Meter(WARM_THEN_TWO)
    asked(meter, 0, 900 * MS)
    asked(meter, SECOND, 10 * MS)

    assert (meter.measured.planned, meter.measured.ids, meter.measured.response.max_us) == (1, 5, 10_000)
    assert (meter.warm_up.planned, meter.warm_up.ids) == (1, 5)
    assert meter.ids == 10


def test_a_late_answer_counts_for_the_step_that_sent_it():
    meter = Meter(WARM_THEN_TWO)
    asked(meter, SECOND, 5 * SECOND)
    asked(meter, 2 * SECOND, 10 * MS)

    assert [tally.response.max_us for tally in meter.tallies] == [0, 5_000_000, 10_000]


def test_requests_under_way_by_their_integral_are_their_number_by_their_time():
    meter = Meter()
    meter.start(0, 0)
    meter.start(0, 10 * MS)
    meter.finish(0, 0, 30 * MS, None, 1)
    meter.finish(0, 10 * MS, 50 * MS, None, 1)

    assert meter.measured.in_flight == (30 + 40) * MS
    assert (meter.measured.in_flight_max, meter.measured.little) == (2, 1.0)


def test_a_lost_sample_shows_in_the_law():
    meter = Meter()
    for _ in range(10):
        asked(meter, 0, 10 * MS)
    whole = meter.measured
    whole.service = Histogram()
    whole.service.record(10_000, times=9)
    whole.started = 9

    assert whole.little == pytest.approx(10 / 9)


def test_the_law_says_nothing_while_requests_are_under_way():
    meter = Meter()
    meter.start(0, 0)

    assert meter.measured.little is None


def test_apdex_counts_errors_and_dropped_arrivals_as_frustrated():
    meter = Meter(satisfied=100 * MS)
    asked(meter, 0, 100 * MS)
    asked(meter, 0, 400 * MS)  # tolerating
    asked(meter, 0, 401 * MS)
    asked(meter, 0, MS, ErrorKind.HTTP_5XX)
    meter.drop(0)

    assert meter.measured.apdex() == 1.5 / 5
    assert Meter().measured.apdex() is None


def test_waiting_for_a_connection_is_told_apart():
    meter = Meter()
    meter.start(0, 0)
    meter.finish(0, 0, 10 * MS, None, 1, waited=4 * MS)

    assert (meter.measured.wait.max_us, meter.measured.service.max_us) == (4000, 10_000)


# --- parts ------------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2999), st.integers(1, 900), st.booleans()), max_size=40), st.integers(1, 7))
def test_parts_add_up_to_the_whole(requests, every):
    whole, sender, receiver = Meter(WARM_THEN_TWO), Meter(WARM_THEN_TWO), Meter(WARM_THEN_TWO)
    for number, (due, took, well) in enumerate(requests):
        for meter in (whole, sender):
            asked(meter, due * MS, took * MS, None if well else ErrorKind.HTTP_429)
        if number % every == 0:
            receiver.add_part(sender.take_part([], (due + took) * MS))
    receiver.add_part(sender.take_part([], 4 * SECOND))

    assert [tally.to_json() for tally in receiver.tallies] == [tally.to_json() for tally in whole.tallies]


def test_a_request_that_spans_two_parts_counts_once():
    meter, other = Meter(), Meter()
    meter.start(0, 0)
    other.add_part(meter.take_part([], 10 * MS))
    meter.finish(0, 0, 30 * MS, None, 1)
    other.add_part(meter.take_part([], 40 * MS))

    assert (other.measured.started, other.measured.service.count, other.measured.little) == (1, 1, 1.0)
