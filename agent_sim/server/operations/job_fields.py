"""Fields of custom job types: the types they may have, and the values that a job is given for them.

Source: the seed command-custom, command-api 2.2 and 3.4.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from agent_sim.instants import from_iso
from agent_sim.protocol.command import CommandReply, JobTypeField, Scalar
from agent_sim.server.problems import Problem, refuse

STRING: Final = 1
TYPES: Final[Mapping[str, int]] = {"string": STRING, "int": 2, "datetime": 3, "bool": 4}
"""Names of field types; 5 is in the vendor's schema without a name (command-api 3.4)."""

RESERVED: Final = 5


def _int(text: str) -> None:
    int(text)


def _time(text: str) -> None:
    from_iso(text)


def _bool(text: str) -> None:
    if text.lower() not in ("true", "false"):
        raise ValueError(text)


_READERS: Final[Mapping[int, tuple[Callable[[str], None], str]]] = {
    2: (_int, "a whole number"),
    3: (_time, "a time such as 2026-01-02T23:30:00Z"),
    4: (_bool, "true or false"),
}


def normal(field: JobTypeField) -> JobTypeField | CommandReply:
    """The field with its type as a number and its default as a text; a refusal says what is wrong with it."""
    number = TYPES.get(field.type.strip().lower()) if isinstance(field.type, str) else field.type
    if not field.name.strip():
        return _refuse("a field has no name")
    if number is None or not STRING <= number <= RESERVED:
        return _refuse(f"field {field.name} has type {field.type!r}, expected String, Int, DateTime or Bool")
    default = None if field.default_value is None else text_of(field.default_value)
    known = replace(field, type=number, default_value=default)
    problem = None if default is None else _misfit(known, default)
    return known if problem is None else _refuse(f"the default of {problem}")


def values(fields: tuple[JobTypeField, ...], given: Mapping[str, Scalar]) -> dict[str, str] | CommandReply:
    """What each field is for a job, defaults included; a refusal names the first thing wrong with what was given.

    A required field with a default need not be given (seed: command-custom). Names go in any case.
    """
    said = {name.lower(): text_of(value) for name, value in given.items()}
    known = {field.name.lower(): field for field in fields}
    for name, field in known.items():
        if field.required and field.default_value is None and name not in said:
            return _refuse(f"JobFields lacks {field.name}, which is required and has no default")
    for name in given:
        if name.lower() not in known:
            return _refuse(f"JobFields has {name!r}, which this job type does not; it has {_names(fields)}")
    for name, text in said.items():
        if problem := _misfit(known[name], text):
            return _refuse(problem)
    defaults = {name: str(field.default_value) for name, field in known.items() if field.default_value is not None}
    return {field.name: value for name, field in known.items() if (value := (defaults | said).get(name)) is not None}


def text_of(value: Scalar) -> str:
    """A scalar as jobs keep it: as text."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _misfit(field: JobTypeField, text: str) -> str | None:
    reader, expected = _READERS.get(int(field.type), (None, ""))
    if reader is None:
        return None
    try:
        reader(text)
    except (ValueError, OverflowError):
        return f"field {field.name} must be {expected}, is {text[:40]!r}"
    return None


def _refuse(sentence: str) -> CommandReply:
    return refuse(Problem.JOB_FIELDS, sentence)


def _names(fields: tuple[JobTypeField, ...]) -> str:
    return ", ".join(field.name for field in fields) or "no fields"
