"""Certificates that inventories and re-enrolments brought, in and out of the table `certificate`.

What stands in them is read once, when they come; one that cannot be read is kept with its thumbprint alone.
"""

import hashlib
from base64 import b64decode
from collections.abc import Iterable
from functools import lru_cache

from cryptography import x509
from cryptography.x509.oid import NameOID

from agent_sim.instants import NEVER, Instant, from_datetime
from agent_sim.protocol.store_commands import CertificateLocation, CertificateRecord
from agent_sim.server.ports import Row, Store, Values
from agent_sim.server.tables.columns import array


class FoundCertificates:
    """The table `certificate`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def learn(self, contents: Iterable[str], at: Instant) -> None:
        """Keep certificates (base64 DER, which must be base64); those that are known already stay as they are."""
        rows = [{**_read(text), "import_date": at} for text in contents]
        self._store.run_many("certificate_learn", rows)

    def by_id(self, certificate_id: int) -> CertificateRecord | None:
        rows = self._store.rows("certificate_record", {"id": certificate_id})
        return certificate_record(rows[0]) if rows else None

    def by_thumbprints(self, thumbprints: Iterable[str]) -> dict[str, CertificateRecord]:
        rows = self._store.rows("certificates_of", {"thumbprints": array(sorted(set(thumbprints)))})
        return {record.thumbprint: record for record in map(certificate_record, rows)}

    def locations(self, thumbprint: str) -> tuple[CertificateLocation, ...]:
        """The stores that it is in."""
        rows = self._store.rows("certificate_locations", {"thumbprint": thumbprint})
        return tuple(CertificateLocation(*row) for row in rows)


def certificate_record(row: Row) -> CertificateRecord:
    """A certificate from the columns that `certificate_page` yields."""
    id_, thumbprint, serial, issued, common, issuer, contents, imported, before, after, algorithm = row
    return CertificateRecord(
        id_, thumbprint, serial, issued, common, issuer, contents, imported, before, after, algorithm
    )


@lru_cache(maxsize=1024)
def _read(contents: str) -> Values:
    text = "".join(contents.split())
    der = b64decode(text, validate=True)
    known: Values = {"thumbprint": hashlib.sha1(der, usedforsecurity=False).hexdigest(), "contents": text}
    return {**_NOTHING, **known, **_facts(der)}


_NOTHING: Values = {
    **dict.fromkeys(("issued_dn", "issuer_dn", "issued_cn", "serial_number", "signing_algorithm"), ""),
    **dict.fromkeys(("not_before", "not_after")),
}


def _facts(der: bytes) -> Values:
    try:
        found = x509.load_der_x509_certificate(der)
        common = found.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        return {
            "issued_dn": found.subject.rfc4514_string(),
            "issuer_dn": found.issuer.rfc4514_string(),
            "issued_cn": str(common[0].value) if common else "",
            "serial_number": f"{found.serial_number:02X}",
            "not_before": _kept(from_datetime(found.not_valid_before_utc)),
            "not_after": _kept(from_datetime(found.not_valid_after_utc)),
            "signing_algorithm": found.signature_algorithm_oid._name,
        }
    except (ValueError, x509.UnsupportedGeneralNameType):
        return {}


def _kept(at: Instant) -> Instant | None:
    """A time that 64 bits of nanoseconds hold: a certificate without an end is valid until the year 9999."""
    return at if abs(at) < NEVER else None
