"""The `behaviours` block: how long each kind of job takes, and how it ends or fails to."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Final, Literal, Self

from pydantic import BeforeValidator, field_validator, model_validator

from agent_sim.agent.conditions import Condition, looks_at
from agent_sim.protocol.enums import CUSTOM_PREFIX, Category
from agent_sim.scenario.blocks import Block, key, needed
from agent_sim.scenario.fields import BehaviourWord, Duration, Flag, Message, Name, Period, Share, Size, Text
from agent_sim.scenario.spreads import DurationSpread, SizeSpread, check_total
from agent_sim.scenario.units import found

OutcomeWord = Literal[
    "success",
    "warning",
    "failure",
    "reject",
    "never_start",
    "hang",
    "late",
    "complete_twice",
    "stale_session",
    "lost_ack",
    "crash",
    "oversize",
    "malformed",
]

_ONLY_OF: Final[Mapping[str, str]] = {
    "at": "hang",
    "by": "late",
    "gap": "complete_twice",
    "point": "crash",
    "restart_after": "crash",
    "keeps_identity": "crash",
    "size": "oversize",
}
"""Keys that say more about one result."""

HAS_DATA: Final = (Category.FETCH_LOGS.value, Category.CUSTOM.value)
"""Kinds of job whose completion carries a text of some size."""


class Ending(Block):
    """One way for a job to end, or not to."""

    result: OutcomeWord = needed(
        "How it ends. Straight: success, warning, failure. reject: local validation fails, completed at once as a"
        " warning. never_start: stays on the agent's list. hang: taken and never completed. late: completed after the"
        " server gave it up. complete_twice: the same completion again. stale_session: completed under an older"
        " session. lost_ack: the answer to the completion is lost. crash: the agent dies. oversize: a log beyond the"
        " limit. malformed: a completion that does not parse.",
        "failure",
        "hang",
    )
    message: Message = key(
        "",
        "What the agent says; {store}, {agent}, {type}, {attempt}, {occurrence} and {n} are filled in.",
        "Access to {store} denied",
    )
    at: Literal["after_configure", "after_upload"] | None = key(
        None,
        "Of hang: once it is taken, or once the work is done and uploaded; unless given, after_configure.",
        "after_upload",
    )
    by: Period | None = key(
        None, "Of late: so much later than the work was done; more than the server's job_timeout makes it late.", "10m"
    )
    gap: Duration | None = key(None, "Of complete_twice: so long after the first was taken; unless given, 3s.", "3s")
    point: Literal["before_complete", "after_complete"] | None = key(
        None,
        "Of crash: just before the completion leaves, or just after; unless given, before_complete.",
        "after_complete",
    )
    restart_after: Duration | None = key(None, "Of crash: down for so long; unless given, 15s.", "15s")
    keeps_identity: Flag | None = key(
        None, "Of crash: whether it registers again with its AgentId; unless given, it does.", False
    )
    size: Size | None = key(
        None, "Of oversize: the size of the log or data; unless given, a character over the 2 MB of Command.", "3MB"
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        for name, owner in _ONLY_OF.items():
            if getattr(self, name) is not None and self.result != owner:
                raise ValueError(f"found {name} beside {self.result}, expected it beside {owner} only")
        if self.result == "late" and self.by is None:
            raise ValueError("found late without by, expected how late, such as by: 10m")
        return self


class Outcome(Ending):
    """One way for a job to end, with its weight."""

    weight: Share = key("100%", "How often; all outcomes of a job total 100%.", "5%")


def _step(value: object) -> object:
    """`failure` for `{result: failure}`."""
    return {"result": value} if isinstance(value, str) else value


Step = Annotated[Ending, BeforeValidator(_step, json_schema_input_type=Ending | OutcomeWord)]


class Sequence(Block):
    """Endings one after another, before the weights."""

    per: Literal["agent", "store", "job"] = key(
        "agent",
        "What is counted: the agent's jobs of this type, those on each of its stores, or the attempts at one job.",
        "job",
    )
    results: tuple[Step, ...] = needed(
        "The endings, in order; a word, or a map as in outcomes.", ["failure", "failure", "success"], min_length=1
    )
    then: Literal["weights", "last", "repeat"] = key(
        "weights", "What comes after the last: the outcomes by weight, the last for good, or the first again.", "last"
    )


class Job(Block):
    """How one kind of job goes."""

    type: BehaviourWord = needed("The kind of job; custom stands for every custom type not named itself.", "Inventory")
    duration: DurationSpread = key(
        "1s", "How long it takes.", "2s", {"dist": "lognormal", "median": "3s", "p95": "20s"}
    )
    outcomes: tuple[Outcome, ...] = key(
        ({"result": "success"},),
        "How it ends, by weights that total 100%.",
        [{"result": "success", "weight": "95%"}, {"result": "failure", "weight": "5%"}],
        min_length=1,
    )
    sequence: Sequence | None = key(
        None, "Endings that come before those by weight: fail twice, then work.", {"results": ["failure", "success"]}
    )
    size: SizeSpread = key("400B", "Size of its log or data.", "200KB")

    @field_validator("outcomes")
    @classmethod
    def _check_weights(cls, outcomes: tuple[Outcome, ...]) -> tuple[Outcome, ...]:
        check_total(tuple(outcome.weight for outcome in outcomes), "weights")
        return outcomes

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.has_data and any(ending.result == "oversize" for ending in self.endings):
            raise ValueError(f"found oversize of {self.type}, expected it of LOGS or a custom type: they carry data")
        if self.sequence is not None and self.sequence.per == "store":
            if self.has_data:
                raise ValueError(
                    f"found a sequence per store of {self.type}, which has none, expected per agent or job"
                )
            if any(ending.result == "never_start" for ending in self.sequence.results):
                raise ValueError(
                    "found never_start in a sequence per store, expected per agent or job:"
                    " which store a job is about is not known before it is started"
                )
        return self

    @property
    def endings(self) -> Iterator[Ending]:
        """Every ending that it can come to by itself."""
        yield from self.outcomes
        yield from self.sequence.results if self.sequence is not None else ()

    @property
    def has_data(self) -> bool:
        """True if its completion carries a text of some size."""
        return self.type in HAS_DATA or self.type.startswith(CUSTOM_PREFIX)


def _condition(text: str) -> Condition:
    from agent_sim.scenario.conditions import condition  # it brings a parser: most scenarios have no rules

    return condition(text)


def _when(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{found(value)}, expected a condition such as time >= 10m")
    _condition(value)
    return value


When = Annotated[Text, BeforeValidator(_when)]


class Rule(Ending):
    """An ending for every job of which the condition holds; the first rule that does wins over sequence and weights."""

    when: When = needed(
        "When it holds: comparisons of time, phase, job.type, job.capability, job.occurrence, job.attempt, store,"
        " agent.index, agent.name, agent.fleet and agent.labels.NAME, with and, or, not, in and %. The time is that of"
        " the run when the job is taken.",
        "time < 10m and agent.labels.ring == 'canary'",
    )

    @property
    def condition(self) -> Condition:
        """What `when` says."""
        return _condition(self.when)


_UNKNOWN_BEFORE_START: Final = ("store", "job.occurrence")


class Behaviour(Block):
    """How agents do their jobs."""

    name: Name = needed("Its name.", "flaky")
    extends: Name | None = key(None, "The behaviour it is based on; jobs merge by type.", "standard")
    jobs: tuple[Job, ...] = key((), "By kind of job; a kind not here succeeds in 1s.", [])
    rules: tuple[Rule, ...] = key(
        (),
        "Endings that win over sequences and weights, where their condition holds.",
        [{"when": "time < 10m", "result": "failure", "message": "before the cure"}],
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        last = max((n for n, rule in enumerate(self.rules) if rule.result == "never_start"), default=-1)
        for rule in self.rules[: last + 1]:
            for name in _UNKNOWN_BEFORE_START:
                if looks_at(rule.condition, name):
                    raise ValueError(
                        f"found a rule about {name} at or before one that never starts a job, expected it after"
                        " that: it is not known before a job is started"
                    )
        return self
