"""What `serve` and `run` are told about a broker: its address, TLS, who we are there.

Passwords come from the environment or a credentials file, never from here.
"""

import ssl
from dataclasses import dataclass
from pathlib import Path

from agent_sim.errors import UsageError
from agent_sim.link import trust
from agent_sim.protocol.mqtt import Broker, Version


@dataclass(frozen=True, slots=True)
class MqttOptions:
    """The options as given; without a URL there is no broker."""

    url: str | None = None
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    version: Version = "5"
    connections: int = 1

    def broker(self) -> Broker | None:
        """Where it is. Raises UsageError for an address that is none, and for options that need another."""
        if self.url is None:
            for name in ("ca", "certificate", "key"):
                if getattr(self, name) is not None:
                    raise UsageError(f"--mqtt-{name.replace('certificate', 'cert')} needs --mqtt URL")
            return None
        at = Broker.at(self.url)
        if self.key is not None and self.certificate is None:
            raise UsageError("--mqtt-key needs --mqtt-cert")
        if not at.tls and (self.ca is not None or self.certificate is not None):
            raise UsageError(f"--mqtt-ca and --mqtt-cert are for TLS, and {self.url} has none: write mqtts://")
        return at

    def tls(self) -> ssl.SSLContext | None:
        """What TLS to the broker trusts, and who we are; None without TLS. Raises UsageError."""
        at = self.broker()
        return trust(self.ca, self.certificate, self.key) if at is not None and at.tls else None

    def files(self) -> tuple[str, ...]:
        """The same files as options, for a server that we start."""
        given = (("--mqtt-ca", self.ca), ("--mqtt-cert", self.certificate), ("--mqtt-key", self.key))
        return tuple(word for name, path in given if path is not None for word in (name, str(path)))
