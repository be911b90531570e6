"""The server's database: SQLite behind the Store protocol, and the only module that knows it is SQLite.

One connection, one thread at a time, the file held exclusively. Statements come by name from `queries.sql`. Changes
pile up in one open transaction until `commit`; whether that is after each request or after many is the shell's
business. Statements that nobody waits for (`later`) pile up in memory before that, so that many of a kind run as one:
they are written before anything else is read or written, and with the commit.
"""

import os
import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import groupby
from types import TracebackType
from typing import Final

from agent_sim.errors import UsageError
from agent_sim.query.sql import fold
from agent_sim.server.ports import Filling, Parameters, Row, Value, Values

SCHEMA_VERSION: Final = 3
APPLICATION_ID: Final = 0x41475331  # "AGS1": tells our files from other programs'
OLDEST_SQLITE: Final = (3, 35, 0)  # RETURNING

_PATIENCE_SECONDS: Final = 1.0  # a server that is just being stopped lets go within this
_STATEMENTS_KEPT: Final = 512  # compiled: ours, and those made for queries
_COUNTS_KEPT: Final = 256
_MOST_LATER: Final = 10_000
_LARGEST: Final = 2**63 - 1
_LANES: Final = ("job", "run", "run_data", "transition")
"""Tables that may be written later, in an order that no reference between them minds."""

_SYNCHRONOUS: Final = {"normal": "NORMAL", "full": "FULL"}


