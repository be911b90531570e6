"""The scheduler's search language: `Job::Status eq 5 and Job::Name eq A*`, as an SQL condition.

Fields and signs are documented (command-api 8); that several values of one field are alternatives, that names match
in any case, and what the numbers of statuses mean is inferred.
"""

import re
from collections.abc import Mapping
from typing import Final

from agent_sim.errors import MalformedMessage
from agent_sim.protocol.oig import STATUS_NUMBERS, JobStatus
from agent_sim.query.sql import fold

_NAME, _TASK, _STATUS = "job_name", "task_name", "status"
_FIELDS: Final[Mapping[str, str]] = {
    "job::name": _NAME,
    "task::name": _TASK,
    "status": _STATUS,
    "job::status": _STATUS,  # as in the documents' example
}
_TERM: Final = re.compile(r"\s*(\S+)\s+eq\s+(\S.*?)\s*", re.IGNORECASE | re.DOTALL)
_MOST_TERMS: Final = 100


def compile_search(query: str) -> tuple[str, tuple[str, ...]]:
    """A condition over the table of jobs, and its parameters. Raises MalformedMessage."""
    if not query.strip():
        return "1", ()
    terms = re.split(r"\s+and\s+", query.strip(), flags=re.IGNORECASE)
    if len(terms) > _MOST_TERMS:
        raise MalformedMessage(f"q has {len(terms)} terms, {_MOST_TERMS} at most are taken")
    wanted: dict[str, list[str]] = {}
    for term in terms:
        column, value = _term(term)
        wanted.setdefault(column, []).append(value)
    alternatives = [" OR ".join([_condition(column)] * len(values)) for column, values in wanted.items()]
    parameters = tuple(value for values in wanted.values() for value in values)
    return " AND ".join(f"({each})" for each in alternatives), parameters


def _term(term: str) -> tuple[str, str]:
    found = _TERM.fullmatch(term)
    if found is None:
        raise MalformedMessage(f"q must be terms such as Job::Name eq A*, joined by and; {term!r} is none")
    column = _FIELDS.get(found[1].lower())
    if column is None:
        raise MalformedMessage(f"q: there is no field {found[1]!r}; there are Job::Name, Task::Name and Status")
    value = found[2].replace("::", " ")
    return column, _status(value) if column == _STATUS else _pattern(value)


def _condition(column: str) -> str:
    return "status = ?" if column == _STATUS else f"fold({column}) LIKE ? ESCAPE '\\'"


def _pattern(value: str) -> str:
    return re.sub(r"[\\%_]", r"\\\g<0>", fold(value) or "").replace("*", "%")


def _status(value: str) -> str:
    named = STATUS_NUMBERS.get(value, value.upper())
    if named not in (*JobStatus, "FAILED"):
        known = ", ".join([*JobStatus, *STATUS_NUMBERS])
        raise MalformedMessage(f"q: {value!r} is no status; there are {known}")
    return str(named)
