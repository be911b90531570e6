"""status: something between agent and server answers with a status of its own, as an overloaded proxy does."""

from dataclasses import dataclass

from agent_sim.faults.effects import Answer
from agent_sim.faults.kinds import Struck
from agent_sim.instants import SECOND, Span


@dataclass(frozen=True, slots=True)
class Status:
    """`retry_after` becomes a header in whole seconds, rounded up."""

    code: int
    retry_after: Span | None = None
    body: str = ""

    def strike(self, struck: Struck) -> tuple[Answer, ...]:
        """Every request alike."""
        wait = self.retry_after
        headers = () if wait is None else (("Retry-After", str(-(-wait // SECOND))),)
        return (Answer(self.code, headers, self.body.encode()),)
