"""The `faults` block: what goes wrong, when, for whom.

Each key of `do` is a fault of `agent_sim.faults`; how one is added stands there, in `kinds`.
"""

from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from typing import Annotated, Any, Final, Literal, Self, TypeVar

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema, field_validator, model_validator

from agent_sim.faults.bandwidth import Bandwidth
from agent_sim.faults.broker_disconnect import BrokerDisconnect
from agent_sim.faults.broker_restart import BrokerRestart
from agent_sim.faults.clock import Clock
from agent_sim.faults.crash import CrashAtRequest, CrashNow
from agent_sim.faults.dns import Dns
from agent_sim.faults.drop import Drop
from agent_sim.faults.duplicate import Duplicate
from agent_sim.faults.duplicate_delivery import DuplicateDelivery
from agent_sim.faults.garbage import Garbage
from agent_sim.faults.jitter import Jitter
from agent_sim.faults.kinds import Kind
from agent_sim.faults.latency import Latency
from agent_sim.faults.partition import Partition
from agent_sim.faults.refuse import Refuse
from agent_sim.faults.reorder import Reorder
from agent_sim.faults.reset import Reset
from agent_sim.faults.session_takeover import SessionTakeover
from agent_sim.faults.status import Status
from agent_sim.faults.tls import Tls
from agent_sim.faults.truncate import Truncate
from agent_sim.faults.will import Will
from agent_sim.instants import MILLISECOND, Span
from agent_sim.query.wording import did_you_mean
from agent_sim.scenario import units
from agent_sim.scenario.blocks import Block, key, needed
from agent_sim.scenario.checks import AGENT_OPERATIONS
from agent_sim.scenario.fields import Duration, Flag, Moment, Name, Period, Share, Size, Text, Whole, pattern
from agent_sim.scenario.schedules import Select
from agent_sim.scenario.spreads import DurationSpread, distribution
from agent_sim.scenario.units import Quantity, found
from agent_sim.storms.operations import OPERATIONS

OF_AGENTS: Final = tuple(word for word in AGENT_OPERATIONS if word not in ("operator", "oig"))
OF_STORMS: Final = tuple(OPERATIONS)

V = TypeVar("V", int, float)

# --- values -----------------------------------------------------------------------------------


def _byte_rate(value: object) -> float:
    text = value.removesuffix("/s") if isinstance(value, str) else ""
    if not isinstance(value, str) or text == value:
        raise ValueError(f"{found(value)}, expected bytes per second such as 16KB/s")
    size = units.size(text)
    if size < 1:
        raise ValueError(f"{found(value)}, expected at least 1B/s")
    return size


ByteRate = Annotated[
    float,
    BeforeValidator(_byte_rate),
    PlainSerializer(lambda value: f"{units.size_text(round(value))}/s"),
    pattern(units.SIZE_PATTERN[:-1] + "/s$", "16KB/s"),
]


def _code(shown: object) -> BeforeValidator:
    """A bare number is a status."""
    return BeforeValidator(
        lambda value: {"code": value} if isinstance(value, int | Quantity) else value, json_schema_input_type=shown
    )


def _signed(read: Callable[[object], V]) -> Callable[[object], V]:
    """The same value with a minus before it, or none."""

    def read_signed(value: object) -> V:
        if isinstance(value, str) and value.startswith("-"):
            return -read(value[1:])
        return read(value)

    return read_signed


def _minus(text: Callable[[Any], str]) -> PlainSerializer:
    return PlainSerializer(lambda value: f"-{text(-value)}" if value < 0 else text(value))


Offset = Annotated[
    Span,
    BeforeValidator(_signed(units.duration)),
    _minus(units.duration_text),
    pattern("^-?" + units.DURATION_PATTERN[1:], "2h", "-90s"),
]
"""A duration, ahead or behind."""

Drift = Annotated[
    float,
    BeforeValidator(_signed(units.share)),
    _minus(units.share_text),
    pattern("^-?" + units.SHARE_PATTERN[1:], "1%", "-0.5%"),
]
"""A share, gained or lost."""


class WrongClock(Block):
    """A clock that is not right."""

    offset: Offset = key("0s", "How far ahead it is, or with a minus behind.", "2h", "-90s")
    drift: Drift = key("0%", "What it gains each second, or with a minus loses.", "1%", "-0.5%")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.offset and not self.drift:
            raise ValueError("found a clock that is right, expected an offset or a drift")
        if self.drift <= -1:
            raise ValueError("found -100% or less as drift, expected a clock that still runs forward")
        return self


