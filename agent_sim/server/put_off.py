"""Statements about jobs and runs that are run later, many at once: how they last until then, and what they come to.

Each is written down with the commit that answers for it, as one line of text for all of that commit, and told again
from there after a crash. Together they are fewer than they were: a job that changed twice is updated once, and a run
that began and ended meanwhile is inserted as it ended. Values stand in the order in which `queries.sql` names them.
Pure.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Final

import orjson

from agent_sim.server.ports import Parameters, Value

LARGEST: Final = 2**63 - 1

_ORDER: Final = ("job_update", "run_end", "run_add", "run_data_add", "transition_add")
"""How they are run, so that references hold, and ends of runs make room for the next runs of their jobs."""

_HOW_A_RUN_ENDS: Final = 3
"""Of the values of run_add, those from here on are the values of run_end behind its audit id."""

_AT_ONCE: Final = (64, 8, 1)
"""How many records one statement writes: few sizes, as each is compiled once."""


_ONCE: Final = "transition_add"
"""Those before it may be run again: what they say of a record is all there is to say."""

Turn = Sequence[tuple[str, str, Parameters]]
"""What is run at once: names of statements, what stands for {rows} in each, its parameters."""

PutOff = tuple[str, Parameters]
"""One statement by name, and its values."""


def written_down(statements: Sequence[PutOff]) -> bytes:
    """What is put off together, for `whole`. Raises UnicodeEncodeError or OverflowError for what no database takes."""
    try:
        text = orjson.dumps(statements)
    except TypeError:
        for _, values in statements:
            for value in values:
                if isinstance(value, str):
                    value.encode()
        raise OverflowError("a number does not fit 64 bits") from None
    for _, values in statements:
        for value in values:
            if type(value) is int and value > LARGEST:
                raise OverflowError("a number does not fit 64 bits")
    return text[1:-1]


def whole(texts: Iterable[bytes]) -> bytes:
    """All that was written down since the last commit, as one text."""
    return b"[%b]" % b",".join(texts)


def read_again(text: bytes) -> list[PutOff]:
    """The statements of such a text."""
    return [(name, tuple(values)) for name, values in orjson.loads(text)]


def together(statements: Iterable[PutOff]) -> Sequence[tuple[str, Sequence[Parameters]]]:
    """What is to be run, in this order: names of statements, and the values of each record.

    What is said last of a record holds.
    """
    jobs: dict[Value, Parameters] = {}
    ends: dict[Value, Parameters] = {}
    runs: dict[Value, Parameters] = {}
    records = {"job_update": jobs, "run_end": ends, "run_add": runs}
    told: dict[str, list[Parameters]] = {"run_data_add": [], "transition_add": []}
    for name, values in statements:
        if name in told:
            told[name].append(values)
        elif name == "run_end" and (begun := runs.get(values[0])) is not None:
            runs[values[0]] = (*begun[:_HOW_A_RUN_ENDS], *values[1:])
        else:
            records[name][values[0]] = values
    wanted = {name: list(of.values()) for name, of in records.items()} | told
    return [(name, wanted[name]) for name in _ORDER if wanted[name]]


def in_turns(statements: Sequence[tuple[str, Sequence[Parameters]]], most: int) -> Iterator[Turn]:
    """What `together` gives as statements for one turn each, of about so many records.

    The last turn has all that must not be run twice: whoever is interrupted begins again with the first one.
    """
    turn, records = list[tuple[str, str, Parameters]](), 0
    for name, those in statements:
        if name == _ONCE and turn:
            yield turn
            turn = []
        for rows, parameters in in_portions(those):
            if records >= most and name != _ONCE:
                yield turn
                turn, records = [], 0
            turn.append((name, rows, parameters))
            records += rows.count("(")
    yield turn


def in_portions(records: Sequence[Parameters]) -> Iterator[tuple[str, Parameters]]:
    """Many records for few statements: what stands for {rows} in each, and its parameters."""
    if not records:
        return
    marks = f"({', '.join('?' * len(records[0]))})"
    begin = 0
    for size in _AT_ONCE:
        rows = ", ".join([marks] * size)
        while len(records) - begin >= size:
            yield rows, tuple(chain.from_iterable(records[begin : begin + size]))
            begin += size
