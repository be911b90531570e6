"""Parameters: what a scenario declares, what the command line says, and both put in place of `${...}`.

A value that is one expression keeps its type and is read by the place it stands in: a whole number is rounded down
there. Only the counts of fleets share out what rounding would lose, by largest remainder, so that
`${agents * 0.6}` and `${agents * 0.4}` are all the agents for any number of them.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Final

from agent_sim.errors import Problem
from agent_sim.query.wording import did_you_mean
from agent_sim.scenario.apportion import largest_remainder
from agent_sim.scenario.tree import Fields, Items, Leaf, Node, OptionPlace, Place, option, places, scalar
from agent_sim.scenario.units import (
    Quantity,
    Scalar,
    Value,
    Written,
    bare_number,
    duration,
    found,
    share,
    share_text,
)

_EXPRESSION: Final = re.compile(r"\$\{([^{}]*)\}")
# `$${` is how a text says `${` itself.
_PIECE: Final = re.compile(r"(\$\$\{)|\$\{([^{}]*)\}|(\$\{)")


@dataclass(frozen=True, slots=True)
class Substituted:
    """The tree with every expression replaced, what could not be, and where that was."""

    tree: Fields
    problems: tuple[Problem, ...]
    failed: frozenset[Place]


def substitute(tree: Fields, given: Mapping[str, str]) -> Substituted:
    """Give every parameter its value, from its default or `given` by name, and put it where it is used."""
    values, declared, problems = _declared(tree, given)
    body = tree.without("params")
    problems.extend(_misfits(body, given, declared))
    filler = _Filler(values, declared)
    filled = filler.fill(body)
    assert isinstance(filled, Fields)
    filled = _with_whole_counts(filled)
    if "params" in tree.fields:
        filled = filled.put("params", _with_values(tree.fields["params"], values), tree.keys["params"])
    return Substituted(filled, (*problems, *filler.problems), frozenset(filler.failed))


# --- declarations -----------------------------------------------------------------------------


def _whole(value: Written) -> Value:
    if isinstance(value, int) and not isinstance(value, bool):
        return Quantity(Fraction(value))
    raise ValueError(f"{found(value)}, expected a whole number such as 200")


def _number(value: Written) -> Value:
    number = None if isinstance(value, str) else bare_number(value)
    if number is None:
        raise ValueError(f"{found(value)}, expected a number such as 1.5")
    return Quantity(number)


def _duration(value: Written) -> Value:
    return Quantity(Fraction(duration(value)), is_duration=True)


def _share(value: Written) -> Value:
    return Quantity(Fraction(repr(share(value))))


def _string(value: Written) -> Value:
    if isinstance(value, str):
        return value
    raise ValueError(f'{found(value)}, expected a text: write "{value}"')


_READERS: Final[Mapping[str, Callable[[Written], Value]]] = {
    "int": _whole,
    "float": _number,
    "duration": _duration,
    "share": _share,
    "string": _string,
}


def written(value: Value, kind: str) -> Scalar:
    """A parameter's value as a scenario writes it."""
    if isinstance(value, str):
        return value
    if kind == "share":
        return share_text(float(value.amount))
    if value.is_duration:
        return str(value)
    return int(value.amount) if kind == "int" else float(value.amount)


def _declared(tree: Fields, given: Mapping[str, str]) -> tuple[dict[str, Value], dict[str, Fields], list[Problem]]:
    """Values of all parameters that have one, their declarations, and what is wrong with either."""
    block = tree.fields.get("params")
    values: dict[str, Value] = {}
    problems: list[Problem] = []
    if not isinstance(block, Fields):
        return values, {}, problems
    declared = {name: node for name, node in block.fields.items() if isinstance(node, Fields)}
    for name, declaration in declared.items():
        value = _value(name, declaration, given.get(name), problems)
        if value is not None:
            values[name] = value
    return values, declared, problems


def _value(name: str, declaration: Fields, text: str | None, problems: list[Problem]) -> Value | None:
    kind = _text_of(declaration.fields.get("type"))
    read = _READERS.get(kind)
    if read is None:
        return None  # the model says what types there are
    bounds = {
        bound: _read(declaration.fields.get(bound), read, f"params.{name}.{bound}", problems)
        for bound in ("min", "max")
    }
    node, way = declaration.fields.get("default"), f"params.{name}.default"
    if text is not None:
        place = option(f"--param {name}={text}")
        node, way = Leaf(text if kind == "string" else scalar(text), place), ""
    value = _read(node, read, way, problems)
    if value is None or node is None:
        return None
    if (complaint := _outside(value, kind, bounds)) is not None:
        problems.append(_at(node.place, way, complaint))
        return None
    return value


def _read(node: Node | None, read: Callable[[Written], Value], way: str, problems: list[Problem]) -> Value | None:
    if not isinstance(node, Leaf):
        return None  # the model says that one value is expected
    try:
        return read(node.value)
    except ValueError as error:
        problems.append(_at(node.place, way, str(error)))
        return None


