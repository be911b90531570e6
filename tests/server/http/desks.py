"""A core that answers what it is told and keeps what it was asked, and the application around it."""

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import ClientResponse, ClientSession, web

from agent_sim.credentials import Credentials
from agent_sim.instants import NEVER, SECOND
from agent_sim.protocol.command import CommandReply
from agent_sim.server.auth import Accounts
from agent_sim.server.http.app import DESK, make_app
from agent_sim.server.http.door import listening
from agent_sim.settings import DEFAULT_SETTINGS, ServerSettings

NOW = 1_772_000_000 * SECOND
ACCOUNTS = Accounts(Credentials("operator", "secret-1"), Credentials("DOMAIN\\agent", "secret-2"))


def basic(username: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()}


AGENT = basic("DOMAIN\\agent", "secret-2")
OPERATOR = basic("operator", "secret-1")
WRITES = OPERATOR | {"x-keyfactor-requested-with": "APIClient", "Content-Type": "application/json"}


@dataclass
class FakeStore:
    dirty: bool = False
    commits: int = 0
    failure: Exception | None = None
    put_off: int = 0

    def commit(self) -> None:
        self.dirty = False
        if self.failure:
            raise self.failure
        self.commits += 1

    def settle_some(self) -> bool:
        self.put_off -= 1
        return self.put_off >= 0


@dataclass
class FakeCore:
    """Answers every request with `reply`, or raises it."""

    store: FakeStore
    reply: object = CommandReply(204)
    changes: bool = False
    sweeps: Exception | None = None
    asked: list[Any] = field(default_factory=list)
    swept: list[Any] = field(default_factory=list)

    def handle(self, request, caller, now):
        self.asked.append((request, caller.name, now))
        self.store.dirty = self.store.dirty or self.changes
        if isinstance(self.reply, Exception):
            raise self.reply
        return self.reply

    def sweep(self, now, at_once):
        self.swept.append(now)
        if self.sweeps:
            raise self.sweeps
        return NEVER

    def store_seen(self, now):
        return NEVER

    def store_all_seen(self):
        pass


@asynccontextmanager
async def serving(
    core: FakeCore, settings: ServerSettings = DEFAULT_SETTINGS, accounts: Accounts = ACCOUNTS
) -> AsyncIterator[ClientSession]:
    app = make_app(core, core.store, accounts, settings, lambda: NOW)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        async with listening(runner, app[DESK], 3.0, host="127.0.0.1", port=0) as server:
            address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            async with ClientSession(address) as client:
                yield client
    finally:
        await runner.cleanup()


async def error_of(response: ClientResponse) -> tuple[int, str]:
    """Status and ErrorCode of a management answer that must be an error object and nothing else."""
    assert response.headers["Content-Type"].startswith("application/json")
    body = json.loads(await response.read())
    assert set(body) == {"ErrorCode", "Message"}
    assert body["Message"]
    return response.status, body["ErrorCode"]
