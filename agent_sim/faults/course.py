"""What effects mean for one request, as steps that every shell can take: wait, ask, ask again later, hold back.

    steps = course(trip, strikes)          shells know no effects: asyncio, heap and gevent take the same steps
    step = steps.send(None)                the first step; then send the reply or error of an Ask, None after others
    StopIteration.value                    how it ended: a reply, a TransportError, or the sender's Crash

Of several effects the first is nearest the sender. What a window's fault holds up it lets go of when the window ends,
and nobody waits longer than they would wait for any answer.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, Protocol, TypeVar, cast

from agent_sim.errors import ConnectFailed, ReplyTimeout, TransportError
from agent_sim.faults import effects
from agent_sim.faults.effects import Crash, Strike
from agent_sim.instants import SECOND, Instant, Span

Request = TypeVar("Request")
Reply = TypeVar("Reply")
_Q = TypeVar("_Q", contravariant=True)
_R = TypeVar("_R")


@dataclass(frozen=True, slots=True)
class Wait:
    """Go on after a while."""

    span: Span


@dataclass(frozen=True, slots=True)
class Ask:
    """Have the server answer the request; the reply, or the TransportError, comes back."""


@dataclass(frozen=True, slots=True)
class AskLater:
    """After a while, send the request as well; nobody waits for that, or cares what it comes to."""

    span: Span


@dataclass(frozen=True, slots=True)
class Hold:
    """Go on when a later request of the same sender has been answered, at the latest after a while."""

    longest: Span


Step = Wait | Ask | AskLater | Hold
Steps = Generator[Step, Reply | TransportError | None, Reply | TransportError | Crash]


class Wire(Protocol[_Q, _R]):
    """How requests and replies look as bytes: what a shell knows and an effect needs."""

    def request_size(self, request: _Q) -> int: ...

    def reply_size(self, reply: _R) -> int: ...

    def answer(self, request: _Q, status: int, headers: Mapping[str, str], body: bytes) -> _R:
        """The reply that such an answer is."""
        ...

    def reread(self, request: _Q, reply: _R, spoil: Callable[[bytes], bytes]) -> _R:
        """The reply that is read when its body has been spoilt."""
        ...


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a sender waits for a connection and for an answer."""

    connect: Span
    request: Span


@dataclass(frozen=True, slots=True)
class Trip(Generic[Request, Reply]):
    """One request with all that steps depend on; `began` is when it was sent."""

    request: Request
    wire: Wire[Request, Reply]
    clock: Callable[[], Instant]
    began: Instant
    patience: Patience

    def left(self) -> Span:
        """How long the sender still waits."""
        return max(self.began + self.patience.request - self.clock(), 0)

    def within(self, span: Span, until: Instant) -> Span:
        """A span that ends at `until` at the latest."""
        return max(min(span, until - self.clock()), 0)


def course(trip: Trip[Request, Reply], strikes: Sequence[Strike]) -> Steps[Reply]:
    """What happens to the request under these strikes."""
    if not strikes:
        answered = yield Ask()
        return cast(Reply | TransportError, answered)
    strike = strikes[0]
    carry = CARRIED_OUT.get(type(strike.effect))
    onward = course(trip, strikes[1:])
    if carry is None:
        return (yield from onward)  # of a message, not of a request
    return (yield from carry(strike.effect, strike, trip, onward))


# --- one for each effect ----------------------------------------------------------------------

_Trip = Trip[Any, Any]
_Steps = Steps[Any]


def _delay(effect: effects.Delay, strike: Strike, trip: _Trip, onward: _Steps) -> _Steps:
    span, left = trip.within(effect.span, strike.until), trip.left()
    if span >= left:
        yield AskLater(span)
        return (yield from _in_vain(trip, strike, left, "was held up"))
    yield Wait(span)
    return (yield from onward)


