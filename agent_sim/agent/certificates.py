"""Real certificates for simulated stores: made once, when first needed, and shared by all agents of a process.

EC P-256 with keys derived from draws and deterministic signatures (RFC 6979), so every process and every replay has
the same bytes. Also the keys and requests of re-enrolments: an agent that asks for RSA keys would need 40 ms for each
and other bytes every time, so it makes a key on P-256 whatever kind it is asked for (our choice). The keys guard
nothing: whoever has the scenario can make them again.
"""

import hashlib
from base64 import b64encode
from dataclasses import dataclass
from functools import cache
from typing import Final

from agent_sim.draws import Key, key, sub

POOL: Final = 256
"""How many different ones there are; a larger store holds some more than once, under different aliases."""

_ROOT: Final = key("agent-sim", "shared certificates")


@dataclass(frozen=True, slots=True)
class Shared:
    """DER in base64 without armour, as the wire wants it (agent-protocol 8.1.4), and SHA-1 as vendors name it."""

    contents: str
    thumbprint: str


def of_contents(contents: bytes) -> Shared:
    """A certificate by its DER."""
    thumbprint = hashlib.sha1(contents, usedforsecurity=False).hexdigest()
    return Shared(b64encode(contents).decode("ascii"), thumbprint)


@cache
def shared(number: int) -> Shared:
    """One of POOL self-signed certificates."""
    from agent_sim.agent import signing

    return of_contents(signing.self_signed(sub(_ROOT, number), number))


def request(parent: Key, subject: str) -> str:
    """A PKCS#10 request for a key of its own, DER in base64: `subject` as in `CN=web01,O=Test`."""
    from agent_sim.agent import signing

    return signing.request(parent, subject)
