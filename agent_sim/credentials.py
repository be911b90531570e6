"""User names and passwords: where they come from, and that they are never shown.

They come from the environment or from a file that only its owner can read, never from the command line, and no
password is part of a repr, an error or a log line. Both sides of a connection read them here: the server that checks
them, the fleet and the storms that present them.
"""

import os
import stat
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from agent_sim.errors import UsageError

OPERATOR_NAMES: Final = ("AGENT_SIM_USERNAME", "AGENT_SIM_PASSWORD")
AGENT_NAMES: Final = ("AGENT_SIM_AGENT_USERNAME", "AGENT_SIM_AGENT_PASSWORD")
MQTT_NAMES: Final = ("AGENT_SIM_MQTT_USERNAME", "AGENT_SIM_MQTT_PASSWORD")
"""The variables that name a pair, in the environment and in a credential file alike."""

TOKEN_NAMES: Final = (
    *("AGENT_SIM_TOKEN_URL", "AGENT_SIM_TOKEN_SCOPES", "AGENT_SIM_TOKEN_AUDIENCE"),
    *("AGENT_SIM_CLIENT_ID", "AGENT_SIM_CLIENT_SECRET"),
    *("AGENT_SIM_AGENT_CLIENT_ID", "AGENT_SIM_AGENT_CLIENT_SECRET"),
)
"""Those of OAuth: where tokens are fetched, and by which client for the operator and for agents (see `logins`)."""

_ALL_NAMES: Final = (*OPERATOR_NAMES, *AGENT_NAMES, *MQTT_NAMES, *TOKEN_NAMES)
_LONGEST_FILE: Final = 65536


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user name, such as `operator` or `DOMAIN\\user`, and its password."""

    username: str
    password: str = field(repr=False)


def pair(names: tuple[str, str], source: Mapping[str, str], where: str) -> Credentials | None:
    """The pair that `source` holds under these names; None if it holds neither. Raises UsageError for a half."""
    username, password = (source.get(name, "") for name in names)
    if not username and not password:
        return None
    if not username or not password:
        given, missing = names if username else reversed(names)
        raise UsageError(f"{where} has {given} but not {missing}: give both, or neither")
    for name, value in zip(names, (username, password), strict=True):
        if not value.isprintable() or (":" in value and name == names[0]):
            raise UsageError(f"{name} in {where} holds a character that Basic authentication cannot carry")
    return Credentials(username, password)


def find(names: tuple[str, str], environment: Mapping[str, str], file: Path | None) -> Credentials | None:
    """The pair from the file, else from the environment. Raises UsageError."""
    held = read_file(file) if file is not None else {}
    return pair(names, held, str(file)) or pair(names, environment, "the environment")


def need(names: tuple[str, str], environment: Mapping[str, str], file: Path | None) -> Credentials:
    """The same; raises UsageError, with the mend, if there is none."""
    found = find(names, environment, file)
    if found is None:
        where = f"in {file}" if file is not None else "in the environment (or name a file with --credentials)"
        raise UsageError(f"credentials are missing: set {' and '.join(names)} {where}")
    return found


def read_file(path: Path) -> dict[str, str]:
    """NAME=value lines, `#` comments and empty lines; {} for a file that does not exist. Raises UsageError."""
    data = read_private(path, "credential file", _LONGEST_FILE)
    return {} if data is None else _parse(path, data)


def read_private(path: Path, called: str, most: int) -> bytes | None:
    """A file of secrets, of at most so many bytes; None if it does not exist. Raises UsageError.

    It must be readable by its owner only.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UsageError(f"cannot read the {called} {path}: {error.strerror}") from error
    try:
        _refuse_open_file(path, called, os.fstat(descriptor))
        with open(descriptor, "rb", closefd=False) as stream:
            data = stream.read(most + 1)
    finally:
        os.close(descriptor)
    if len(data) > most:
        raise UsageError(f"the {called} {path} is larger than {most} bytes: is it the right file?")
    return data


def _refuse_open_file(path: Path, called: str, facts: os.stat_result) -> None:
    if not stat.S_ISREG(facts.st_mode):
        raise UsageError(f"the {called} {path} is not a regular file")
    if facts.st_mode & 0o077:
        mode = stat.S_IMODE(facts.st_mode)
        raise UsageError(f"the {called} {path} has mode {mode:04o}, must be 0600: chmod 600 {path}")


def append_private(path: Path, text: str, called: str) -> None:
    """Add lines in one step: a reader sees the old file or the new one, and nobody else sees either.

    Raises UsageError.
    """
    try:
        target = path.resolve()
        old = target.read_text("utf-8") if target.exists() else ""
        descriptor, draft = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")  # made with mode 0600
        try:
            with open(descriptor, "w", encoding="utf-8") as stream:
                stream.write(old + ("\n" if old and not old.endswith("\n") else "") + text)
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(draft, target)
        except BaseException:
            with suppress(OSError):
                os.unlink(draft)
            raise
    except OSError as error:
        raise UsageError(f"cannot write the {called} {path}: {error.strerror}") from error


def _parse(path: Path, data: bytes) -> dict[str, str]:
    held: dict[str, str] = {}
    for number, line in enumerate(_lines(path, data), start=1):
        name, equals, value = (part.strip() for part in line.partition("="))
        if not name or name.startswith("#"):
            continue
        if not equals or name not in _ALL_NAMES or name in held:
            # The line itself may be a password: it is not repeated here.
            expected = ", ".join(_ALL_NAMES)
            raise UsageError(f"{path}:{number}: expected NAME=value, each name once, with NAME one of {expected}")
        held[name] = value
    return held


def _lines(path: Path, data: bytes) -> list[str]:
    try:
        return data.decode().split("\n")
    except UnicodeDecodeError:
        raise UsageError(f"the credential file {path} is not UTF-8 text") from None
