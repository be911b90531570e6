"""What a simulated agent finds in its certificate stores.

A store's content is a function of the agent's key and the store's path: nothing is kept. All entries share one real
certificate (made once, EC P-256, self-signed, its key thrown away) and differ by alias.
"""

from typing import Final

from agent_sim.distributions import Distribution
from agent_sim.draws import Key, guid, sub, unit
from agent_sim.protocol.agent import InventoryItem, InventoryJob
from agent_sim.protocol.enums import ItemStatus

SHARED_CERTIFICATE: Final = (
    "MIIBOTCB4aADAgECAgEBMAoGCCqGSM49BAMCMCcxJTAjBgNVBAMMHGFnZW50LXNpbSBzaGFyZWQgY2VydGlmaWNhdGUwHhcNMjYw"
    "MTAxMDAwMDAwWhcNNDYwMTAxMDAwMDAwWjAnMSUwIwYDVQQDDBxhZ2VudC1zaW0gc2hhcmVkIGNlcnRpZmljYXRlMFkwEwYHKoZI"
    "zj0CAQYIKoZIzj0DAQcDQgAE9nGayxoXd5RhRNYSu6g0l+WKGAt6FBtaVTkqxMW5NgcCzmlIUX84FqbweODCk8yYahgxW5DiRBz0"
    "BuTuyFISrTAKBggqhkjOPQQDAgNHADBEAiEAk5CCg8XItphWk1lkVz/8PFVvw/471NqZg2x8oPZHyN8CH0QkjEAVhKEXfNRZfpIP"
    "sbB0wB8dDshOp0lrX5yyugA="
)
"""DER in base64 without armour, as the wire wants it (agent-protocol 8.1.4)."""


def report(agent: Key, job: InventoryJob, certificates: Distribution) -> tuple[InventoryItem, ...]:
    """The full list with a delta mark on each item, against what the server believes (agent-protocol 4.1)."""
    believed = {item.alias.lower(): item.alias for item in job.inventory}
    here = _aliases(agent, job.store_path, certificates)
    found = tuple(_item(alias, believed) for alias in here)
    gone = sorted(set(believed) - set(here))
    return found + tuple(InventoryItem(believed[alias], item_status=ItemStatus.REMOVED) for alias in gone)


def _item(alias: str, believed: dict[str, str]) -> InventoryItem:
    if alias in believed:
        return InventoryItem(believed[alias], item_status=ItemStatus.UNCHANGED)
    return InventoryItem(alias, (SHARED_CERTIFICATE,), item_status=ItemStatus.ADDED)


def _aliases(agent: Key, store: str, certificates: Distribution) -> tuple[str, ...]:
    """Forty hexadecimal digits each, like the SHA-1 thumbprints that the vendor's agent uses."""
    count = max(round(certificates.sample(unit(agent, "certificates", store))), 0)
    key = sub(agent, "alias", store)
    return tuple((guid(key, n, 0) + guid(key, n, 1)).replace("-", "")[:40] for n in range(count))


def locations(agent: Key, occurrence: int) -> tuple[str, ...]:
    """Store paths that a discovery finds."""
    count = 1 + int(3 * unit(agent, "locations", occurrence))
    return tuple(f"/opt/found/{occurrence}/store-{n}.pem" for n in range(count))
