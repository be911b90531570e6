"""The server's own authority and what it issued, in and out of the tables `authority` and `issued_certificate`.

Not here: which certificate an agent goes by (columns of `agent`), and the collection of certificates that the
management API lists (`tables.found_certificates`).
"""

from dataclasses import dataclass

from agent_sim.instants import Instant
from agent_sim.server.ca import Authority, Certificate
from agent_sim.server.ports import Store, Values


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose a certificate of ours is; `is_current` is false for the one that a renewal replaced."""

    agent_id: str
    username: str
    is_current: bool
    not_after: Instant


class Certificates:
    """The tables `authority` and `issued_certificate`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def authority(self) -> Authority | None:
        rows = self._store.rows("authority", {})
        return Authority.load(*rows[0]) if rows else None

    def put_authority(self, authority: Authority) -> None:
        columns: Values = {"key": authority.key_text, "contents": authority.described.contents}
        self._store.run("authority_put", columns)

    def add(self, certificate: Certificate, agent_id: str, audit_id: int | None = None) -> None:
        """Write down what was issued: for an agent itself, or by a re-enrolment run for a store of it."""
        columns: Values = {
            "serial_number": certificate.serial_number,
            "thumbprint": certificate.thumbprint,
            "agent_id": agent_id,
            "audit_id": audit_id,
            "not_after": certificate.not_after,
            "contents": certificate.contents,
        }
        self._store.run("issued_add", columns)

    def of_run(self, audit_id: int) -> str | None:
        """The contents of what was issued last in this run."""
        rows = self._store.rows("issued_in_run", {"audit_id": audit_id})
        return str(rows[0][0]) if rows else None

    def holder(self, thumbprint: str, contents: str) -> Holder | None:
        """The agent that goes by this very certificate, or did until its last renewal."""
        rows = self._store.rows("issued_holder", {"thumbprint": thumbprint, "contents": contents})
        if not rows:
            return None
        agent_id, username, is_current, not_after = rows[0]
        return Holder(agent_id, username, bool(is_current), not_after)

    def expiry(self, thumbprint: str) -> Instant | None:
        """When the certificate of ours with this thumbprint ends."""
        rows = self._store.rows("issued_expiry", {"thumbprint": thumbprint})
        return int(rows[0][0]) if rows else None

    # --- what agents go by --------------------------------------------------------------------

    def give(self, agent_id: str, thumbprint: str) -> None:
        """This is the agent's certificate now; the one before becomes its legacy, and nothing more is asked of it."""
        self._store.run("agent_certificate", {"agent_id": agent_id, "thumbprint": thumbprint})

    def used(self, agent_id: str, thumbprint: str) -> None:
        """The agent came with this certificate."""
        self._store.run("agent_thumbprint_used", {"agent_id": agent_id, "thumbprint": thumbprint})
