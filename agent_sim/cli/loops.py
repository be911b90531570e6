"""The event loop of a live fleet: uvloop where there is one, and a collector of garbage that leaves the fleet alone."""

import asyncio
import gc
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

T = TypeVar("T")

_THRESHOLDS: Final = (2_000, 50, 50)
"""What is made after that lives as long as a request: a look at every 700th object, as is usual, finds nothing; one at
many thousands at once takes long enough to make agents late."""
_PAUSES: Final = (10, 50, 240)
"""Seconds before a fleet is frozen once more, so at 10, 60 and 300 of a run: sessions have come since."""


def run_fast(main: Coroutine[Any, Any, T]) -> T:
    """Like `asyncio.run`, on uvloop; on asyncio's own loop where uvloop is not to be had (Windows, new Pythons)."""
    try:
        from uvloop import new_event_loop
    except ImportError:
        return asyncio.run(main)
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        return runner.run(main)


def freeze() -> None:
    """What is there now is there to stay: looking through it for garbage again and again costs a fleet its tails."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)


async def keep_frozen() -> None:
    """Freeze again when most of a fleet has its sessions; to be cancelled at the end of the run."""
    for seconds in _PAUSES:
        await asyncio.sleep(seconds)
        freeze()


def thaw() -> None:
    """What was there to stay has gone: its room is to be had again."""
    gc.unfreeze()
    gc.collect()
