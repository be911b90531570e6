"""Which faults are armed, whom they meet, and what is told of it."""

import pytest

from agent_sim.distributions import Constant
from agent_sim.faults.arming import Began, Ended, Faults, Suffered
from agent_sim.faults.clock import Clock
from agent_sim.faults.effects import ClockOffset, Refuse, Strike
from agent_sim.faults.jitter import Jitter
from agent_sim.faults.plan import Crowd, FaultPlan, Recurrence
from agent_sim.instants import MINUTE, NEVER, SECOND
from tests.faults.test_plan import plan

REFUSED = Refuse("connection refused")


def seen(faults, sender="a-0", operation="heartbeat", now=0):
    return [strike.effect for strike in faults.strikes(sender, operation, now)]


def test_a_fault_meets_requests_from_the_first_moment_of_its_window_to_the_last():
    faults = Faults([plan(((SECOND, 3 * SECOND),))])

    met = [bool(seen(faults, now=now)) for now in (0, SECOND - 1, SECOND, 3 * SECOND - 1, 3 * SECOND, MINUTE)]

    assert met == [False, False, True, True, False, False]


def test_a_strike_names_its_fault_and_when_its_window_ends():
    faults = Faults([plan(((SECOND, 3 * SECOND),))])

    assert faults.strikes("a-0", "heartbeat", SECOND) == (Strike("f", REFUSED, 3 * SECOND),)


def test_only_the_operations_asked_for_are_met():
    faults = Faults([plan(operations=frozenset({"complete"}))])

    assert [seen(faults, operation=word) for word in ("heartbeat", "complete")] == [[], [REFUSED]]


def test_only_the_agents_selected_are_met():
    faults = Faults([plan(crowd=Crowd((("a-1", "a-2"),)))])

    assert [bool(seen(faults, agent)) for agent in ("a-0", "a-1", "a-2")] == [False, True, True]


def test_a_part_of_a_fleet_suffers_its_own_and_knows_how_many_are_selected():
    wrong = FaultPlan(
        "f", b"f" * 16, (Clock(SECOND, 0.0),), ((0, MINUTE),), None, 1.0, frozenset(), Crowd((("a-0", "a-1"),))
    )

    [turn] = Faults([wrong], lambda agent: agent == "a-1").turns(0)

    assert isinstance(turn, Began)
    assert (turn.selected, turn.suffered) == (2, (Suffered("a-1", (ClockOffset(SECOND),)),))


def test_all_that_agents_ask_is_met_and_nothing_of_others_unless_asked_for():
    faults = Faults([plan(crowd=None), plan(crowd=None, operations=frozenset({"reschedule"}))])

    assert len(seen(faults, "storm", "reschedule")) == 1
    assert len(seen(faults, "a-0", "register")) == 1


def test_a_probability_meets_as_many_as_it_says_and_the_same_ones_again():
    def met():
        faults = Faults([plan(probability=0.25)])
        return [bool(seen(faults)) for _ in range(4000)]

    assert met() == met()
    assert 900 <= sum(met()) <= 1100


def test_what_meets_one_agent_depends_on_no_other_agent_and_no_other_fault():
    def of_one(others, *more):
        faults = Faults([plan(probability=0.5), *more])
        met = []
        for _ in range(50):
            met.append(bool([strike for strike in faults.strikes("a-0", "heartbeat", 0) if strike.fault == "f"]))
            for other in others:
                faults.strikes(other, "heartbeat", 0)
        return met

    another = FaultPlan("g", b"g" * 16, (Jitter(SECOND),), ((0, MINUTE),), None, 1.0, frozenset(), None)
    assert of_one([]) == of_one(["a-1", "b-1"]) == of_one([], another)


def test_operations_are_counted_apart():
    def completes(beats):
        faults = Faults([plan(probability=0.5)])
        met = []
        for _ in range(50):
            for _ in range(beats):
                seen(faults, operation="heartbeat")
            met.append(bool(seen(faults, operation="complete")))
        return met

    assert completes(0) == completes(3)


def test_a_window_without_a_length_meets_each_agent_once():
    faults = Faults([plan(recurrence=Recurrence(Constant(10 * SECOND), None))])

    met = [(agent, bool(seen(faults, agent, now=12 * SECOND))) for agent in ("a-0", "a-0", "b-0", "a-0")]

    assert met == [("a-0", True), ("a-0", False), ("b-0", True), ("a-0", False)]
    assert seen(faults, "a-0", now=25 * SECOND) == [REFUSED]  # in the next window again
    assert faults.strikes("b-0", "heartbeat", 25 * SECOND)[0].until == NEVER  # it holds on to what it met


