"""The search for the largest sustained rate, against a queue whose capacity is known."""

from dataclasses import replace

import pytest

from agent_sim.draws import key, unit
from agent_sim.histogram import Histogram
from agent_sim.instants import SECOND
from agent_sim.storms import knee
from agent_sim.storms.knee import Outcome, Reason, Search, Trial

MOST_UNDER_WAY = 200


def queue(trial: Trial, capacity: float, limit: float = float("inf")) -> Outcome:
    """One server that takes 1 / capacity seconds a request, a jitter of 40 % of that, and a queue of 200."""
    response, free, under_way = Histogram(), 0.0, [0.0]
    offered = completed = dropped = 0
    ends: list[float] = []
    for number in range(int(trial.rate * trial.span / SECOND)):
        due = number / trial.rate
        ends = [end for end in ends if end > due]
        if len(under_way) <= due:
            under_way.append(float(len(ends)))
        offered += 1
        if len(ends) >= MOST_UNDER_WAY:
            dropped += 1
            continue
        free = max(free, due) + (0.8 + 0.4 * unit(key(1, "queue"), number)) / capacity
        ends.append(free)
        completed += free <= trial.span / SECOND
        response.record(round((free - due) * 1e6))
    limited = "the generator itself was saturated" if trial.rate > limit else None
    return Outcome(offered, completed, dropped, 0, completed, trial.span / SECOND, response, under_way, limited)


def found(capacity: float, estimate: float, slowest_us: float | None = None, limit: float = float("inf")) -> Search:
    search = Search(estimate, slowest_us)
    for _ in range(knee.MOST_TRIALS + 2):
        trial = search.next()
        if trial is None:
            return search
        search.see(trial, queue(trial, capacity, limit))
        if trial.is_overload:
            search.recovered(1.0)
    raise AssertionError("it never ended")


@pytest.mark.parametrize("estimate", [40, 100, 400])
@pytest.mark.parametrize("capacity", [30.0, 100.0, 170.0])
def test_the_knee_is_just_below_the_capacity(capacity, estimate):
    result = found(capacity, estimate).result()

    assert result["knee"] is not None
    assert 0.8 * capacity <= result["knee"] <= 1.05 * capacity
    assert result["bound"] is None
    assert (result["recovery_seconds"], result["recovered"]) == (1.0, True)
    assert result["highest_goodput"] <= 1.05 * capacity


def test_a_limit_on_latency_lowers_it():
    # A queue that waits at all is near its capacity: half of it keeps p99 at one service time and its jitter.
    free = found(100, 100).result()["knee"]
    strict = found(100, 100, slowest_us=11_500).result()["knee"]

    assert free is not None
    assert strict is not None
    assert strict < free


def test_what_the_generator_cannot_offer_is_a_lower_bound():
    result = found(100, 100, limit=50).result()

    assert result["knee"] is not None
    assert result["knee"] <= 50
    assert result["bound"] == "the generator itself was saturated"
    assert result["recovered"] is None


def test_a_generator_that_was_held_up_once_is_tried_again():
    search = Search(100)
    trial = search.next()
    assert trial is not None
    search.see(trial, replace(queue(trial, 1000), limited="something else"))

    assert search.next() == trial
    search.see(trial, queue(trial, 1000))
    assert search.next() != trial
    assert search.result()["bound"] is None


def test_a_rate_at_which_the_storm_stops_itself_at_once_is_not_sustained():
    search = Search(100)
    for _ in range(20):
        if (trial := search.next()) is not None:
            search.see(trial, Outcome(0, 0, 0, 0, 0, 0.0, Histogram(), (), suffered=True))

    assert search.next() is None
    assert search.result()["knee"] is None
    assert knee.doubt(search.result()) == "not even the lowest rate tried was sustained"


def test_an_overload_that_the_target_suffered_from_shows_no_recovery():
    search = Search(100)
    search.recovered(None, was_seen=False)

    assert (search.next(), search.result()["recovered"]) == (None, None)


def test_a_target_below_the_first_rate_is_still_found():
    result = found(3, 100).result()

    assert result["knee"] is not None
    assert 2 <= result["knee"] <= 3.2


def test_no_ids_end_the_search_and_say_so():
    search = Search(100)
    trial = search.next()
    assert trial is not None
    search.see(trial, Outcome(1, 1, 0, 0, 1, 1.0, Histogram(), (), ended="the pool ran out"))

    assert search.next() is None
    assert knee.doubt(search.result()) == "no knee was found: the pool ran out"
    assert (search.result()["knee"], search.result()["bound"]) == (None, "the pool ran out")


@pytest.mark.parametrize(("rate", "seconds"), [(1000, 5), (200, 6), (50, 21), (10, 60), (1, 60)])
def test_a_trial_lasts_until_its_percentile_has_its_samples(rate, seconds):
    assert knee.length(rate) == seconds * SECOND


@pytest.mark.parametrize(("samples", "q"), [(1000, 0.99), (999, 0.95), (199, 0.9), (99, 0.5), (19, None)])
def test_the_highest_percentile_that_has_its_samples_decides(samples, q):
    assert knee.deciding(samples) == q


def test_a_trial_says_what_it_was_judged_on():
    search = Search(100)
    response = Histogram()
    response.record(5000, times=250)
    search.see(Trial(10, 5 * SECOND), Outcome(250, 250, 0, 0, 250, 5.0, response, ()))

    [trial] = search.result()["trials"]
    assert (trial["judged_on"], trial["sustained"]) == ("p95", True)
    assert trial["latency_us"] == pytest.approx(5000, rel=0.001)
    assert knee.told(trial) == "10/s for 5 s: sustained (judged on p95, 5.0 ms: 250 samples are too few for p99)"


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"completed": 97}, Reason.ACHIEVED),
        ({"dropped": 1}, Reason.DROPPED),
        ({"failed": 2}, Reason.ERRORS),
        ({"under_way": (1, 1, 9, 9, 20, 20)}, Reason.GROWING),
        ({"suffered": True}, Reason.SUFFERED),
        ({"offered": 0, "completed": 0}, Reason.NOTHING),
    ],
)
def test_each_reason_alone_is_enough(changed, reason):
    values = {"offered": 100, "completed": 100, "dropped": 0, "failed": 0, "under_way": (3, 4, 3, 4, 3, 4)} | changed

    assert knee.faults_of(Outcome(ids=1, seconds=5.0, response=Histogram(), **values), None) == (reason,)


def test_recovery_is_when_latencies_stay_low():
    assert knee.recovery([(1, 900), (2, 50), (3, 900), (4, 60), (5, 40)], 100) == 4
    assert knee.recovery([(1, 900), (2, 300)], 100) is None
    assert knee.recovery([], 100) is None
