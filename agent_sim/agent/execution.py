"""One run of a job inside an agent: from Configure to the acknowledged Complete.

What the run will come to is decided when it begins; this module keeps it and builds the messages that
carry it. It decides nothing about sessions or schedules: that is the agent's business.
"""

from dataclasses import dataclass
from enum import Enum

from agent_sim.agent import certificates, inventory
from agent_sim.agent.behaviour import Decision, Ending, Occasion
from agent_sim.agent.identity import Identity
from agent_sim.agent.inventory import Alterations
from agent_sim.agent.paths import Hang, Malformed, Oversize, Path, Reject
from agent_sim.draws import sub
from agent_sim.instants import Instant, Span
from agent_sim.protocol.agent import (
    Acknowledged,
    AgentRequest,
    Complete,
    Configuration,
    DiscoveryJob,
    Enroll,
    Garbled,
    InventoryJob,
    SessionJob,
    UpdateInventory,
    UpdateLocations,
)
from agent_sim.protocol.enums import SCANS, Category, JobType, ReplyStatus, Result


class Phase(Enum):
    """What the run does when it is next due."""

    CONFIGURING = "configuring"
    UPLOADING = "uploading"
    HANGING = "hanging"
    RENEWING = "renewing"  # the session, before it completes; due when there is a new one
    COMPLETING = "completing"
    REPEATING = "repeating"  # a completion that was acknowledged


_UNKNOWN_OCCASION = Occasion(JobType(Category.CUSTOM, "", "", "", "", ""), "", 0, 0)


@dataclass(slots=True)
class Execution:
    """A run under way; `due` is when its next message leaves, NEVER while one is on its way.

    `path` is what is still to go otherwise than straight; `token` a session to complete under that is not the present
    one.
    """

    job: SessionJob
    type: JobType
    due: Instant
    phase: Phase = Phase.CONFIGURING
    configuration: Configuration = Configuration()  # frozen
    occasion: Occasion = _UNKNOWN_OCCASION
    ending: Ending = Ending(Result.UNKNOWN)  # frozen
    path: Path | None = None
    token: str | None = None
    worked: Span = 0
    size: int = 0
    sent: AgentRequest | None = None  # its message on the way, or the last one that was

    @property
    def audit_id(self) -> int:
        return self.configuration.audit_id

    @property
    def result(self) -> Result:
        return self.ending.result

    @property
    def is_open(self) -> bool:
        """True if the server has given it an audit id and waits for its end."""
        return self.phase not in (Phase.CONFIGURING, Phase.REPEATING)

    def begin(self, configuration: Configuration, occasion: Occasion, decision: Decision, now: Instant) -> None:
        """The server gave the run its audit id; it ends `decision.duration` from now."""
        self.configuration, self.occasion = configuration, occasion
        self.ending, self.path, self.size = decision.ending, decision.ending.path, decision.size
        # Validation fails before any work (agent-protocol 4.0).
        is_rejected = isinstance(self.path, Reject)
        self.worked = 0 if is_rejected else decision.duration
        self.due = now + self.worked
        # A failed run found nothing to upload; the others report before they complete.
        uploads = self.type.category in _UPLOADS and self.ending.result is not Result.FAILURE and not is_rejected
        self.phase = Phase.UPLOADING if uploads else self._last_phase

    def uploaded(self, reply: Acknowledged | None, status: int, now: Instant) -> None:
        """The upload ended: what it answered decides the completion (agent-protocol 4.1)."""
        self.phase, self.due = self._last_phase, now
        if reply is None:
            # The vendor's C agent says success here; a simulator must not hide it (our choice).
            self.ending = Ending(Result.FAILURE, f"Error: the upload was refused with HTTP status {status}\n")
        elif reply.result.is_refusal:
            is_warning = reply.result.status is ReplyStatus.WARNING
            word, result = ("Warning", Result.WARNING) if is_warning else ("Error", Result.FAILURE)
            self.ending = Ending(result, f"{word}: {reply.result.error.message} ({reply.result.code})\n")

    @property
    def _last_phase(self) -> Phase:
        return Phase.HANGING if isinstance(self.path, Hang) else Phase.COMPLETING


_UPLOADS = frozenset({Category.INVENTORY, Category.REENROLLMENT, Category.DISCOVERY})


def upload(execution: Execution, who: Identity, altered: Alterations, token: str) -> AgentRequest:
    """The report that goes before the completion; `altered` is what jobs did to its store."""
    said, job_id, occasion = execution.configuration, execution.job.job_id, execution.occasion
    if execution.type.category is Category.REENROLLMENT:
        own = sub(who.key, "re-enrolment", occasion.store, occasion.occurrence, occasion.attempt)
        asked = certificates.request(own, said.subject or f"CN={who.machine}")
        return AgentRequest(said.enroll_endpoint or "", Enroll(token, job_id, asked))
    if isinstance(said.job, InventoryJob):
        capability, number = execution.type.capability, occasion.occurrence
        items = inventory.report(who.key, said.job, who.contents, capability, number, altered)
        return AgentRequest(said.inventory_endpoint or "", UpdateInventory(token, job_id, items))
    told = said.job if isinstance(said.job, DiscoveryJob) else None
    found = inventory.locations(who.key, occasion.occurrence, told, who.contents)
    return AgentRequest(said.discovery_endpoint or "", UpdateLocations(token, job_id, found))


def completion(execution: Execution, who: Identity, token: str) -> AgentRequest:
    """The final word; log fetching, custom jobs and scans carry their data."""
    machine = who.machine
    body = Complete(
        status=execution.result,
        audit_id=execution.audit_id,
        job_id=execution.job.job_id,
        message=_message(execution, machine),
        session_token=execution.token or token,
        log=_log(execution, machine) if execution.type.category is Category.FETCH_LOGS else None,
        data=_data(execution, who),
    )
    endpoint = execution.job.completion_endpoint
    return AgentRequest(endpoint, Garbled(body) if isinstance(execution.path, Malformed) else body)


def _data(execution: Execution, who: Identity) -> str | None:
    if execution.type.category is Category.CUSTOM:
        return log_text(who.machine, _characters(execution))
    if execution.type.category in SCANS and execution.result is not Result.FAILURE:
        return inventory.scan(who.key, execution.occasion.occurrence, who.contents)
    return None


def _log(execution: Execution, machine: str) -> str:
    limit = execution.configuration.max_characters_to_return
    wanted = _characters(execution)
    return log_text(machine, wanted if limit is None or isinstance(execution.path, Oversize) else min(wanted, limit))


def _characters(execution: Execution) -> int:
    return execution.path.size if isinstance(execution.path, Oversize) else execution.size


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
