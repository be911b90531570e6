"""What a simulated agent finds: certificates in its stores, stores on its disks, endpoints in its network.

A store's content at its n-th inventory is a function of the agent's key, the store's path and n: nothing is kept but
what jobs themselves changed. Entries come and go at declared rates from one inventory to the next; each entry's life
is settled by one draw, so an inventory costs what the store holds and not what it ever held in between.
"""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from agent_sim.agent.certificates import POOL, Shared, shared
from agent_sim.distributions import Constant, Distribution, Uniform
from agent_sim.draws import Key, sub, unit
from agent_sim.protocol.agent import DiscoveryJob, InventoryItem, InventoryJob
from agent_sim.protocol.enums import ItemStatus

Alterations = Mapping[str, str | None]
"""What jobs did to a store: alias to the certificate that they added, or None for one that they removed."""

NO_ALTERATIONS: Final[Alterations] = {}
_BY_THUMBPRINT: Final = "PEM"
"""Stores whose entries have no names: the thumbprint stands for one (agent-protocol 4.1)."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What there is to find, for all agents of a fleet.

    `certificates` in each store at first; of them `add`, `remove` and `modify` say which share is new, gone or renewed
    from one inventory to the next. `is_full`: every item comes with its certificates and without a mark, as
    extension-style agents report; else with the marks of a delta. `found` stores by a discovery, `endpoints` by a scan.
    """

    certificates: Distribution = Constant(3)
    add: float = 0.0
    remove: float = 0.0
    modify: float = 0.0
    is_full: bool = False
    found: Distribution = Uniform(1, 3)
    endpoints: Distribution = Constant(20)


@dataclass(frozen=True, slots=True)
class Entry:
    """A certificate in a store, under its alias there."""

    alias: str
    contents: str
    thumbprint: str


# --- stores -----------------------------------------------------------------------------------


def report(
    agent: Key,
    job: InventoryJob,
    contents: Contents,
    capability: str = _BY_THUMBPRINT,
    number: int = 1,
    altered: Alterations = NO_ALTERATIONS,
) -> tuple[InventoryItem, ...]:
    """The store's whole list at its inventory of that number, against what the server believes (agent-protocol 4.1)."""
    here = entries(agent, job.store_path, contents, capability, number, altered)
    if contents.is_full:
        return tuple(InventoryItem(entry.alias, (entry.contents,), item_status=ItemStatus.UNKNOWN) for entry in here)
    believed = {item.alias.lower(): (item.alias, item.thumbprints) for item in job.inventory}
    marked = tuple(_marked(entry, believed) for entry in here)
    gone = sorted(set(believed) - {entry.alias.lower() for entry in here})
    return marked + tuple(InventoryItem(believed[alias][0], item_status=ItemStatus.REMOVED) for alias in gone)


def _marked(entry: Entry, believed: Mapping[str, tuple[str, tuple[str, ...]]]) -> InventoryItem:
    known = believed.get(entry.alias.lower())
    if known is None:
        return InventoryItem(entry.alias, (entry.contents,), item_status=ItemStatus.ADDED)
    alias, thumbprints = known
    if thumbprints and entry.thumbprint not in (one.lower() for one in thumbprints):
        return InventoryItem(alias, (entry.contents,), item_status=ItemStatus.MODIFIED)
    return InventoryItem(alias, item_status=ItemStatus.UNCHANGED)


def entries(
    agent: Key, store: str, contents: Contents, capability: str, number: int, altered: Alterations = NO_ALTERATIONS
) -> tuple[Entry, ...]:
    """What is in the store, in the order in which it came there."""
    by_thumbprint = capability == _BY_THUMBPRINT
    held: dict[str, Entry] = {}
    for slot, certificate in _slots(sub(agent, "store", store), contents, number):
        alias = certificate.thumbprint if by_thumbprint and slot < POOL else f"agent-sim-{slot}"
        held.setdefault(alias, Entry(alias, certificate.contents, certificate.thumbprint))
    for alias, added in altered.items():
        held.pop(alias, None)
        if added is not None:
            held[alias] = Entry(alias, added, alias if by_thumbprint else "")
    return tuple(held.values())


def _slots(key: Key, contents: Contents, number: int) -> Iterator[tuple[int, Shared]]:
    """Every place that was ever filled and still is, with the certificate in it at that inventory."""
    first = max(round(contents.certificates.sample(unit(key, "certificates"))), 0)
    start = int(unit(key, "first certificate") * POOL)
    slot = 0
    for born in range(1, number + 1 if contents.add else 2):
        for _ in range(first if born == 1 else _whole(first * contents.add, unit(key, "added", born))):
            age = number - born
            if age < _lasts(contents.remove, unit(key, "removed", slot)):
                renewals = _renewals(key, slot, age, contents.modify)
                yield slot, shared((start + slot + _RENEWED * renewals) % POOL)
            slot += 1


_RENEWED: Final = 101  # odd, so that 256 renewals of one entry are 256 certificates


def _lasts(share: float, draw: float) -> float:
    """How many inventories something outlives of which each ends that share."""
    if share <= 0:
        return math.inf
    return 1 if share >= 1 else 1 + math.floor(math.log1p(-draw) / math.log1p(-share))


def _renewals(key: Key, slot: int, age: int, share: float) -> int:
    """How often an entry of that age was renewed."""
    renewals = 0
    while share > 0 and (life := _lasts(share, unit(key, "renewed", slot, renewals))) <= age:
        age -= int(life)
        renewals += 1
    return renewals


def _whole(amount: float, draw: float) -> int:
    """The amount on average: its rest counts by chance."""
    return math.floor(amount) + (draw < amount - math.floor(amount))


# --- discoveries and scans --------------------------------------------------------------------


def locations(agent: Key, occurrence: int, job: DiscoveryJob | None, contents: Contents) -> tuple[str, ...]:
    """Store paths that a discovery finds, under the folders that it was told to look in."""
    count = max(round(contents.found.sample(unit(agent, "locations", occurrence))), 0)
    folders = [part.strip().rstrip("/") for part in job.dirs.split(",") if part.strip()] if job is not None else []
    endings = [part.strip().lstrip(".") for part in job.extensions.split(",") if part.strip()] if job else []
    folder, ending = (folders or ["/opt"]), (endings or ["pem"])
    return tuple(
        f"{folder[n % len(folder)]}/found/{occurrence}/store-{n}.{ending[n % len(ending)]}" for n in range(count)
    )


def scan(agent: Key, occurrence: int, contents: Contents) -> str:
    """What a look at TLS endpoints brings, as JSON (ours: the vendor's form is not public)."""
    count = max(round(contents.endpoints.sample(unit(agent, "endpoints"))), 0)
    certificates = (shared(int(unit(agent, "endpoint", n) * POOL)) for n in range(count))
    found = [
        {"Endpoint": f"10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}:443", "Thumbprint": certificate.thumbprint}
        for n, certificate in enumerate(certificates, 1)
    ]
    return json.dumps({"Scan": occurrence, "Endpoints": found}, separators=(",", ":"))
