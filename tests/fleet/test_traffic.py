from agent_sim.errors import ConnectFailed, ReplyTimeout
from agent_sim.fleet.traffic import Traffic
from agent_sim.instants import MILLISECOND


def test_exchanges_are_counted_by_operation_and_error():
    traffic = Traffic()
    for outcome in (200, 204, 500, 503, 401, 404, ConnectFailed(), ReplyTimeout()):
        traffic.ended("heartbeat", outcome, 2 * MILLISECOND, 0)

    beat, wait = traffic.take(1.5)

    assert (beat.t, beat.operation, beat.ok, beat.failed) == (1.5, "heartbeat", 2, 6)
    assert beat.errors == {
        "http_5xx": 2,
        "http_401_403": 1,
        "http_4xx_contract": 1,
        "connect_refused": 1,
        "read_timeout": 1,
    }
    assert beat.latency["max_us"] == 2000
    assert (wait.operation, wait.ok) == ("pool_wait", 8)


def test_however_many_there_are_in_a_second_each_is_in_its_bucket():
    traffic = Traffic()
    for number in range(10_000):
        traffic.ended("heartbeat", 200, number * 1000, None)

    [beat] = traffic.take(1.0)

    assert (beat.ok, beat.latency["count"], beat.latency["max_us"]) == (10_000, 10_000, 9999)
    assert beat.latency["total_us"] == sum(range(10_000))


def test_what_was_taken_is_not_counted_again():
    traffic = Traffic()
    traffic.ended("register", 200, 1, 1)
    traffic.take(1.0)

    assert traffic.take(2.0) == []


def test_waits_for_a_connection_are_counted_with_those_that_did_not_wait_and_not_where_none_could():
    traffic = Traffic()
    for waited in (0, 3 * MILLISECOND, 0, None):
        traffic.ended("heartbeat", 200, 1, waited)

    wait = traffic.take(1.0)[1]

    assert (wait.operation, wait.ok, wait.latency["count"], wait.latency["max_us"]) == ("pool_wait", 3, 3, 3000)
    assert wait.latency["buckets"]["0"] == 2
    assert traffic.take(2.0) == []
