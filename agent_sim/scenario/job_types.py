"""The `job_types` block: custom job types with fields, which the operator makes before it posts work of them."""

from collections.abc import Callable, Mapping
from typing import Final, Literal

from pydantic import field_validator

from agent_sim.instants import from_iso
from agent_sim.scenario.blocks import Block, key, needed
from agent_sim.scenario.fields import Flag, JobTypeName, Text, Value
from agent_sim.scenario.units import found

KINDS: Final = {"string": 1, "int": 2, "datetime": 3, "bool": 4}
"""Words and numbers of what a field can hold (command-api 3.4)."""


class JobTypeField(Block):
    """A value that each job of the type is given."""

    name: Text = needed("Its name.", "Target")
    type: Literal["string", "int", "datetime", "bool"] = key("string", "What it holds.", "int")
    default: Value | None = key(None, "What it is unless a schedule says.", "db01")
    required: Flag = key(False, "Whether a schedule must say what it is, if it has no default.", True)


class JobType(Block):
    """A custom job type; one that only a capability names has no fields."""

    name: JobTypeName = needed("Its name, as in custom:NAME.", "Patch")
    description: Text = key("", "What it is for.", "Puts a patch on a host.")
    fields: tuple[JobTypeField, ...] = key((), "What its jobs are told.", [{"name": "Target", "required": True}])

    @field_validator("fields")
    @classmethod
    def _check(cls, fields: tuple[JobTypeField, ...]) -> tuple[JobTypeField, ...]:
        seen: set[str] = set()
        for field in fields:
            if not field.name.strip():
                raise ValueError("found a field without a name, expected one")
            if field.name.casefold() in seen:
                raise ValueError(f"found the field {field.name} again, expected each once")
            seen.add(field.name.casefold())
        return fields

    def field(self, name: str) -> JobTypeField | None:
        """The field of that name, in any case."""
        return next((field for field in self.fields if field.name.casefold() == name.casefold()), None)


def misfit(kind: str, value: int | float | str | bool) -> str | None:
    """What is wrong with a value for a field of that kind, None if nothing is."""
    fits = _FITS[kind]
    if fits(value):
        return None
    return f"{found(value)}, expected {_SAID[kind]}"


def _is_time(value: object) -> bool:
    if not isinstance(value, str):
        return False
    try:
        from_iso(value)
    except ValueError:
        return False
    return True


_FITS: Final[Mapping[str, Callable[[object], bool]]] = {
    "string": lambda value: isinstance(value, str),
    "int": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "datetime": _is_time,
    "bool": lambda value: isinstance(value, bool),
}
_SAID: Final = {
    "string": "a text: put it in quotes",
    "int": "a whole number",
    "datetime": "a time such as 2026-01-02T23:30:00Z",
    "bool": "true or false",
}
