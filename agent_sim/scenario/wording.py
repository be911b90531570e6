"""What pydantic finds wrong, as problems of the file: at the right line, in the scenario's own words."""

import re
from collections.abc import Callable, Iterator, Mapping
from types import UnionType
from typing import Annotated, Final, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from agent_sim.errors import Problem
from agent_sim.query.wording import did_you_mean, listed
from agent_sim.scenario.models import Scenario
from agent_sim.scenario.server import FleetTransport, Transport
from agent_sim.scenario.tree import Fields, Items, Leaf, Node, Place
from agent_sim.scenario.units import found, shortened

Way = tuple[str | int, ...]
"""Where a value is in the tree: keys and indices."""


def problems(
    error: ValidationError,
    tree: Fields,
    spared: frozenset[Place] = frozenset(),
    root: type[BaseModel] = Scenario,
) -> list[Problem]:
    """Each error at its place; those at `spared` places have been told of already. `root` is what the file holds."""
    told: dict[tuple[Place, str], Problem] = {}
    for details in error.errors(include_url=False, include_context=True, include_input=False):
        place, node, way = _find(details, tree)
        message = _message(details, node, root)
        if message is not None and place not in spared:
            # Inherited blocks are wrong once, however many inherit them.
            told.setdefault((place, message), problem(place, way, message))
    return list(told.values())


def problem(place: Place, way: Way, message: str) -> Problem:
    """One problem: `fleets[0].count: found 0, expected at least 1`."""
    return place.problem(f"{spelled(way)}: {message}" if way else message)


def spelled(way: Way) -> str:
    """`fleets[0].count`."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{shortened(step)}" for step in way)
    return text.removeprefix(".")


def at(tree: Node, way: Way) -> Place:
    """The place of the deepest thing on the way that exists."""
    for step in way:
        match tree:
            case Fields(fields) if str(step) in fields:
                tree = fields[str(step)]
            case Items(items) if isinstance(step, int) and step < len(items):
                tree = items[step]
            case _:
                break
    return tree.place


# --- places -----------------------------------------------------------------------------------


def _find(details: ErrorDetails, tree: Fields) -> tuple[Place, Node, Way]:
    """Where the error is, what stands there, and the way to it without pydantic's own steps."""
    node: Node = tree
    way: Way = ()
    place = tree.place
    for step in details["loc"]:
        match node:
            case Fields(fields, keys) if str(step) in fields:
                key_place, node, way = keys[str(step)], fields[str(step)], (*way, str(step))
                place = node.place
                if details["type"] == "extra_forbidden":
                    place = key_place
            case Items(items) if isinstance(step, int) and step < len(items):
                node, way = items[step], (*way, step)
                place = node.place
            case Fields() if details["type"] == "missing" and step == details["loc"][-1]:
                way = (*way, step)
    if details["loc"][-1:] == ("[key]",):
        place = _key_place(tree, way)
    if details["type"].startswith("union_tag"):
        way = (*way, "dist")
        if isinstance(node, Fields) and "dist" in node.fields:
            place = node.fields["dist"].place
    return place, node, way


def _key_place(tree: Node, way: Way) -> Place:
    for step in way[:-1]:
        if isinstance(tree, Fields):
            tree = tree.fields[str(step)]
        elif isinstance(tree, Items) and isinstance(step, int):
            tree = tree.items[step]
    assert isinstance(tree, Fields)
    return tree.keys[str(way[-1])]


# --- words ------------------------------------------------------------------------------------


def _message(details: ErrorDetails, node: Node, root: type[BaseModel]) -> str | None:
    """The sentence, or None if the error is only the shadow of another one."""
    if details["type"] == "extra_forbidden":
        return _unknown_key(details, root)
    say = _SENTENCES.get(details["type"])
    if say is None:
        return f"{_found(node)}, which does not fit: {details['msg']}"
    return say(details, node)


def _found(node: Node) -> str:
    match node:
        case Leaf(value, _, source):
            return found(value) + (f' from "{shortened(source)}"' if source else "")
        case Items():
            return found([])
        case Fields():
            return found({})


def _of_value(details: ErrorDetails, node: Node) -> str:
    text = str(_context(details)["error"])
    if isinstance(node, Leaf) and node.source:
        return f'{text} (from "{shortened(node.source)}")'
    return text


def _unknown_key(details: ErrorDetails, root: type[BaseModel]) -> str:
    key = str(details["loc"][-1])
    if key in _OF_ALL and details["loc"][-2:-1] in ((), ("transport",)):
        return (
            f"unknown key, expected it in the scenario's own transport, which holds for all: transport: {{{key}: ...}}"
        )
    if len(details["loc"]) == 1 and key.lower() in _ELSEWHERE:
        return f"unknown key: {_ELSEWHERE[key.lower()]}"
    remark = did_you_mean(key, _keys_at(tuple(details["loc"][:-1]), root))
    return f"unknown key, {remark if remark.startswith('did') else f'this version does not know it; {remark}'}"


