"""What `serve` is told about TLS, checked and turned into what it listens with.

Files on one side, the server's own authority on the other; contexts are made in `server.http.tls`.
"""

import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import typer

from agent_sim.errors import UsageError
from agent_sim.instants import Instant
from agent_sim.server.ca import certificate_pem, key_pem, private_key
from agent_sim.server.http.tls import read_pem, server_context
from agent_sim.server.issuing import Issuer, secret
from agent_sim.server.ports import Mint
from agent_sim.server.store import SqliteStore
from agent_sim.settings import ServerSettings

OWN: Final = "own"
"""Instead of a file: the server's own authority."""

_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
_ANYWHERE: Final = ("0.0.0.0", "::")


@dataclass(frozen=True, slots=True)
class TlsOptions:
    """The options as given."""

    certificate: Path | None = None
    key: Path | None = None
    is_self_made: bool = False
    client_ca: str | None = None
    clients_required: bool = False
    ca_file: Path | None = None

    @property
    def is_on(self) -> bool:
        return self.is_self_made or self.certificate is not None

    @property
    def needs_authority(self) -> bool:
        """True if somebody will want to trust the server's own authority."""
        return self.is_self_made or self.client_ca == OWN or self.ca_file is not None

    def check(self) -> None:
        """Raises UsageError for options that do not go together."""
        if (self.certificate is None) != (self.key is None):
            raise UsageError("--tls-cert and --tls-key belong together: give both")
        if self.is_self_made and self.certificate is not None:
            raise UsageError("--tls self makes a certificate: leave it out, or leave --tls-cert and --tls-key out")
        if self.client_ca is not None and not self.is_on:
            raise UsageError("--client-ca needs TLS: add --tls self, or --tls-cert and --tls-key")
        if self.clients_required and self.client_ca is None:
            raise UsageError("--client-auth required needs --client-ca: say whose certificates are taken")


@contextmanager
def listening(
    options: TlsOptions, store: SqliteStore, settings: ServerSettings, mint: Mint, host: str, db: str, now: Instant
) -> Iterator[ssl.SSLContext | None]:
    """What to listen with; None for plain HTTP. The authority's certificate is a file inside. Raises UsageError."""
    options.check()
    issuer = Issuer(store, mint, settings.certificate_lifetime)
    with _authority_file(options, store, issuer, db, now):
        yield _context(options, issuer, mint, host, now) if options.is_on else None


@contextmanager
def _authority_file(options: TlsOptions, store: SqliteStore, issuer: Issuer, db: str, now: Instant) -> Iterator[None]:
    if not options.needs_authority:
        yield
        return
    with store.change():
        pem = issuer.authority(now).pem
    store.commit()
    with _place(options.ca_file, db) as path:
        _write(path, pem)
        typer.echo(f"CA certificate: {path}", err=True)
        yield


@contextmanager
def _place(given: Path | None, db: str) -> Iterator[Path]:
    """Where the certificate goes: where told, else beside the database, else where it is gone at the end."""
    if given is not None or db != ":memory:":
        yield given if given is not None else Path(f"{db}.ca.pem")
        return
    with tempfile.TemporaryDirectory(prefix="agent-sim-") as folder:
        yield Path(folder) / "ca.pem"


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, "utf-8")
    except OSError as error:
        raise UsageError(f"cannot write the CA certificate {path}: {error.strerror}") from error


def _context(options: TlsOptions, issuer: Issuer, mint: Mint, host: str, now: Instant) -> ssl.SSLContext:
    clients = _clients(options, issuer, now)
    if options.certificate is not None and options.key is not None:
        return server_context(options.certificate, options.key, clients, is_required=options.clients_required)
    key = private_key(secret(mint))
    own = issuer.for_server(key.public_key(), _hosts(host), now)
    # OpenSSL reads files only: they are there for as long as that takes, for their owner alone.
    with tempfile.TemporaryDirectory(prefix="agent-sim-") as folder:
        certificate_path, key_path = Path(folder) / "cert.pem", Path(folder) / "key.pem"
        certificate_path.write_text(certificate_pem(own))
        key_path.touch(mode=0o600)
        key_path.write_text(key_pem(key))
        return server_context(certificate_path, key_path, clients, is_required=options.clients_required)


def _clients(options: TlsOptions, issuer: Issuer, now: Instant) -> str | None:
    if options.client_ca is None:
        return None
    return issuer.authority(now).pem if options.client_ca == OWN else read_pem(Path(options.client_ca))


def _hosts(host: str) -> tuple[str, ...]:
    others = () if host in (*_LOOPBACK, *_ANYWHERE) else (host,)
    return (*_LOOPBACK, *others)