class StatusAnswer(Block):
    """An answer that is not the server's."""

    code: Annotated[Whole, Field(ge=100, le=599)] = needed("Its HTTP status.", 503)
    retry_after: Duration | None = key(None, "What its Retry-After header says, in whole seconds.", "30s")
    body: Text = key("", "Its body.", "try again later")


POINTS: Final = ("now", *(f"{when}_{operation}" for operation in OF_AGENTS for when in ("before", "after")))


class CrashAt(Block):
    """A process that dies and comes back."""

    point: Literal[
        "now",
        "before_register",
        "after_register",
        "before_heartbeat",
        "after_heartbeat",
        "before_configure",
        "after_configure",
        "before_upload",
        "after_upload",
        "before_complete",
        "after_complete",
    ] = key(
        "now",
        "When: as the window begins, before the next request of a kind is sent, or after the server has acted on it.",
        "before_complete",
    )
    restart_after: Duration = key("15s", "How long until it is back.", "1m")
    keeps_identity: Flag = key(True, "Come back as the same agent, or without what it knew of itself.", False)

    @property
    def operation(self) -> str:
        """Of which requests; "" if of none."""
        return "" if self.point == "now" else self.point.partition("_")[2]


class Do(Block):
    """What goes wrong; several at once are allowed, the first is nearest the agent."""

    latency: DurationSpread | None = key(
        None, "Requests take longer on their way.", "800ms", {"dist": "lognormal", "median": "800ms", "p95": "4s"}
    )
    jitter: Period | None = key(None, "Requests take longer by anything up to this.", "200ms")
    bandwidth: ByteRate | None = key(None, "Requests and answers trickle at this rate.", "16KB/s")
    drop: Literal["request", "response"] | None = key(
        None, "Requests never arrive, or their answers never come back.", "response"
    )
    reset: Literal["request", "response"] | None = key(
        None, "The connection breaks before the server acts, or after.", "request"
    )
    refuse: Flag | None = key(None, "Nobody listens.", True)
    status: Annotated[StatusAnswer | None, _code(StatusAnswer | int | None)] = key(
        None, "Something on the way answers instead of the server.", 503, {"code": 429, "retry_after": "30s"}
    )
    truncate: Share | None = key(None, "Answers end early: this share of the body arrives.", "50%")
    garbage: Size | None = key(None, "Answers are so much nonsense.", "200B")
    partition: Literal["in", "out", "both"] | None = key(
        None, "The network is cut: to the agents, from them, or both ways.", "both"
    )
    dns: Literal["not_found", "timeout"] | None = key(None, "The server's name does not resolve.", "not_found")
    tls: Literal["expired", "untrusted", "wrong_name", "handshake"] | None = key(
        None, "No secure connection comes about.", "expired"
    )
    duplicate: DurationSpread | None = key(None, "The server gets requests twice, the copy so much later.", "100ms")
    reorder: Period | None = key(
        None, "Requests wait until a later one of the same agent has overtaken them, at most this long.", "2s"
    )
    clock: WrongClock | None = key(None, "The agents' clocks are wrong.", {"offset": "2h"}, {"drift": "-0.5%"})
    crash: CrashAt | None = key(
        None, "The agent's process dies and comes back.", {"point": "before_complete", "restart_after": "15s"}
    )

    broker_disconnect: DurationSpread | None = key(
        None, "Connections to the broker end with a goodbye, for so long; a gateway takes all its agents along.", "5s"
    )
    will: DurationSpread | None = key(
        None, "The same without a goodbye, so that the broker publishes their wills.", "5s"
    )
    session_takeover: Flag | None = key(None, "Somebody else connects to the broker under the same name.", True)
    duplicate_delivery: Flag | None = key(None, "The broker delivers messages to agents twice.", True)
    broker_restart: Period | None = key(
        None, "The broker goes down, for so long; only one that the run has started itself.", "3s"
    )

    @property
    def given(self) -> Iterator[tuple[str, Any]]:
        """Each fault that is asked for, with what was said."""
        for name in type(self).model_fields:
            value = getattr(self, name)
            if value is not None:
                yield name, value

    @field_validator("refuse", "session_takeover", "duplicate_delivery")
    @classmethod
    def _check_true(cls, given: bool | None) -> bool | None:
        if given is False:
            raise ValueError("found false, expected true, or leave it out")
        return given

    @field_validator("truncate")
    @classmethod
    def _check_truncate(cls, kept: float | None) -> float | None:
        if kept == 1:
            raise ValueError("found 100%, expected less: that is a whole answer")
        return kept

    @field_validator("garbage")
    @classmethod
    def _check_garbage(cls, size: int | None) -> int | None:
        if size is not None and not 1 <= size <= 2**20:
            raise ValueError(f"found {units.size_text(size)}, expected 1B to 1MiB")
        return size

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not any(True for _ in self.given):
            raise ValueError(f"found nothing, expected one of {', '.join(type(self).model_fields)}")
        return self


