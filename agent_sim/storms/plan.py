"""One storm as data: what is asked of which ids, at what rate, in which scope.

`scenario.plan` and the command line make it, `agent-sim run` hands it to Locust as a file; nothing here sends.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Final, Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError

from agent_sim.errors import UsageError
from agent_sim.instants import SECOND, Instant, Span
from agent_sim.storms.catalogue import CATALOGUE
from agent_sim.storms.oig import OIG_OPERATIONS
from agent_sim.storms.operations import OPERATIONS

MAX_BATCH: Final = 10_000
"""What the embedded server takes in one request by default (command-api 2.10)."""

MAX_COPIES: Final = 100

Kind = Literal["plain", "mixed", "contended", "hot", "poison", "herd"]
"""How requests are made of the ids (`kinds`)."""


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
    """One storm. `query` selects over the operation's listing; empty means the operation's own (the seed's).

    By ids, `query` says which ids are candidates; by query, it is what is sent, narrowed to the scope.
    `prefix` is the scope: AgentMachine must begin so. `start` is absolute: not begun before it. `copies` is how often
    a contended storm sends each batch, `hot` how many ids a hot one is about. `job_type` and `fields` are of the jobs
    that a storm makes. `share` (i, n): only the i-th of n parts of the ids, because other storms that ask the same
    take theirs. `alone`: whether nobody else makes such jobs meanwhile, None if that is not known.
    What is due before `warm_up` is sent and not measured; it may end sooner if the plan `settles`.
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
    kind: Kind = "plain"
    copies: int = 3
    hot: int = 100
    job_type: str = ""
    fields: Mapping[str, str | int | float | bool] = field(default_factory=dict)
    share: tuple[int, int] = (0, 1)
    alone: bool | None = None
    warm_up: Span = 0
    settles: bool = False

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
    if plan.operation not in CATALOGUE:
        yield f"there is no operation {plan.operation!r}; there are {', '.join(CATALOGUE)}"
    if not 1 <= plan.batch <= MAX_BATCH:
        yield f"batch must be 1 to {MAX_BATCH}, is {plan.batch}"
    if plan.operation in OIG_OPERATIONS and (plan.batch != 1 or plan.by != "ids" or plan.query):
        yield f"{plan.operation} asks for one job a request: batch must be 1, without a query"
    yield from unfit(plan.operation, plan.by, plan.kind, plan.batch, plan.job_type)
    if not 2 <= plan.copies <= MAX_COPIES:
        yield f"copies must be 2 to {MAX_COPIES}, is {plan.copies}"
    if plan.hot < 1:
        yield f"hot must be 1 or more, is {plan.hot}"
    if not 0 <= plan.share[0] < plan.share[1]:
        yield f"share must be one of n, such as 1/2, is {plan.share[0] + 1}/{plan.share[1]}"
    if plan.max_in_flight < 1:
        yield f"max_in_flight must be 1 or more, is {plan.max_in_flight}"
    if any(not 0 <= stage.rate < float("inf") or stage.span < 0 for stage in plan.stages):
        yield "rates and spans must not be negative"
    elif plan.span == 0:
        yield "it lasts no time: give it a stage with a span"
    elif not 0 <= plan.warm_up < plan.span:
        yield f"the warm-up must end before the storm does, after {plan.span / SECOND:g} s"


def unfit(operation: str, by: str, kind: str, batch: int, job_type: str) -> Iterator[str]:
    """What an operation cannot do."""
    row = OPERATIONS.get(operation)
    if row is None:
        if kind != "plain" and operation in OIG_OPERATIONS:
            yield f"{operation} storms are plain: they cannot be {kind}"
        return
    if row.by_query is None and by == "query":
        yield f"{operation} takes no query: the API has none for it"
    if row.largest is not None and batch > row.largest:
        yield f"{operation} asks for one orchestrator a request: batch must be 1, is {batch}"
    if row.by_query is None and kind == "mixed":
        yield f"{operation} cannot be mixed: the API has no query for it"
    if row.creates and kind in ("contended", "hot"):
        yield f"{operation} cannot be {kind}: each request makes a job of its own"
    if row.largest == 1 and kind == "poison":
        yield f"{operation} cannot be poison: it asks for one orchestrator a request"
    if by == "query" and kind not in ("plain", "herd"):
        yield f"a {kind} storm asks by ids, not by query"
    if row.creates and operation != "fetch_logs" and not job_type:
        yield f"{operation} needs a job type: --job-type NAME, or in a scenario target: {{type: custom:NAME}}"
    if any(sign in job_type for sign in '"\\ '):
        yield f"a job type has no spaces, quotes or backslashes, found {job_type!r}"
    if job_type and (not row.creates or operation == "fetch_logs"):
        yield f"{operation} takes no job type"
