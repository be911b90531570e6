"""tls: no secure connection comes about: the server's certificate is no good, or the handshake breaks off."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from agent_sim.faults.effects import Refuse
from agent_sim.faults.kinds import Struck

_EFFECTS: Final[Mapping[str, Refuse]] = {
    "expired": Refuse("TLS: certificate has expired"),
    "untrusted": Refuse("TLS: certificate is signed by nobody we trust"),
    "wrong_name": Refuse("TLS: certificate is for another host"),
    "handshake": Refuse("TLS: handshake failed"),
}


@dataclass(frozen=True, slots=True)
class Tls:
    """What is wrong."""

    failure: Literal["expired", "untrusted", "wrong_name", "handshake"]

    def strike(self, struck: Struck) -> tuple[Refuse, ...]:
        """Every request alike, as if it needed a new connection."""
        return (_EFFECTS[self.failure],)
