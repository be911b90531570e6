"""Values of a scenario in plain words: distributions, selections, lists."""

from collections.abc import Iterable
from typing import Final

from agent_sim.query.wording import listed
from agent_sim.scenario.schedules import Select
from agent_sim.scenario.units import duration_text, share_text, size_text


def spread(value: object) -> str:
    """A distribution in words: `1s`, `100ms to 500ms`, `250ms on average, mostly less, at most 2s`."""
    texts = {name: _amount(value, inner) for name, inner in vars(value).items() if name not in ("dist", "values")}
    most = f", at most {texts['max']}" if getattr(value, "max", None) is not None else ""
    match getattr(value, "dist", None):
        case "constant":
            return texts["value"]
        case "uniform":
            return f"{texts['min']} to {texts['max']}"
        case "exponential":
            return f"{texts['mean']} on average, often less{most}"
        case "discrete":
            shares = getattr(value, "values", {})
            return all_of(f"{_amount(value, one)} ({share_text(weight)})" for one, weight in shares.items())
        case "mixture":
            parts = getattr(value, "parts", ())
            return listed([f"{spread(part.of)} ({share_text(part.weight)})" for part in parts])
    return f"{texts['median']} or less half of the time, {texts['p95']} or less 95% of the time{most}"


def _amount(spread_of: object, value: object) -> str:
    kind = type(spread_of).__name__
    if not isinstance(value, int | float):
        return ""
    if kind.startswith("Duration"):
        return duration_text(round(value))
    if kind.startswith("Size"):
        return size_text(round(value))
    return number(value)


def number(value: float) -> str:
    """`1,000,000,000,000`, `12.5`: no power of ten, but for what nobody could read otherwise."""
    if value and not 0.0001 <= value < 1e15:
        return f"{value:g}"
    whole, _, rest = f"{value:,.6f}".partition(".")
    return f"{whole}.{rest}".rstrip("0").removesuffix(".")


_MOST_IDS: Final = 5
"""So many agents are named; of more, the rest is counted."""


def selected(select: Select) -> str:
    """Who of them, in parentheses: ` (site fra, 10% by chance)`; nothing if it is everybody."""
    words = [*select.fleets, *(f"{name} {word}" for name, word in select.labels.items()), *select.ids[:_MOST_IDS]]
    if len(select.ids) > _MOST_IDS:
        words.append(f"{len(select.ids) - _MOST_IDS} more")
    if select.percent is not None:
        words.append(f"{share_text(select.percent)} by chance")
    if select.count is not None:
        words.append("by chance")
    return f" ({', '.join(words)})" if words else ""


def counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def all_of(words: Iterable[str]) -> str:
    """The words as a sum: a, b and c."""
    given = list(words)
    return " and ".join(filter(None, [", ".join(given[:-1]), given[-1]])) if given else ""
