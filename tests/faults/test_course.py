"""What effects mean for one request, step by step, with a clock that a test moves."""

from itertools import product

import pytest

from agent_sim.errors import ConnectFailed, ReplyTimeout
from agent_sim.faults import effects
from agent_sim.faults.course import CARRIED_OUT, Ask, AskLater, Hold, Patience, Trip, Wait, course
from agent_sim.faults.effects import RequestEffect, Strike
from agent_sim.instants import MINUTE, NEVER, SECOND


class Wire:
    """Requests and replies are bytes already."""

    def request_size(self, request):
        return len(request)

    def reply_size(self, reply):
        return len(reply)

    def answer(self, request, status, headers, body):
        return b"%d %s %s" % (status, repr(headers).encode(), body)

    def reread(self, request, reply, spoil):
        return spoil(reply)


def taken(*happening, reply=b"fine", until=MINUTE, request=b"x" * 100):
    """The steps taken and how it ended: an answer takes no time, waits take what they say."""
    now, steps = 0, []
    trip = Trip(request, Wire(), lambda: now, 0, Patience(5 * SECOND, 30 * SECOND))
    walk = course(trip, [Strike("f", effect, until) for effect in happening])
    answer = None
    while True:
        try:
            step = walk.send(answer)
        except StopIteration as end:
            return steps, end.value, now
        steps.append(step)
        answer = reply if isinstance(step, Ask) else None
        now += getattr(step, "span", getattr(step, "longest", 0)) if not isinstance(step, AskLater) else 0


def test_nothing_befalls_most_requests():
    assert taken() == ([Ask()], b"fine", 0)


def test_a_delay_is_before_the_request():
    assert taken(effects.Delay(SECOND)) == ([Wait(SECOND), Ask()], b"fine", SECOND)


def test_a_delay_longer_than_anybody_waits_ends_without_an_answer_though_the_server_is_asked():
    steps, end, now = taken(effects.Delay(40 * SECOND))

    assert steps == [AskLater(40 * SECOND), Wait(30 * SECOND)]
    assert isinstance(end, ReplyTimeout)
    assert now == 30 * SECOND


def test_two_delays_use_up_the_same_patience():
    steps, end, now = taken(effects.Delay(20 * SECOND), effects.Delay(20 * SECOND))

    assert steps == [Wait(20 * SECOND), AskLater(20 * SECOND), Wait(10 * SECOND)]
    assert (type(end), now) == (ReplyTimeout, 30 * SECOND)


def test_a_thin_line_takes_time_for_each_byte_there_and_back():
    assert taken(effects.Throttle(50), reply=b"y" * 25) == (
        [Wait(2 * SECOND), Ask(), Wait(SECOND // 2)],
        b"y" * 25,
        2.5 * SECOND,
    )


def test_an_answer_that_trickles_too_slowly_is_given_up():
    steps, end, _ = taken(effects.Throttle(10), reply=b"y" * 1000)

    assert steps == [Wait(10 * SECOND), Ask(), Wait(20 * SECOND)]
    assert isinstance(end, ReplyTimeout)


def test_a_request_waits_to_be_overtaken():
    assert taken(effects.Reorder(2 * SECOND)) == ([Hold(2 * SECOND), Ask()], b"fine", 2 * SECOND)


def test_a_copy_goes_along():
    assert taken(effects.Duplicate(SECOND)) == ([AskLater(SECOND), Ask()], b"fine", 0)


def test_a_lost_request_is_waited_for_in_vain():
    steps, end, _ = taken(effects.DropRequest())

    assert steps == [Wait(30 * SECOND)]
    assert str(end) == "no answer: the request was lost (fault f)"


def test_a_lost_answer_too_and_the_server_has_acted():
    steps, end, _ = taken(effects.DropReply())

    assert steps == [Ask(), Wait(30 * SECOND)]
    assert isinstance(end, ReplyTimeout)


def test_a_reset_is_known_at_once():
    assert [(steps, type(end)) for steps, end, _ in (taken(effects.Reset(acted)) for acted in (False, True))] == [
        ([], ReplyTimeout),
        ([Ask()], ReplyTimeout),
    ]


def test_no_connection_is_known_at_once_or_after_as_long_as_connecting_may_take():
    at_once, later = taken(effects.Refuse("closed")), taken(effects.Refuse("unreachable", after=None))

    assert (at_once[2], type(at_once[1]), str(at_once[1])) == (0, ConnectFailed, "closed (fault f)")
    assert (later[2], type(later[1])) == (5 * SECOND, ConnectFailed)


def test_an_answer_from_the_way_never_asks_the_server():
    steps, end, _ = taken(effects.Answer(503, (("Retry-After", "1"),), b"busy"))

    assert Ask() not in steps
    assert end == b"503 {'Retry-After': '1'} busy"


def test_answers_are_cut_or_replaced():
    assert taken(effects.Truncate(0.5))[:2] == ([Ask()], b"fi")
    assert taken(effects.Garbage(b"\xff"))[:2] == ([Ask()], b"\xff")


def test_a_crash_is_how_it_ends_whether_or_not_the_server_acted():
    before, after = effects.Crash(SECOND), effects.Crash(SECOND, acted=True)

    assert taken(before)[:2] == ([], before)
    assert taken(after)[:2] == ([Ask()], after)


def test_of_several_effects_the_first_is_nearest_the_sender():
    steps, end, _ = taken(effects.Delay(SECOND), effects.DropReply(), effects.Duplicate(0), until=10 * SECOND)

    assert steps == [Wait(SECOND), AskLater(0), Ask(), Wait(9 * SECOND)]
    assert isinstance(end, ReplyTimeout)


def test_an_error_further_on_is_not_covered_up():
    _, end, _ = taken(effects.Truncate(0.5), effects.Refuse("closed"))

    assert isinstance(end, ConnectFailed)


EVERY = (
    effects.Delay(20 * SECOND),
    effects.Throttle(10),
    effects.Reorder(20 * SECOND),
    effects.Duplicate(20 * SECOND),
    effects.DropRequest(),
    effects.DropReply(),
    effects.Reset(acted=True),
    effects.Refuse("closed", after=None),
    effects.Answer(503),
    effects.Truncate(0.5),
    effects.Garbage(b"?"),
    effects.Crash(SECOND),
)


def test_every_effect_on_a_request_has_its_row():
    assert {type(effect) for effect in EVERY} == set(CARRIED_OUT) == set(RequestEffect.__args__)


@pytest.mark.parametrize("effect", EVERY, ids=lambda effect: type(effect).__name__)
def test_when_its_window_ends_a_fault_lets_go_of_what_it_holds(effect):
    steps, _, now = taken(effect, until=SECOND)

    assert now <= SECOND
    assert all(step.span <= SECOND for step in steps if isinstance(step, AskLater))


@pytest.mark.parametrize("effect", EVERY, ids=lambda effect: type(effect).__name__)
def test_nobody_waits_longer_than_for_any_answer(effect):
    _, _, now = taken(effect, effects.Delay(25 * SECOND), until=NEVER)

    assert now <= 30 * SECOND


def test_both_hold_for_any_three_effects_together():
    for happening in product(EVERY, repeat=3):
        assert taken(*happening, until=NEVER)[2] <= 30 * SECOND, happening
        assert taken(*happening, until=SECOND)[2] <= SECOND, happening
