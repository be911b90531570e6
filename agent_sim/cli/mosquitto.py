"""A Mosquitto of our own, for as long as a run needs it: its own port, configuration, users and ACL, stopped by pid.

Passwords reach it only in a password file, hashed; the ACL is the one that `protocol.mqtt` asks of every broker.
"""

import asyncio
import base64
import contextlib
import hashlib
import os
import pwd
import secrets
import shutil
import signal
import socket
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from agent_sim.credentials import Credentials
from agent_sim.errors import UsageError
from agent_sim.protocol.mqtt import PREFIX, Broker

_READY_SECONDS: Final = 20
_STOP_SECONDS: Final = 10
_ITERATIONS: Final = 101
"""Of PBKDF2, as mosquitto_passwd does: the passwords here are random and live as long as the run."""


def installed() -> Path | None:
    """The program, if it is on this machine; Debian puts it where only root looks."""
    found = shutil.which(
        "mosquitto", path=os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"))
    )
    return Path(found) if found else None


@dataclass
class Mosquitto:
    """One broker; `more` are further lines of its configuration, `acl` another one than the usual."""

    program: Path
    folder: Path
    server: Credentials
    agents: Sequence[Credentials]
    prefix: str = PREFIX
    more: tuple[str, ...] = ()
    acl: str = ""
    port: int = 0
    _process: asyncio.subprocess.Process | None = field(default=None, repr=False)

    @property
    def broker(self) -> Broker:
        """Its address."""
        return Broker("127.0.0.1", self.port, prefix=self.prefix)

    async def start(self) -> None:
        """Start it, on the port that it had before if there was one. Raises UsageError in its own words."""
        self.port = self.port or free_port()
        self.write()
        with (self.folder / "mosquitto.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                self.program, "-c", self.folder / "mosquitto.conf",
                stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,  # Ctrl-C is for us
            )  # fmt: skip  # what it is, then how it is started
        await self._ready(self._process)

    async def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Stop it, and wait until it is gone."""
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        process.send_signal(how)
        try:
            await asyncio.wait_for(process.wait(), _STOP_SECONDS)
        except TimeoutError:
            process.kill()
            await process.wait()

    def pause(self) -> None:
        """Let it hang: connections stay, nothing is answered."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(number)

    async def _ready(self, process: asyncio.subprocess.Process) -> None:
        for _ in range(_READY_SECONDS * 20):
            if process.returncode is not None:
                raise UsageError(f"the broker {self.program} did not start: {self._last_line()}")
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                writer.close()
                return
            await asyncio.sleep(0.05)
        await self.stop(signal.SIGKILL)
        raise UsageError(f"the broker {self.program} did not listen within {_READY_SECONDS} s: {self._last_line()}")

    def _last_line(self) -> str:
        lines = (self.folder / "mosquitto.log").read_text("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"

    def write(self) -> None:
        """Its files."""
        files = {
            "passwords": self._passwords(),
            "acl": self.acl or self._usual_acl(),
            "mosquitto.conf": self._configuration(),
        }
        for name, text in files.items():
            path = self.folder / name
            path.touch(mode=0o600)
            path.write_text(text, "utf-8")

    def _configuration(self) -> str:
        lines = (
            f"listener {self.port} 127.0.0.1",
            f"user {pwd.getpwuid(os.getuid()).pw_name}",  # else, started by root, it could not read its own files
            "allow_anonymous false",
            f"password_file {self.folder.resolve() / 'passwords'}",
            f"acl_file {self.folder.resolve() / 'acl'}",
            "persistence false",
            "max_inflight_messages 0",
            "max_queued_messages 0",  # what one station missed while it was away: bounded by the messages' expiry
            "set_tcp_nodelay true",
            "log_type error",
            "log_type warning",
            *self.more,
        )
        return "\n".join(lines) + "\n"

    def _passwords(self) -> str:
        return "".join(f"{login.username}:{hashed(login.password)}\n" for login in (self.server, *self.agents))

    def _usual_acl(self) -> str:
        # %u: whoever signs in as a user may speak only as the account of that name.
        return f"pattern readwrite {self.prefix}/%u/#\n\nuser {self.server.username}\ntopic readwrite {self.prefix}/#\n"


def hashed(password: str) -> str:
    """A password as Mosquitto's files hold it."""
    salt = secrets.token_bytes(12)
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, _ITERATIONS)
    return f"$7${_ITERATIONS}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"


def free_port() -> int:
    """A port on 127.0.0.1 that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.asynccontextmanager
async def running(broker: Mosquitto) -> AsyncIterator[Mosquitto]:
    """The broker, running; it is stopped at the end."""
    await broker.start()
    try:
        yield broker
    finally:
        broker.resume()
        await broker.stop()
