"""Statements about jobs and runs that are run later, many at once: how they last until then, and what they come to.

Each is written down with the commit that answers for it, as one line of text for all of that commit, and told again
from there after a crash. Together they are fewer than they were: a job that changed twice is updated once, and a run
that began and ended meanwhile is inserted as it ended. Pure.
"""

from collections.abc import Iterable, Sequence
from typing import Final

import orjson

from agent_sim.server.ports import Value, Values

_LARGEST: Final = 2**63 - 1

_RECORDS: Final = {
    "job_update": ("job", "job_id"),
    "run_add": ("run", "job_history_id"),
    "run_end": ("run", "job_history_id"),
}
"""What is about one record: what is said last of a column holds."""

_ORDER: Final = ("job_update", "run_end", "run_add", "run_data_add", "transition_add")
"""How they are run, so that references hold, and ends of runs make room for the next runs of their jobs."""


PutOff = tuple[str, Values]
"""One statement by name, and its values."""


def written_down(statements: Sequence[PutOff]) -> bytes:
    """Those of one request, for `whole`. Raises UnicodeEncodeError or OverflowError for what no database takes."""
    try:
        text = orjson.dumps(statements)
    except TypeError:
        for _, values in statements:
            for value in values.values():
                if isinstance(value, str):
                    value.encode()
        raise OverflowError("a number does not fit 64 bits") from None
    for _, values in statements:
        for value in values.values():
            if type(value) is int and value > _LARGEST:
                raise OverflowError("a number does not fit 64 bits")
    return text[1:-1]


def whole(texts: Iterable[bytes]) -> bytes:
    """All that was written down since the last commit, as one text."""
    return b"[%b]" % b",".join(texts)


def read_again(text: bytes) -> list[PutOff]:
    """The statements of such a text."""
    return [(name, values) for name, values in orjson.loads(text)]


def together(statements: Iterable[PutOff]) -> Sequence[tuple[str, Sequence[Values]]]:
    """What is to be run, in this order: names of statements, and the values to run each with."""
    wanted: dict[str, list[Values]] = {name: [] for name in _ORDER}
    records: dict[tuple[str, Value], dict[str, Value]] = {}
    for name, values in statements:
        if name not in _RECORDS:
            wanted[name].append(values)
            continue
        table, key = _RECORDS[name]
        record = records.get((table, values[key]))
        if record is not None:
            record.update(values)
        else:
            records[table, values[key]] = record = dict(values)
            wanted[name].append(record)
    return [(name, values) for name, values in wanted.items() if values]
