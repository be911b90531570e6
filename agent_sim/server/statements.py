"""The statements of `queries.sql` by name, and what the store must know of each before it runs one.

Pure: reads a file of the package, runs nothing.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

_RECORDS: Final = re.compile(r"\b(job|run|run_data|run_location|run_upload|transition|scheduled_job|store_listing)\b")
"""Tables that are written later (`put_off`), what refers to them, and views that look into them."""


def looks_at_records(sql: str) -> bool:
    """True if what was put off must be in its tables before this runs."""
    return _RECORDS.search(sql) is not None


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement. `changes`: the table in which it changes records that are there, if any.

    `looks_at_records`: what was put off must be in its tables before this runs.
    """

    sql: str
    writes: bool
    looks_at_records: bool
    changes: str = ""


@cache
def statements() -> Mapping[str, Statement]:
    """All of them."""
    text = files("agent_sim.server").joinpath("queries.sql").read_text(encoding="utf-8")
    _, *parts = text.split("-- name: ")
    pairs = (part.split("\n", 1) for part in parts)
    return {name.strip(): _statement(sql.strip()) for name, sql in pairs}


def _statement(sql: str) -> Statement:
    if sql.startswith("SELECT"):
        return Statement(sql, False, looks_at_records(sql))
    found = _CHANGES.match(sql)
    return Statement(sql, True, looks_at_records(sql), found["table"] if found else "")


_CHANGES: Final = re.compile(r"(UPDATE|DELETE FROM) (?P<table>\w+)")
