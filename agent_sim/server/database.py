"""A database file of ours: made if it is new, refused with one sentence if it is foreign, damaged, locked or newer."""

import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.resources import files
from typing import Final

from agent_sim.errors import UsageError
from agent_sim.query.sql import fold

SCHEMA_VERSION: Final = 5
APPLICATION_ID: Final = 0x41475331  # "AGS1": tells our files from other programs'
OLDEST_SQLITE: Final = (3, 35, 0)  # RETURNING
IN_MEMORY: Final = ":memory:"

_PATIENCE_SECONDS: Final = 1.0  # a server that is just being stopped lets go within this
_STATEMENTS_KEPT: Final = 512  # compiled: ours, and those made for queries
_SYNCHRONOUS: Final = {"normal": "NORMAL", "full": "FULL"}


def connected(path: str, durability: str) -> sqlite3.Connection:
    """A connection that has the database for itself. To be called inside `explained`."""
    _check_library()
    _reserve(path)
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
    return connection


def _reserve(path: str) -> None:
    """Make a new file for its owner alone: the key of the server's authority is in there."""
    if path != IN_MEMORY:
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
def explained(path: str) -> Iterator[None]:
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
