"""Declared faults around a storm's requests: the steps of `agent_sim.faults.course`, taken with gevent.

Which faults there are is read from the scenario of the run that the storm belongs to; what they do is decided there.
Of a storm on many processes each one carries out what meets its own requests, by draws of its own.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Final

import gevent
from storm_client import Answer, Target

from agent_sim.errors import ConnectFailed, TransportError
from agent_sim.faults.arming import Faults
from agent_sim.faults.course import Ask, AskLater, Hold, Patience, Trip, Wait, course
from agent_sim.faults.effects import Strike
from agent_sim.instants import SECOND, Instant
from agent_sim.protocol.codec import api_call
from agent_sim.protocol.command import Operation
from agent_sim.protocol.endpoints import BY_OPERATION
from agent_sim.scenario.fault_plans import storm_fault_plans
from agent_sim.scenario.load import dump, load
from agent_sim.scenario.models import Scenario
from agent_sim.storms.plan import StormPlan
from agent_sim.storms.taxonomy import ErrorKind, classify

CONNECT: Final = 5 * SECOND


class AnswerWire:
    """What requests and answers of a storm are as bytes (`faults.course.Wire`)."""

    def request_size(self, request: Operation) -> int:
        return len(api_call(request).body or b"")

    def reply_size(self, reply: Answer) -> int:
        return len(reply.body)

    def answer(self, request: Operation, status: int, headers: Mapping[str, str], body: bytes) -> Answer:
        error = classify(status, bool(body), BY_OPERATION[type(request)].success)
        return Answer(error, status, body, None, "" if error is None else f"{status} from a declared fault")

    def reread(self, request: Operation, reply: Answer, spoil: Callable[[bytes], bytes]) -> Answer:
        body = spoil(reply.body)
        if reply.error is not None or body == reply.body:
            return reply
        return Answer(ErrorKind.WRONG_2XX, reply.status, body, None, "spoilt by a declared fault")


@dataclass(frozen=True, slots=True)
class Declared:
    """The faults of a scenario whose run began at `start`, None: with the storm; for the process of that `index`."""

    scenario: Scenario
    start: Instant | None
    index: int = 0

    def of(self, plan: StormPlan, began: Instant) -> Faults:
        """Those that meet a storm that began then."""
        plans = storm_fault_plans(self.scenario, began if self.start is None else self.start, plan.operation)
        # What strikes once strikes once in all: that is for the first process.
        return Faults(each for each in plans if self.index == 0 or not each.is_once)

    def told(self) -> tuple[str, Instant | None]:
        """For a machine that has not the scenario's files."""
        return dump(self.scenario), self.start


def heard(text: str, start: Instant | None) -> Declared:
    """The inverse of `told`. Raises ScenarioError."""
    with NamedTemporaryFile("w", suffix=".yaml", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        return Declared(load(Path(file.name)), start)


def detour(
    strikes: tuple[Strike, ...], target: Target, operation: Operation, clock: Callable[[], Instant], timeout: int
) -> Answer:
    """Send the request the way that faults have for it."""
    trip = Trip(operation, AnswerWire(), clock, clock(), Patience(min(CONNECT, timeout * SECOND), timeout * SECOND))
    steps = course(trip, strikes)
    answer: Answer | None = None
    while True:
        try:
            step = steps.send(answer)
        except StopIteration as end:
            return end.value if isinstance(end.value, Answer) else _unanswered(end.value)
        answer = None
        match step:
            case Wait(span) | Hold(span):
                gevent.sleep(span / SECOND)
            case AskLater(span):
                gevent.spawn_later(span / SECOND, target.ask, operation)
            case Ask():
                answer = target.ask(operation)


def _unanswered(error: TransportError) -> Answer:
    kind = ErrorKind.CONNECT_REFUSED if isinstance(error, ConnectFailed) else ErrorKind.READ_TIMEOUT
    return Answer(kind, 0, b"", None, str(error))
