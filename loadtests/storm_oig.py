"""Oracle's scheduler as the target of a storm: its requests, and the readings before and after it."""

from collections.abc import Generator
from typing import TypeVar

from storm_client import Answer, Target

from agent_sim.errors import MalformedMessage, TargetError
from agent_sim.protocol import oig
from agent_sim.protocol.oig_calls import call_of, read_reply

T = TypeVar("T")

_SUCCESS = 200


class OigTarget(Target):
    """The target of one storm on jobs; `api` is the scheduler's base."""

    def ask_of_job(self, operation: oig.Operation) -> Answer:
        """Send one request and wait for its answer, at most the timeout."""
        return self.sent(call_of(operation), self.api, _SUCCESS)

    def preflight(self) -> None:
        """Raise TargetError unless this is a scheduler that takes our credentials."""
        asked = oig.ListJobs(page=oig.Page(limit=1))
        answer = self.ask_of_job(asked)
        self.raise_for(answer)
        if answer.status != _SUCCESS or not isinstance(self._read_reply(asked, answer).body, oig.JobPage):
            raise TargetError(f"{self.url} is no scheduler: GET {self.api}/jobs answers {answer.said or 'no list'}")

    def drive(self, reading: "Generator[oig.Operation, oig.Reply, T]") -> T:
        """Carry a reading out. Raises TargetError."""
        reply: oig.Reply | None = None
        while True:
            try:
                operation = next(reading) if reply is None else reading.send(reply)
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]  # what a generator returns has no type here
            answer = self.ask_of_job(operation)
            self.raise_for(answer)
            reply = self._read_reply(operation, answer)

    def _read_reply(self, operation: oig.Operation, answer: Answer) -> oig.Reply:
        try:
            return read_reply(operation, answer.status, answer.body)
        except MalformedMessage as error:
            raise TargetError(f"{self.url}: {error}") from error
