"""When faults are armed and whom they select."""

from agent_sim.distributions import Constant, Exponential
from agent_sim.draws import key
from agent_sim.faults.plan import Crowd, FaultPlan, Recurrence, Window
from agent_sim.faults.refuse import Refuse
from agent_sim.instants import MINUTE, NEVER, SECOND

EVERYBODY = Crowd((("a-0", "a-1", "a-2", "a-3"), ("b-0", "b-1", "b-2", "b-3", "b-4", "b-5")))


def plan(spans=((0, MINUTE),), recurrence=None, crowd=EVERYBODY, seed=1, **more):
    values = {"probability": 1.0, "operations": frozenset(), **more}
    return FaultPlan("f", key(seed, "f"), (Refuse(),), spans, recurrence, crowd=crowd, **values)


def test_without_recurrence_each_span_is_a_window():
    found = list(plan(((0, SECOND), (5 * SECOND, NEVER))).windows())

    assert found == [Window(0, 0, SECOND), Window(1, 5 * SECOND, NEVER)]


def test_windows_recur_within_their_span_for_as_long_as_they_last():
    found = list(plan(recurrence=Recurrence(Constant(20 * SECOND), 5 * SECOND)).windows())

    assert found == [Window(0, 20 * SECOND, 25 * SECOND), Window(1, 40 * SECOND, 45 * SECOND)]


def test_a_window_that_the_next_would_overlap_ends_as_that_begins_and_none_outlives_its_span():
    found = list(plan(recurrence=Recurrence(Constant(25 * SECOND), MINUTE)).windows())

    assert [(one.begin // SECOND, one.end // SECOND) for one in found] == [(25, 50), (50, 60)]


def test_without_a_length_a_window_meets_each_agent_but_once():
    found = list(plan(recurrence=Recurrence(Constant(25 * SECOND), None)).windows())

    assert [(one.begin // SECOND, one.end // SECOND, one.once) for one in found] == [(25, 50, True), (50, 60, True)]


def test_chance_is_the_same_for_the_same_seed_and_fault_only():
    recurrence = Recurrence(Exponential(2.0 * SECOND), SECOND)

    def windows(seed):
        return list(plan(recurrence=recurrence, seed=seed).windows())

    assert windows(1) == windows(1)
    assert windows(1) != windows(2)
    assert len(windows(1)) > 10


def test_windows_of_a_run_without_an_end_go_on():
    endless = plan(((0, NEVER),), Recurrence(Constant(SECOND), None)).windows()

    assert [next(endless).begin for _ in range(3)] == [SECOND, 2 * SECOND, 3 * SECOND]


def test_shares_are_kept_exactly_in_each_fleet():
    crowd = Crowd(EVERYBODY.fleets, shares=(1, 3))

    chosen = [crowd.chosen(key(1, "f"), window) for window in range(20)]

    assert {(sum(x[0] == "a" for x in one), sum(x[0] == "b" for x in one)) for one in chosen} == {(1, 3)}
    assert len(set(chosen)) > 5  # each window draws anew


def test_sticky_agents_are_the_same_in_every_window():
    crowd = Crowd(EVERYBODY.fleets, count=3, sticky=True)

    assert len({crowd.chosen(key(1, "f"), window) for window in range(20)}) == 1


def test_another_fleet_changes_nobody_selected_by_share():
    alone = Crowd((EVERYBODY.fleets[1],), shares=(3,))
    beside = Crowd(EVERYBODY.fleets, shares=(1, 3))

    both = beside.chosen(key(1, "f"), 0)
    assert alone.chosen(key(1, "f"), 0) == {agent for agent in both if agent.startswith("b")}
