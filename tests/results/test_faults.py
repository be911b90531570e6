"""Declared faults as a report sees them."""

from agent_sim.results.faults import FaultsFold
from agent_sim.results.figures import Fault, Storm
from agent_sim.results.journal import FaultArmed, FaultOver
from agent_sim.results.storm import read_storm
from tests.results.journals import storm_result


def armed(t, fault="slow", window=0, until=None):
    return FaultArmed(t, fault, window, until, 3)


def over(t, fault="slow", window=0, requests=0, agents=()):
    return FaultOver(t, fault, window, 0.0, requests, agents)


def gathered(*lines, seconds=60.0):
    fold = FaultsFold()
    for line in lines:
        fold.add(line)
    return fold.finish(seconds)


def test_windows_are_stretches_and_what_they_met_is_added_up():
    found = gathered(
        armed(1.0),
        over(5.0, requests=3, agents=("a", "b")),
        armed(9.0, window=1),
        over(11.0, window=1, requests=2, agents=("b",)),
    )

    assert found == (Fault("slow", 2, ((1.0, 5.0), (9.0, 11.0)), 5, 2),)


def test_windows_without_a_gap_are_one_stretch():
    found = gathered(armed(1.0), over(5.0), armed(5.0, window=1), over(8.0, window=1))

    assert [(fault.windows, fault.stretches) for fault in found] == [(2, ((1.0, 8.0),))]


def test_a_window_that_never_ends_lasts_to_the_runs_end():
    assert [fault.stretches for fault in gathered(armed(1.0))] == [((1.0, 60.0),)]


def test_what_storms_met_is_added():
    fold = FaultsFold()
    fold.add(armed(1.0))

    [found] = fold.finish(60.0, [Storm("again", "reschedule", 2.0, read_storm(storm_result(faults={"slow": 7})))])

    assert (found.requests, found.agents) == (7, 0)


def test_faults_come_in_the_order_of_their_beginning():
    found = gathered(armed(5.0, "late"), armed(1.0, "early"))

    assert [fault.name for fault in found] == ["early", "late"]


def test_what_another_process_says_late_of_a_window_does_not_end_the_next():
    found = gathered(
        armed(1.0),
        over(5.0, requests=3, agents=("a",)),
        armed(5.0, window=1),
        over(5.0, requests=2, agents=("b",)),
        over(9.0, window=1),
        over(9.0, window=1, requests=1, agents=("b",)),
    )

    assert found == (Fault("slow", 2, ((1.0, 9.0),), 6, 2),)
