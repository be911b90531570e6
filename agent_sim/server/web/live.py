"""Live updates: one look a second at the overview, however many watch, and none while nobody does.

Each watcher holds one message that it has not had yet. Whoever is too slow for the next one gets the whole picture
instead of what it missed, so that neither server nor page grows.
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeVar

from agent_sim.instants import Instant
from agent_sim.server.web.overview import Overview, Picture

EVERY: Final = 1.0
"""Seconds between looks."""

MOST_WATCHERS: Final = 200

_logger = logging.getLogger(__name__)

Done = TypeVar("Done")


class Apart(Protocol):
    """Does some work, and returns what that returns."""

    def __call__(self, work: Callable[[], Done], /) -> Awaitable[Done]: ...


@dataclass(slots=True, eq=False)
class _Watcher:
    """Somebody's page. `message` is what it has not had yet; `whole` asks for everything the next time."""

    wake: asyncio.Event = field(default_factory=asyncio.Event)
    message: str = ""
    whole: bool = True


class Live:
    """Shares one look among all who watch. `extras` gives what else belongs into a message.

    `apart` does what looks into the database where nobody but the database's others wait for it.
    """

    def __init__(
        self,
        overview: Overview,
        clock: Callable[[], Instant],
        apart: Apart,
        extras: Callable[[], dict[str, Any]] = dict,
    ) -> None:
        self._overview, self._clock, self._apart, self._extras = overview, clock, apart, extras
        self._watchers: list[_Watcher] = []
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def is_full(self) -> bool:
        """True if nobody more may watch."""
        return len(self._watchers) >= MOST_WATCHERS

    async def picture(self) -> dict[str, Any]:
        """Everything, now."""
        return await self._apart(lambda: self._overview.whole(self._clock())) | self._extras()

    async def messages(self) -> AsyncIterator[str]:
        """Messages as server-sent events, for as long as somebody listens."""
        watcher = _Watcher()
        self._watchers.append(watcher)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._look_on(), name="live page")
        try:
            yield "retry: 2000\n\n"
            while not self._closed:
                await watcher.wake.wait()
                watcher.wake.clear()
                yield watcher.message
        finally:
            self._watchers.remove(watcher)

    async def close(self) -> None:
        """Stop looking, and let every watcher go."""
        self._closed = True
        for watcher in self._watchers:
            watcher.wake.set()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _look_on(self) -> None:
        while self._watchers:
            try:
                await self._tell()
            except Exception:  # the page must not end for ever because of one look
                _logger.exception("the overview failed")
            await asyncio.sleep(EVERY)

    async def _tell(self) -> None:
        for watcher in self._watchers:
            watcher.whole |= watcher.wake.is_set()
        asked = [watcher for watcher in self._watchers if watcher.whole]
        picture, everything = await self._apart(lambda: self._look(everything=bool(asked)))
        extras = self._extras()
        tick = _event("tick", picture, extras)
        whole = _event("picture", everything, extras) if everything else ""
        for watcher in self._watchers:
            if watcher.whole and watcher not in asked:
                continue  # came while this looked: the next time
            watcher.message = whole if watcher in asked else tick
            watcher.whole = False
            watcher.wake.set()

    def _look(self, *, everything: bool) -> tuple[Picture, Picture | None]:
        picture = self._overview.look(self._clock())
        return picture, self._overview.whole(self._clock()) if everything else None


def _event(name: str, picture: Picture, extras: dict[str, Any]) -> str:
    return f"event: {name}\ndata: {json.dumps(picture | extras, separators=(',', ':'))}\n\n"
