"""The users file: who may sign in besides the two accounts that every server has, and what they may do.

It is TOML, readable by its owner only (mode 0600). A role is a list of permissions, a user has roles and a password,
which stands there as a hash that `agent-sim users add` makes:

    [roles]
    "Storm operators" = ["/agents/management/", "/certificate_stores/read/", "/certificate_stores/schedule/7/"]

    [users."DOMAIN\\\\alice"]
    roles = ["Storm operators", "Reader"]
    password = "$scrypt$ln=14,r=8,p=1$<salt>$<hash>"

Permissions are paths that imply all below them; one on certificate stores may end with a container's number. The
legacy names (`AgentManagement: Modify`) do as well. The built-in roles need no line. What permissions mean is found
in `permissions`, how a password is proven in `auth`.
"""

import difflib
import json
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from agent_sim.credentials import append_private, read_private
from agent_sim.errors import UsageError
from agent_sim.protocol.endpoints import READ_AGENTS, READ_CERTIFICATES, READ_STORES, READ_TYPES
from agent_sim.protocol.oig import READ as READ_SCHEDULER
from agent_sim.server.callers import AGENT_SESSION, EVERYTHING
from agent_sim.server.passwords import Hashed
from agent_sim.server.permissions import read_permission

_LARGEST_FILE: Final = 4 * 1024 * 1024

ADMINISTRATOR: Final = "Administrator"
AGENT: Final = "Agent"

BUILT_IN: Final[Mapping[str, frozenset[str]]] = {
    ADMINISTRATOR: EVERYTHING,
    "Operator": frozenset({"/agents/management/", "/certificate_stores/", READ_CERTIFICATES, "/scheduler/"}),
    "Reader": frozenset({READ_AGENTS, READ_STORES, READ_TYPES, READ_CERTIFICATES, READ_SCHEDULER}),
    AGENT: frozenset({AGENT_SESSION}),
}
"""Roles that are always there (our choice); a file can add others."""

_HEAD: Final = """\
# Users of the agent-sim server: `agent-sim users add NAME --role ROLE --file FILE` adds one. Keep mode 0600.
# Roles of your own go into a table, their permissions imply all below them:
#   [roles]
#   "Storm operators" = ["/agents/management/", "/certificate_stores/schedule/7/"]
"""


@dataclass(frozen=True, slots=True)
class User:
    """Somebody with a name, a password and roles."""

    name: str
    roles: tuple[str, ...]
    password: Hashed = field(repr=False)


@dataclass(frozen=True, slots=True)
class Users:
    """What a users file says: `roles` by name with their permissions, the built-in ones included."""

    users: tuple[User, ...] = ()
    roles: Mapping[str, frozenset[str]] = field(default_factory=lambda: BUILT_IN)

    def permissions(self, roles: Iterable[str]) -> frozenset[str]:
        """All that these roles permit. Raises KeyError for one that does not exist."""
        return frozenset(permission for role in roles for permission in self.roles[role])


def read_users(path: Path) -> Users:
    """The users of a file. Raises UsageError, which names the place and the mend."""
    data = read_private(path, "users file", _LARGEST_FILE)
    if data is None:
        raise UsageError(f"the users file {path} does not exist: make it with agent-sim users add NAME --file {path}")
    return _parse(path, data)


def add_user(path: Path, name: str, roles: tuple[str, ...], password: Hashed) -> None:
    """Add a user to a file, which is made if there is none. Raises UsageError and changes nothing then."""
    _check_name(path, name)
    data = read_private(path, "users file", _LARGEST_FILE)
    held = _parse(path, data or b"")
    if name in (user.name for user in held.users):
        raise UsageError(f"{path}: user {name!r} exists already: remove its table first, or take another name")
    for role in roles:
        _refuse_unknown_role(f"{path}: user {name!r}", role, held.roles)
    lines = ("" if data else _HEAD) + _table(name, roles, password)
    try:
        _parse(path, (data or b"") + b"\n" + lines.encode())
    except UsageError:
        mend = "write its users as tables [users.NAME]"
        raise UsageError(f"{path}: a table cannot be added to what the file holds: {mend}") from None
    append_private(path, lines, "users file")