_OF_ALL: Final = frozenset(Transport.model_fields) - frozenset(FleetTransport.model_fields)
"""What the scenario's transport says and no fleet's own."""

_TARGET: Final = "a scenario names no target, so that one file serves all: use --target"
_SECRET: Final = "a scenario holds no secrets: they come from the environment, or from a file by --credentials"
_ELSEWHERE: Final[Mapping[str, str]] = {
    **dict.fromkeys(("target", "url", "host", "hostname", "address", "server_url"), _TARGET),
    **dict.fromkeys(("password", "username", "user", "credentials", "token", "secret", "api_key"), _SECRET),
}
"""Keys that people try at the top of the file, and where what they mean belongs."""


def _word(details: ErrorDetails, node: Node) -> str:
    known = re.findall(r"'([^']*)'", str(_context(details).get("expected", ""))) or ["1"]
    value = node.value if isinstance(node, Leaf) else None
    if isinstance(value, str) and value in known:
        return f"{_found(node)}, expected {value}: leave the quotes out"
    remark = did_you_mean(value, known) if isinstance(value, str) else ""
    return f"{_found(node)}, expected {listed(known)}" + (f"; {remark}" if remark.startswith("did") else "")


def _distribution(details: ErrorDetails, node: Node) -> str:
    tag = node.fields.get("dist") if isinstance(node, Fields) else None
    if not isinstance(tag, Leaf):
        return "found nothing, expected the kind of distribution, such as lognormal"
    known = re.findall(r"'([^']*)'", str(_context(details).get("expected_tags", "")))
    remark = did_you_mean(str(tag.value), known)
    return f"{_found(tag)}, expected {listed(known)}" + (f"; {remark}" if remark.startswith("did") else "")


def _too_short(details: ErrorDetails, node: Node) -> str | None:
    # A list whose items are all wrong counts as empty to pydantic.
    inner = node.items if isinstance(node, Items) else node.fields if isinstance(node, Fields) else ()
    return None if inner else "found none, expected at least one"


def _context(details: ErrorDetails) -> Mapping[str, object]:
    return details.get("ctx", {})


def _bound(words: str, name: str) -> Callable[[ErrorDetails, Node], str]:
    return lambda details, node: f"{_found(node)}, expected {words} {_context(details)[name]}"


def _instead(expected: str) -> Callable[[ErrorDetails, Node], str]:
    return lambda details, node: f"{_found(node)}, expected {expected}"


_A_NAME: Final = "found a name that ${...} cannot hold, expected a letter or _, then letters, digits and _"

_SENTENCES: Final[Mapping[str, Callable[[ErrorDetails, Node], str | None]]] = {
    "missing": lambda details, node: "found nothing, expected a value",
    "value_error": _of_value,
    "literal_error": _word,
    "union_tag_invalid": _distribution,
    "union_tag_not_found": _distribution,
    "greater_than_equal": _bound("at least", "ge"),
    "less_than_equal": _bound("at most", "le"),
    "less_than": _bound("less than", "lt"),
    "too_short": _too_short,
    "tuple_type": _instead("a list"),
    "dict_type": _instead("a map"),
    "model_type": _instead("a map"),
    "model_attributes_type": _instead("a map"),
    "string_pattern_mismatch": lambda details, node: _A_NAME,
}


# --- what is known where ----------------------------------------------------------------------


def _keys_at(loc: tuple[int | str, ...], root: type[BaseModel]) -> list[str]:
    """The keys that the block at pydantic's location has."""
    kinds: list[object] = [root]
    for step in loc:
        kinds = [inner for kind in kinds for inner in _inside(kind, step)]
    blocks = [block for kind in kinds for block in _blocks(kind)]
    return [field.alias or name for block in blocks for name, field in block.model_fields.items()]


def _inside(kind: object, step: int | str) -> Iterator[object]:
    for block in _blocks(kind):
        for name, field in block.model_fields.items():
            if step in (name, field.alias):
                yield field.annotation
        tag = block.model_fields.get("dist")
        if tag is not None and step in get_args(tag.annotation):
            yield block
    if get_origin(kind) in (tuple, dict):
        yield from (part for part in get_args(kind) if part is not Ellipsis)


def _blocks(kind: object) -> Iterator[type[BaseModel]]:
    """The models that a type names, through unions and annotations."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        yield kind
    elif get_origin(kind) in (Annotated, Union, UnionType):
        for part in get_args(kind):
            yield from _blocks(part)
