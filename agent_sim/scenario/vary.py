"""A scenario made different by chance: another seed, another rhythm, more storms, shorter patience, things going wrong.

For searching: each number gives one variation, always the same, and each is a scenario like any other. Rows of a table
say what may change and how often; number 0 changes nothing but the seed.
"""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from math import exp, log
from typing import Any, Final

from agent_sim.draws import Key, key, sub, unit
from agent_sim.instants import MILLISECOND, MINUTE, SECOND, Span
from agent_sim.scenario.models import Scenario
from agent_sim.scenario.units import duration, duration_text

Tree = dict[str, Any]
"""What a scenario file holds; which values may stand where is the models' business, who check every tree made here."""

_SEEDS: Final = 2**31


@dataclass(frozen=True, slots=True)
class Chance:
    """Numbers drawn for one purpose."""

    key: Key

    def of(self, *purpose: str | int) -> "Chance":
        """The chances of a part of it."""
        return Chance(sub(self.key, *purpose))

    def unit(self, purpose: str) -> float:
        """A number in [0, 1)."""
        return unit(self.key, purpose)

    def whole(self, purpose: str, low: int, high: int) -> int:
        """A whole number from low to high."""
        return low + int(self.unit(purpose) * (high - low + 1))

    def scale(self, purpose: str, low: float, high: float) -> float:
        """A number between two positive ones, each order of magnitude equally likely."""
        return exp(log(low) + self.unit(purpose) * (log(high) - log(low)))

    def span(self, purpose: str, low: Span, high: Span) -> str:
        """A duration between two, as a scenario writes it."""
        return duration_text(_milliseconds(self.scale(purpose, low, high)))

    def one(self, purpose: str, choices: tuple[Any, ...]) -> Any:
        """One of these."""
        return choices[int(self.unit(purpose) * len(choices))]


def varied(tree: Tree, seed: int, number: int) -> Tree:
    """The variation with this number of a resolved scenario (`load.as_tree`)."""
    chance = Chance(key(seed, "variation", number))
    made = deepcopy(tree)
    made["seed"] = chance.whole("seed", 0, _SEEDS - 1)
    for name, often, change in _CHANGES if number else ():
        if chance.unit(f"{name}?") < often:
            change(made, chance.of(name))
    return made


def _milliseconds(span: float) -> Span:
    return max(round(span / MILLISECOND), 1) * MILLISECOND


def _length(tree: Tree) -> Span:
    return duration(tree["stop"]["after"])


# --- what may change --------------------------------------------------------------------------


def _heartbeats(tree: Tree, chance: Chance) -> None:
    for number, fleet in enumerate(tree["fleets"]):
        beat = fleet["heartbeat"]
        scaled = duration(beat["every"]) * chance.of(number).scale("scale", 0.2, 4)
        beat["every"] = duration_text(max(_milliseconds(scaled), 100 * MILLISECOND))


def _counts(tree: Tree, chance: Chance) -> None:
    for number, fleet in enumerate(tree["fleets"]):
        fleet["count"] = max(round(fleet["count"] * chance.of(number).scale("scale", 0.1, 1)), 1)


def _durations(tree: Tree, chance: Chance) -> None:
    for behaviour in tree["behaviours"]:
        for job in behaviour["jobs"]:
            factor = chance.of(behaviour["name"], job["type"]).scale("scale", 0.1, 10)
            job["duration"] = _scaled(job["duration"], factor)


def _scaled(spread: Any, factor: float) -> Any:
    """A plain duration, or each of a distribution's, so many times as long; discrete ones and mixtures stay."""
    if isinstance(spread, str):
        return duration_text(_milliseconds(duration(spread) * factor))
    if not isinstance(spread, dict) or {"values", "parts"} & spread.keys():
        return spread
    return {name: value if name == "dist" else _scaled(value, factor) for name, value in spread.items()}


def _failures(tree: Tree, chance: Chance) -> None:
    """More of everything fails: what goes well is rescheduled by nobody."""
    for behaviour in tree["behaviours"]:
        for job in behaviour["jobs"]:
            if len(job["outcomes"]) == 1:
                job["outcomes"] = [{"result": "success", "weight": "50%"}, {"result": "failure", "weight": "50%"}]


