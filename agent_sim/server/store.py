"""The server's database: SQLite behind the Store protocol.

One connection, one thread at a time, the file held exclusively. Statements come by name from `queries.sql`. Changes
pile up in one open transaction until `commit`; whether that is after each request or after many is the shell's
business. Statements that nobody waits for (`later`) do not go to their tables with it: they are written down, all of
one commit in one record, and many commits' run together, a part with each commit that follows, and the rest at the
latest before anybody looks at these tables or changes anything. What was written down and not run when a server died
is run when the next one opens the file.
"""

import sqlite3
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from types import TracebackType
from typing import Final

from agent_sim.server.database import IN_MEMORY, connected, explained
from agent_sim.server.ports import Filling, Parameters, Row, Values
from agent_sim.server.put_off import LARGEST, PutOff, Turn, in_turns, read_again, together, whole, written_down
from agent_sim.server.statements import Statement, statements

_COUNTS_KEPT: Final = 256
_SEEN: Final = "agent_seen"
_LAST_SEEN: Final = "last_seen"
_MOST_LATER: Final = 10_000
_MOST_BEHIND: Final = 6_000  # the more, the more of them come to one; nobody is to wait for all of them,
_IN_A_TURN: Final = 1_000  # so that they are run in turns of some milliseconds, one with each commit or more
_MOST_BYTES: Final = 1 << 20  # of them as they are written down: some bring whole logs along


