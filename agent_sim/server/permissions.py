"""Who may do what to jobs, as one table; permissions limited to containers; and what permissions are called.

A permission is a path that implies all below it, `/agents/` for one; behind a permission on certificate stores may
stand a container's number, which limits it to the stores in there. Who holds what is found in `callers` and `users`;
what an endpoint asks for before anything else, in `protocol.endpoints` and `gate`. Source: command-api 2.6, the seeds.
"""

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from agent_sim.protocol import oig
from agent_sim.protocol.endpoints import (
    BY_OPERATION,
    MODIFY_AGENTS,
    MODIFY_STORES,
    READ_AGENTS,
    READ_STORES,
    SCHEDULE_STORES,
)
from agent_sim.protocol.enums import Category
from agent_sim.server.callers import AGENT_SESSION, EVERYTHING, Caller

# --- what each kind of job asks for -----------------------------------------------------------


class Deed(Enum):
    """What can be done to a job."""

    SCHEDULE = "schedule"
    RESCHEDULE = "reschedule"
    UNSCHEDULE = "unschedule"
    ACKNOWLEDGE = "acknowledge"


@dataclass(frozen=True, slots=True)
class Need:
    """All of `everywhere`, and all of `at_store` globally or for the container of the job's store."""

    everywhere: tuple[str, ...] = ()
    at_store: tuple[str, ...] = ()


_MODIFY: Final = Need((MODIFY_AGENTS,))
_AT_STORE: Final = Need((), (SCHEDULE_STORES,))
_MODIFY_AT_STORE: Final = Need((MODIFY_AGENTS,), (SCHEDULE_STORES,))

_STORE_JOB: Final[Mapping[Deed, Need]] = {
    Deed.SCHEDULE: _AT_STORE,  # command-api 9 names no permission; it is the one that their storms need
    Deed.RESCHEDULE: _MODIFY_AT_STORE,  # seed
    Deed.UNSCHEDULE: _MODIFY_AT_STORE,  # seed
    Deed.ACKNOWLEDGE: _MODIFY,  # documented
}
_AGENT_JOB: Final[Mapping[Deed, Need]] = dict.fromkeys(Deed, _MODIFY)

NEEDS: Final[Mapping[Category, Mapping[Deed, Need]]] = {
    Category.MANAGEMENT: _STORE_JOB,  # the kind that the seeds speak of; the other rows are inferred
    Category.INVENTORY: _STORE_JOB,
    Category.REENROLLMENT: _STORE_JOB,
    Category.DISCOVERY: _STORE_JOB,  # it looks for stores, so it has none itself: this asks for the global permission
    Category.CUSTOM: _AGENT_JOB,
    Category.FETCH_LOGS: _AGENT_JOB,
    Category.SSL_DISCOVERY: _AGENT_JOB,
    Category.MONITORING: _AGENT_JOB,
    Category.SYNC: _AGENT_JOB,
    Category.SSH_SYNC: _AGENT_JOB,
}


def may_do(caller: Caller, deed: Deed, category: Category, container_id: int | None) -> bool:
    """True if the caller may do this to a job of this kind, whose store is in this container (None: in none)."""
    need = NEEDS[category][deed]
    return all(map(caller.may, need.everywhere)) and all(
        may_at(caller, permission, container_id) for permission in need.at_store
    )


# --- containers -------------------------------------------------------------------------------


def may_at(caller: Caller, permission: str, container_id: int | None) -> bool:
    """True if a permission is held globally or for this container; a store outside any takes the global one."""
    if caller.may(permission):
        return True
    return container_id is not None and caller.may(in_container(permission, container_id))


def in_container(permission: str, container_id: int) -> str:
    """`/certificate_stores/schedule/7/`."""
    return f"{permission}{container_id}/"


def containers(caller: Caller, permission: str) -> frozenset[int] | None:
    """The containers for which a permission is held; None if it is held globally, which means all stores."""
    if caller.may(permission):
        return None
    below = (held.removeprefix(permission) for held in caller.permissions if held.startswith(permission))
    return frozenset(int(rest.rstrip("/")) for rest in below if _NUMBER.fullmatch(rest))


_NUMBER: Final = re.compile(r"(0|[1-9][0-9]{0,17})/")


def narrowed(caller: Caller, permission: str, column: str = "container_id") -> str:
    """The same as an SQL condition on a fixed column: true, false, or one of these containers."""
    held = containers(caller, permission)
    if held is None:
        return "1"
    return f"{column} IN ({', '.join(map(str, sorted(held)))})" if held else "0"


# --- what permissions are called --------------------------------------------------------------

OF_STORES: Final = (READ_STORES, MODIFY_STORES, SCHEDULE_STORES)
"""Those that may be limited to a container."""

LEGACY: Final[Mapping[str, str]] = {  # names up to version 10; the first three are documented, the others analogous
    "AgentManagement: Read": READ_AGENTS,
    "AgentManagement: Modify": MODIFY_AGENTS,
    "CertificateStoreManagement: Schedule": SCHEDULE_STORES,
    "CertificateStoreManagement: Read": READ_STORES,
    "CertificateStoreManagement: Modify": MODIFY_STORES,
}

_LEGACY: Final = {re.sub(r"\s", "", name).lower(): permission for name, permission in LEGACY.items()}


def _and_above(permissions: Iterable[str]) -> frozenset[str]:
    return frozenset(
        permission[: place + 1] for permission in permissions for place, sign in enumerate(permission) if sign == "/"
    )


KNOWN: Final = _and_above(
    {
        AGENT_SESSION,
        oig.READ,
        oig.MODIFY,
        *OF_STORES,
        *(permission for row in BY_OPERATION.values() for permission in row.permissions),
    }
)
"""Every permission that means something here, and those above them."""


def read_permission(text: str) -> str:
    """A permission as the server compares it, from a path in any case or a legacy name.

    Raises ValueError with a sentence for one that would mean nothing here.
    """
    folded = re.sub(r"\s", "", text).lower()
    if folded in _LEGACY:
        return _LEGACY[folded]
    path = folded if folded.endswith("/") else f"{folded}/"
    if folded in KNOWN or (folded and path in KNOWN) or _of_container(path):
        return path
    close = difflib.get_close_matches(path, sorted(KNOWN - EVERYTHING), n=1)  # nobody is lured into holding all
    hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(sorted(KNOWN))}"
    raise ValueError(f"{text!r} is no permission that this server knows: {hint}")


def _of_container(path: str) -> bool:
    return any(_NUMBER.fullmatch(path.removeprefix(permission)) for permission in OF_STORES)
