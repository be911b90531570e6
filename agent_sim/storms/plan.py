"""One storm as data: what is asked of which ids, at what rate, in which scope.

`scenario.plan` and the command line make it, `agent-sim run` hands it to Locust as a file; nothing here sends.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Final, Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError

from agent_sim.errors import UsageError
from agent_sim.instants import SECOND, Instant, Span
from agent_sim.storms.kinds import KINDS
from agent_sim.storms.oig import OIG_OPERATIONS

MAX_BATCH: Final = 10_000
"""What the embedded server takes in one request by default (command-api 2.10)."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Arrivals change linearly from the rate at the previous stage's end (0 before the first) to `rate` over `span`.

    `rate` is in requests per second. A stage without a span is a jump; one with the previous rate holds it.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    rate: float
    span: Span


@dataclass(frozen=True, slots=True)
class StormPlan:
    """One storm. `query` selects over JobHistory; empty means the operation's own (the seed's).

    By ids, `query` says which ids are candidates; by query, it is what is sent, narrowed to the scope.
    `prefix` is the scope: AgentMachine must begin so. `start` is absolute: not begun before it. What is due before
    `warm_up` is sent and not measured.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    name: str
    operation: str
    by: Literal["ids", "query"]
    batch: int
    query: str
    stages: tuple[Stage, ...]
    arrivals: Literal["uniform", "poisson"]
    max_in_flight: int
    prefix: str
    seed: int
    start: Instant
    warm_up: Span = 0

    @property
    def span(self) -> Span:
        """How long the stages last, in nanoseconds."""
        return sum(stage.span for stage in self.stages)


_ADAPTER: Final = TypeAdapter(StormPlan)


def to_json(plan: StormPlan) -> str:
    """The plan as one JSON object; spans and instants in nanoseconds."""
    return _ADAPTER.dump_json(plan).decode()


def from_json(text: str | bytes) -> StormPlan:
    """The inverse of `to_json`. Raises UsageError naming what is wrong."""
    try:
        plan = _ADAPTER.validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the file"
        raise UsageError(f"storm plan: {place}: {first['msg']}") from error
    check(plan)
    return plan


def check(plan: StormPlan) -> None:
    """Raise UsageError with everything that makes the plan impossible."""
    problems = list(_problems(plan))
    if problems:
        raise UsageError(f"storm {plan.name!r}: {'; '.join(problems)}")


def _problems(plan: StormPlan) -> Iterator[str]:
    if plan.operation not in KINDS:
        yield f"there is no operation {plan.operation!r}; there are {', '.join(KINDS)}"
    if not 1 <= plan.batch <= MAX_BATCH:
        yield f"batch must be 1 to {MAX_BATCH}, is {plan.batch}"
    if plan.operation in OIG_OPERATIONS and (plan.batch != 1 or plan.by != "ids" or plan.query):
        yield f"{plan.operation} asks for one job a request: batch must be 1, without a query"
    if plan.max_in_flight < 1:
        yield f"max_in_flight must be 1 or more, is {plan.max_in_flight}"
    if any(not 0 <= stage.rate < float("inf") or stage.span < 0 for stage in plan.stages):
        yield "rates and spans must not be negative"
    elif plan.span == 0:
        yield "it lasts no time: give it a stage with a span"
    elif not 0 <= plan.warm_up < plan.span:
        yield f"the warm-up must end before the storm does, after {plan.span / SECOND:g} s"
