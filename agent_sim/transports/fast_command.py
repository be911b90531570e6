"""The management API over the fast transport: by callback where many operations are asked for, else like any other."""

import asyncio

from agent_sim.errors import TransportError
from agent_sim.protocol.command import Operation
from agent_sim.transports.base import Target, Told
from agent_sim.transports.fast_http import FastSession, whole
from agent_sim.transports.http import API, HttpCommand
from agent_sim.transports.line import Call, Line, Outcome


class FastCommand(HttpCommand):
    """The management API over a pool (CommandTransport)."""

    def __init__(self, session: FastSession, target: Target) -> None:
        super().__init__(session, target)
        self._fast = session

    def start(self, operation: Operation, order: object, whose: object, told: Told) -> None:
        """Ask for one operation; `told` is called once, later, with the `order` that it comes from."""
        method, url, body = self.asked(operation)
        try:
            head = self._fast.head(method, url, API, body is not None)
        except TransportError as error:
            asyncio.get_running_loop().call_soon(told, whose, order, error, 0, 0)
            return
        self._fast.begin(_Told(self, self._fast.pool(0), url, whole(head, body), operation, order, whose, told))


class _Told(Call):
    """A call of somebody who does not wait for it."""

    __slots__ = ("api", "operation", "order", "said", "told", "whose")

    def __init__(
        self,
        api: FastCommand,
        pool: Line,
        url: str,
        said: bytes,
        operation: Operation,
        order: object,
        whose: object,
        told: Told,
    ) -> None:
        super().__init__(pool, url)
        self.api, self.said, self.operation = api, said, operation
        self.order, self.whose, self.told = order, whose, told

    def data(self) -> bytes:
        return self.said

    def done(self, outcome: Outcome) -> None:
        wire, waited = self.took()
        if isinstance(outcome, TransportError):
            self.told(self.whose, self.order, outcome, wire, waited)
            return
        reply = self.api.reply(self.operation, outcome.status, outcome.header(b"x-total-count"), outcome.body)
        self.told(self.whose, self.order, reply, wire, waited)