def _throttle(effect: effects.Throttle, strike: Strike, trip: _Trip, onward: _Steps) -> _Steps:
    def span(size: int) -> Span:
        return round(size / effect.bytes_per_second * SECOND)

    there = effects.Delay(span(trip.wire.request_size(trip.request)))
    end = yield from _delay(there, strike, trip, onward)
    if isinstance(end, TransportError | Crash):
        return end
    back, left = trip.within(span(trip.wire.reply_size(end)), strike.until), trip.left()
    if back >= left:
        return (yield from _in_vain(trip, strike, left, "was answered too slowly"))
    yield Wait(back)
    return end


def _reorder(effect: effects.Reorder, strike: Strike, trip: _Trip, onward: _Steps) -> _Steps:
    yield Hold(min(trip.within(effect.longest, strike.until), trip.left()))
    return (yield from onward)


def _duplicate(effect: effects.Duplicate, strike: Strike, trip: _Trip, onward: _Steps) -> _Steps:
    yield AskLater(trip.within(effect.after, strike.until))
    return (yield from onward)


def _drop_request(effect: effects.DropRequest, strike: Strike, trip: _Trip, onward: _Steps) -> _Steps:
    return (yield from _in_vain(trip, strike, trip.left(), "was lost"))


def _drop_reply(effect: effects.DropReply, strike: Strike, trip: _Trip, onward: _Steps) -> _Steps:
    end = yield from onward
    if isinstance(end, TransportError | Crash):
        return end
    return (yield from _in_vain(trip, strike, trip.left(), "was answered, and the answer was lost"))


def _reset(effect: effects.Reset, strike: Strike, trip: _Trip, onward: _Steps) -> _Steps:
    if effect.acted:
        end = yield from onward
        if isinstance(end, TransportError | Crash):
            return end
    return ReplyTimeout(f"connection reset (fault {strike.fault})")


def _refuse(effect: effects.Refuse, strike: Strike, trip: _Trip, onward: _Steps) -> _Steps:
    longest = trip.patience.connect if effect.after is None else effect.after
    yield Wait(min(trip.within(longest, strike.until), trip.left()))
    return ConnectFailed(f"{effect.why} (fault {strike.fault})")


def _answer(effect: effects.Answer, strike: Strike, trip: _Trip, onward: _Steps) -> _Steps:
    yield Wait(0)
    return trip.wire.answer(trip.request, effect.status, dict(effect.headers), effect.body)


def _truncate(effect: effects.Truncate, strike: Strike, trip: _Trip, onward: _Steps) -> _Steps:
    end = yield from onward
    if isinstance(end, TransportError | Crash):
        return end
    return trip.wire.reread(trip.request, end, lambda body: body[: int(len(body) * effect.kept)])


def _garbage(effect: effects.Garbage, strike: Strike, trip: _Trip, onward: _Steps) -> _Steps:
    end = yield from onward
    if isinstance(end, TransportError | Crash):
        return end
    return trip.wire.reread(trip.request, end, lambda _: effect.body)


def _crash(effect: Crash, strike: Strike, trip: _Trip, onward: _Steps) -> _Steps:
    if effect.acted:
        yield from onward
    return effect


CARRIED_OUT: Final[Mapping[type, Callable[[Any, Strike, _Trip, _Steps], _Steps]]] = {
    effects.Delay: _delay,
    effects.Throttle: _throttle,
    effects.Reorder: _reorder,
    effects.Duplicate: _duplicate,
    effects.DropRequest: _drop_request,
    effects.DropReply: _drop_reply,
    effects.Reset: _reset,
    effects.Refuse: _refuse,
    effects.Answer: _answer,
    effects.Truncate: _truncate,
    effects.Garbage: _garbage,
    effects.Crash: _crash,
}
"""What each effect on a request means: the one table that all shells live by."""


def _in_vain(trip: _Trip, strike: Strike, span: Span, what: str) -> _Steps:
    """Nobody will answer; when the window ends, the broken connection is noticed."""
    yield Wait(trip.within(span, strike.until))
    return ReplyTimeout(f"no answer: the request {what} (fault {strike.fault})")
