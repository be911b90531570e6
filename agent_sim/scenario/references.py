"""Names that refer to each other: no name twice, and nothing refers to a name that is not there.

Works on the tree and not on the models, so that a misspelt name is told of even while other values are wrong.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from agent_sim.errors import Problem
from agent_sim.query.wording import did_you_mean
from agent_sim.scenario.checks import metric_parts
from agent_sim.scenario.fields import time_point
from agent_sim.scenario.tree import Fields, Items, Leaf, Node
from agent_sim.scenario.units import found
from agent_sim.scenario.wording import Way, problem

_NAMED: Final = ("fleets", "job_types", "behaviours", "phases", "schedules", "faults", "storms")
_POINTS: Final = ("at", "from", "until")

Word = tuple[Way, Leaf]
"""A word in the file and the way to it."""


def broken(tree: Fields) -> list[Problem]:
    """Everything wrong with names."""
    return [
        *(one for block in _NAMED for one in _twice(_each(tree, block, "name"))),
        *(one for n, _ in _blocks(tree, "behaviours") for one in _twice(_jobs(tree, n))),
        *(one for n, _ in _blocks(tree, "fleets") for one in _twice(_each_of(tree, ("fleets", n, "personas"), "name"))),
        *(one for n, _ in _blocks(tree, "fleets") for one in _twice(_words(tree, ("fleets", n, "capabilities")))),
        *_unknown(_behaviours_used(tree), _names(tree, "behaviours"), "behaviour"),
        *_unknown(_fleets_used(tree), _names(tree, "fleets"), "fleet"),
        *_unknown(_during(tree), _names(tree, "phases"), "phase"),
        *_unknown(_allowed(tree), _names(tree, "faults"), "fault"),
        *_unknown_points(tree),
        *_unknown_storms(tree),
    ]


# --- what refers ------------------------------------------------------------------------------


def _behaviours_used(tree: Fields) -> Iterator[Word]:
    of_personas = (
        word for n, _ in _blocks(tree, "fleets") for word in _each_of(tree, ("fleets", n, "personas"), "behaviour")
    )
    for way, word in (*_each(tree, "fleets", "behaviour"), *of_personas):
        if word.value != "default":
            yield way, word


def _fleets_used(tree: Fields) -> Iterator[Word]:
    for block in ("schedules", "faults"):
        for n, _ in _blocks(tree, block):
            yield from _words(tree, (block, n, "select", "fleets"))


def _during(tree: Fields) -> Iterator[Word]:
    for way, _ in _list(tree, ("checks", "thresholds")):
        yield from _words(tree, (*way, "during"))
    for n, _ in _blocks(tree, "faults"):
        yield from _words(tree, ("faults", n, "during"))


def _allowed(tree: Fields) -> Iterator[Word]:
    laws = _go(tree, ("checks", "invariants"))
    for name in laws.fields if isinstance(laws, Fields) else ():
        yield from _words(tree, ("checks", "invariants", name, "allow_after"))


def _unknown_points(tree: Fields) -> Iterator[Problem]:
    phases = _names(tree, "phases")
    points = [
        *(word for name in _POINTS for word in _each(tree, "schedules", name)),
        *_each(tree, "faults", "at"),
        *_each(tree, "storms", "at"),
        *(word for n, _ in _blocks(tree, "schedules") for word in _recurring(tree, ("schedules", n, "schedule"))),
        *_of_the_scheduler(tree),
    ]
    for way, word in points:
        try:
            phase = time_point(word.value).phase
        except ValueError:
            continue  # the models tell
        if phase and phase not in phases:
            yield problem(word.place, way, f"{found(word.value)}, but {_no_such(phase, phases, 'phase')}")


def _of_the_scheduler(tree: Fields) -> Iterator[Word]:
    for way, _ in _list(tree, ("oig", "jobs")):
        for inner in (("trigger", "start"), ("trigger", "end")):
            if isinstance(leaf := _go(tree, (*way, *inner)), Leaf):
                yield (*way, *inner), leaf
        for action, _ in _list(tree, (*way, "do")):
            if isinstance(leaf := _go(tree, (*action, "at")), Leaf):
                yield (*action, "at"), leaf


def _recurring(tree: Fields, way: Way) -> Iterator[Word]:
    for inner in (("daily",), ("weekly", "time"), ("monthly", "time"), ("exactly_once",)):
        leaf = _go(tree, (*way, *inner))
        if isinstance(leaf, Leaf) and ":" not in str(leaf.value):
            yield (*way, *inner), leaf


def _unknown_storms(tree: Fields) -> Iterator[Problem]:
    storms = _names(tree, "storms")
    for way, node in _list(tree, ("checks", "thresholds")):
        metric = node.fields.get("metric") if isinstance(node, Fields) else None
        if not isinstance(metric, Leaf) or not isinstance(metric.value, str):
            continue
        try:
            _, labels = metric_parts(metric.value)
        except ValueError:
            continue
        storm = labels.get("storm")
        if storm is not None and storm not in storms:
            text = f"{found(metric.value)}, but {_no_such(storm, storms, 'storm')}"
            yield problem(metric.place, (*way, "metric"), text)


def _unknown(words: Iterable[Word], known: list[str], noun: str) -> Iterator[Problem]:
    for way, word in words:
        if isinstance(word.value, str) and word.value not in known:
            yield problem(word.place, way, f"{found(word.value)}, but {_no_such(word.value, known, noun)}")


def _no_such(name: str, known: list[str], noun: str) -> str:
    if not known:
        return f"there are no {noun}s"
    return f"there is no {noun} of that name; {did_you_mean(name, known)}"


# --- names given twice ------------------------------------------------------------------------


def _twice(words: Iterable[Word]) -> Iterator[Problem]:
    seen: dict[str, Leaf] = {}
    for way, word in words:
        # Names end up in the names of machines, which do not tell upper and lower case apart.
        name = str(word.value).casefold()
        if name in seen:
            yield problem(word.place, way, f"{found(word.value)} again, first on line {seen[name].place.line}")
        else:
            seen[name] = word


def _jobs(tree: Fields, n: int) -> Iterator[Word]:
    for way, node in _list(tree, ("behaviours", n, "jobs")):
        if isinstance(node, Fields) and isinstance(word := node.fields.get("type"), Leaf):
            yield (*way, "type"), word


# --- going through the tree -------------------------------------------------------------------


def _names(tree: Fields, block: str) -> list[str]:
    return [word.value for _, word in _each(tree, block, "name") if isinstance(word.value, str)]


def _each(tree: Fields, block: str, key: str) -> Iterator[Word]:
    """That key of each item of a block."""
    for n, item in _blocks(tree, block):
        word = item.fields.get(key)
        if isinstance(word, Leaf):
            yield (block, n, key), word


def _each_of(tree: Fields, way: Way, key: str) -> Iterator[Word]:
    """That key of each item of a list."""
    for inner, node in _list(tree, way):
        word = node.fields.get(key) if isinstance(node, Fields) else None
        if isinstance(word, Leaf):
            yield (*inner, key), word


def _blocks(tree: Fields, block: str) -> Iterator[tuple[int, Fields]]:
    for way, node in _list(tree, (block,)):
        if isinstance(node, Fields):
            yield int(way[-1]), node


def _words(tree: Fields, way: Way) -> Iterator[Word]:
    for inner, node in _list(tree, way):
        if isinstance(node, Leaf):
            yield inner, node


def _list(tree: Fields, way: Way) -> Iterator[tuple[Way, Node]]:
    node = _go(tree, way)
    if isinstance(node, Items):
        for n, item in enumerate(node.items):
            yield (*way, n), item


def _go(tree: Node, way: Way) -> Node | None:
    for step in way:
        match tree:
            case Fields(fields) if str(step) in fields:
                tree = fields[str(step)]
            case Items(items) if isinstance(step, int) and step < len(items):
                tree = items[step]
            case _:
                return None
    return tree
