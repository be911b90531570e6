"""Who may call: the operator's and the agents' account, proof of a Basic header, and pairs made for want of any.

Two accounts and no more; what they may do is `callers.Caller`'s business, how a credential file is read that of
`agent_sim.credentials`. Nothing here knows HTTP beyond the text of the `Authorization` header.
"""

import base64
import binascii
import hashlib
import hmac
import os
import secrets
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from agent_sim.credentials import AGENT_NAMES, OPERATOR_NAMES, Credentials, pair, read_file
from agent_sim.errors import UsageError
from agent_sim.server.callers import AGENT_SESSION, EVERYTHING, Caller

_REMEMBERED: Final = 1024


@dataclass(frozen=True, slots=True)
class Pairs:
    """The two accounts. `generated` are the lines that somebody must be shown once, usually none."""

    operator: Credentials
    agent: Credentials
    generated: tuple[str, ...] = field(default=(), repr=False)


# --- proof ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whom a header proves; None if nobody."""

    caller: Caller | None


@dataclass(frozen=True, slots=True)
class _Account:
    caller: Caller
    salt: bytes = field(repr=False)
    hashed: bytes = field(repr=False)


class Accounts:
    """Checks `Authorization` headers: slowly once (`verify`), from memory after that (`recall`).

    Passwords are kept as scrypt hashes; headers already judged are remembered as HMACs under a key of this
    process, because hashing costs more than answering a poll.
    """

    def __init__(self, operator: Credentials, agent: Credentials) -> None:
        self._accounts = {
            agent.username: _account(agent, frozenset({AGENT_SESSION})),
            # Last, so that one pair given for both may do everything.
            operator.username: _account(operator, EVERYTHING),
        }
        self._nobody = _account(Credentials("", secrets.token_hex()), frozenset())
        self._key = secrets.token_bytes(32)
        self._accepted: dict[bytes, Verdict] = {}
        self._refused: dict[bytes, Verdict] = {}

    def recall(self, header: str) -> Verdict | None:
        """What `verify` said about this header before; None if it was never asked or has forgotten."""
        digest = self._digest(header)
        return self._accepted.get(digest) or self._refused.get(digest)

    def verify(self, header: str) -> Verdict:
        """Judge a header by its password; takes tens of milliseconds, for unknown users too."""
        verdict = self._judge(header)
        remembered = self._accepted if verdict.caller else self._refused
        while len(remembered) >= _REMEMBERED:
            del remembered[next(iter(remembered))]
        remembered[self._digest(header)] = verdict
        return verdict

    def _judge(self, header: str) -> Verdict:
        given = read_basic(header)
        if given is None:
            return Verdict(None)
        account = self._accounts.get(given.username, self._nobody)
        proven = hmac.compare_digest(_hash(given.password, account.salt), account.hashed)
        return Verdict(account.caller if proven and account is not self._nobody else None)

    def _digest(self, header: str) -> bytes:
        return hmac.digest(self._key, header.encode("utf-8", "surrogateescape"), "sha256")


def read_basic(header: str) -> Credentials | None:
    """The user and password of a Basic header, in UTF-8 or else Latin-1; None for anything else."""
    scheme, _, encoded = header.strip().partition(" ")
    try:
        data = base64.b64decode(encoded.strip(), validate=True)
    except (binascii.Error, ValueError):
        return None
    username, colon, password = _text(data).partition(":")
    return Credentials(username, password) if scheme.lower() == "basic" and colon else None


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")  # what some client libraries send for "ü"


def _account(given: Credentials, permissions: frozenset[str]) -> _Account:
    salt = secrets.token_bytes(16)
    return _Account(Caller(given.username, permissions), salt, _hash(given.password, salt))


def _hash(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=2**14, r=8, p=1, dklen=32)


# --- where the pairs come from ----------------------------------------------------------------


def find_pairs(environment: Mapping[str, str], file: Path | None, *, terminal: bool) -> Pairs:
    """Take both pairs from the file, else the environment; generate what neither holds.

    With a file, a generated pair is written into it. Without one it can only be shown, which takes a terminal.
    Raises UsageError.
    """
    held = read_file(file) if file else {}
    operator = pair(OPERATOR_NAMES, held, str(file)) or pair(OPERATOR_NAMES, environment, "the environment")
    agent = pair(AGENT_NAMES, held, str(file)) or pair(AGENT_NAMES, environment, "the environment")
    made: dict[str, str] = {}
    operator = operator or _generate(OPERATOR_NAMES, "operator", made)
    agent = agent or _generate(AGENT_NAMES, "agent", made)
    _refuse_clash(operator, agent)
    lines = tuple(f"{name}={value}" for name, value in made.items())
    if lines and file:
        _append(file, lines)
    elif lines and not terminal:
        raise UsageError(_NO_CREDENTIALS.format(names=" and ".join(made)))
    return Pairs(operator, agent, () if file else lines)


_NO_CREDENTIALS: Final = (
    "no credentials: set {names} in the environment, or name a file with --credentials FILE (what it lacks is"
    " generated into it); a generated password is shown on a terminal only, and standard error is not one"
)


def _generate(names: tuple[str, str], username: str, made: dict[str, str]) -> Credentials:
    password = secrets.token_urlsafe(24)
    made |= zip(names, (username, password), strict=True)
    return Credentials(username, password)


def _refuse_clash(operator: Credentials, agent: Credentials) -> None:
    if operator.username == agent.username and operator.password != agent.password:
        raise UsageError(
            f"{OPERATOR_NAMES[0]} and {AGENT_NAMES[0]} are both {operator.username!r} with different passwords:"
            " give the accounts different names"
        )


def _append(path: Path, lines: tuple[str, ...]) -> None:
    """Add lines in one step: a reader sees the old file or the new one, and nobody else sees either."""
    try:
        target = path.resolve()
        old = target.read_text("utf-8") if target.exists() else ""
        descriptor, draft = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")  # made with mode 0600
        try:
            with open(descriptor, "w", encoding="utf-8") as stream:
                stream.write(old + ("\n" if old and not old.endswith("\n") else "") + "\n".join(lines) + "\n")
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(draft, target)
        except BaseException:
            with suppress(OSError):
                os.unlink(draft)
            raise
    except OSError as error:
        raise UsageError(f"cannot write the credential file {path}: {error.strerror}") from error
