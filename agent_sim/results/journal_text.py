"""The journal's text: each event as a line of JSON, written and read.

Every line is an object with `t` (seconds since the run started), `event` (a name of `EVENTS`) and the fields of that
event's value, in their order. Nothing here opens a file. Unknown events are refused, unknown fields ignored.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from enum import IntEnum
from json.encoder import encode_basestring_ascii as _quoted
from operator import attrgetter
from typing import Final, TypeAlias, TypeVar, cast

from agent_sim.errors import UsageError
from agent_sim.histogram import HistogramJson
from agent_sim.protocol.enums import AgentStatus, Result, Status
from agent_sim.results import plain
from agent_sim.results.journal import EVENTS, Line, Step, Steps
from agent_sim.results.plain import Counts, Json, JsonObject

# --- writing ----------------------------------------------------------------------------------


def encode(line: Line) -> str:
    """One line of compact JSON without its newline; equal values give equal text.

    Times are rounded to microseconds. Raises ValueError for a number that JSON cannot carry (NaN, infinity).
    """
    form, members, texts = _FORMS[type(line)]
    return form % tuple([text(member) for text, member in zip(texts, members(line), strict=True)])


_ENCODER: Final = json.JSONEncoder(separators=(",", ":"), allow_nan=False)  # `json.dumps` makes one for every line


def _ordered(value: object) -> Json:
    if isinstance(value, Mapping):
        return {name: _ordered(value[name]) for name in sorted(value)}
    if isinstance(value, list | tuple):
        return [_ordered(member) for member in value]
    return cast(Json, value)


# --- reading ----------------------------------------------------------------------------------


def read(lines: Iterable[str], remark: Callable[[str], None] = lambda _: None) -> Iterator[Line]:
    """The events of a journal, in order; blank lines do not count.

    A last line that is torn (the writer was killed) is left out, and `remark` is told in a sentence.
    Raises UsageError, which names the line, for anything else that cannot be read.
    """
    held: tuple[int, str] | None = None
    for number, text in enumerate(lines, 1):
        if not text.strip():
            continue
        if held is not None:
            yield decode(held[1], held[0])
        held = number, text
    if held is None:
        return
    number, text = held
    if _is_torn(text):
        remark(f"journal line {number}: left out, it is torn off after {len(text.rstrip())} characters")
        return
    yield decode(text, number)


def _is_torn(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return True
    except RecursionError:  # whole or not, it is no line of a journal, which decoding tells
        return False
    return False


def decode(text: str, number: int = 1) -> Line:
    """The event of one line; `number` is its place, for the error. Raises UsageError."""
    try:
        return _line(json.loads(text, parse_constant=_refuse_constant))
    except (ValueError, RecursionError) as error:
        raise UsageError(f"journal line {number}: {error}") from error


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number of JSON")


def _line(data: Json) -> Line:
    if not isinstance(data, dict):
        raise ValueError("must be a JSON object")
    event = data.get("event")
    if not isinstance(event, str) or event not in EVENTS:
        raise ValueError(f"unknown event {event!r}; was the journal written by a newer version?")
    kind = EVENTS[event]
    shapes = {"t": float, **_SHAPES[kind]}
    values = {name: _read_field(data, event, name, shape) for name, shape in shapes.items()}
    return cast(Callable[..., Line], kind)(**values)


def _read_field(data: JsonObject, event: str, name: str, shape: object) -> object:
    found = plain.member(data, event, name)
    try:
        return _KINDS[shape].read(found)
    except ValueError as error:
        raise ValueError(f"{event}: {name} {error}") from None


# --- one row for each type that a field can have ----------------------------------------------

E = TypeVar("E", bound=IntEnum)


def _json_text(value: object) -> str:
    return _ENCODER.encode(_ordered(value))


@dataclass(frozen=True, slots=True)
class _Kind:
    """How the values of a type are read, and what they are as JSON text."""

    read: Callable[[Json], object]
    text: Callable[..., str] = _json_text


def _word(names: type[E]) -> _Kind:
    words = {member.name.lower(): member for member in names}
    texts = {member: f'"{word}"' for word, member in words.items()}

    def read_word(value: Json) -> E:
        found = words.get(value) if isinstance(value, str) else None
        if found is None:
            raise ValueError(f"must be one of {', '.join(words)}, is {value!r}")
        return found

    return _Kind(read_word, texts.__getitem__)


def _step(value: Json) -> Step:
    kind, at, audit = plain.sequence(value)
    return plain.text(kind), plain.number(at), plain.maybe(plain.whole)(audit)


def _read_steps(value: Json) -> Steps:
    return tuple(map(_step, plain.sequence(value)))


def _steps_text(value: Steps) -> str:
    told = [f"[{_quoted(kind)},{_number_text(at)},{_whole_text(audit)}]" for kind, at, audit in value]
    return f"[{','.join(told)}]"


def _number_text(value: float | None) -> str:
    if value is None:
        return "null"
    text = repr(round(float(value), 6))
    return text if text not in _NO_NUMBERS else _ENCODER.encode(float(value))  # which refuses it


_NO_NUMBERS: Final = frozenset({"nan", "inf", "-inf"})


def _whole_text(value: int | None) -> str:
    return "null" if value is None else int.__repr__(value)


def _words_text(value: str | None) -> str:
    return "null" if value is None else _quoted(value)


def _truth_text(value: bool) -> str:
    return "true" if value else "false"


def _histogram_text(value: HistogramJson) -> str:
    """Members in the order of their names, as everything is; there are three a second, of a thousand buckets each."""
    counts = value["buckets"]
    buckets = ",".join([f'"{bucket}":{counts[bucket]}' for bucket in sorted(counts)])
    count, most, least, total = value["count"], value["max_us"], value["min_us"], value["total_us"]
    return f'{{"buckets":{{{buckets}}},"count":{count},"max_us":{most},"min_us":{least},"total_us":{total}}}'


def _texts_text(value: tuple[str, ...]) -> str:
    return f"[{','.join(map(_quoted, value))}]"


_KINDS: Final[Mapping[object, _Kind]] = {
    str: _Kind(plain.text, _words_text),
    str | None: _Kind(plain.maybe(plain.text), _words_text),
    int: _Kind(plain.whole, _whole_text),
    int | None: _Kind(plain.maybe(plain.whole), _whole_text),
    float: _Kind(plain.number, _number_text),
    float | None: _Kind(plain.maybe(plain.number), _number_text),
    bool: _Kind(plain.truth, _truth_text),
    tuple[str, ...]: _Kind(plain.texts, _texts_text),
    Counts: _Kind(plain.counts),
    HistogramJson: _Kind(plain.histogram, _histogram_text),
    JsonObject: _Kind(plain.mapping),
    Result: _word(Result),
    Status: _word(Status),
    AgentStatus: _word(AgentStatus),
    Steps: _Kind(_read_steps, _steps_text),
}

_SHAPES: Final[Mapping[type[Line], Mapping[str, object]]] = {
    kind: {field.name: field.type for field in fields(kind) if field.name != "t"} for kind in EVENTS.values()
}


_Form: TypeAlias = tuple[str, Callable[[Line], tuple[object, ...]], tuple[Callable[..., str], ...]]
"""The JSON of an event with blanks for its values, what fetches them, and how each is written."""


def _form(name: str, kind: type[Line]) -> _Form:
    shapes = _SHAPES[kind]
    blanks = "".join(f',"{member}":%s' for member in shapes)
    members = attrgetter("t", *shapes) if shapes else lambda line: (line.t,)  # of one name it gives no tuple
    texts = (_number_text, *(_KINDS[shape].text for shape in shapes.values()))
    return f'{{"t":%s,"event":"{name}"{blanks}}}', members, texts


_FORMS: Final[Mapping[type[Line], _Form]] = {kind: _form(name, kind) for name, kind in EVENTS.items()}