BUILDERS: Final[Mapping[str, Callable[[Any], Kind]]] = {
    "latency": lambda said: Latency(distribution(said)),
    "jitter": Jitter,
    "bandwidth": Bandwidth,
    "drop": Drop,
    "reset": Reset,
    "refuse": lambda said: Refuse(),
    "status": lambda said: Status(said.code, said.retry_after, said.body),
    "truncate": Truncate,
    "garbage": Garbage,
    "partition": Partition,
    "dns": Dns,
    "tls": Tls,
    "duplicate": lambda said: Duplicate(distribution(said)),
    "reorder": Reorder,
    "clock": lambda said: Clock(said.offset, said.drift),
    "crash": lambda said: (
        CrashAtRequest(said.point.startswith("after"), said.restart_after, said.keeps_identity)
        if said.operation
        else CrashNow(said.restart_after, said.keeps_identity)
    ),
    "broker_disconnect": lambda said: BrokerDisconnect(distribution(said)),
    "will": lambda said: Will(distribution(said)),
    "session_takeover": lambda said: SessionTakeover(),
    "duplicate_delivery": lambda said: DuplicateDelivery(),
    "broker_restart": BrokerRestart,
}
"""From a key of `do` and what stands there to the fault."""

AT_BROKERS: Final = ("broker_disconnect", "will", "session_takeover", "duplicate_delivery", "broker_restart")
"""Faults that only agents over MQTT can have."""

# --- the block --------------------------------------------------------------------------------


class FaultSelect(Select):
    """Which agents; of all there are, those that fit every key."""

    sticky: Flag = key(False, "The same agents in every window; unless given, each window draws anew.", True)


def _one_or_more(value: object) -> object:
    return (value,) if isinstance(value, str) else value


_OPERATIONS: Final = (*OF_AGENTS, *OF_STORMS)


def _operation(value: object) -> str:
    if isinstance(value, str) and value in _OPERATIONS:
        return value
    remark = did_you_mean(value, _OPERATIONS) if isinstance(value, str) else "expected an operation"
    raise ValueError(f"{found(value)}, which is no operation; {remark}")


Operation = Annotated[str, BeforeValidator(_operation), WithJsonSchema({"enum": list(_OPERATIONS)})]
"""Of agents, or of storms."""


class Fault(Block):
    """Something that goes wrong for a while."""

    name: Name = needed("Its name.", "lost-ack")
    at: Moment | None = key(None, "When it begins.", "outage+30s")
    for_: Period | None = key(
        None, "How long it lasts; unless given, to the run's end, or with `every` until it has met its agents.", "2m",
        alias="for",
    )  # fmt: skip
    during: tuple[Name, ...] = key((), "In these phases.", ["steady"])
    every: DurationSpread | None = key(
        None,
        "Again and again, usually 10ms or more after the last time.",
        "1m",
        {"dist": "exponential", "mean": "20s"},
    )
    probability: Share = key("100%", "How many of the requests (or agents) it meets, by chance.", "0.5%")
    on: Annotated[
        tuple[Operation, ...], BeforeValidator(_one_or_more, json_schema_input_type=tuple[Operation, ...] | Operation)
    ] = key((), "Which requests; unless given, all that agents make.", "complete", ["configure", "complete"])
    select: FaultSelect = key({}, "Which agents.", {"percent": "25%", "sticky": True})
    do: Do = needed("What goes wrong.", {"drop": "response"})

    @field_validator("every")
    @classmethod
    def _check_every(cls, every: DurationSpread | None) -> DurationSpread | None:
        usual = None if every is None else units.whole_milliseconds(Fraction(distribution(every).sample(0.5)))
        if usual is not None and usual < 10 * MILLISECOND:
            raise ValueError(f"found {units.duration_text(usual)}, expected at least 10ms")
        return every

    @field_validator("probability")
    @classmethod
    def _check_probability(cls, probability: float) -> float:
        if not probability:
            raise ValueError("found 0%, expected more: it would never happen")
        return probability

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.at is None and not self.during and self.every is None:
            raise ValueError("found no time, expected one of at, during and every")
        if self.at is not None and self.during:
            raise ValueError("found both at and during, expected one of them")
        if self.for_ is not None and self.during and self.every is None:
            raise ValueError("found `for` beside during, which ends with the phase; expected it beside at or every")
        return self

    @property
    def is_of_storms(self) -> bool:
        """True if it is about storms' requests and not about agents'."""
        return any(word in OF_STORMS for word in self.on)
