"""Whose a client certificate is, and whom it lets in when nothing else does.

That its sender has the key was proven before: to TLS, or to the proxy whose header is believed. What an agent with a
certificate may do is `registration`'s and `agent_requests`' business.
"""

from dataclasses import replace

from agent_sim.instants import Instant
from agent_sim.server.ca import Certificate, read_certificate
from agent_sim.server.callers import AGENT_SESSION, Caller, Shown
from agent_sim.server.ports import Store
from agent_sim.server.tables.certificates import Certificates
from agent_sim.settings import ServerSettings


class Identities:
    """Turns certificates into callers."""

    def __init__(self, store: Store, settings: ServerSettings) -> None:
        self._settings = settings
        self._certificates = Certificates(store)

    def with_certificate(self, der: bytes, account: Caller | None, now: Instant) -> Caller | None:
        """The caller that an account, if any, and a certificate are together; None if they prove nobody.

        A password is proof enough, so beside one the certificate is only noted. Alone, it must be within its time
        and one that an agent goes by; by setting also one that we did not issue, which then names its subject.
        """
        try:
            certificate = read_certificate(der)
        except ValueError:
            return account
        holder = self._certificates.holder(certificate.thumbprint, certificate.contents)
        is_current = holder is None or holder.is_current
        shown = Shown(certificate.thumbprint, holder.agent_id if holder else None, certificate.not_after, is_current)
        if account is not None:
            return replace(account, shown=shown)
        if not certificate.not_before <= now < certificate.not_after:
            return None
        if holder is not None:
            revoked = self._settings.revoke_old_certificate and not holder.is_current
            return None if revoked else Caller(holder.username, frozenset({AGENT_SESSION}), shown)
        return self._stranger(certificate, shown)

    def _stranger(self, certificate: Certificate, shown: Shown) -> Caller | None:
        ours = (
            self._certificates.expiry(certificate.thumbprint) is not None
        )  # of a store, or of an agent that was reset
        if ours or not self._settings.accept_bootstrap_certificates or not certificate.subject:
            return None
        return Caller(certificate.subject, frozenset({AGENT_SESSION}), shown)
