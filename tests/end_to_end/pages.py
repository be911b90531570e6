"""A real server in a thread, its core within reach of the test, and a real browser in front of it."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from aiohttp import web
from playwright.sync_api import Browser, Page, sync_playwright

from agent_sim.server.http.app import make_app
from agent_sim.server.web.browsers import COOKIE, Browsers
from agent_sim.server.web.controls import Controls
from tests.server.bench import OPERATOR, Bench
from tests.server.http.desks import ACCOUNTS

T = TypeVar("T")
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking")
PATIENCE = 60_000  # milliseconds: the machine may be busy


class Site:
    """The server under test. `do` runs something in its thread, on its bench."""

    def __init__(self, controls: Controls | None = None, **settings: object) -> None:
        self._settings, self._controls = settings, controls
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self.browsers = Browsers(time.time_ns)
        self.port = 0
        self.address = ""

    @contextmanager
    def running(self) -> Iterator["Site"]:
        thread = threading.Thread(target=self._run, daemon=True)
        thread.start()
        assert self._ready.wait(30)
        try:
            yield self
        finally:
            self._loop.call_soon_threadsafe(self._stop.set)
            thread.join(30)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())

    async def _serve(self) -> None:
        self._stop = asyncio.Event()
        self._bench = Bench(**self._settings)
        await self.start()
        self._ready.set()
        await self._stop.wait()
        await self._runner.cleanup()

    async def start(self) -> None:
        """Listen: on a free port, and at the same one again after `stop`."""
        app = make_app(
            self._bench.server,
            self._bench.store,
            ACCOUNTS,
            self._bench.settings,
            browsers=self.browsers,
            controls=self._controls,
        )
        self._runner = web.AppRunner(app, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True).start()
        self.port = self._runner.addresses[0][1]
        self.address = f"http://127.0.0.1:{self.port}"

    def restart(self) -> None:
        """As a server that was killed comes back: the database is there, sessions are not."""

        async def again() -> None:
            await self._runner.cleanup()
            self.browsers = Browsers(time.time_ns)
            await self.start()

        asyncio.run_coroutine_threadsafe(again(), self._loop).result(30)

    def do(self, what: Callable[[Bench], T]) -> T:
        async def act() -> T:
            self._bench.now = time.time_ns()
            result = what(self._bench)
            self._bench.store.commit()
            return result

        return asyncio.run_coroutine_threadsafe(act(), self._loop).result(60)


@contextmanager
def browser() -> Iterator[Browser]:
    """Debian's Chromium, headless."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=list(FLAGS))
        try:
            yield chromium
        finally:
            chromium.close()


@contextmanager
def opened(chromium: Browser, site: Site, **context: Any) -> Iterator[Page]:
    """A fresh browser window; a script's error or a refused resource fails the test."""
    window = chromium.new_context(viewport={"width": 1280, "height": 900}, **context)
    window.set_default_timeout(PATIENCE)
    page = window.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on(
        "console", lambda message: errors.append(message.text) if "Content Security Policy" in message.text else None
    )
    try:
        yield page
        assert errors == []
    finally:
        window.close()


def sign_in(page: Page, site: Site) -> None:
    """Open the page with a session that is there already: the form costs a second, and has tests of its own."""
    token = site.browsers.open(OPERATOR).token
    page.context.add_cookies([{"name": COOKIE, "value": token, "url": site.address}])
    page.goto(f"{site.address}/")
    page.get_by_role("tab", name="Overview").wait_for()
