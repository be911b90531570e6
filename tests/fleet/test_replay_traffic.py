"""Requests of a replay, counted."""

import pytest

from agent_sim.fleet.replay_traffic import VirtualTraffic, period
from agent_sim.histogram import Histogram
from agent_sim.instants import DAY, HOUR, MILLISECOND, MINUTE, SECOND
from agent_sim.results.journal import Traffic


@pytest.mark.parametrize(
    ("length", "covered"),
    [
        (10 * SECOND, SECOND),
        (20 * MINUTE - 1, SECOND),
        (20 * MINUTE, 2 * SECOND),  # charts have fewer than 1,200 buckets
        (HOUR, 4 * SECOND),
        (DAY, 128 * SECOND),
    ],
)
def test_a_line_covers_as_much_as_a_bucket_of_a_chart(length, covered):
    assert period(length) == covered


def test_requests_are_counted_by_operation_with_their_errors():
    traffic = VirtualTraffic(3 * MILLISECOND)
    for operation, status in [("heartbeat", 200), ("operator", 503), ("heartbeat", 200), ("operator", 204)]:
        traffic.count(operation, status)

    heartbeat, operator = traffic.take(1.5)

    assert (heartbeat.operation, heartbeat.ok, heartbeat.failed, heartbeat.errors) == ("heartbeat", 2, 0, {})
    assert (operator.operation, operator.ok, operator.failed, operator.errors) == ("operator", 1, 1, {"http_5xx": 1})
    latency = Histogram.from_json(operator.latency)
    assert (latency.count, latency.min_us, latency.max_us, latency.mean_us) == (2, 3000, 3000, 3000)


def test_what_was_taken_is_not_counted_again():
    traffic = VirtualTraffic(MILLISECOND)
    traffic.count("heartbeat", 200)

    assert [type(line) for line in traffic.take(1)] == [Traffic]
    assert traffic.take(2) == []