def test_turns_tell_when_windows_begin_and_end_and_whom_they_met():
    faults = Faults([plan(((SECOND, 3 * SECOND),))])

    assert faults.next_change == SECOND
    [began] = faults.turns(SECOND)
    assert isinstance(began, Began)
    assert (began.fault, began.selected, began.suffered) == ("f", 10, ())
    for agent in ("a-1", "a-0", "a-1"):
        seen(faults, agent, now=2 * SECOND)
    assert faults.next_change == 3 * SECOND
    [ended] = faults.turns(MINUTE)
    assert isinstance(ended, Ended)
    assert (ended.requests, ended.met) == (3, ("a-1", "a-0"))
    assert faults.next_change == NEVER


def test_a_window_that_nobody_looked_at_in_time_is_told_of_all_the_same():
    faults = Faults([plan(((SECOND, 3 * SECOND), (5 * SECOND, 6 * SECOND)))])
    seen(faults, now=MINUTE)

    turns = [(type(turn), turn.window.number) for turn in faults.turns(MINUTE)]

    assert turns == [(Began, 0), (Ended, 0), (Began, 1), (Ended, 1)]


def test_the_end_of_the_run_is_the_end_of_every_window():
    faults = Faults([plan(((SECOND, NEVER),))])

    assert [type(turn) for turn in faults.finish(MINUTE)] == [Began, Ended]
    assert faults.finish(MINUTE) == []


def test_agents_suffer_as_a_window_begins_and_are_set_right_as_it_ends():
    one = FaultPlan(
        "f", b"f" * 16, (Clock(SECOND, 0.0),), ((0, MINUTE),), None, 1.0, frozenset(), Crowd((("a-0", "a-1"),))
    )
    faults = Faults([one])

    [began] = faults.turns(0)
    assert seen(faults) == []  # its requests go on as ever
    [ended] = faults.turns(MINUTE)
    assert began.suffered == tuple(Suffered(agent, (ClockOffset(SECOND),)) for agent in ("a-0", "a-1"))
    assert ended.suffered == tuple(Suffered(agent, (ClockOffset(0),)) for agent in ("a-0", "a-1"))
    assert (ended.requests, ended.met) == (0, ("a-0", "a-1"))


def test_no_faults_never_change_anything():
    faults = Faults([])

    assert (faults.next_change, faults.strikes("a-0", "heartbeat", 0), faults.turns(MINUTE)) == (NEVER, (), [])


# --- by hand --------------------------------------------------------------------------------------


def test_a_fault_armed_by_hand_lasts_as_long_as_its_first_window_and_its_plan_goes_on():
    faults = Faults([plan(((MINUTE, MINUTE + 3 * SECOND),))])
    faults.arm("f", SECOND)

    assert faults.armed == ("f",)
    assert [bool(seen(faults, now=now)) for now in (SECOND, 4 * SECOND - 1, 4 * SECOND)] == [True, True, False]
    assert [bool(seen(faults, now=now)) for now in (MINUTE - 1, MINUTE)] == [False, True]
    assert [type(turn) for turn in faults.turns(2 * MINUTE)] == [Began, Ended, Began, Ended]


def test_a_fault_is_disarmed_by_hand_and_its_next_window_comes():
    faults = Faults([plan(((SECOND, 3 * SECOND), (MINUTE, 2 * MINUTE)))])
    assert seen(faults, now=SECOND) == [REFUSED]
    faults.disarm("f")

    assert faults.armed == ()
    assert [bool(seen(faults, now=now)) for now in (2 * SECOND, MINUTE)] == [False, True]


def test_a_fault_that_is_armed_stays_so_when_armed_again_and_one_that_is_not_is_disarmed_in_vain():
    faults = Faults([plan(((SECOND, 3 * SECOND),))])
    faults.disarm("f")
    faults.arm("f", 0)
    faults.arm("f", SECOND)

    assert len(faults.turns(SECOND)) == 1


def test_what_is_planned_while_somebody_has_armed_it_by_hand_begins_after_it():
    faults = Faults([plan(((SECOND, 4 * SECOND),))])
    faults.arm("f", 0)
    turns = faults.turns(10 * SECOND)

    assert [(type(turn), turn.window.begin // SECOND) for turn in turns] == [
        (Began, 0),
        (Ended, 0),
        (Began, 1),
        (Ended, 1),
    ]
    assert faults.next_change == NEVER


@pytest.mark.parametrize("act", ["arm", "disarm"])
def test_nobody_arms_a_fault_that_is_none(act):
    faults = Faults([plan()])

    with pytest.raises(KeyError):
        getattr(faults, act)("nosuch", *([0] if act == "arm" else []))
