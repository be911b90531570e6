"""What the server's core needs from outside: a place to keep things and a source of ids.

Protocols only. `server.store` holds the one real store; ids and tokens come from the shell that starts a
server (random ones) or from a replay (keyed ones).
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

Value = str | int | float | None
"""What a statement's parameter may be."""

Values = Mapping[str, Value]
Parameters = Sequence[Value]

Filling = Mapping[str, str]
"""SQL for a statement's {braces}: fixed columns and compiled conditions, never a value."""

Row = tuple[Any, ...]  # columns have the types that schema.sql gives them; `server.tables` makes values of them
"""One record as the database gives it."""


class Mint(Protocol):
    """Where new ids and session tokens come from."""

    def guid(self) -> str:
        """A GUID never given before, lower-case and hyphenated."""


class Store(Protocol):
    """A database with named statements (`queries.sql`), used by one thread at a time."""

    @property
    def dirty(self) -> bool:
        """True if there may be changes that are not committed."""

    def change(self) -> AbstractContextManager[None]:
        """Around one request: if it raises, its changes are undone and earlier uncommitted ones stay."""

    def rows(self, name: str, values: Values) -> list[Row]:
        """Run a named statement and return what it yields."""

    def run(self, name: str, values: Values) -> int:
        """Run a named statement that yields nothing; returns how many records changed."""

    def run_many(self, name: str, values: Sequence[Values]) -> None:
        """Run a named statement once for each set of values."""

    def later(self, name: str, values: Parameters) -> None:
        """Run a named statement of `put_off` before its table is asked or anything else is changed."""

    def tell(self, tables: Sequence[str], forget: Callable[[], None]) -> None:
        """Call `forget` when records of these tables change otherwise than `later`, or when changes are undone."""

    def select(self, name: str, filling: Filling, parameters: Parameters) -> list[Row]:
        """Run a named SELECT with its {braces} filled; `parameters` for its question marks, in order."""

    def count(self, name: str, filling: Filling, parameters: Parameters) -> int:
        """The one number that such a SELECT gives; remembered until anything changes."""

    def settle_some(self) -> bool:
        """Do some of what was put off, if that is much; True if there may be more."""

    def commit(self) -> None:
        """Make every change so far permanent."""

    def close(self) -> None:
        """Commit and let go of the database."""
