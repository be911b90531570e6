"""A YAML 1.2 file as a tree of values that know where they stand.

Read from the parser's events, so that hostile files (too large, too deep, alias bombs) are refused before anything
is built, and every value and key has its line and column. What the values mean is not known here.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.reader import ReaderError

from agent_sim.errors import Problem, ScenarioError
from agent_sim.scenario.units import Scalar, Written, found, shortened

MAX_BYTES: Final = 1 << 20
MAX_DEPTH: Final = 40
MAX_ALIASES: Final = 1_000
MAX_VALUES: Final = 100_000
"""After aliases are followed: a small file can say a billion things."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands, 1-based."""

    path: str
    line: int
    column: int

    def problem(self, message: str) -> Problem:
        return Problem(self.path, self.line, self.column, message)


@dataclass(frozen=True, slots=True)
class OptionPlace(Place):
    """A place without lines: an option of the command line, as written, or a file as a whole."""

    def problem(self, message: str) -> Problem:
        return _OptionProblem(self.path, self.line, self.column, message)


@dataclass(frozen=True, slots=True)
class _OptionProblem(Problem):
    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


def option(text: str) -> OptionPlace:
    """The place that is an option, such as `--set stop.after=1m`, or a whole file."""
    return OptionPlace(text, 1, 1)


@dataclass(frozen=True, slots=True)
class Leaf:
    """A single value; `source` is the expression that it came from."""

    value: Written
    place: Place
    source: str = ""


@dataclass(frozen=True, slots=True)
class Items:
    """A list."""

    items: "tuple[Node, ...]"
    place: Place


@dataclass(frozen=True, slots=True)
class Fields:
    """A map; `keys` says where each key stands."""

    fields: "Mapping[str, Node]"
    keys: Mapping[str, Place]
    place: Place

    def put(self, key: str, value: "Node", place: Place) -> "Fields":
        """The same map with one more or another member."""
        return replace(self, fields={**self.fields, key: value}, keys={**self.keys, key: place})

    def without(self, *keys: str) -> "Fields":
        """The same map without these members."""
        return replace(self, fields={key: node for key, node in self.fields.items() if key not in keys})


Node = Leaf | Items | Fields

Plain = Written | list["Plain"] | dict[str | int | float, "Plain"]
"""The tree without places."""


def read(path: Path, name: str = "") -> Fields:
    """The file's map; `name` is what problems call the file. Raises ScenarioError with all that is wrong."""
    return parse(_text(path, name or str(path)), name or str(path))


def parse(text: str, name: str) -> Fields:
    """The map that a text holds. Raises ScenarioError with all that is wrong."""
    builder = _Builder(name)
    try:
        root = builder.build(YAML(typ="safe", pure=True).parse(text))
    except MarkedYAMLError as error:
        raise ScenarioError([*builder.problems, _not_yaml(error, name)]) from None
    except ReaderError as error:
        place = _place_of(text, error.position, name)
        raise ScenarioError(
            [place.problem(f"found the control character {error.character:#04x}, expected text")]
        ) from None
    if builder.problems:
        raise ScenarioError(builder.problems)
    if not isinstance(root, Fields):
        expected = "expected a map with version, name and fleets"
        raise ScenarioError([root.place.problem(f"{_found(root)}, {expected}")])
    return root


def scalar(text: str) -> Scalar:
    """A plain scalar by the YAML 1.2 core schema: `on` is a word, `1` a number, `~` nothing."""
    for pattern, read_as in _CORE_SCHEMA:
        if pattern.fullmatch(text):
            return read_as(text)
    return text


def plain(node: Node, key: str = "") -> Plain:
    """The tree as Python's dicts and lists; under `values`, keys that look like numbers are numbers."""
    match node:
        case Leaf(value):
            return value
        case Items(items):
            return [plain(item) for item in items]
        case Fields(fields) if key == "values":
            return {_number_or_text(name): plain(value, name) for name, value in fields.items()}
        case Fields(fields):
            return {name: plain(value, name) for name, value in fields.items()}


def places(node: Node, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Leaf]]:
    """Every single value with the way to it."""
    match node:
        case Leaf():
            yield path, node
        case Items(items):
            for index, item in enumerate(items):
                yield from places(item, (*path, index))
        case Fields(fields):
            for key, value in fields.items():
                yield from places(value, (*path, key))


