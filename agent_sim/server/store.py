"""The server's database: SQLite behind the Store protocol, and the only module that knows it is SQLite.

One connection, one thread at a time, the file held exclusively. Statements come by name from `queries.sql`. Changes
pile up in one open transaction until `commit`; whether that is after each request or after many is the shell's
business.
"""

import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
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
_SYNCHRONOUS: Final = {"normal": "NORMAL", "full": "FULL"}


class SqliteStore:
    """One database file (or `:memory:`), held exclusively. See `ports.Store` for what its methods promise."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._request = _Request(connection)
        self._committed = connection.total_changes
        self._counts: dict[tuple[Value, ...], int] = {}  # what was counted after so many changes
        self._counted_in = (-1, 0)

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
        return self._connection.total_changes != self._committed

    def change(self) -> AbstractContextManager[None]:
        """Around one request: if it raises, its changes are undone and earlier uncommitted ones stay."""
        return self._request

    def rows(self, name: str, values: Values) -> list[Row]:
        """Run a named statement and return what it yields."""
        return self._execute(name, values).fetchall()

    def run(self, name: str, values: Values) -> int:
        """Run a named statement that yields nothing; returns how many records changed."""
        return self._execute(name, values).rowcount

    def _execute(self, name: str, values: Values) -> sqlite3.Cursor:
        statement = _statements()[name]
        if statement.writes:
            self._request.begin()
        return self._connection.execute(statement.sql, values)

    def run_many(self, name: str, values: Sequence[Values]) -> None:
        """Run a named statement once for each set of values."""
        if not values:
            return
        self._request.begin()
        self._connection.executemany(_statements()[name].sql, values)

    def select(self, name: str, filling: Filling, parameters: Parameters) -> list[Row]:
        """Run a named SELECT with its {braces} filled; `parameters` for its question marks, in order."""
        return self._connection.execute(_statements()[name].sql.format_map(filling), parameters).fetchall()

    def count(self, name: str, filling: Filling, parameters: Parameters) -> int:
        """The one number that such a SELECT gives; remembered until anything changes."""
        state = self._connection.total_changes, self._request.undone
        if state != self._counted_in or len(self._counts) > _COUNTS_KEPT:
            self._counts, self._counted_in = {}, state
        key = (name, *filling.values(), *parameters)
        if key not in self._counts:
            [(number,)] = self.select(name, filling, parameters)
            self._counts[key] = int(number)
        return self._counts[key]

    def commit(self) -> None:
        """Make every change so far permanent."""
        if self._connection.in_transaction:
            self._connection.execute("COMMIT")
        self._committed = self._connection.total_changes

    def close(self) -> None:
        """Commit and let go of the database."""
        self.commit()
        self._connection.close()


class _Request:
    """One request's changes. Costs nothing until the first of them, as most requests are heartbeats.

    May be entered again inside itself: the inner one then is part of the outer one.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._depth = 0
        self._begun = False
        self.undone = 0  # how often changes were

    def __enter__(self) -> None:
        self._depth += 1

    def begin(self) -> None:
        """A change is about to be made."""
        if not self._connection.in_transaction:
            self._connection.execute("BEGIN IMMEDIATE")
        if self._depth and not self._begun:
            self._connection.execute("SAVEPOINT request")
            self._begun = True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._depth -= 1
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


@cache
def _statements() -> Mapping[str, _Statement]:
    text = files("agent_sim.server").joinpath("queries.sql").read_text(encoding="utf-8")
    _, *parts = text.split("-- name: ")
    pairs = (part.split("\n", 1) for part in parts)
    return {name.strip(): _Statement(sql.strip(), not sql.startswith("SELECT")) for name, sql in pairs}
