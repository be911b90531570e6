"""The folder a run leaves: `runs/<time>-<scenario>/`, and the journal in it."""

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TextIO

from agent_sim.errors import UsageError
from agent_sim.results.journal import Line
from agent_sim.results.journal_text import encode


class RunFolder:
    """Where one run's files go."""

    def __init__(self, parent: Path, scenario: str) -> None:
        """Make the folder; a number is added if another run made the same one this second. Raises UsageError."""
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        for suffix in ("", *(f"-{n}" for n in range(2, 100))):
            self.path = parent / f"{stamp}-{scenario}{suffix}"
            try:
                self.path.mkdir(parents=True)
                return
            except FileExistsError:
                continue
            except OSError as error:
                raise UsageError(f"{self.path}: the run's folder cannot be made ({error.strerror})") from error
        raise UsageError(f"{self.path}: too many runs in one second")

    def write(self, name: str, text: str) -> Path:
        """Write a whole file."""
        path = self.path / name
        path.write_text(text, encoding="utf-8")
        return path


class JournalFile:
    """The journal as a file, flushed by whoever needs it to be there."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w", encoding="utf-8", newline="\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def write(self, line: Line) -> None:
        """Append one line."""
        self._file.write(encode(line) + "\n")

    def flush(self) -> None:
        """Hand what was written to the operating system."""
        self._file.flush()


_MOST: Final = 4 * 1024**3
_LONGEST: Final = 256 * 1024**2
"""Bytes of a journal and characters of one line of it: more than any run of ours writes (our choice)."""


@contextmanager
def given_journal(path: Path) -> Iterator[Iterator[str]]:
    """The lines of a journal that somebody names, none of them read before it is asked for.

    Raises UsageError for what is none: also for what would never end, or not fit into memory.
    """
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise UsageError(f"{path}: must be a file or the folder of a run, is {_kind(found.st_mode)}")
        if found.st_size == 0:
            raise UsageError(f"{path}: the journal is empty: the run that wrote it was killed before it began")
        if found.st_size > _MOST:
            raise UsageError(f"{path}: has {found.st_size / 1024**3:,.1f} GiB, a journal at most {_MOST >> 30}")
        with path.open(encoding="utf-8") as file:
            yield _lines(path, file)
    except OSError as error:
        raise UsageError(f"{path}: the journal cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: the journal is not UTF-8 text") from error


def _lines(path: Path, file: TextIO) -> Iterator[str]:
    number = 0
    while line := file.readline(_LONGEST):
        number += 1
        if len(line) == _LONGEST:
            raise UsageError(f"{path}: line {number} is longer than any of a journal")
        yield line


def _kind(mode: int) -> str:
    return next((name for is_one, name in _KINDS if is_one(mode)), "none of these")


_KINDS: Final = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