def _schedules(tree: Tree, chance: Chance) -> None:
    for schedule in tree["schedules"]:
        if "every" in schedule:
            factor = chance.of(schedule["name"]).scale("scale", 0.3, 3)
            every = _milliseconds(duration(schedule["every"]) * factor)
            schedule["every"] = duration_text(every)
            schedule["spread"] = duration_text(min(duration(schedule.get("spread", "0s")), every))


def _server(name: str, choose: Callable[[Chance], object]) -> Callable[[Tree, Chance], None]:
    def change(tree: Tree, chance: Chance) -> None:
        tree["server"][name] = choose(chance)

    return change


def _storms(tree: Tree, chance: Chance) -> None:
    """One after the other: two at once that do the same make no sense."""
    count = chance.whole("how many", 1, 3)
    slot = _length(tree) // SECOND // count
    for number in range(count):
        each = chance.of(number)
        seconds = each.whole("seconds", 1, 5)
        if slot > seconds:
            within = each.whole("at", 0, (slot - seconds - 1) * 1000)
            tree["storms"].append(
                {
                    "name": f"fuzz-storm-{number + 1}",
                    "at": duration_text(number * slot * SECOND + within * MILLISECOND),
                    "op": each.one("op", ("reschedule", "reschedule", "acknowledge")),
                    "target": {"batch": each.whole("batch", 1, 8)},
                    "load": {"rate": f"{each.whole('rate', 1, 20)}/s", "arrivals": "poisson"},
                    "for": f"{seconds}s",
                }
            )


_REQUESTS: Final = ("register", "heartbeat", "configure", "complete")


def _faults(tree: Tree, chance: Chance) -> None:
    for number in range(chance.whole("how many", 1, 3)):
        each = chance.of(number)
        begin = each.whole("at", 0, max(_length(tree) // SECOND - 2, 0))
        fault: Tree = {"name": f"fuzz-fault-{number + 1}", "at": f"{begin}s"}
        kind = each.one("kind", _FAULTS)
        fault |= {"do": kind(each), "probability": each.one("probability", ("5%", "20%", "50%", "100%"))}
        if "crash" not in fault["do"] and each.unit("on?") < 0.7:
            fault["on"] = [each.one("on", _REQUESTS)]
        tree["faults"].append(fault)


_FAULTS: Final[tuple[Callable[[Chance], Tree], ...]] = (
    lambda chance: {"drop": "response"},
    lambda chance: {"drop": "response"},
    lambda chance: {"drop": "request"},
    lambda chance: {"duplicate": chance.span("later", 10 * MILLISECOND, 5 * SECOND)},
    lambda chance: {"latency": {"dist": "exponential", "mean": chance.span("late", 10 * MILLISECOND, 10 * SECOND)}},
    lambda chance: {"reset": chance.one("reset", ("request", "response"))},
    lambda chance: {"status": {"code": chance.one("code", (429, 500, 503))}},
    lambda chance: {
        "crash": {
            "point": chance.one("point", ("after_configure", "before_complete", "after_complete")),
            "restart_after": chance.span("dead", SECOND, 30 * SECOND),
        }
    },
)
"""What can be wrong, the likeliest cause of trouble twice."""

_CHANGES: Final[tuple[tuple[str, float, Callable[[Tree, Chance], None]], ...]] = (
    # name, how often, what
    ("heartbeats", 0.5, _heartbeats),
    ("counts", 0.5, _counts),
    ("durations", 0.5, _durations),
    ("failures", 0.3, _failures),
    ("schedules", 0.5, _schedules),
    ("retries", 0.5, _server("retries", lambda chance: chance.whole("retries", 0, 3))),
    ("job timeout", 0.3, _server("job_timeout", lambda chance: chance.span("span", 2 * SECOND, 2 * MINUTE))),
    ("session length", 0.4, _server("session_length", lambda chance: chance.span("span", 5 * SECOND, 2 * MINUTE))),
    ("partial policy", 0.3, _server("partial_policy", lambda chance: chance.one("policy", ("atomic", "best_effort")))),
    ("storms", 0.7, _storms),
    *((("faults", 0.7, _faults),) if "faults" in Scenario.model_fields else ()),
)
