import pytest

from agent_sim.results.storm import Example, Ledger, Pool, read_storm
from agent_sim.storms.knee import Outcome, Search
from tests.results.journals import latencies, storm_result


def test_a_storm_comes_with_all_its_parts():
    storm = read_storm(
        storm_result(
            errors={"http_5xx": 2, "read_timeout": 1},
            reconciliation__violations={"lost_update": 2, "double_transition": 1},
            reconciliation__examples=[{"id": 17, "rule": "lost_update", "detail": "changed 0 times"}],
        )
    )

    assert storm.pool == Pool(15_000, 0, 15_000, None)
    assert storm.ledger == Ledger(15_000, 15_000, 0, 0)
    assert storm.failed == 3
    assert storm.reconciliation.broken == 3
    assert storm.reconciliation.examples == (Example(17, "lost_update", "changed 0 times"),)
    assert len(storm.series) == 15
    assert storm.response.count == 300


def test_the_search_for_a_knee_comes_with_its_trials():
    search = Search(100)
    trial = search.next()
    assert trial is not None
    search.see(trial, Outcome(60, 60, 0, 0, 60, 5.0, latencies(5, times=60), ()))
    read = read_storm(storm_result(knee=dict(search.result()))).knee

    assert read is not None
    assert (read.knee, read.bound, read.recovered) == (10, None, None)
    [told] = read.trials
    assert (told.rate, told.samples, told.sustained, told.why) == (10, 60, True, ())


WRONG = [
    ({"ledger": {"sent": 1, "accepted": 1, "refused": 0}}, "ledger: the object lacks unknown"),
    ({"seconds": "long"}, "seconds: must be a number, is 'long'"),
    ({"errors": {"http_5xx": "2"}}, "errors: must be a whole number, is '2'"),
    ({"series": [{"t": 0}]}, "series: the object lacks offered"),
    ({"generator": None}, "generator: must be an object, is None"),
    ({"reconciliation__examples": [{"id": 1.5, "rule": "x", "detail": ""}]}, "id: must be a whole number, is 1.5"),
]


@pytest.mark.parametrize(("changes", "said"), WRONG)
def test_a_result_that_is_not_one_is_refused_by_member(changes, said):
    with pytest.raises(ValueError, match=said):
        read_storm(storm_result(**changes))


def test_no_member_may_be_missing():
    for name in storm_result():
        data = {key: value for key, value in storm_result().items() if key != name}

        with pytest.raises(ValueError, match=f"the object lacks {name}"):
            read_storm(data)
