"""Who gets which connection: calls of a pool, in line before a bounded number of kept connections.

It opens no socket and watches no clock but to say how long somebody waited: both are the owner's, which makes
connections when asked and ends calls.
"""

import asyncio
import time
from collections import deque
from typing import Protocol, TypeAlias

from agent_sim.errors import ConnectFailed, ReplyTimeout, TransportError
from agent_sim.instants import Instant, Span
from agent_sim.transports.answers import Answer
from agent_sim.transports.connection import Connection

Outcome: TypeAlias = Answer | TransportError


class Owner(Protocol):
    """What a line needs of whoever has it."""

    def waits(self, call: "Call") -> bool:
        """True until a call is over."""
        ...

    def end(self, call: "Call", outcome: Outcome) -> None:
        """A call is over."""
        ...

    def connect(self, call: "Call") -> "asyncio.Task[None]":
        """Make a connection for a call; `adopt` or `lose` follows."""
        ...


class Call:
    """One request on its way; instants are nanoseconds by the monotonic clock."""

    __slots__ = ("began", "connecting", "connection", "ended", "pool", "sent", "url")

    def __init__(self, pool: "Line", url: str) -> None:
        self.pool, self.url = pool, url
        self.began: Instant = time.monotonic_ns()
        self.sent: Instant = 0  # when it had a connection, or was the one for which one was made
        self.ended: Instant = 0  # when its answer was there
        self.connection: Connection | None = None
        self.connecting: asyncio.Task[None] | None = None

    def data(self) -> bytes:
        """All of the request; made when it can leave, for a fleet that wakes together stands in line together."""
        raise NotImplementedError

    def done(self, outcome: Outcome) -> None:
        """Told once how it ended."""
        raise NotImplementedError

    def took(self) -> tuple[Span, Span]:
        """How long it took from when it stopped waiting, and how long it stood in line for a connection."""
        ended = self.ended or time.monotonic_ns()
        sent = self.sent
        return (ended - sent, sent - self.began) if sent else (ended - self.began, ended - self.began)


class Line:
    """Calls before a number of connections; those that are not kept serve one call each."""

    __slots__ = ("_connections", "_idle", "_idle_at_most", "_is_kept", "_limit", "_line", "_open", "_owner")

    def __init__(self, owner: Owner, limit: int, idle: Span, *, is_kept: bool) -> None:
        self._owner, self._limit, self._idle_at_most, self._is_kept = owner, limit, idle, is_kept
        self._open = 0  # and being opened
        self._idle: list[Connection] = []
        self._line: deque[Call] | None = None  # until somebody has to wait
        self._connections: set[Connection] = set()

    def take(self, call: Call) -> None:
        """Send it, connect for it, or have it wait."""
        idle = self._idle
        while idle:
            connection = idle.pop()
            if connection.keeps and call.began - connection.idle_since < self._idle_at_most:
                self._give(connection, call, call.began)
                return
            connection.close()
        if self._open < self._limit:
            self._connect(call)
            return
        if self._line is None:
            self._line = deque()
        self._line.append(call)

    def adopt(self, connection: Connection, call: Call) -> None:
        """A new connection, made for this call."""
        self._connections.add(connection)
        if self._owner.waits(call):
            self._give(connection, call, call.sent)
        else:
            self._free(connection, time.monotonic_ns())

    def _give(self, connection: Connection, call: Call, now: Instant) -> None:
        """The connection is this call's now."""
        call.sent = now
        call.connection, connection.call = connection, call
        connection.send(call.data())

    def ended(self, connection: Connection, outcome: Answer | str) -> None:
        """What came of the call that has the connection."""
        call = connection.call
        if call is None:
            return
        call.connection = connection.call = None  # it is not in the middle of anything any more
        now = call.ended = time.monotonic_ns()
        if self._is_kept and connection.keeps and not self._line:
            connection.idle_since = now  # as `_free` would: most have nobody after them
            self._idle.append(connection)
        else:
            self._free(connection, now)
        self._owner.end(call, failure(call, outcome, is_sent=True) if isinstance(outcome, str) else outcome)

    def _free(self, connection: Connection, now: Instant) -> None:
        """The connection is for whoever is next."""
        if not connection.keeps or not self._is_kept:
            connection.close()
        elif self._line and (call := self._next()) is not None:
            self._give(connection, call, now)
        else:
            connection.idle_since = now
            self._idle.append(connection)

    def lost(self, connection: Connection) -> None:
        """It is gone; there is room for another one."""
        if connection not in self._connections:
            return  # it never was one of ours
        self._connections.remove(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        self.lose()
        self.refill()

    def lose(self) -> None:
        """A connection less."""
        self._open -= 1

    def refill(self) -> None:
        """Connect for whoever is next, if there is room."""
        if self._open < self._limit and (call := self._next()) is not None:
            self._connect(call)

    def leave(self, call: Call) -> None:
        """A call is over: nothing is done for it any more."""
        if call.connecting is not None:
            call.connecting.cancel()
            call.connecting = None
        if call.connection is not None:
            call.connection.call = None
            call.connection.abort()

    def close(self) -> None:
        """Close every connection."""
        for connection in list(self._connections):
            connection.close()

    def _connect(self, call: Call) -> None:
        self._open += 1
        call.sent = time.monotonic_ns()
        call.connecting = self._owner.connect(call)

    def _next(self) -> Call | None:
        while self._line:
            call = self._line.popleft()
            if self._owner.waits(call):
                return call
        return None


def failure(call: Call, reason: str, *, is_sent: bool = False) -> TransportError:
    """Why there is no answer: what was sent may have been done, what was not was not."""
    if is_sent or call.connection is not None:
        return ReplyTimeout(f"no answer from {call.url}: {reason}")
    return ConnectFailed(f"no connection to {call.url}: {reason}")
