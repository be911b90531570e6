"""A scenario that fails, made as small as it still fails: fewer faults, storms, schedules, agents, jobs, seconds.

Delta debugging (Zeller and Hildebrandt): halves are left out before single items, and whatever still fails is kept and
made smaller again. Which agents meet is chance, so a smaller fleet is tried with a few seeds.
"""

from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Final

from agent_sim.instants import SECOND
from agent_sim.scenario.units import duration, duration_text

Tree = dict[str, Any]
"""What a scenario file holds; which values may stand where is the models' business, who check every tree made here."""

_SEEDS_TRIED: Final = 8
_FEWEST: Final = (1, 2, 3, 5, 8, 13, 21, 34, 55, 89)


@dataclass(frozen=True, slots=True)
class Shrunk:
    """The smallest that was found, and how many scenarios were tried for it."""

    tree: Tree
    tried: int


def shrink(tree: Tree, fails: Callable[[Tree], bool], most: int = 1000) -> Shrunk:
    """Make a scenario smaller while `fails` says so of it; at most so many are tried."""
    seen = {repr(tree)}
    is_smaller = True
    while is_smaller and len(seen) < most:
        is_smaller = False
        for reduction in _REDUCTIONS:
            candidates = reduction(tree)
            while len(seen) < most and (candidate := next(candidates, None)) is not None:
                if repr(candidate) in seen:
                    continue  # held, or is this very one
                seen.add(repr(candidate))
                if fails(candidate):
                    tree, is_smaller = candidate, True
                    candidates = reduction(tree)
    return Shrunk(tree, len(seen) - 1)


Reduction = Callable[[Tree], Iterator[Tree]]


def without(name: str) -> Reduction:
    """Candidates that lack items of a list: all of them, each half, each quarter, ..., each one."""

    def reduction(tree: Tree) -> Iterator[Tree]:
        items = tree.get(name, [])
        least = 1 if name == "fleets" else 0
        size = len(items)
        while size:
            for first in range(0, len(items), size):
                left = items[:first] + items[first + size :]
                if len(left) >= least:
                    yield _consistent(tree | {name: left})
            size //= 2

    return reduction


def _consistent(tree: Tree) -> Tree:
    """The same without what is about fleets that are not there any more."""
    made = deepcopy(tree)
    fleets = {fleet["name"] for fleet in made["fleets"]}
    for name in ("schedules", "faults"):
        kept = []
        for item in made.get(name, []):
            wanted = item.get("select", {}).get("fleets") or []
            left = [fleet for fleet in wanted if fleet in fleets]
            if wanted:
                item["select"]["fleets"] = left
            if left or not wanted:
                kept.append(item)
        if name in made:
            made[name] = kept
    return made


def _fewer_agents(tree: Tree) -> Iterator[Tree]:
    counts = [fleet["count"] for fleet in tree["fleets"]]
    for count in _FEWEST:
        if count < max(counts):
            yield from _seeded(tree, [min(count, each) for each in counts])
    for number, each in enumerate(counts):
        for count in _FEWEST:
            if count < each and len(counts) > 1:
                yield from _seeded(tree, [*counts[:number], count, *counts[number + 1 :]])


def _seeded(tree: Tree, counts: list[int]) -> Iterator[Tree]:
    for seed in (tree["seed"], *range(_SEEDS_TRIED)):
        made = deepcopy(tree)
        made["seed"] = seed
        for fleet, count in zip(made["fleets"], counts, strict=True):
            fleet["count"] = count
        for item in (*made["schedules"], *made.get("faults", [])):
            item.get("select", {}).pop("count", None)  # so many in all, of agents that are not there any more
        yield made


def _fewer_jobs(tree: Tree) -> Iterator[Tree]:
    for number, schedule in enumerate(tree["schedules"]):
        if "every" in schedule:
            once = {name: value for name, value in schedule.items() if name not in ("every", "until", "spread", "from")}
            yield _with(tree, "schedules", number, once | {"at": schedule.get("from", "0s")})
            seldom = duration_text(duration(schedule["every"]) * 2)
            if duration(seldom) < duration(tree["stop"]["after"]):
                yield _with(tree, "schedules", number, schedule | {"every": seldom})
    for number, fleet in enumerate(tree["fleets"]):
        stores = fleet.get("stores", {})
        if stores.get("per_agent", 1) != 1:
            yield _with(tree, "fleets", number, fleet | {"stores": stores | {"per_agent": 1}})
    for number, storm in enumerate(tree["storms"]):
        if storm.get("target", {}).get("batch", 1) != 1:
            yield _with(tree, "storms", number, storm | {"target": storm["target"] | {"batch": 1}})
        if storm.get("for", "1s") != "1s":
            yield _with(tree, "storms", number, storm | {"for": "1s"})


def _with(tree: Tree, name: str, number: int, item: Tree) -> Tree:
    items = list(tree[name])
    items[number] = item
    return tree | {name: items}


def _shorter(tree: Tree) -> Iterator[Tree]:
    length = duration(tree["stop"]["after"])
    if length > SECOND:
        yield tree | {"stop": tree["stop"] | {"after": duration_text(length // 2 // SECOND * SECOND or SECOND)}}


def _simpler(tree: Tree) -> Iterator[Tree]:
    for name in tree["server"]:
        yield tree | {"server": {key: value for key, value in tree["server"].items() if key != name}}
    for number, behaviour in enumerate(tree["behaviours"]):
        for job in behaviour["jobs"]:
            left = [each for each in behaviour["jobs"] if each is not job]
            yield _with(tree, "behaviours", number, behaviour | {"jobs": left})
    for number, fleet in enumerate(tree["fleets"]):
        for word in fleet["capabilities"]:
            left = [each for each in fleet["capabilities"] if each != word]
            if left:
                yield _with(tree, "fleets", number, fleet | {"capabilities": left})


_REDUCTIONS: Final[tuple[Reduction, ...]] = (
    without("faults"),
    without("storms"),
    without("schedules"),
    without("fleets"),
    _fewer_agents,
    without("phases"),
    _fewer_jobs,
    _shorter,
    without("behaviours"),
    _simpler,
)
