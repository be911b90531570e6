"""Distributions as a scenario writes them, for durations, sizes and counts alike.

A plain value is one that never varies. `{dist: lognormal, median: 3s, p95: 20s}` is by what people know.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Generic, Literal, Self, TypeVar

from pydantic import BaseModel, BeforeValidator, Field, PlainSerializer, field_validator, model_validator
from pydantic_core.core_schema import ValidatorFunctionWrapHandler

from agent_sim import distributions
from agent_sim.distributions import Distribution
from agent_sim.scenario.blocks import Block
from agent_sim.scenario.fields import Duration, Number, Share, Size, StoreNumber
from agent_sim.scenario.units import found, share_text

V = TypeVar("V", bound=float)


class Varying(Block, Generic[V]):
    """A distribution of durations, sizes or numbers; named for what it is of."""

    @classmethod
    def model_parametrized_name(cls, params: tuple[Any, ...]) -> str:
        kind = next((name for name, one in _KINDS.items() if one == params[0]), str(params[0]))
        return f"{kind}{cls.__name__}"


_KINDS: Final[Mapping[str, object]] = {"Duration": Duration, "Size": Size, "Number": Number, "StoreNumber": StoreNumber}


class Constant(Varying[V], Generic[V]):
    """Always the same."""

    dist: Literal["constant"] = "constant"
    value: V = Field(description="The value.")


class Uniform(Varying[V], Generic[V]):
    """Anything between two values, equally likely."""

    dist: Literal["uniform"]
    min: V = Field(description="The smallest value.")
    max: V = Field(description="The largest value.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        return _ordered(self, "min", self.min, "max", self.max, equal=True)


class Lognormal(Varying[V], Generic[V]):
    """Skewed to the right, as working times are."""

    dist: Literal["lognormal"]
    median: V = Field(description="Half of all values are below it.")
    p95: V = Field(description="95 of 100 values are below it.")
    max: V | None = Field(default=None, description="No value is above it.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        return _skewed(self, self.median, self.p95, self.max)


class Exponential(Varying[V], Generic[V]):
    """Memoryless: short values are the most likely ones."""

    dist: Literal["exponential"]
    mean: V = Field(description="The average.")
    max: V | None = Field(default=None, description="No value is above it.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        return _positive(self, "mean", self.mean)


class Pareto(Varying[V], Generic[V]):
    """Heavy-tailed: a few values are very large."""

    dist: Literal["pareto"]
    median: V = Field(description="Half of all values are below it.")
    p95: V = Field(description="95 of 100 values are below it.")
    max: V | None = Field(default=None, description="No value is above it.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        return _skewed(self, self.median, self.p95, self.max)


class Discrete(Varying[V], Generic[V]):
    """One of a few values, each with its share."""

    dist: Literal["discrete"]
    values: dict[V, Share] = Field(description="Each value with its share; they total 100%.", min_length=1)

    @field_validator("values", mode="wrap")
    @classmethod
    def _check(cls, said: object, read: ValidatorFunctionWrapHandler) -> dict[V, float]:
        values: dict[V, float] = read(said)
        if isinstance(said, dict) and len(values) < len(said):
            first: dict[V, object] = {}
            for one in said:
                other = first.setdefault(next(iter(read({one: said[one]}))), one)
                if other is not one:
                    raise ValueError(f"{found(other)} and {one}, which are the same, expected each value once")
        check_total(tuple(values.values()), "shares")
        return values


class Portion(Varying[V], Generic[V]):
    """One distribution of a mixture."""

    weight: Share = Field(description="How often this one is drawn from.")
    of: Constant[V] | Uniform[V] | Lognormal[V] | Exponential[V] | Pareto[V] | Discrete[V] = Field(
        description="The distribution.", discriminator="dist"
    )


class Mixture(Varying[V], Generic[V]):
    """One of several distributions, each with its weight."""

    dist: Literal["mixture"]
    parts: tuple[Portion[V], ...] = Field(description="The distributions; their weights total 100%.", min_length=1)

    @field_validator("parts")
    @classmethod
    def _check(cls, parts: tuple[Portion[V], ...]) -> tuple[Portion[V], ...]:
        check_total(tuple(part.weight for part in parts), "weights")
        return parts


def _shorthand(value: object) -> object:
    """`2s` for `{dist: constant, value: 2s}`."""
    if isinstance(value, dict | BaseModel):
        return value
    return {"dist": "constant", "value": value}


def _written(spread: BaseModel) -> object:
    dumped: dict[str, object] = spread.model_dump(mode="json", exclude_none=True)
    return dumped["value"] if isinstance(spread, Constant) else dumped


DurationSpread = Annotated[
    Constant[Duration]
    | Uniform[Duration]
    | Lognormal[Duration]
    | Exponential[Duration]
    | Pareto[Duration]
    | Discrete[Duration]
    | Mixture[Duration],
    Field(discriminator="dist"),
    BeforeValidator(_shorthand),
    PlainSerializer(_written),
]
SizeSpread = Annotated[
    Constant[Size]
    | Uniform[Size]
    | Lognormal[Size]
    | Exponential[Size]
    | Pareto[Size]
    | Discrete[Size]
    | Mixture[Size],
    Field(discriminator="dist"),
    BeforeValidator(_shorthand),
    PlainSerializer(_written),
]
NumberSpread = Annotated[
    Constant[Number]
    | Uniform[Number]
    | Lognormal[Number]
    | Exponential[Number]
    | Pareto[Number]
    | Discrete[Number]
    | Mixture[Number],
    Field(discriminator="dist"),
    BeforeValidator(_shorthand),
    PlainSerializer(_written),
]


StoreNumberSpread = Annotated[
    Constant[StoreNumber]
    | Uniform[StoreNumber]
    | Lognormal[StoreNumber]
    | Exponential[StoreNumber]
    | Pareto[StoreNumber]
    | Discrete[StoreNumber]
    | Mixture[StoreNumber],
    Field(discriminator="dist"),
    BeforeValidator(_shorthand),
    PlainSerializer(_written),
]


def distribution(
    spread: DurationSpread | SizeSpread | NumberSpread | StoreNumberSpread, most: float = float("inf")
) -> Distribution:
    """The distribution that a scenario's words describe, in base units; no value is above `most`."""
    match spread:
        case Constant(value=value):
            return distributions.Constant(float(value))
        case Uniform(min=low, max=high):
            return distributions.Uniform(float(low), float(high))
        case Lognormal(median=median, p95=p95, max=limit):
            return distributions.Lognormal(float(median), float(p95), _limit(limit, most))
        case Exponential(mean=mean, max=limit):
            return distributions.Exponential(float(mean), _limit(limit, most))
        case Pareto(median=median, p95=p95, max=limit):
            return distributions.Pareto(float(median), float(p95), _limit(limit, most))
        case Discrete(values=values):
            return distributions.Discrete(tuple((float(value), weight) for value, weight in values.items()))
        case Mixture(parts=parts):
            return distributions.Mixture(
                tuple((distribution(part.of, most), part.weight) for part in parts if part.weight)
            )


def check_total(shares: tuple[float, ...], what: str) -> None:
    """Raise ValueError unless the shares total 100 %, to a billionth of a percent."""
    total = sum(round(share * 1e15) for share in shares)
    if abs(total - 10**15) > 10**4:
        raise ValueError(f"found {what} that total {share_text(total / 1e15)}, expected 100%")


def _limit(limit: float | None, most: float) -> float:
    return most if limit is None else float(limit)


M = TypeVar("M", bound=Block)


def _ordered(block: M, low: str, smaller: float, high: str, larger: float, *, equal: bool = False) -> M:
    if larger < smaller or (larger == smaller and not equal):
        than = "at least" if equal else "more than"
        raise ValueError(f"found {high} and {low} the wrong way round, expected {high} to be {than} {low}")
    return block


def _positive(block: M, name: str, value: float) -> M:
    if not value:
        raise ValueError(f"found 0 as {name}, expected more than 0")
    return block


def _skewed(block: M, median: float, p95: float, limit: float | None) -> M:
    _positive(block, "median", median)
    _ordered(block, "median", median, "p95", p95)
    return block if limit is None else _ordered(block, "median", median, "max", limit, equal=True)
