"""The `behaviours` block: how long each kind of job takes and how it ends."""

from typing import Literal

from pydantic import field_validator

from agent_sim.scenario.blocks import Block, key, needed
from agent_sim.scenario.fields import BehaviourWord, Message, Name, Share
from agent_sim.scenario.spreads import DurationSpread, SizeSpread, check_total


class Outcome(Block):
    """One way for a job to end."""

    result: Literal["success", "warning", "failure"] = needed("How it ends.", "failure")
    weight: Share = key("100%", "How often; all outcomes of a job total 100%.", "5%")
    message: Message = key(
        "",
        "What the agent says; {store}, {agent}, {type}, {attempt}, {occurrence} and {n} are filled in.",
        "Access to {store} denied",
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
    size: SizeSpread = key("400B", "Size of its log or data.", "200KB")

    @field_validator("outcomes")
    @classmethod
    def _check(cls, outcomes: tuple[Outcome, ...]) -> tuple[Outcome, ...]:
        check_total(tuple(outcome.weight for outcome in outcomes), "weights")
        return outcomes


class Behaviour(Block):
    """How agents do their jobs."""

    name: Name = needed("Its name.", "flaky")
    extends: Name | None = key(None, "The behaviour it is based on; jobs merge by type.", "standard")
    jobs: tuple[Job, ...] = key((), "By kind of job; a kind not here succeeds in 1s.", [])
