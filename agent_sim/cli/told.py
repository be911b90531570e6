"""How a process that stays until told to stop is told: by a signal, or by the end of its parent."""

import asyncio
import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator


def unheard(data: bytes) -> None:
    """What is said to somebody who only waits for the end of it."""


@contextlib.contextmanager
def told_to_stop(*, exit_with_parent: bool, take: Callable[[bytes], None] = unheard) -> Iterator[asyncio.Event]:
    """An event that SIGTERM, Ctrl-C and, if asked for, the end of standard input set; `take` gets what comes there."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    signals = (signal.SIGTERM, signal.SIGINT)
    for number in signals:
        loop.add_signal_handler(number, stop.set)
    if exit_with_parent:
        threading.Thread(target=_await_end_of_input, args=(loop, stop, take), name="parent", daemon=True).start()
    try:
        yield stop
    finally:
        for number in signals:  # so that a second Ctrl-C does not wait for anybody
            loop.remove_signal_handler(number)


def _await_end_of_input(loop: asyncio.AbstractEventLoop, stop: asyncio.Event, take: Callable[[bytes], None]) -> None:
    while data := _read_input():
        take(data)
    with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile
        loop.call_soon_threadsafe(stop.set)


def _read_input() -> bytes:
    try:
        return os.read(0, 4096)
    except OSError:
        return b""
