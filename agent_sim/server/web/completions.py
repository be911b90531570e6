"""What the page's query fields complete: each collection's fields, the operators that fit them, and known values."""

from collections.abc import Mapping
from typing import Final, TypedDict

from agent_sim.query.fields import AGENTS, JOB_HISTORY, OPERATORS, SCHEDULED_JOBS, Collection, Field, Kind

_VALUES: Final[Mapping[Kind, tuple[str, ...]]] = {
    Kind.DATE: ('"%TODAY%"', '"%TODAY-1%"', '"%TODAY-7%"', "NULL"),
    Kind.USER: ('"%ME%"',),
    Kind.BOOLEAN: ("true", "false"),
    Kind.JOB_TYPE: tuple(f'"{word}"' for word in ("Management", "Inventory", "Discovery", "Reenrollment", "FetchLogs")),
    Kind.SCHEDULE_TYPE: ("NULL", '"I_"', '"D_"', '"W_"', '"M_"', '"O_"'),
}


class Completion(TypedDict):
    """What may follow a field."""

    operators: list[str]
    values: list[str]


def completions() -> dict[str, dict[str, Completion]]:
    """By collection and field."""
    return {each.name: _of(each) for each in (AGENTS, JOB_HISTORY, SCHEDULED_JOBS)}


def _of(collection: Collection) -> dict[str, Completion]:
    return {
        name: Completion(operators=_operators(field), values=_values(field))
        for name, field in collection.fields.items()
    }


def _operators(field: Field) -> list[str]:
    return sorted(operator.value for operator in OPERATORS[field.kind])


def _values(field: Field) -> list[str]:
    return list(field.names) or list(_VALUES.get(field.kind, ()))