def _check_name(path: Path, name: str) -> None:
    """Refuses a name that Basic authentication cannot carry."""
    if not name or not name.isprintable() or ":" in name or name != name.strip():
        mend = "must be printable, without a colon and without spaces around it"
        raise UsageError(f"{path}: the user name {name!r} {mend}")


def _table(name: str, roles: tuple[str, ...], password: Hashed) -> str:
    # JSON's way to quote printable text is also TOML's.
    quoted = (json.dumps(text, ensure_ascii=False) for text in roles)
    header = f"\n[users.{json.dumps(name, ensure_ascii=False)}]"
    return f'{header}\nroles = [{", ".join(quoted)}]\npassword = "{password}"\n'


# --- reading ----------------------------------------------------------------------------------


def _parse(path: Path, data: bytes) -> Users:
    try:
        document = tomllib.loads(data.decode())
    except UnicodeDecodeError:
        raise UsageError(f"the users file {path} is not UTF-8 text") from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise UsageError(f"the users file {path} is not TOML that can be read: {error}") from None
    for name in document:
        if name not in ("roles", "users"):
            raise UsageError(f"{path}: unknown name {name!r}: the file has the tables [roles] and [users.NAME]")
    roles = {**BUILT_IN, **_roles(path, _of_names(f"{path}: roles", document.get("roles", {})))}
    tables = _of_names(f"{path}: users", document.get("users", {}))
    return Users(tuple(_user(path, name, table, roles) for name, table in tables.items()), roles)


def _roles(path: Path, tables: Mapping[str, object]) -> dict[str, frozenset[str]]:
    roles: dict[str, frozenset[str]] = {}
    for name, listed in tables.items():
        place = f"{path}: role {name!r}"
        if name in BUILT_IN:
            raise UsageError(f"{place} is built in and cannot be changed: choose another name")
        try:
            roles[name] = frozenset(map(read_permission, _texts(place, listed, "permissions")))
        except ValueError as error:
            raise UsageError(f"{place}: {error}") from None
    return roles


def _user(path: Path, name: str, table: object, roles: Mapping[str, frozenset[str]]) -> User:
    place = f"{path}: user {name!r}"
    _check_name(path, name)
    held = _of_names(place, table)
    for key in held:
        if key not in ("roles", "password"):
            raise UsageError(f"{place}: unknown name {key!r}: a user has roles and password")
    listed = tuple(_texts(place, held.get("roles"), "roles"))
    for role in listed:
        _refuse_unknown_role(place, role, roles)
    password = held.get("password")
    try:
        if not isinstance(password, str):
            raise ValueError("is missing: run agent-sim users add, which writes one")
        return User(name, listed, Hashed.read(password))
    except ValueError as error:
        raise UsageError(f"{place}: its password {error}") from None  # it may be a real one: not repeated


def _of_names(place: str, value: object) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise UsageError(f"{place}: must be a table of names")
    return value


def _texts(place: str, value: object, what: str) -> list[str]:
    if not isinstance(value, list) or not value or not all(isinstance(text, str) for text in value):
        raise UsageError(f'{place}: {what} must be a list of one or more texts, such as ["a", "b"]')
    return value


def _refuse_unknown_role(place: str, role: str, roles: Mapping[str, object]) -> None:
    if role not in roles:
        raise UsageError(f"{place}: {unknown_role(role, roles)}")


def unknown_role(role: str, roles: Iterable[str]) -> str:
    """The sentence about a role that does not exist."""
    known = sorted(roles)
    close = difflib.get_close_matches(role, known, n=1)
    return f"unknown role {role!r}: " + (f"did you mean {close[0]}?" if close else f"known are {', '.join(known)}")
