"""The folder a run leaves: `runs/<time>-<scenario>/`, and the journal in it."""

from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from agent_sim.errors import UsageError
from agent_sim.results.journal import Line, encode


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