def without_extras(node: Node, key: str = "") -> Node:
    """The tree without `x-` keys, which are free for anything; labels are the user's own words."""
    match node:
        case Leaf():
            return node
        case Items(items, place):
            return Items(tuple(without_extras(item, key) for item in items), place)
        case Fields(fields):
            kept = {
                name: without_extras(value, name)
                for name, value in fields.items()
                if key == "labels" or not name.startswith("x-")
            }
            return replace(node, fields=kept)


# --- reading ----------------------------------------------------------------------------------

_SURROGATE: Final = re.compile(r"[\ud800-\udfff]")

_CORE_SCHEMA: Final = (  # YAML 1.2.2, 10.3.2
    (re.compile(r"~|null|Null|NULL|"), lambda _: None),
    (re.compile(r"true|True|TRUE"), lambda _: True),
    (re.compile(r"false|False|FALSE"), lambda _: False),
    (re.compile(r"[-+]?[0-9]{1,100}"), int),
    (re.compile(r"0o[0-7]{1,100}"), lambda text: int(text[2:], 8)),
    (re.compile(r"0x[0-9a-fA-F]{1,100}"), lambda text: int(text[2:], 16)),
    (re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"), float),
    (re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"), lambda text: float(text.replace(".", ""))),
)


def _text(path: Path, name: str) -> str:
    start = Place(name, 1, 1)
    try:
        if not path.is_file():
            problem = "is no file, expected a scenario" if path.exists() else "no such file"
            raise ScenarioError([option(name).problem(problem)])
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ScenarioError([option(name).problem(f"cannot be read: {error.strerror}")]) from None
    if len(data) > MAX_BYTES:
        raise ScenarioError([start.problem("found more than 1 MiB, expected a scenario of at most 1 MiB")])
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        good = data[: error.start].decode("utf-8")
        place = _place_of(good, len(good), name)
        raise ScenarioError([place.problem(f"found the byte {data[error.start]:#04x}, expected UTF-8")]) from None
    if not text.strip():
        raise ScenarioError([start.problem("found an empty file, expected a map with version, name and fleets")])
    return text


def _place_of(text: str, position: int, name: str) -> Place:
    before = text[:position]
    return Place(name, before.count("\n") + 1, position - (before.rfind("\n") + 1) + 1)


def _not_yaml(error: MarkedYAMLError, name: str) -> Problem:
    mark = error.problem_mark or error.context_mark
    place = Place(name, mark.line + 1, mark.column + 1) if mark is not None else Place(name, 1, 1)
    reason = " ".join(part for part in (error.context, error.problem) if part)
    mend = next((f"; {mend}" for sign, mend in _MENDS.items() if sign in reason), "")
    return place.problem(f"is not YAML: {reason}{mend}")


_MENDS: Final[Mapping[str, str]] = {
    "'\\t'": "indent with blanks, not with tabs",
    "mapping values are not allowed": "indent keys of one map alike, and quote texts that hold a colon and a blank",
    "'<stream end>'": "close what was opened there",
    "unexpected end of stream": "close the quotes",
}
"""What to do about a slip that the parser describes in its own words."""


@dataclass(slots=True)
class _Open:
    """A list or map whose end has not come yet; of a map, `key` waits for its value."""

    start: Event
    items: list[Node] = field(default_factory=list)
    fields: dict[str, Node] = field(default_factory=dict)
    keys: dict[str, Place] = field(default_factory=dict)
    key: tuple[str, Place] | None = None


class _Builder:
    """Builds the tree from events, on a stack of its own: nothing recurses, however deep the file."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.problems: list[Problem] = []
        self._open: list[_Open] = []
        self._anchors: dict[str, Node] = {}
        self._sizes: dict[int, tuple[Node, int, int]] = {}  # of each list and map: values and depth
        self._aliases = 0
        self._documents = 0
        self._root: Node = Leaf(None, Place(name, 1, 1))

    def build(self, events: Iterator[Event]) -> Node:
        for event in events:
            match event:
                case DocumentStartEvent():
                    self._documents += 1
                    if self._documents > 1:
                        self._refuse(event, "found a second document, expected one scenario in a file")
                case MappingStartEvent() | SequenceStartEvent():
                    self._begin(event)
                case MappingEndEvent() | SequenceEndEvent():
                    self._end()
                case ScalarEvent():
                    self._scalar(event)
                case AliasEvent():
                    self._alias(event)
        return self._root

    def _place(self, event: Event) -> Place:
        return Place(self.name, event.start_mark.line + 1, event.start_mark.column + 1)

    def _refuse(self, event: Event, message: str) -> None:
        """Not worth reading on."""
        raise ScenarioError([*self.problems, self._place(event).problem(message)])

    def _begin(self, event: MappingStartEvent | SequenceStartEvent) -> None:
        self._check_tag(event)
        if self._open and isinstance(self._open[-1].start, MappingStartEvent) and self._open[-1].key is None:
            self._refuse(event, "found a list or map as a key, expected a word")
        self._open.append(_Open(event))
        if len(self._open) > MAX_DEPTH:
            self._refuse(event, f"nests deeper than {MAX_DEPTH} levels")

    def _end(self) -> None:
        done = self._open.pop()
        place = self._place(done.start)
        node: Node
        if isinstance(done.start, MappingStartEvent):
            node = Fields(done.fields, done.keys, place)
        else:
            node = Items(tuple(done.items), place)
        self._add(node, done.start)

    def _scalar(self, event: ScalarEvent) -> None:
        self._check_tag(event)
        if half := _SURROGATE.search(event.value):
            # No text can be written that has one: not to a screen, a file or a socket.
            told = f"found \\u{ord(half[0]):04x}, which is half a character; expected it whole, such as \\U0001F600"
            self._refuse(event, told)
        place = self._place(event)
        if self._open and isinstance(self._open[-1].start, MappingStartEvent) and self._open[-1].key is None:
            self._key(event, place)
            return
        is_plain = event.implicit[0]
        if is_plain and not event.value and self._open and (key := self._open[-1].key) is not None:
            place = key[1]  # nothing is written after the key, and the parser has gone on to what comes next
        self._add(Leaf(scalar(event.value) if is_plain else event.value, place), event)

    def _key(self, event: ScalarEvent, place: Place) -> None:
        around = self._open[-1]
        if event.value in around.fields:
            first = around.keys[event.value]
            key = shortened(event.value)
            self.problems.append(place.problem(f'found the key "{key}" again, first on line {first.line}'))
        elif event.value == "<<" and event.implicit[0]:
            self.problems.append(place.problem('found "<<", which is not YAML 1.2: use extends, or write it out'))
        around.key = (event.value, place)

    def _alias(self, event: AliasEvent) -> None:
        self._aliases += 1
        if self._aliases > MAX_ALIASES:
            self._refuse(event, f"found more than {MAX_ALIASES:,} aliases")
        if event.anchor not in self._anchors:
            name = shortened(event.anchor)
            # The parser leaves this to us; an alias inside its own anchor ends here too.
            self._refuse(event, f"found the alias *{name}, expected an anchor &{name} before it")
        if self._open and isinstance(self._open[-1].start, MappingStartEvent) and self._open[-1].key is None:
            self._refuse(event, "found an alias as a key, expected a word")
        self._attach(self._anchors[event.anchor])

    def _add(self, node: Node, event: Event) -> None:
        anchor = getattr(event, "anchor", None)
        self._measure(node, event)
        if anchor is not None:
            self._anchors[anchor] = node
        self._attach(node)

    def _attach(self, node: Node) -> None:
        if not self._open:
            self._root = node
            return
        around = self._open[-1]
        if around.key is None:
            around.items.append(node)
            return
        key, place = around.key
        around.key = None
        around.fields[key], around.keys[key] = node, place

    def _measure(self, node: Node, event: Event) -> None:
        """How much a list or map holds once aliases are followed."""
        if isinstance(node, Leaf):
            return
        inner = node.items if isinstance(node, Items) else tuple(node.fields.values())
        sizes = [self._sizes.get(id(item), (item, 1, 0)) for item in inner]
        values = 1 + sum(size for _, size, _ in sizes)
        depth = 1 + max((deep for _, _, deep in sizes), default=0)
        if values > MAX_VALUES:
            self._refuse(event, f"holds more than {MAX_VALUES:,} values once aliases are followed")
        if depth > MAX_DEPTH:
            self._refuse(event, f"nests deeper than {MAX_DEPTH} levels once aliases are followed")
        self._sizes[id(node)] = (node, values, depth)  # the node too: ids are used again once it is gone

    def _check_tag(self, event: ScalarEvent | MappingStartEvent | SequenceStartEvent) -> None:
        tag = event.tag
        if tag is not None and str(tag) not in ("None", "!"):
            self.problems.append(self._place(event).problem(f"found the tag {shortened(str(tag))}, expected no tags"))


def _found(node: Node) -> str:
    match node:
        case Leaf(value):
            return found(value)
        case Items():
            return "found a list"
        case Fields():
            return "found a map"


def _number_or_text(key: str) -> str | int | float:
    value = scalar(key)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else key