class SqliteStore:
    """One database file (or `:memory:`), held exclusively. See `ports.Store` for what its methods promise."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._request = _Request(connection, self._begun, self._undone)
        self._committed = connection.total_changes
        self._counts: dict[tuple[Value, ...], int] = {}  # what was counted after so many changes
        self._counted_in = (-1, 0)
        self._later: list[_Later] = []
        self._lost = ""  # why what was changed since the last commit is gone
        self._earlier = 0  # how many of them are not this request's
        self._keepers: list[tuple[frozenset[str], Callable[[], None]]] = []

    @classmethod
    def open(cls, path: str, durability: str = "normal") -> "SqliteStore":
        """Open or create a database. Raises UsageError if it is newer, foreign, corrupt, locked or unwritable."""
        _check_library()
        _reserve(path)
        with _explained(path):
            connection = sqlite3.connect(
                path,
                timeout=_PATIENCE_SECONDS,
                isolation_level=None,
                cached_statements=_STATEMENTS_KEPT,
                check_same_thread=False,  # one thread at a time is the shell's promise
            )
            try:
                _prepare(connection, path, durability)
            except BaseException:
                connection.close()
                raise
        return cls(connection)

    @property
    def dirty(self) -> bool:
        """True if there may be changes that are not committed (also after a change that was undone)."""
        return bool(self._later or self._lost) or self._connection.total_changes != self._committed

    def change(self) -> AbstractContextManager[None]:
        """Around one request: if it raises, its changes are undone and earlier uncommitted ones stay."""
        return self._request

    def tell(self, tables: Sequence[str], forget: Callable[[], None]) -> None:
        """Call `forget` when records of these tables change otherwise than `later`, or when changes are undone."""
        self._keepers.append((frozenset(tables), forget))

    def rows(self, name: str, values: Values) -> list[Row]:
        """Run a named statement and return what it yields."""
        return self._execute(name, values).fetchall()

    def run(self, name: str, values: Values) -> int:
        """Run a named statement that yields nothing; returns how many records changed."""
        return self._execute(name, values).rowcount

    def _execute(self, name: str, values: Values) -> sqlite3.Cursor:
        statement = _statements()[name]
        self.settle()
        if statement.writes:
            self._about_to_write(statement)
        return self._connection.execute(statement.sql, values)

    def _about_to_write(self, statement: "_Statement") -> None:
        self._request.begin()
        for tables, forget in self._keepers:
            if statement.changes in tables:
                forget()

    def run_many(self, name: str, values: Sequence[Values]) -> None:
        """Run a named statement once for each set of values."""
        if not values:
            return
        self.settle()
        self._about_to_write(_statements()[name])
        self._connection.executemany(_statements()[name].sql, values)

    def later(self, name: str, values: Values) -> None:
        """Run a named statement that yields nothing before anything else is asked of the store, or with the commit."""
        for value in values.values():
            if isinstance(value, str):
                value.isascii() or value.encode()  # what could not be written must fail here and now
            elif isinstance(value, int) and not -_LARGEST <= value <= _LARGEST:
                raise OverflowError("a number does not fit 64 bits")
        self._later.append(_Later(name, _statements()[name].lane, values))
        if len(self._later) >= _MOST_LATER:
            self.settle()

    def settle(self) -> None:
        """Write what was put off."""
        if not self._later:
            return
        before, own = self._later[: self._earlier], self._later[self._earlier :]
        self._later, self._earlier = [], 0
        try:
            if before:
                self._request.begin_transaction()
                self._write(before)
            if own:
                self._request.begin()
                self._write(own)
        except sqlite3.Error as error:
            self._lose(error)
            raise

    def _write(self, put_off: Sequence["_Later"]) -> None:
        for lane in _LANES:
            of_table = [one for one in put_off if one.lane == lane]
            for name, same in groupby(of_table, lambda one: one.name):
                self._connection.executemany(_statements()[name].sql, [one.values for one in same])

    def select(self, name: str, filling: Filling, parameters: Parameters) -> list[Row]:
        """Run a named SELECT with its {braces} filled; `parameters` for its question marks, in order."""
        self.settle()
        return self._connection.execute(_statements()[name].sql.format_map(filling), parameters).fetchall()

    def count(self, name: str, filling: Filling, parameters: Parameters) -> int:
        """The one number that such a SELECT gives; remembered until anything changes."""
        self.settle()
        state = self._connection.total_changes, self._request.undone
        if state != self._counted_in or len(self._counts) > _COUNTS_KEPT:
            self._counts, self._counted_in = {}, state
        key = (name, *filling.values(), *parameters)
        if key not in self._counts:
            [(number,)] = self.select(name, filling, parameters)
            self._counts[key] = int(number)
        return self._counts[key]

    def _begun(self) -> None:
        self._earlier = len(self._later)

    def _undone(self) -> None:
        """A request failed: what it put off is not wanted any more, and what was kept in memory may not be true."""
        if len(self._later) == self._earlier and not self._request.has_begun:
            return
        del self._later[self._earlier :]
        self._forget()

    def _forget(self) -> None:
        for _, forget in self._keepers:
            forget()

    def _lose(self, error: sqlite3.Error) -> None:
        """What was put off could not be written: nothing since the last commit lasts, and who waits must hear it."""
        self._lost = str(error)
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
        self._request.lost()
        self._forget()

    def commit(self) -> None:
        """Make every change so far permanent."""
        self.settle()
        if self._lost:
            lost, self._lost = self._lost, ""
            self._committed = self._connection.total_changes
            raise sqlite3.OperationalError(f"changes were lost: {lost}")
        if self._connection.in_transaction:
            self._connection.execute("COMMIT")
        self._committed = self._connection.total_changes

    def close(self) -> None:
        """Commit and let go of the database."""
        self.commit()
        self._connection.close()


@dataclass(frozen=True, slots=True)
class _Later:
    """A statement that was put off."""

    name: str
    lane: str
    values: Values


class _Request:
    """One request's changes. Costs nothing until the first of them, as most requests are heartbeats.

    May be entered again inside itself: the inner one then is part of the outer one.
    """

    def __init__(self, connection: sqlite3.Connection, began: Callable[[], None], undo: Callable[[], None]) -> None:
        self._connection = connection
        self._began, self._undo = began, undo
        self._depth = 0
        self._begun = False
        self.undone = 0  # how often changes were

    def __enter__(self) -> None:
        if not self._depth:
            self._began()
        self._depth += 1

    def begin_transaction(self) -> None:
        """A change is about to be made that is none of this request's."""
        if not self._connection.in_transaction:
            self._connection.execute("BEGIN IMMEDIATE")

    def begin(self) -> None:
        """A change is about to be made."""
        self.begin_transaction()
        if self._depth and not self._begun:
            self._connection.execute("SAVEPOINT request")
            self._begun = True

    @property
    def has_begun(self) -> bool:
        """True if it has changed anything that is to be undone if it fails."""
        return self._begun

    def lost(self) -> None:
        """The whole transaction is gone."""
        self._begun = False
        self.undone += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._depth -= 1
        if kind is not None:
            self._undo()
        if self._begun and (kind is not None or self._depth == 0):
            if kind is not None:
                self._connection.execute("ROLLBACK TO request")
                self.undone += 1
            self._connection.execute("RELEASE request")
            self._begun = False


# --- opening ----------------------------------------------------------------------------------


