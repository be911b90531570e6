"""Our server as it would be without what makes it fast: the same core and database, behind aiohttp.web, and a
transaction for every request. `tests.bench.durable` is measured beside it.

    python -m tests.bench.one_by_one sim.db OPERATOR_PASSWORD AGENT_PASSWORD

Prints its address, and runs until it is killed.
"""

import asyncio
import sys
from collections.abc import Callable

import uvloop
from aiohttp import web

from agent_sim.cli.serve import RandomMint
from agent_sim.credentials import Credentials
from agent_sim.server.auth import Accounts
from agent_sim.server.core import Server
from agent_sim.server.http import app as application
from agent_sim.server.http.committer import Committer
from agent_sim.server.store import SqliteStore
from agent_sim.settings import DEFAULT_SETTINGS


class OneByOne(Committer):
    """Commits for each request, before the next one is handled."""

    def when_settled(self, told: Callable[[str], None]) -> None:
        self._waiting.append(told)
        self.flush()


async def serve(path: str, operator: str, agent: str) -> None:
    """Serve until killed."""
    store = SqliteStore.open(path, "full")
    store._writes_down = False  # every row goes to its table with its own request
    application.Committer = OneByOne  # type: ignore[misc]  # it has no other place where one could be given
    accounts = Accounts(Credentials("operator", operator), Credentials("agent", agent))
    app = application.make_app(Server(store, DEFAULT_SETTINGS, RandomMint()), store, accounts)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(f"http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve(*sys.argv[1:]))
