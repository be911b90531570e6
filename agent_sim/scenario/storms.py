"""The `storms` block: many requests at once against the server."""

from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from agent_sim.instants import Span
from agent_sim.protocol.enums import CUSTOM_PREFIX, FETCH_LOGS
from agent_sim.scenario.blocks import Block, key, needed
from agent_sim.scenario.fields import Count, Duration, Moment, Name, Period, PostableWord, Rate, Text, Value
from agent_sim.scenario.units import rate_text
from agent_sim.storms.operations import OPERATIONS

_MOST: Final = 100_000
_BATCH: Final = 50

LOG_FETCH: Final = "fetch_logs"


def _storm_word(word: str) -> str:
    if word != FETCH_LOGS.word and not word.startswith(CUSTOM_PREFIX):
        raise ValueError(f'found "{word}", expected LOGS or custom:<JobType>: other jobs are made of stores')
    return word


StormWord = Annotated[PostableWord, AfterValidator(_storm_word)]


def _in_reach(rate: float | None) -> float | None:
    if rate is not None and rate > _MOST:
        raise ValueError(f"found {rate_text(rate)}, expected at most {_MOST:,}/s")
    return rate


StormRate = Annotated[Rate, AfterValidator(_in_reach)]


class Target(Block):
    """What a storm's requests are about."""

    by: Literal["ids", "query"] = key("ids", "A list of ids in each request, or a query.", "ids")
    batch: Annotated[Count, Field(le=10_000)] | None = key(
        None, "Ids in each request; unless given, 50, or 1 where the API takes one.", 50
    )
    query: Text = key(
        "",
        "Over JobHistory (unschedule: ScheduledJobs; approve and those that make jobs: Agents): which are candidates,"
        " or what is sent; unless given, the operation's own.",
        "Result -eq 4 AND Status -eq 3",
    )
    kind: Literal["plain", "mixed", "contended", "hot", "poison", "herd"] = key(
        "plain",
        "Each id once; mixed with another operation and a query; contended, each id several times at once; hot, all"
        " about the same few ids; poison, with an id in each request that does not exist; or a herd: plain, and agents"
        " must be there that poll meanwhile.",
        "contended",
    )
    copies: Annotated[Count, Field(ge=2, le=100)] = key(3, "Of contended: how often each id is sent at once.", 3)
    hot: Annotated[Count, Field(le=10_000)] = key(100, "Of hot: about how many ids all requests are.", 100)
    type: StormWord | None = key(None, "Of custom and custom_bulk: the kind of job to make.", "custom:PatchReport")
    fields: dict[str, Value] = key({}, "Of custom types: what the job's fields are.", {"Target": "db01"})


class Stage(Block):
    """A stretch of a storm: `{to: 50/s, over: 30s}` changes the rate evenly, `{hold: 2m}` keeps it."""

    to: StormRate | None = key(None, "The rate at its end, at most 100,000/s.", "50/s")
    over: Duration | None = key(None, "How long the change takes; 0s is a jump.", "30s")
    hold: Period | None = key(None, "How long the rate stays.", "2m")

    @property
    def span(self) -> Span:
        """How long it lasts."""
        return self.hold or self.over or 0

    @model_validator(mode="after")
    def _check(self) -> Self:
        is_change = self.to is not None and self.over is not None and self.hold is None
        is_hold = self.to is None and self.over is None and self.hold is not None
        if not is_change and not is_hold:
            given = [name for name in ("to", "over", "hold") if getattr(self, name) is not None]
            raise ValueError(f"found {' and '.join(given) or 'nothing'}, expected to and over, or hold alone")
        return self


class Load(Block):
    """How fast requests come: one rate, or stages."""

    arrivals: Literal["uniform", "poisson"] = key("uniform", "Evenly, or at random.", "poisson")
    rate: StormRate | None = key(None, "Requests, at most 100,000/s, for as long as the storm's `for`.", "20/s")
    stages: tuple[Stage, ...] = key(
        (), "Changes of rate, one after another.", [{"to": "50/s", "over": "30s"}, {"hold": "2m"}]
    )
    max_in_flight: Count = key(200, "Most requests without an answer yet.", 500)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.rate is None) == (not self.stages):
            raise ValueError(f"found {'neither' if self.rate is None else 'both'}, expected either rate or stages")
        return self

    @field_validator("rate")
    @classmethod
    def _check_rate(cls, rate: float | None) -> float | None:
        if rate == 0:
            raise ValueError("found 0/s, expected more than that")
        return rate

    @field_validator("stages")
    @classmethod
    def _check_stages(cls, stages: tuple[Stage, ...]) -> tuple[Stage, ...]:
        if stages and stages[0].hold is not None:
            raise ValueError("found hold as the first stage, expected a rate to hold: begin with {to: 20/s, over: 0s}")
        if stages and not any(stage.to for stage in stages):
            raise ValueError("found no rate above 0/s, expected one")
        if stages and not any(stage.span for stage in stages):
            raise ValueError("found stages that last no time, expected one that holds")
        return stages


class Storm(Block):
    """Many requests at once, driven by Locust."""

    name: Name = needed("Its name.", "mass-reschedule")
    at: Moment = needed("When it begins.", "back+1m")
    op: Literal[
        "reschedule",
        "acknowledge",
        "unschedule",
        "custom",
        "custom_bulk",
        "fetch_logs",
        "approve",
        "oig_create",
        "oig_run",
        "oig_stop",
    ] = needed("What it asks for; the last three of Oracle's scheduler, one job a request.", "reschedule")
    target: Target = key({}, "What it is about.", {"by": "ids", "batch": 50})
    load: Load = needed("How fast requests come.", {"rate": "20/s"})
    for_: Period | None = key(None, "How long, with one rate.", "10s", alias="for")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.load.rate is not None and self.for_ is None:
            raise ValueError("found a rate without `for`, expected how long it lasts, such as for: 10s")
        if self.load.rate is None and self.for_ is not None:
            raise ValueError("found `for` beside stages, which have their own length, expected one of them")
        return self

    @property
    def is_of_jobs(self) -> bool:
        """True if it storms the second target's scheduler."""
        return self.op.startswith("oig_")

    @property
    def batch(self) -> int:
        """Ids in each request."""
        return self.target.batch or (_BATCH if self.op in OPERATIONS and OPERATIONS[self.op].largest is None else 1)

    @property
    def makes(self) -> str:
        """The kind of job that it makes, as schedules call it; "" if it makes none."""
        if self.op == LOG_FETCH:
            return FETCH_LOGS.word
        return self.target.type or ""

    @property
    def asks(self) -> frozenset[str]:
        """What it asks for, as far as two storms may be in each other's way."""
        if self.makes:
            return frozenset({f"jobs of type {self.makes.casefold()}"})
        mixed = {"reschedule", "acknowledge"} if self.target.kind == "mixed" else set()
        return frozenset({self.op, *mixed})

    @property
    def span(self) -> Span:
        """How long it lasts."""
        return self.for_ or sum(stage.span for stage in self.load.stages)
