"""What the fields of a value of the management API are called on the wire, and which of them may be missing."""

from dataclasses import MISSING, fields
from functools import cache
from typing import Annotated, Any, Final, get_args, get_origin, get_type_hints

from pydantic.alias_generators import to_pascal
from pydantic.fields import FieldInfo

TIMES: Final = frozenset(
    {
        *("operation_start", "operation_end", "last_seen", "requested", "request_timestamp", "at", "since"),
        *("job_execution_timestamp", "last_modified", "not_before", "not_after", "import_date"),
    }
)
"""Fields that are instants inside and RFC 3339 text on the wire."""


@cache
def wire_names(kind: type) -> tuple[tuple[str, str], ...]:
    """(field, wire name) in order."""
    hints = get_type_hints(kind, include_extras=True)
    return tuple((item.name, _alias(item.name, hints[item.name])) for item in fields(kind))


def _alias(name: str, hint: object) -> str:
    given = [part.alias for part in get_args(hint)[1:] if isinstance(part, FieldInfo) and part.alias]
    return given[0] if get_origin(hint) is Annotated and given else to_pascal(name)


def has_default(kind: type, name: str) -> bool:
    """True if an object without this field is complete."""
    return name in _defaults(kind)


@cache
def _defaults(kind: type[Any]) -> frozenset[str]:
    return frozenset(
        item.name for item in fields(kind) if item.default is not MISSING or item.default_factory is not MISSING
    )
