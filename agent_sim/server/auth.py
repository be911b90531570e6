"""Who may call: the operator's and the agents' account, users, proof of a Basic header, and pairs made for want of any.

What an account may do is `callers.Caller`'s business, how a credential file is read that of `agent_sim.credentials`,
a users file that of `users`; tokens are judged in `bearer`. Nothing here knows HTTP beyond the text of the
`Authorization` header.
"""

import base64
import binascii
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Final

from agent_sim.credentials import AGENT_NAMES, OPERATOR_NAMES, Credentials, append_private, pair, read_file
from agent_sim.errors import UsageError
from agent_sim.server.callers import Caller
from agent_sim.server.passwords import SALT_BYTES, Hashed
from agent_sim.server.users import ADMINISTRATOR, AGENT, Users

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
    roles: tuple[str, ...]
    password: Hashed = field(repr=False)


class Accounts:
    """Checks `Authorization` headers: slowly once (`verify`), from memory after that (`recall`).

    Passwords are kept as scrypt hashes; headers already judged are remembered as hashes keyed by a secret of this
    process, because hashing costs more than answering a poll. Raises UsageError if a user has the name of one of the
    two accounts.
    """

    def __init__(self, operator: Credentials, agent: Credentials, users: Users | None = None) -> None:
        self.users = users or Users()
        self._operator = operator.username
        self._accounts = {
            agent.username: self._account(agent.username, (AGENT,), _hashed(agent.password)),
            # Last, so that one pair given for both may do everything.
            operator.username: self._account(operator.username, (ADMINISTRATOR,), _hashed(operator.password)),
        }
        for user in self.users.users:
            if user.name in (operator.username, agent.username):
                raise UsageError(f"the users file has a user {user.name!r}, as a built-in account is called: rename it")
            self._accounts[user.name] = self._account(user.name, user.roles, user.password)
        self._nobody = self._account("", (), _hashed(secrets.token_hex()))
        self._key = secrets.token_bytes(32)
        self._accepted: dict[bytes, Verdict] = {}
        self._refused: dict[bytes, Verdict] = {}

    @property
    def operator(self) -> Caller:
        """The operator's account, for whom a link signs in."""
        return self._accounts[self._operator].caller

    def _account(self, name: str, roles: tuple[str, ...], password: Hashed) -> _Account:
        return _Account(Caller(name, self.users.permissions(roles)), roles, password)

    def roles(self, name: str) -> tuple[str, ...]:
        """The roles of an account; none if there is no such account."""
        return self._accounts.get(name, self._nobody).roles

    def known(self, name: str) -> Caller | None:
        """The account of that name, for somebody whom another has authenticated; None if there is no such account."""
        account = self._accounts.get(name)
        return None if account is None else account.caller

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
        proven = account.password.fits(given.password)
        return Verdict(account.caller if proven and account is not self._nobody else None)

    def _digest(self, header: str) -> bytes:
        return blake2b(header.encode("utf-8", "surrogateescape"), key=self._key, digest_size=32).digest()


def basic(given: Credentials) -> str:
    """The header that `read_basic` reads."""
    return "Basic " + base64.b64encode(f"{given.username}:{given.password}".encode()).decode()


def _hashed(password: str) -> Hashed:
    return Hashed.of(password, secrets.token_bytes(SALT_BYTES))


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
        append_private(file, "\n".join(lines) + "\n", "credential file")
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