def _reserve(path: str) -> None:
    """Make a new file for its owner alone: the key of the server's authority is in there."""
    if path != ":memory:":
        with suppress(OSError):  # it exists, or SQLite will say why it cannot
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def _prepare(connection: sqlite3.Connection, path: str, durability: str) -> None:
    # Before the first access to a database in WAL mode, this also keeps every other process out.
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    application, version = _mark(connection)
    _check_mark(connection, path, application, version)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(f"PRAGMA synchronous = {_SYNCHRONOUS[durability]}")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.create_function("fold", 1, fold, deterministic=True)
    connection.execute("BEGIN IMMEDIATE")  # takes the lock now, not at the first request
    if version == 0:
        _create(connection)
    connection.execute("COMMIT")
    _check_health(connection, path)


def _mark(connection: sqlite3.Connection) -> tuple[int, int]:
    [[application]] = connection.execute("PRAGMA application_id")
    [[version]] = connection.execute("PRAGMA user_version")
    return application, version


def _check_mark(connection: sqlite3.Connection, path: str, application: int, version: int) -> None:
    [[tables]] = connection.execute("SELECT count(*) FROM sqlite_schema")
    if tables and application != APPLICATION_ID:
        raise UsageError(f"{path}: this database belongs to another program; give --db another file")
    if version > SCHEMA_VERSION:
        raise UsageError(
            f"{path}: this database has schema version {version}, this agent-sim knows up to {SCHEMA_VERSION}; "
            "use the newer agent-sim that wrote it, or give --db another file"
        )
    if 0 < version < SCHEMA_VERSION:
        raise UsageError(
            f"{path}: this database has schema version {version}, from an older agent-sim; "
            f"this one needs version {SCHEMA_VERSION}: give --db another file"
        )


def _create(connection: sqlite3.Connection) -> None:
    for statement in _split(files("agent_sim.server").joinpath("schema.sql").read_text(encoding="utf-8")):
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def _split(script: str) -> Iterator[str]:
    """The statements of a script. `executescript` would commit, and half a schema must never be seen."""
    pending = ""
    for line in script.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            yield pending
            pending = ""


def _check_health(connection: sqlite3.Connection, path: str) -> None:
    [[finding]] = connection.execute("PRAGMA quick_check(1)")
    if finding != "ok":
        raise UsageError(f"{path}: this database is damaged ({finding}); restore a copy, or give --db another file")


def _check_library() -> None:
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        wanted = ".".join(map(str, OLDEST_SQLITE))
        raise UsageError(f"SQLite {wanted} or newer is needed, this Python has {sqlite3.sqlite_version}")


@contextmanager
def _explained(path: str) -> Iterator[None]:
    """Turn what SQLite says about a file into one line that names the mend."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise UsageError(f"{path}: {_SENTENCES.get(error.sqlite_errorcode & 0xFF, str(error))}") from error


_SENTENCES: Final[Mapping[int, str]] = {
    sqlite3.SQLITE_BUSY: "another process, perhaps another server, uses this database; stop it or give --db another",
    sqlite3.SQLITE_LOCKED: "another process, perhaps another server, uses this database; stop it or give --db another",
    sqlite3.SQLITE_NOTADB: "this file is not a database; give --db another file",
    sqlite3.SQLITE_CORRUPT: "this database is damaged; restore a copy, or give --db another file",
    sqlite3.SQLITE_CANTOPEN: "the database cannot be opened or created; check that the folder exists and is writable",
    sqlite3.SQLITE_READONLY: "this database is read-only; the server must be able to write to it and its folder",
    sqlite3.SQLITE_FULL: "the disk is full",
}


# --- statements -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Statement:
    sql: str
    writes: bool
    lane: str = ""  # the table that it writes
    changes: str = ""  # the same if records that are there may change, and not only come


@cache
def _statements() -> Mapping[str, _Statement]:
    text = files("agent_sim.server").joinpath("queries.sql").read_text(encoding="utf-8")
    _, *parts = text.split("-- name: ")
    pairs = (part.split("\n", 1) for part in parts)
    return {name.strip(): _statement(sql.strip()) for name, sql in pairs}


def _statement(sql: str) -> _Statement:
    if sql.startswith("SELECT"):
        return _Statement(sql, writes=False)
    found = _WRITES.match(sql)
    if found is None:
        return _Statement(sql, writes=True)
    return _Statement(sql, True, found["table"], "" if found["verb"].startswith("INSERT") else found["table"])


_WRITES: Final = re.compile(r"(?P<verb>INSERT (OR \w+ )?INTO|UPDATE|DELETE FROM) (?P<table>\w+)")
