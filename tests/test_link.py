"""What goes before aiomqtt's client: it notices by itself that the socket is of no use any more."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from agent_sim.link import LettingGo

GONE = 7
"""What paho's loops return of a connection that is lost."""


class Paho:
    """Its loops, as they go."""

    def __init__(self, *, pings: Iterator[int], reads: Iterator[int]) -> None:
        self.pings, self.reads = pings, reads

    def loop_misc(self) -> int:
        return next(self.pings)

    def loop_read(self) -> int:
        return next(self.reads)


class Connection(LettingGo):
    def __init__(self, paho: Paho) -> None:
        self._client = paho
        self._disconnected: asyncio.Future[None] = asyncio.get_running_loop().create_future()


def broken() -> Iterator[int]:
    raise BrokenPipeError("gone")
    yield 0


@pytest.mark.parametrize(
    ("pings", "reads"),
    [([0], [GONE]), ([GONE], [])],
    ids=["its socket was reset, and nobody said so", "its pings were not answered"],
)
async def test_looking_after_a_connection_ends_when(pings: list[int], reads: list[int]) -> None:
    await Connection(Paho(pings=iter(pings), reads=iter(reads)))._misc_loop()


async def test_whoever_waits_for_the_end_is_told_what_reading_raised() -> None:
    connection = Connection(Paho(pings=iter([0]), reads=broken()))

    await connection._misc_loop()

    with pytest.raises(BrokenPipeError, match="gone"):
        await connection._disconnected


async def test_a_loop_that_no_longer_knows_the_socket_keeps_nobody_from_closing_it() -> None:
    class Base:
        def _on_socket_unregister_write(self, *about: Any) -> None:
            raise RuntimeError("the handler is closed")

    class Whole(LettingGo, Base):
        pass

    Whole()._on_socket_unregister_write(None, None, None)
