"""Layers laid over each other: a parent file, the file, a profile, `--set` options.

Maps merge deeply; lists of named items merge by `name` (a behaviour's jobs by `type`), and an empty list empties them;
everything else is replaced.
`~` in an upper layer takes a key back to its default. A distribution and a schedule are one thing and replaced whole.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from agent_sim.errors import Problem, ScenarioError, UsageError
from agent_sim.query.wording import did_you_mean
from agent_sim.scenario.tree import Fields, Items, Leaf, Node, Place, option, parse, read
from agent_sim.scenario.units import found

_WHOLE: Final = frozenset({"schedule", "values"})
MAX_ANCESTORS: Final = 20
"""How far `extends` may go."""

_TOO_FAR: Final = f"goes on for more than {MAX_ANCESTORS} parents, expected fewer"
_IDENTITIES: Final = ("name", "type")
_STEP: Final = re.compile(r"([^.\[\]]+)|\[([0-9]{1,6})\]")
_STEPS: Final = re.compile(r"[^.\[\]]+(\.[^.\[\]]+|\[[0-9]{1,6}\])*")


def merge(below: Node | None, above: Node, key: str = "") -> Node:
    """`above` laid over `below`, which stand under `key`."""
    match below, above:
        case Fields(), Fields() if key not in _WHOLE and "dist" not in above.fields:
            return _merge_maps(below, above, key)
        case Items(), Items() if (identity := _identity(below, above)) is not None:
            return _merge_named(below, above, identity)
    return above


def _merge_maps(below: Fields, above: Fields, key: str) -> Fields:
    merged = below
    for name, value in above.fields.items():
        if isinstance(value, Leaf) and value.value is None:
            merged = merged.without(name)
            continue
        under = below.fields.get(name)
        if key == "params" and isinstance(value, Leaf) and isinstance(under, Fields):
            # `params: {agents: 200}` over a declaration gives the parameter that value.
            merged = merged.put(name, under.put("default", value, value.place), below.keys[name])
        else:
            merged = merged.put(name, merge(under, value, name), above.keys[name])
    return replace(merged, place=above.place)


def _identity(below: Items, above: Items) -> str | None:
    if not above.items:  # said so, it leaves none
        return None
    for identity in _IDENTITIES:
        if all(_called(item, identity) is not None for item in (*below.items, *above.items)):
            return identity
    return None


def _merge_named(below: Items, above: Items, identity: str) -> Items:
    items = list(below.items)
    unmatched = {_called(item, identity): n for n, item in reversed(list(enumerate(items)))}
    for item in above.items:
        # Each item below is matched once: a name given twice stays twice, and is told.
        at = unmatched.pop(_called(item, identity), None)
        if at is None:
            items.append(item)
        else:
            items[at] = merge(items[at], item)
    return Items(tuple(items), above.place)


def _called(node: Node, identity: str) -> str | None:
    name = node.fields.get(identity) if isinstance(node, Fields) else None
    return name.value if isinstance(name, Leaf) and isinstance(name.value, str) else None


# --- parents ----------------------------------------------------------------------------------


def with_parents(path: Path, name: str) -> Fields:
    """The file laid over the one that it `extends`, and so on. Raises ScenarioError."""
    return _with_parents(path, name, ())


def _with_parents(path: Path, name: str, children: tuple[Path, ...]) -> Fields:
    tree = read(path, name)
    parent = tree.fields.get("extends")
    if parent is None:
        return tree
    if not isinstance(parent, Leaf) or not isinstance(parent.value, str):
        problem = "extends: expected the name of one scenario file, such as base.yaml"
        raise ScenarioError([parent.place.problem(problem)])
    line = (*children, path)
    parent_path = _parent_path(path, parent.value, parent.place)
    if parent_path.resolve() in {child.resolve() for child in line}:
        circle = " → ".join(child.name for child in (*line, parent_path))
        raise ScenarioError([parent.place.problem(f"extends: goes in a circle: {circle}")])
    if len(line) >= MAX_ANCESTORS:
        raise ScenarioError([parent.place.problem(f"extends: {_TOO_FAR}")])
    below = _with_parents(parent_path, str(Path(name).parent / parent.value), line)
    # A parent's profiles are inherited, its own parent is already in.
    return _as_map(merge(below.without("extends"), tree.without("extends")))


def _parent_path(path: Path, named: str, place: Place) -> Path:
    """The file of that name, seen from the one at `path`; scenarios move as a folder, so it must be a relative one."""
    if Path(named).is_absolute():
        problem = "expected one relative to this file, such as base.yaml"
        raise ScenarioError([place.problem(f"extends: {found(named)}, {problem}")])
    try:
        if (path.parent / named).is_file():
            return path.parent / named
        problem = "but there is no such file; expected one beside this file"
    except OSError as error:
        problem = f"which cannot be read: {error.strerror}; expected a file beside this file"
    raise ScenarioError([place.problem(f"extends: {found(named)}, {problem}")])


def _as_map(node: Node) -> Fields:
    assert isinstance(node, Fields)
    return node


# --- behaviours -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Family:
    """Behaviours by name while their parents are laid under them; `order` is where each stands in the file."""

    members: Mapping[str, Fields]
    order: Mapping[str, int]
    problems: list[Problem]

    def whole(self, name: str, children: tuple[str, ...] = ()) -> Fields:
        own = self.members[name]
        parent = own.fields.get("extends")
        if not isinstance(parent, Leaf) or not isinstance(parent.value, str):
            return own
        line = (*children, name)
        if parent.value in self.members and parent.value not in line and len(line) < MAX_ANCESTORS:
            below = self.whole(parent.value, line).without("extends")
            return _as_map(merge(below, own.without("extends")))
        self._tell(name, parent, line)
        return own.without("extends")

    def _tell(self, name: str, parent: Leaf, line: tuple[str, ...]) -> None:
        way = f"behaviours[{self.order[name]}].extends"
        if parent.value not in self.members:
            text = f"{found(parent.value)}, but there is no behaviour of that name"
            remark = did_you_mean(str(parent.value), [other for other in self.members if other != name])
            self.problems.append(parent.place.problem(f"{way}: {text}; {remark}"))
        elif parent.value not in line:
            self.problems.append(parent.place.problem(f"{way}: {_TOO_FAR}"))
        elif line[0] == parent.value == min(line, key=lambda one: self.order[one]):
            # Everybody in a circle comes round to it; it is told once.
            self.problems.append(parent.place.problem(f"{way}: goes in a circle: {' → '.join((*line, line[0]))}"))


def with_inheritance(tree: Fields) -> tuple[Fields, list[Problem]]:
    """Each behaviour laid over the one that it extends; what cannot be is left out and told."""
    block = tree.fields.get("behaviours")
    if not isinstance(block, Items):
        return tree, []
    named = {
        name: (n, item)
        for n, item in enumerate(block.items)
        if isinstance(item, Fields) and (name := _called(item, "name"))
    }
    members, order = {name: item for name, (_, item) in named.items()}, {name: n for name, (n, _) in named.items()}
    family = _Family(members, order, [])
    items = tuple(family.whole(name) if (name := _called(item, "name")) else item for item in block.items)
    whole = tree.put("behaviours", Items(items, block.place), tree.keys["behaviours"])
    return whole, list(dict.fromkeys(family.problems))


# --- profiles ---------------------------------------------------------------------------------


def profile_names(tree: Fields) -> tuple[str, ...]:
    """The profiles that a file offers."""
    profiles = tree.fields.get("profiles")
    return tuple(profiles.fields) if isinstance(profiles, Fields) else ()


def with_profile(tree: Fields, profile: str | None) -> Fields:
    """The file with that profile laid over it, and without its profiles. Raises ScenarioError, UsageError."""
    profiles = tree.fields.get("profiles")
    body = tree.without("profiles")
    if profiles is not None and not isinstance(profiles, Fields):
        raise ScenarioError([profiles.place.problem("profiles: expected a map of profiles by name")])
    if profile is None:
        return body
    if profiles is None or profile not in profiles.fields:
        names = profile_names(tree)
        remark = did_you_mean(profile, names) if names else "the file has none"
        raise ScenarioError([option(f"--profile {profile}").problem(f"no such profile, {remark}")])
    above = profiles.fields[profile]
    if not isinstance(above, Fields):
        problem = f"profiles.{profile}: expected a map of what it changes"
        raise ScenarioError([above.place.problem(problem)])
    return _as_map(merge(body, above))


# --- options ----------------------------------------------------------------------------------


def with_setting(tree: Fields, way: str, text: str) -> Fields:
    """The file with one value set, as by `--set fleets.lab.count=5`. Raises ScenarioError."""
    place = option(f"--set {way}={text}")
    if not _STEPS.fullmatch(way):
        raise ScenarioError([place.problem("expected PATH=VALUE, such as fleets.lab.count=5 or stop.after=1m")])
    steps = [name or int(index) for name, index in _STEP.findall(way)]
    return _as_map(_set(tree, steps, _value(text, place), place))


def _value(text: str, place: Place) -> Node:
    """The value as YAML would read it; all of it stands at the option."""
    try:
        return _moved(parse(f"value: {text}", place.path).fields["value"], place)
    except ScenarioError:
        raise ScenarioError([place.problem("expected a value as YAML writes it")]) from None


def _moved(node: Node, place: Place) -> Node:
    match node:
        case Leaf():
            return replace(node, place=place)
        case Items(items):
            return Items(tuple(_moved(item, place) for item in items), place)
        case Fields(fields, keys):
            return Fields({k: _moved(v, place) for k, v in fields.items()}, dict.fromkeys(keys, place), place)


def _set(node: Node | None, steps: list[str | int], value: Node, place: Place, key: str = "") -> Node:
    if not steps:
        return merge(node, value, key)
    step, rest = steps[0], steps[1:]
    match node:
        case Items(items):
            index = _index(items, step, place)
            changed = _set(items[index], rest, value, place)
            return Items((*items[:index], changed, *items[index + 1 :]), node.place)
        case Fields() if isinstance(step, str):
            under = node.fields.get(step)
            if (not rest and key == "params") or (not rest and isinstance(value, Leaf) and value.value is None):
                return _merge_maps(node, Fields({step: value}, {step: place}, node.place), key)
            return node.put(step, _set(under, rest, value, place, step), node.keys.get(step, place))
        case None if isinstance(step, str):
            return Fields({step: _set(None, rest, value, place, step)}, {step: place}, place)
    raise ScenarioError([place.problem(f"expected the path of a value, and there is none at {step}")])


def _index(items: tuple[Node, ...], step: str | int, place: Place) -> int:
    if isinstance(step, int):
        if step < len(items):
            return step
        raise ScenarioError([place.problem(f"found [{step}], expected at most [{len(items) - 1}]")])
    names = [_called(item, "name") or _called(item, "type") or "" for item in items]
    if step in names:
        return names.index(step)
    raise ScenarioError(
        [place.problem(f'found no item named "{step}", {did_you_mean(step, list(filter(None, names)))}')]
    )


def setting(text: str, option_name: str) -> tuple[str, str]:
    """`NAME=VALUE` in two. Raises UsageError."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise UsageError(f"{option_name} {text}: expected NAME=VALUE")
    return name, value