class SqliteStore:
    """One database file (or `:memory:`), held exclusively. See `ports.Store` for what its methods promise."""

    def __init__(self, connection: sqlite3.Connection, *, writes_down: bool) -> None:
        self._connection = connection
        self._writes_down = writes_down  # else what was put off goes to its tables with the commit
        self._request = _Request(connection, self._begun, self._ended, self._undone)
        self._counts: dict[tuple[object, ...], int] = {}  # what was counted after so many changes
        self._counted_in = (-1, 0)
        self._seen = 0  # changes of when agents were last seen: all day long, and few counts depend on them
        self._later: list[PutOff] = []
        self._earlier = 0  # how many of them are not this request's
        self._texts: list[bytes] = []  # those, written down
        self._turns: deque[Turn] = deque()  # committed, not in their tables, and how it comes there
        self._turns_to = 0  # where the last of it is written down
        self._written_to = 0  # the same of all that is
        self._behind = self._written_down()  # committed after that, and not in their tables
        self._behind_bytes = 0
        self._committed = connection.total_changes
        self._lost = ""  # why what was changed since the last commit is gone
        self._keepers: list[tuple[frozenset[str], Callable[[], None]]] = []

    @classmethod
    def open(cls, path: str, durability: str = "normal") -> "SqliteStore":
        """Open or create a database. Raises UsageError if it is newer, foreign, corrupt, locked or unwritable."""
        with explained(path):
            connection = connected(path, durability)
            try:
                store = cls(connection, writes_down=path != IN_MEMORY)
                store.settle()  # what a server that died left behind
                store.commit()
            except BaseException:
                connection.close()
                raise
        return store

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
        statement = statements()[name]
        self._settle_before(statement)
        if statement.writes:
            self._about_to_write(statement)
        return self._connection.execute(statement.sql, values)

    def _settle_before(self, statement: Statement) -> None:
        # Before any write of a request: what it undoes must hold nothing that others put off before it.
        if statement.looks_at_records or (statement.writes and self._request.is_open):
            self.settle()

    def _about_to_write(self, statement: Statement) -> None:
        self._request.begin()
        for tables, forget in self._keepers:
            if statement.changes in tables:
                forget()

    def run_many(self, name: str, values: Sequence[Values]) -> None:
        """Run a named statement once for each set of values."""
        if not values:
            return
        statement = statements()[name]
        self._settle_before(statement)
        self._about_to_write(statement)
        before = self._connection.total_changes
        self._connection.executemany(statement.sql, values)
        if name == _SEEN:
            self._seen += self._connection.total_changes - before

    def select(self, name: str, filling: Filling, parameters: Parameters) -> list[Row]:
        """Run a named SELECT with its {braces} filled; `parameters` for its question marks, in order."""
        statement = statements()[name]
        self._settle_before(statement)
        return self._connection.execute(statement.sql.format_map(filling), parameters).fetchall()

    def count(self, name: str, filling: Filling, parameters: Parameters) -> int:
        """The one number that such a SELECT gives; remembered until anything changes."""
        self.settle()
        state = self._connection.total_changes - self._seen, self._request.undone
        if state != self._counted_in or len(self._counts) > _COUNTS_KEPT:
            self._counts, self._counted_in = {}, state
        key = (name, self._seen if any(_LAST_SEEN in text for text in filling.values()) else 0, *filling.values())
        key += tuple(parameters)
        if key not in self._counts:
            [(number,)] = self.select(name, filling, parameters)
            self._counts[key] = int(number)
        return self._counts[key]

    # --- what is run later --------------------------------------------------------------------

    def later(self, name: str, values: Parameters) -> None:
        """Run a named statement that yields nothing before its table is asked or anything else is changed."""
        self._later.append((name, values))

    def settle(self) -> None:
        """Run what was put off."""
        while self.settle_some():
            pass
        if not self._later and not self._behind:
            return
        behind, before, own = self._behind, self._later[: self._earlier], self._later[self._earlier :]
        self._behind, self._behind_bytes = [], 0
        self._nothing_later()
        with self._or_all_is_lost():
            if behind or before:
                self._request.begin_transaction()
                self._run_all([*behind, *before])
                if behind:
                    self._clear(LARGEST)
            if own:
                self._request.begin()
                self._run_all(own)

    def settle_some(self, most: int = _IN_A_TURN) -> bool:
        """Run some of what was put off and is committed, if it is more than `most`; True if there may be more."""
        if not self._turns and (len(self._behind) >= most or self._behind_bytes >= _MOST_BYTES):
            self._turns, self._turns_to = deque(in_turns(together(self._behind), _IN_A_TURN)), self._written_to
            self._behind, self._behind_bytes = [], 0
        if not self._turns:
            return False
        with self._or_all_is_lost():
            self._request.begin_transaction()
            self._run_turn(self._turns.popleft())
            if not self._turns:
                self._clear(self._turns_to)
        return True

    @contextmanager
    def _or_all_is_lost(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            self._lost = str(error)
            self._lose()
            raise

    def _run_all(self, those: Iterable[PutOff]) -> None:
        for turn in in_turns(together(those), _IN_A_TURN):
            self._run_turn(turn)

    def _run_turn(self, turn: Turn) -> None:
        for name, rows, parameters in turn:
            self._connection.execute(statements()[name].sql.format(rows=rows), parameters)

    def _clear(self, last: int) -> None:
        self._connection.execute(statements()["put_off_clear"].sql, {"last": last})

    def _written_down(self) -> list[PutOff]:
        """What is committed and not in its tables, as the file has it."""
        written = self._connection.execute(statements()["put_off_all"].sql).fetchall()
        self._written_to = written[-1][0] if written else 0
        return [one for _, text in written for one in read_again(text)]

    # --- requests and commits -----------------------------------------------------------------

    def _begun(self) -> None:
        if len(self._later) > self._earlier:
            self._note()  # what no request asked for

    def _ended(self) -> None:
        if len(self._later) > self._earlier:
            self._note()
            if self._earlier >= _MOST_LATER:
                self.settle()

    def _note(self) -> None:
        """Write down what was put off and is not written down yet, or raise if that cannot be."""
        self._texts.append(written_down(self._later[self._earlier :]))
        self._earlier = len(self._later)

    def _nothing_later(self) -> None:
        self._later, self._texts, self._earlier = [], [], 0

    def _undone(self) -> None:
        """A request failed: what it put off is not wanted any more, and what was kept in memory may not be true."""
        if len(self._later) == self._earlier and not self._request.has_begun:
            return
        del self._later[self._earlier :]
        self._forget()

    def _forget(self) -> None:
        for _, forget in self._keepers:
            forget()

    def _lose(self) -> None:
        """Nothing since the last commit lasts: it could not be written."""
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
        self._request.lost()
        self._forget()
        self._nothing_later()
        self._turns.clear()
        self._behind = self._written_down()

    def commit(self) -> None:
        """Make every change so far permanent."""
        if not self._writes_down:
            self.settle()
        if self._lost:  # by somebody before; who waits must hear it
            lost, self._lost = self._lost, ""
            self._committed = self._connection.total_changes
            raise sqlite3.OperationalError(f"changes were lost: {lost}")
        try:
            if self._later:
                self._write_down()
            if self._connection.in_transaction:
                self._connection.execute("COMMIT")
        except sqlite3.Error:
            self._lose()
            raise
        brought = len(self._later)
        self._behind += self._later
        self._nothing_later()
        self._committed = self._connection.total_changes
        for _ in range(1 + brought // _IN_A_TURN):  # as much as it brought, or what is behind would grow for ever
            self.settle_some(_MOST_BEHIND)

    def _write_down(self) -> None:
        self._begun()
        text = whole(self._texts)
        added = self._connection.execute(statements()["put_off_add"].sql, {"statements": text})
        self._written_to = added.lastrowid or 0
        self._behind_bytes += len(text)

    def close(self) -> None:
        """Commit and let go of the database."""
        self.settle()
        self.commit()
        self._connection.close()


class _Request:
    """One request's changes. Costs nothing until the first of them, as most requests are heartbeats.

    May be entered again inside itself: the inner one then is part of the outer one.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        began: Callable[[], None],
        ended: Callable[[], None],
        undo: Callable[[], None],
    ) -> None:
        self._connection = connection
        self._began, self._ended, self._undo = began, ended, undo
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
    def is_open(self) -> bool:
        """True while a request is handled."""
        return self._depth > 0

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
            self._fail()
        elif not self._depth:
            try:
                self._ended()
            except BaseException:
                self._fail()
                raise
            if self._begun:
                self._connection.execute("RELEASE request")
                self._begun = False

    def _fail(self) -> None:
        self._undo()
        if self._begun:
            self._connection.execute("ROLLBACK TO request")
            self.undone += 1
            self._connection.execute("RELEASE request")
            self._begun = False
