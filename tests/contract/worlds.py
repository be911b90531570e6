"""A server with a clock that a test moves: the core called directly, and the same behind HTTP in this process."""

import asyncio
from pathlib import Path
from typing import Any, Protocol

from aiohttp.test_utils import TestClient, TestServer

from agent_sim.instants import Instant
from agent_sim.protocol import codec
from agent_sim.protocol.agent import AgentReply, AgentRequest, Body
from agent_sim.protocol.command import CommandReply, Operation
from agent_sim.server.core import Server
from agent_sim.server.http.app import make_app
from agent_sim.server.store import SqliteStore
from agent_sim.settings import ServerSettings
from tests.server.bench import AGENT, OPERATOR, START, CountingMint
from tests.server.http import desks


class World(Protocol):
    """What a state machine drives."""

    now: Instant

    def ask(self, operation: Operation) -> CommandReply: ...
    def send(self, endpoint: str, body: Body) -> AgentReply: ...
    def sweep(self) -> None: ...
    def restart(self) -> None: ...
    def close(self) -> None: ...


class CoreWorld:
    """The core over a database file, every request committed at once."""

    def __init__(self, folder: Path, settings: ServerSettings) -> None:
        self.now: Instant = START
        self._path, self._settings, self._mint = str(folder / "core.db"), settings, CountingMint()
        self._open()

    def _open(self) -> None:
        self._store = SqliteStore.open(self._path)
        self._server = Server(self._store, self._settings, self._mint)

    def ask(self, operation: Operation) -> CommandReply:
        reply = self._server.handle(operation, OPERATOR, self.now)
        self._store.commit()
        return reply

    def send(self, endpoint: str, body: Body) -> AgentReply:
        reply = self._server.handle(AgentRequest(endpoint, body), AGENT, self.now)
        self._store.commit()
        return reply

    def sweep(self) -> None:
        self._server.sweep(self.now)
        self._store.commit()

    def restart(self) -> None:
        self._store.close()
        self._open()

    def close(self) -> None:
        self._store.close()


class HttpWorld:
    """The application on a loopback socket, and a client that speaks JSON to it."""

    def __init__(self, folder: Path, settings: ServerSettings) -> None:
        self.now: Instant = START
        self._path, self._settings, self._mint = str(folder / "http.db"), settings, CountingMint()
        self._loop = asyncio.new_event_loop()
        self._loop.run_until_complete(self._open())

    async def _open(self) -> None:
        self._store = SqliteStore.open(self._path)
        self._server = Server(self._store, self._settings, self._mint)
        app = make_app(self._server, self._store, desks.ACCOUNTS, self._settings, lambda: self.now)
        self._client: TestClient[Any, Any] = TestClient(TestServer(app))
        await self._client.start_server()

    async def _close(self) -> None:
        await self._client.close()
        self._store.close()

    def ask(self, operation: Operation) -> CommandReply:
        return self._loop.run_until_complete(self._ask(operation))

    async def _ask(self, operation: Operation) -> CommandReply:
        call = codec.api_call(operation)
        path = f"/KeyfactorAPI{call.path}" + (f"?{call.query}" if call.query else "")
        async with self._client.request(call.method, path, data=call.body, headers=desks.WRITES) as response:
            body = await response.read()
            assert (response.status == 204) == (body == b"")
            total = response.headers.get("X-Total-Count")
            return codec.read_reply(operation, response.status, body, None if total is None else int(total))

    def send(self, endpoint: str, body: Body) -> AgentReply:
        return self._loop.run_until_complete(self._send(AgentRequest(endpoint, body)))

    async def _send(self, request: AgentRequest) -> AgentReply:
        path = codec.agent_path(request.endpoint, "/KeyfactorAgents")
        data = codec.agent_body(request.body)
        async with self._client.post(path, data=data, headers=desks.AGENT) as response:
            body = await response.read()
            assert response.status < 300 or body == b""
            return AgentReply(response.status, codec.read_agent_reply(request, body))

    def sweep(self) -> None:
        self._server.sweep(self.now)
        self._store.commit()

    def restart(self) -> None:
        self._loop.run_until_complete(self._close())
        self._loop.run_until_complete(self._open())

    def close(self) -> None:
        self._loop.run_until_complete(self._close())
        self._loop.close()
