"""Who gets which certificate: the server's own authority, made when it is first needed, and what it issues.

How a request is read and a certificate signed is `server.ca`'s business. The authority is in the database, so it
survives restarts; its secret and all serial numbers come from the mint, so a replay has the same ones.
"""

from base64 import b64decode
from typing import Final

from agent_sim.instants import DAY, Instant, Span
from agent_sim.server.ca import (
    BOTH,
    CLIENT,
    SERVER,
    SLACK,
    Authority,
    Certificate,
    PublicKey,
    Wanted,
    holds,
    named,
    read_certificate,
    read_request,
    read_subject,
)
from agent_sim.server.ports import Mint, Store
from agent_sim.server.tables.certificates import Certificates
from agent_sim.server.tables.found_certificates import FoundCertificates

SERVER_LIFETIME: Final[Span] = 365 * DAY
"""Of the server's own certificate, which is made anew at each start."""


class Issuer:
    """Issues certificates valid for `lifetime`."""

    def __init__(self, store: Store, mint: Mint, lifetime: Span) -> None:
        self._mint, self._lifetime = mint, lifetime
        self._certificates = Certificates(store)
        self._collection = FoundCertificates(store)

    def authority(self, now: Instant) -> Authority:
        """The server's authority, made now if there is none yet."""
        present = self._certificates.authority()
        if present is not None:
            return present
        made = Authority.make(secret(self._mint), self._serial(), now)
        self._certificates.put_authority(made)
        return made

    def for_agent(self, csr: str, agent_id: str, machine: str, now: Instant) -> Certificate:
        """An agent's own certificate, which it goes by from now on. Raises BadRequest."""
        request = read_request(csr)
        wanted = Wanted(request.subject or named(machine), self._serial(), now - SLACK, now + self._lifetime, CLIENT)
        issued = self.authority(now).sign(request.key, wanted)
        self._certificates.add(issued, agent_id)
        self._certificates.give(agent_id, issued.thumbprint)
        return issued

    def for_store(self, csr: str, agent_id: str, audit_id: int, subject: str, now: Instant) -> Certificate:
        """A certificate for a key that an agent made in a store; listed in the collection. Raises BadRequest.

        An agent that asks again for the same key in the same run gets the one it was sent.
        """
        request = read_request(csr)
        present = self.of_run(audit_id)
        if present is not None and holds(present, request.key):
            return present
        name = request.subject or read_subject(subject)
        wanted = Wanted(name, self._serial(), now - SLACK, now + self._lifetime, BOTH)
        issued = self.authority(now).sign(request.key, wanted)
        self._certificates.add(issued, agent_id, audit_id)
        self._collection.learn([issued.contents], now)
        return issued

    def of_run(self, audit_id: int) -> Certificate | None:
        """What a re-enrolment was given last."""
        contents = self._certificates.of_run(audit_id)
        return None if contents is None else read_certificate(b64decode(contents))

    def for_server(self, key: PublicKey, hosts: tuple[str, ...], now: Instant) -> Certificate:
        """A certificate for the server itself under these names and addresses; nothing is written down."""
        wanted = Wanted(named(hosts[0]), self._serial(), now - SLACK, now + SERVER_LIFETIME, SERVER, hosts)
        return self.authority(now).sign(key, wanted)

    def _serial(self) -> int:
        return int(self._mint.guid().replace("-", ""), 16)


def secret(mint: Mint) -> bytes:
    """What a key is derived from: as hard to guess as four of the mint's GUIDs, 488 bits if they are random."""
    return "".join(mint.guid() for _ in range(4)).encode()
