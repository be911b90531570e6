"""One run of a job inside an agent: from Configure to the acknowledged Complete.

What the run will come to is decided when it begins; this module keeps it and builds the messages that
carry it. It decides nothing about sessions or schedules: that is the agent's business.
"""

from dataclasses import dataclass
from enum import Enum

from agent_sim.agent import inventory
from agent_sim.agent.behaviour import Decision, Ending, Occasion
from agent_sim.distributions import Distribution
from agent_sim.draws import Key
from agent_sim.instants import Instant, Span
from agent_sim.protocol.agent import (
    Acknowledged,
    AgentRequest,
    Complete,
    Configuration,
    InventoryJob,
    SessionJob,
    UpdateInventory,
    UpdateLocations,
)
from agent_sim.protocol.enums import Category, JobType, ReplyStatus, Result


class Phase(Enum):
    """What the run does when it is next due."""

    CONFIGURING = "configuring"
    UPLOADING = "uploading"
    COMPLETING = "completing"


_UNKNOWN_OCCASION = Occasion(JobType(Category.CUSTOM, "", "", "", "", ""), "", 0, 0)


@dataclass(slots=True)
class Execution:
    """A run under way; `due` is when its next message leaves, NEVER while one is on its way."""

    job: SessionJob
    type: JobType
    due: Instant
    phase: Phase = Phase.CONFIGURING
    configuration: Configuration = Configuration()  # frozen
    occasion: Occasion = _UNKNOWN_OCCASION
    ending: Ending = Ending(Result.UNKNOWN)  # frozen
    worked: Span = 0
    size: int = 0
    sent: AgentRequest | None = None  # its message on the way, or the last one that was

    @property
    def audit_id(self) -> int:
        return self.configuration.audit_id

    @property
    def result(self) -> Result:
        return self.ending.result

    def begin(self, configuration: Configuration, occasion: Occasion, decision: Decision, now: Instant) -> None:
        """The server gave the run its audit id; it ends `decision.duration` from now."""
        self.configuration, self.occasion = configuration, occasion
        self.ending, self.worked, self.size = decision.ending, decision.duration, decision.size
        self.due = now + decision.duration
        # A failed run found nothing to upload; the others report before they complete.
        uploads = self.type.category in _UPLOADS and self.ending.result is not Result.FAILURE
        self.phase = Phase.UPLOADING if uploads else Phase.COMPLETING

    def uploaded(self, reply: Acknowledged | None, status: int, now: Instant) -> None:
        """The upload ended: what it answered decides the completion (agent-protocol 4.1)."""
        self.phase, self.due = Phase.COMPLETING, now
        if reply is None:
            # The vendor's C agent says success here; a simulator must not hide it (our choice).
            self.ending = Ending(Result.FAILURE, f"Error: the upload was refused with HTTP status {status}\n")
        elif reply.result.is_refusal:
            is_warning = reply.result.status is ReplyStatus.WARNING
            word, result = ("Warning", Result.WARNING) if is_warning else ("Error", Result.FAILURE)
            self.ending = Ending(result, f"{word}: {reply.result.error.message} ({reply.result.code})\n")


_UPLOADS = frozenset({Category.INVENTORY, Category.DISCOVERY})


def upload(execution: Execution, agent: Key, certificates: Distribution, token: str) -> AgentRequest:
    """The report that goes before the completion."""
    configuration, job_id = execution.configuration, execution.job.job_id
    if isinstance(configuration.job, InventoryJob):
        items = inventory.report(agent, configuration.job, certificates)
        return AgentRequest(configuration.inventory_endpoint or "", UpdateInventory(token, job_id, items))
    locations = inventory.locations(agent, execution.occasion.occurrence)
    return AgentRequest(configuration.discovery_endpoint or "", UpdateLocations(token, job_id, locations))


def completion(execution: Execution, machine: str, token: str) -> AgentRequest:
    """The final word; log fetching and custom jobs carry their data."""
    log = data = None
    if execution.type.category is Category.FETCH_LOGS:
        limit = execution.configuration.max_characters_to_return or execution.size
        log = log_text(machine, min(execution.size, limit))
    elif execution.type.category is Category.CUSTOM:
        data = log_text(machine, execution.size)
    body = Complete(
        status=execution.result,
        audit_id=execution.audit_id,
        job_id=execution.job.job_id,
        message=_message(execution, machine),
        session_token=token,
        log=log,
        data=data,
    )
    return AgentRequest(execution.job.completion_endpoint, body)


def log_text(machine: str, characters: int) -> str:
    """The tail of a believable log, of exactly that many characters."""
    line = f"[Information] {machine}: the job ran, nothing else to report\n"
    return (line * (characters // len(line) + 1))[-characters:] if characters > 0 else ""


def _message(execution: Execution, machine: str) -> str:
    text = execution.ending.message
    if "{" not in text:
        return text
    known = len(execution.configuration.job.inventory) if isinstance(execution.configuration.job, InventoryJob) else 0
    values = {
        "{store}": execution.occasion.store,
        "{agent}": machine,
        "{type}": execution.type.word,
        "{attempt}": str(execution.occasion.attempt),
        "{occurrence}": str(execution.occasion.occurrence),
        "{n}": str(known),
    }
    for name, value in values.items():
        text = text.replace(name, value)
    return text
