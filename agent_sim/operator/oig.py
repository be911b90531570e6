"""The operator of the second target: creates the jobs of a scenario and asks for what it says, when it says so.

A plain object like the other operator. Each job has a line of duties, of which one is under way at a time; jobs do not
wait for each other. What was refused is told and the line goes on, unless the job itself could not be created.
"""

from dataclasses import dataclass
from heapq import heappop, heappush
from typing import assert_never

from agent_sim.errors import TransportError
from agent_sim.instants import NEVER, Instant
from agent_sim.operator.events import StopRequested, Woken
from agent_sim.protocol import oig
from agent_sim.scenario.oig_plan import Duty, OigPlan


@dataclass(frozen=True, slots=True)
class Order:
    """An operation to send, of the line of that number."""

    operation: oig.Operation
    line: int


@dataclass(frozen=True, slots=True)
class Answered:
    """`order` was answered."""

    order: Order
    reply: oig.Reply


@dataclass(frozen=True, slots=True)
class SendFailed:
    """`order` ended without an answer; whether the scheduler acted is unknown."""

    order: Order
    error: TransportError


Event = Woken | Answered | SendFailed | StopRequested


@dataclass(frozen=True, slots=True)
class Asked:
    """An operation and what came of it: a status of HTTP (0: no answer), and what was said if it was refused."""

    operation: oig.Operation
    status: int
    message: str


class OigOperator:
    """Carries out one plan."""

    def __init__(self, plan: OigPlan) -> None:
        self._lines: tuple[tuple[Duty, ...], ...] = plan.jobs
        self._done = [0] * len(plan.jobs)  # duties of each line that are done or under way
        self._waiting: list[tuple[Instant, int]] = []
        self._facts: list[Asked] = []
        for number, line in enumerate(plan.jobs):
            if line:
                heappush(self._waiting, (line[0].at, number))

    def handle(self, event: Event, now: Instant) -> list[Order]:
        """Take in one event; return what to send."""
        match event:
            case Woken():
                pass
            case Answered(order, reply):
                message = reply.body.message if isinstance(reply.body, oig.Failure) else ""
                self._settle(order, reply.status, message)
            case SendFailed(order, error):
                self._settle(order, 0, str(error))
            case StopRequested():
                self._waiting.clear()
                self._lines = ()
            case _:
                assert_never(event)
        return self._due(now)

    def next_wake(self) -> Instant:
        """When something is to be asked for; NEVER if only an answer can move it."""
        return self._waiting[0][0] if self._waiting else NEVER

    def take_facts(self) -> list[Asked]:
        """What came of operations since the last call."""
        facts, self._facts = self._facts, []
        return facts

    def _due(self, now: Instant) -> list[Order]:
        orders: list[Order] = []
        while self._waiting and self._waiting[0][0] <= now:
            _, number = heappop(self._waiting)
            orders.append(Order(self._lines[number][self._done[number]].operation, number))
            self._done[number] += 1
        return orders

    def _settle(self, order: Order, status: int, message: str) -> None:
        self._facts.append(Asked(order.operation, status, message))
        if not self._lines:
            return  # told to stop
        line, done = self._lines[order.line], self._done[order.line]
        never_made = isinstance(order.operation, oig.CreateJob) and status >= 300
        if done < len(line) and not never_made:
            heappush(self._waiting, (line[done].at, order.line))
