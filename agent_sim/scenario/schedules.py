"""The `phases` and `schedules` blocks: stretches of the run, and work that the operator posts."""

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from agent_sim.instants import MINUTE, Span
from agent_sim.protocol.enums import CUSTOM_PREFIX
from agent_sim.scenario.blocks import Block, key, needed
from agent_sim.scenario.fields import (
    ONLY_NOW,
    AgentRef,
    Count,
    Duration,
    Flag,
    Moment,
    Name,
    Period,
    PostableWord,
    Share,
    ShareRate,
    Text,
    TimeOfDay,
    TimePoint,
    Turn,
    Value,
    Weekday,
)
from agent_sim.scenario.units import duration_text


class Churn(Block):
    """Agents that come and go by chance."""

    restart: ShareRate = needed("How many of the agents online are restarted per time.", "0.5%/min")
    down: Duration = key("5s", "How long one is down.", "5s")
    keeps_identity: Flag = key(True, "Whether it registers again with its AgentId.", False)


class Phase(Block):
    """A named stretch of the run; phases follow each other."""

    name: Name = needed("Its name.", "ramp")
    duration: Period = needed("How long it lasts.", "5m")
    online: Share | None = key(
        None, "How many agents of each fleet are online at its end, more or fewer; unless given, as before.", "50%"
    )
    shape: Literal["linear", "step", "poisson", "burst"] = key(
        "linear", "How they come and go: evenly, all at once, at random, or in ten groups.", "poisson"
    )
    churn: Churn | None = key(None, "Restarts by chance while it lasts.", {"restart": "0.5%/min"})


class Select(Block):
    """Which agents. Of all that can do the work, those that fit every key."""

    fleets: tuple[Name, ...] = key((), "Of these fleets only.", ["emea"])
    labels: dict[str, Text] = key({}, "With these labels only.", {"site": "fra"})
    ids: tuple[AgentRef, ...] = key((), "These agents only, by fleet and index from 0.", ["emea-0", "emea-17"])
    percent: Share | None = key(None, "This share of each fleet, by chance.", "10%")
    count: Count | None = key(None, "So many in all, by chance.", 5)
    sticky: Flag = key(True, "The same agents every time; false draws anew each time that it is asked.", False)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.percent is not None and self.count is not None:
            raise ValueError("found both percent and count, expected one of them")
        return self


class Weekly(Block):
    """On days of the week."""

    days: tuple[Weekday, ...] = key((), "Which days; unless given, the day of the run.", ["monday", "friday"])
    time: TimeOfDay = needed("When, UTC; a point of the run is rounded up to a minute.", "02:00")


class Monthly(Block):
    """On a day of the month."""

    day: Annotated[Count, Field(le=31)] | None = key(None, "Which day; unless given, that of the run.", 1)
    time: TimeOfDay = needed("When, UTC; a point of the run is rounded up to a minute.", "02:00")


class Recurrence(Block):
    """A schedule that the server keeps; one of these."""

    immediate: Flag | None = key(None, "Once, now.", True)
    interval: Period | None = key(None, "So often, in whole minutes.", "15m")
    daily: TimeOfDay | None = key(None, "Every day at this time, UTC.", "02:00")
    weekly: Weekly | None = key(None, "On days of the week.", {"days": ["monday"], "time": "02:00"})
    monthly: Monthly | None = key(None, "On a day of the month.", {"day": 1, "time": "02:00"})
    exactly_once: Moment | None = key(None, "Once, at this time, rounded up to a minute.", "steady+1m")

    @model_validator(mode="after")
    def _check(self) -> Self:
        given = [name for name in type(self).model_fields if getattr(self, name) is not None]
        if len(given) != 1:
            names = ", ".join(type(self).model_fields)
            raise ValueError(f"found {' and '.join(given) or 'nothing'}, expected one of {names}")
        return self

    @field_validator("immediate")
    @classmethod
    def _check_immediate(cls, immediate: bool | None) -> bool | None:
        if immediate is False:
            raise ValueError("found false, expected true, or another schedule")
        return immediate

    @field_validator("interval")
    @classmethod
    def _check_interval(cls, interval: Span | None) -> Span | None:
        if interval is not None and interval % MINUTE:
            raise ValueError(f"found {duration_text(interval)}, expected whole minutes such as 15m")
        return interval


class Schedule(Block):
    """Work that the operator asks the server to hand out."""

    name: Name = needed("Its name.", "nightly")
    type: PostableWord = needed("The kind of job.", "Inventory")
    select: Select = key({}, "Who gets it.", {"fleets": ["emea"]})
    every: Turn | None = key(None, "Posted again and again, every 10ms at most.", "15m")
    at: Moment | None = key(None, "Posted once, at this time.", "steady")
    schedule: Recurrence | None = key(None, "Posted once; the server repeats it.", {"daily": "02:00"})
    from_: Moment = key("0s", "When `every` or `schedule` begins.", "steady", alias="from")
    until: Moment | None = key(None, "When `every` ends; unless given, with the run.", "back")
    spread: Duration = key("0s", "One round is posted evenly over this time.", "5s")
    operation: Literal["add", "remove"] = key("remove", "Of Management: what to do with a certificate.", "remove")
    alias: Text | None = key(None, "Of Management: the name it has in the store; unless given, agent-sim.", "web01")
    subject: Text | None = key(
        None, "Of Reenrollment: whose certificate it is to be; unless given, CN={store}.", "CN=web01,O=Test"
    )
    dirs: tuple[Text, ...] = key((), "Of Discovery: where to look; unless given, in /opt.", ["/opt", "/srv/app"])
    fields: dict[str, Value] = key({}, "Of custom types: what its fields are.", {"Target": "db01"})

    @model_validator(mode="after")
    def _check(self) -> Self:
        given = [name for name in ("every", "at", "schedule") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"found {' and '.join(given) or 'no time'}, expected one of every, at and schedule")
        for name, owners in (("from", ("every", "schedule")), ("until", ("every",))):
            if self._is_given(name) and given[0] not in owners:
                raise ValueError(f"found {name} beside {given[0]}, expected it beside {' or '.join(owners)} only")
        if self.every is not None and self.spread > self.every:
            raise ValueError("found a spread that is longer than every, expected at most that")
        if self.type != "Management" and self.operation != "remove":
            raise ValueError(f"found an operation of {self.type}, expected it of Management only")
        for name, owner in (("alias", "Management"), ("subject", "Reenrollment"), ("dirs", "Discovery")):
            if getattr(self, name) and self.type != owner:
                raise ValueError(f"found {name} of {self.type}, expected it of {owner} only")
        if self.fields and not self.type.startswith(CUSTOM_PREFIX):
            raise ValueError(f"found fields of {self.type}, expected them of custom types only")
        if self.type in ONLY_NOW and self.schedule is not None:
            raise ValueError(f"found a schedule of {self.type}, which no server repeats, expected every or at")
        return self

    def _is_given(self, name: str) -> bool:
        return self.from_ != TimePoint() if name == "from" else self.until is not None