def _outside(value: Value, kind: str, bounds: Mapping[str, Value | None]) -> str | None:
    if isinstance(value, str):
        return None
    least, most = bounds["min"], bounds["max"]
    if isinstance(least, Quantity) and value.amount < least.amount:
        return f"found {written(value, kind)}, expected at least {written(least, kind)}"
    if isinstance(most, Quantity) and value.amount > most.amount:
        return f"found {written(value, kind)}, expected at most {written(most, kind)}"
    return None


def _at(place: Place, way: str, message: str) -> Problem:
    return place.problem(f"{way}: {message}" if way and not isinstance(place, OptionPlace) else message)


def _text_of(node: Node | None) -> str:
    return node.value if isinstance(node, Leaf) and isinstance(node.value, str) else ""


def _names(text: str) -> frozenset[str]:
    from agent_sim.scenario.expressions import names  # it brings a parser: most scenarios have no parameters

    return names(text)


def _evaluated(text: str, values: Mapping[str, Value]) -> Value:
    from agent_sim.scenario.expressions import evaluate

    return evaluate(text, values)


def _misfits(tree: Fields, given: Mapping[str, str], declared: Mapping[str, Fields]) -> list[Problem]:
    """Parameters given on the command line that would change nothing."""
    problems: list[Problem] = []
    used = {name for _, leaf in places(tree) for text in _expressions(leaf) for name in _names(text)}
    for name, text in given.items():
        place = option(f"--param {name}={text}")
        if name not in declared:
            remark = did_you_mean(name, declared) if declared else "the scenario has no params"
            problems.append(place.problem(f'found the unknown parameter "{name}", {remark}'))
        elif name not in used:
            problems.append(place.problem(f'nothing in the scenario uses "{name}", it would change nothing'))
    return problems


def _with_values(block: Node, values: Mapping[str, Value]) -> Node:
    """The declarations with the values in use as their defaults: the resolved scenario says what it was made with."""
    if not isinstance(block, Fields):
        return block
    for name, value in values.items():
        declaration = block.fields[name]
        assert isinstance(declaration, Fields)
        place = declaration.keys.get("default", declaration.place)
        leaf = Leaf(written(value, _text_of(declaration.fields.get("type"))), place)
        block = block.put(name, declaration.put("default", leaf, place), block.keys[name])
    return block


# --- substitution -----------------------------------------------------------------------------


def _expressions(leaf: Leaf) -> list[str]:
    return [found[2] for found in _PIECE.finditer(leaf.value) if found[2]] if isinstance(leaf.value, str) else []


class _Filler:
    """Goes through a tree once; keeps what went wrong."""

    def __init__(self, values: Mapping[str, Value], declared: Mapping[str, Fields]) -> None:
        self.values = values
        self.broken = frozenset(declared) - frozenset(values)
        self.problems: list[Problem] = []
        self.failed: list[Place] = []

    def fill(self, node: Node, way: str = "") -> Node:
        match node:
            case Leaf(str() as text) if "${" in text:
                return self._leaf(node, text, way)
            case Leaf():
                return node
            case Items(items):
                return replace(node, items=tuple(self.fill(item, f"{way}[{n}]") for n, item in enumerate(items)))
            case Fields(fields):
                filled = {key: self.fill(value, f"{way}.{key}" if way else key) for key, value in fields.items()}
                return replace(node, fields=filled)

    def _leaf(self, leaf: Leaf, text: str, way: str) -> Node:
        try:
            return replace(leaf, value=self._filled(text), source=text)
        except ValueError as error:
            self.failed.append(leaf.place)
            # A parameter that is itself wrong has been told of already.
            if not any(_names(expression) & self.broken for expression in _expressions(leaf)):
                self.problems.append(_at(leaf.place, way, str(error)))
            return leaf

    def _filled(self, text: str) -> Value:
        if whole := _EXPRESSION.fullmatch(text.strip()):
            return _evaluated(whole[1], self.values)
        return _PIECE.sub(self._piece, text)

    def _piece(self, piece: re.Match[str]) -> str:
        if piece[1]:
            return "${"
        if piece[3]:
            raise ValueError('found "${" that is never closed, expected ${expression} (write $${ for ${ itself)')
        return str(_evaluated(piece[2], self.values))


def _with_whole_counts(tree: Fields) -> Fields:
    """Computed counts of fleets as whole numbers that total what was computed."""
    block = tree.fields.get("fleets")
    if not isinstance(block, Items):
        return tree
    computed = {n: amount for n, fleet in enumerate(block.items) if (amount := _computed_count(fleet)) is not None}
    counts = dict(zip(computed, largest_remainder(tuple(computed.values())), strict=True))
    items = tuple(_with_count(fleet, counts[n]) if n in counts else fleet for n, fleet in enumerate(block.items))
    return tree.put("fleets", replace(block, items=items), tree.keys["fleets"])


def _computed_count(fleet: Node) -> Fraction | None:
    count = fleet.fields.get("count") if isinstance(fleet, Fields) else None
    if isinstance(count, Leaf) and isinstance(count.value, Quantity) and not count.value.is_duration:
        return count.value.amount
    return None


def _with_count(fleet: Node, count: int) -> Node:
    assert isinstance(fleet, Fields)
    leaf = fleet.fields["count"]
    assert isinstance(leaf, Leaf)
    return fleet.put("count", replace(leaf, value=count), fleet.keys["count"])
