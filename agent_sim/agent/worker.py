"""The part of an agent that does jobs: its list, the run under way, and runs that linger while it does others.

    listed, due ── Configure ── work ── upload ── Complete, until acknowledged ── next
         └─ never started          └─ hangs        └─ late, once more, under an old session, crash ...

One job at a time, as the vendor's C agent does; only what waits without working (a completion that is late or comes
twice) lingers beside it, and a job that hangs is left, so that one bad job does not stop the rest. An agent has a
worker from its first listed job on. Sessions are the agent's business; what the worker needs of it is `Employer`.
"""

from base64 import b64decode
from collections.abc import Mapping
from typing import Final, Protocol

from agent_sim.agent.behaviour import (
    NOWHERE,
    Behaviour,
    Surroundings,
    decide,
    is_started,
    looks_around,
    may_never_start,
)
from agent_sim.agent.certificates import of_contents
from agent_sim.agent.clock import Clock
from agent_sim.agent.events import (
    CompletionRepeated,
    Crashed,
    Fact,
    JobCancelled,
    JobCompleted,
    JobConfigured,
    JobLeft,
    JobRefused,
)
from agent_sim.agent.execution import Execution, Phase, completion, upload
from agent_sim.agent.identity import Identity
from agent_sim.agent.listed import JobList, Listed
from agent_sim.agent.memory import Memory
from agent_sim.agent.paths import (
    CompleteTwice,
    Crash,
    Hang,
    Late,
    LostAck,
    Malformed,
    Oversize,
    Path,
    Reject,
    StaleSession,
)
from agent_sim.draws import NO_KEY
from agent_sim.instants import NEVER, Instant, Span
from agent_sim.protocol.agent import (
    SESSION_UNKNOWN,
    Acknowledged,
    AgentReply,
    AgentRequest,
    CompletionReply,
    Configuration,
    Configure,
    InventoryJob,
    ManagementJob,
    SessionJob,
)
from agent_sim.protocol.enums import JobType, Operation, Result

_RETRY_STATUSES: Final = frozenset({401, 403, 408, 429})
"""Answers outside 2xx after which a completion is sent again; so is every 5xx. Other 4xx are final."""

_LEFT: Final[Mapping[type, str]] = {Malformed: "malformed", Oversize: "oversize"}
"""Why a run whose completion was turned away for good stays open."""

_HANGS_AT_ONCE: Final = Hang(after_upload=False)


class Employer(Protocol):
    """What a worker needs of its agent."""

    behaviour: Behaviour
    catalogue: Mapping[str, JobType]
    setbacks: int

    @property
    def identity(self) -> Identity: ...

    @property
    def token(self) -> str | None: ...

    @property
    def stopping(self) -> bool: ...

    @property
    def clock(self) -> Clock: ...

    def note(self, fact: Fact) -> None: ...

    def backoff(self) -> Span: ...

    def lose_session(self, now: Instant) -> None: ...

    def renew_session(self, now: Instant) -> None: ...

    def crash(self, crash: Crashed, now: Instant) -> None: ...


class Worker:
    """What one agent does about its jobs."""

    __slots__ = ("_employer", "execution", "lingering", "listed", "memory")

    def __init__(self, employer: Employer) -> None:
        self._employer = employer
        self.listed = JobList()
        self.execution: Execution | None = None
        self.lingering: tuple[Execution, ...] = ()
        self.memory = Memory()

    # --- when and what ------------------------------------------------------------------------

    @property
    def is_idle(self) -> bool:
        """True if no run is under way."""
        return self.execution is None and not self.lingering

    @property
    def rests(self) -> bool:
        """True if nothing is under way and nothing is listed."""
        return self.execution is None and not self.lingering and not self.listed.items

    @property
    def waits_for_session(self) -> bool:
        """True if a run can only go on under a new session."""
        return any(execution.phase is Phase.RENEWING for execution in self._under_way)

    def next_due(self) -> Instant:
        """When the worker next acts by itself."""
        due = self.execution.due if self.execution is not None else self._next_listed()
        return min(due, *(execution.due for execution in self.lingering)) if self.lingering else due

    def _next_listed(self) -> Instant:
        return NEVER if self._employer.stopping else self.listed.next_due()

    @property
    def _under_way(self) -> tuple[Execution, ...]:
        return self.lingering if self.execution is None else (self.execution, *self.lingering)

    def step(self, now: Instant) -> list[AgentRequest]:
        """What is due to be sent, under the session that there is."""
        if self.execution is None and self.listed.items and not self._employer.stopping:
            self._start_a_job(now)
        requests: list[AgentRequest] = []
        if self.is_idle:
            return requests
        for execution in self._under_way:
            if execution.due <= now and (token := self._employer.token) is not None:  # a crash ends the session
                request = self._next_message(execution, token, now)
                if request is not None:
                    requests.append(request)
        return requests

    def relist(self, jobs: tuple[SessionJob, ...], now: Instant) -> None:
        """The list of a new session."""
        self.listed.replace(jobs, self._employer.catalogue, now, self._employer.clock)

    def go_on(self, now: Instant) -> None:
        """There is a new session: what waited for one is due."""
        for execution in self._under_way:
            if execution.phase is Phase.RENEWING:
                execution.phase, execution.due = Phase.COMPLETING, now

    def die(self) -> None:
        """The process died: list and runs are gone."""
        for execution in self._under_way:
            if execution.is_open:
                self._leave(execution, "crash")
        self.listed, self.execution, self.lingering = JobList(), None, ()

    # --- starting -----------------------------------------------------------------------------

    def _start_a_job(self, now: Instant) -> None:
        for item in self.listed.due(now):
            if not self._is_left_on_the_list(item, now):
                self.execution = Execution(job=item.job, type=item.type, due=now)
                item.due = NEVER
                return

    def _is_left_on_the_list(self, item: Listed, now: Instant) -> bool:
        employer, job_id = self._employer, item.job.job_id
        if not may_never_start(employer.behaviour, item.type):
            return False
        occasion = self.memory.ahead(item.type, job_id)
        if is_started(employer.behaviour, employer.identity.key, occasion, self._around(item.type, "", now)):
            return False
        self.memory.count(item.type)
        item.leave(now, employer.clock)
        employer.note(JobLeft(job_id, 0, occasion, "never_start"))
        return True

    def _around(self, job: JobType, store: str, now: Instant) -> Surroundings:
        who, memory = self._employer.identity, self.memory
        return Surroundings(
            now,
            who.machine,
            who.fleet,
            who.index,
            who.labels,
            doing=memory.doings(job) + 1,
            doing_at_store=memory.doings(job, store) + 1,
        )

    # --- sending ------------------------------------------------------------------------------

    def _next_message(self, execution: Execution, token: str, now: Instant) -> AgentRequest | None:
        execution.due = NEVER  # until the request that now leaves has ended
        match execution.phase:
            case Phase.CONFIGURING:
                take = Configure(token, execution.job.job_id)
                execution.sent = AgentRequest(execution.job.configuration_endpoint, take)
            case Phase.UPLOADING:
                altered = self.memory.altered(execution.occasion.store)
                execution.sent = upload(execution, self._employer.identity, altered, token)
            case Phase.HANGING:
                self._leave(execution, "hang")
                self._put_down(execution, now)
                return None
            case Phase.RENEWING:
                return None
            case Phase.COMPLETING:
                return self._complete(execution, token, now)
            case Phase.REPEATING:
                execution.sent = completion(execution, self._employer.identity, token)
        return execution.sent

    def _complete(self, execution: Execution, token: str, now: Instant) -> AgentRequest | None:
        """The completion, unless something comes before it or instead of it."""
        path = execution.path
        match path:
            case Late(by):
                self._leave(execution, "late")
                execution.path, execution.due = None, now + by
                self._linger(execution, now)
                return None
            case StaleSession() if execution.token is None:
                execution.phase, execution.token = Phase.RENEWING, token
                self._employer.renew_session(now)
                return None
            case Crash(after_completing=False):
                self._employer.crash(_crash(path, now), now)
                return None
        self._change_store(execution)
        execution.sent = sent = completion(execution, self._employer.identity, token)
        if isinstance(path, Crash):
            self._employer.crash(_crash(path, now), now)
        return sent

    def _change_store(self, execution: Execution) -> None:
        """What a management job that went well does to the store, whether the server hears of it or not."""
        job = execution.configuration.job
        if (
            not isinstance(job, ManagementJob)
            or execution.result is Result.FAILURE
            or isinstance(execution.path, Reject)
        ):
            return
        alias = job.alias or job.thumbprint or ""
        if job.operation_type is Operation.REMOVE:
            self.memory.alter(job.store_path, alias, None)
        elif job.entry_contents:
            self.memory.alter(job.store_path, alias, job.entry_contents)

    # --- answers ------------------------------------------------------------------------------

    def answered(self, request: AgentRequest, reply: AgentReply, now: Instant) -> None:
        """What a request came to; whom it no longer concerns does not hear of it."""
        execution = self._waiting_for(request)
        if execution is None:
            return
        body = reply.body if reply.status < 300 else None
        match execution.phase:
            case Phase.CONFIGURING:
                self._configure_answered(execution, body if isinstance(body, Configuration) else None, now)
            case Phase.UPLOADING:
                self._upload_answered(execution, body if isinstance(body, Acknowledged) else None, reply.status, now)
            case _:
                self._complete_answered(
                    execution, body if isinstance(body, CompletionReply) else None, reply.status, now
                )

    def send_failed(self, request: AgentRequest, now: Instant) -> None:
        """A request ended without an answer: it is sent again."""
        if (execution := self._waiting_for(request)) is not None:
            execution.due = now + self._employer.backoff()

    def _waiting_for(self, request: AgentRequest) -> Execution | None:
        return next((execution for execution in self._under_way if execution.sent is request), None)

    def _configure_answered(self, execution: Execution, reply: Configuration | None, now: Instant) -> None:
        job_id = execution.job.job_id
        if reply is None:
            execution.due = now + self._employer.backoff()
        elif reply.result.is_refusal:
            # No Complete (agent-protocol 4.0); the next heartbeat tells whether the session still holds.
            self._employer.note(JobRefused(job_id, reply.result.error.message or reply.result.code))
            self._put_down(execution)
        elif reply.job_cancelled:
            self._employer.note(JobCancelled(job_id))
            self._put_down(execution)
            self._employer.lose_session(now)
        else:
            self._begin(execution, reply, now)

    def _begin(self, execution: Execution, reply: Configuration, now: Instant) -> None:
        self._employer.setbacks = 0
        behaviour = self._employer.behaviour
        key = NO_KEY if behaviour.of(execution.type).is_certain else self._employer.identity.key
        occasion = self.memory.begin(execution.type, execution.job.job_id, _store_path(reply))
        looks = looks_around(behaviour, execution.type)
        around = self._around(execution.type, occasion.store, now) if looks else NOWHERE
        decision = decide(behaviour, key, occasion, around)
        if behaviour.of(execution.type).sequence is not None or may_never_start(behaviour, execution.type):
            self.memory.count(execution.type, occasion.store)
        execution.begin(reply, occasion, decision, now)
        self._employer.note(JobConfigured(execution.job.job_id, reply.audit_id, occasion))
        if execution.path == _HANGS_AT_ONCE:
            self._leave(execution, "hang")
            self._put_down(execution, now)

    def _upload_answered(self, execution: Execution, reply: Acknowledged | None, status: int, now: Instant) -> None:
        if reply is None and (status >= 500 or status in _RETRY_STATUSES):
            execution.due = now + self._employer.backoff()
            return
        if reply is not None and reply.certificate and not reply.result.is_refusal:
            # A renewed certificate replaces none: it goes by its thumbprint, as in a PEM store.
            thumbprint = of_contents(b64decode(reply.certificate)).thumbprint
            self.memory.alter(execution.occasion.store, thumbprint, reply.certificate)
        execution.uploaded(reply, status, now)

    def _complete_answered(
        self, execution: Execution, reply: CompletionReply | None, status: int, now: Instant
    ) -> None:
        if reply is None and (status < 300 or status >= 500 or status in _RETRY_STATUSES):
            execution.due = now + self._employer.backoff()
        elif reply is not None and reply.result.is_refusal and reply.result.code == SESSION_UNKNOWN:
            self._session_unknown(execution, now)
        elif reply is not None and isinstance(execution.path, LostAck):
            execution.path, execution.due = None, now + self._employer.backoff()
        else:
            self._finish(execution, accepted=reply is not None and not reply.result.is_refusal, now=now)

    def _session_unknown(self, execution: Execution, now: Instant) -> None:
        sent = execution.sent.body if execution.sent is not None else None
        execution.due, execution.token, execution.path = now, None, _after_renewal(execution.path)
        if getattr(sent, "session_token", None) == self._employer.token:
            self._employer.lose_session(now)

    # --- ending -------------------------------------------------------------------------------

    def _finish(self, execution: Execution, *, accepted: bool, now: Instant) -> None:
        employer, job_id, occasion = self._employer, execution.job.job_id, execution.occasion
        employer.setbacks = 0
        if execution.phase is Phase.REPEATING:
            employer.note(CompletionRepeated(job_id, execution.audit_id, occasion, accepted))
            self._put_down(execution, now)
            return
        result = execution.result
        employer.note(JobCompleted(job_id, execution.audit_id, occasion, result, accepted, execution.worked))
        if accepted and result in (Result.SUCCESS, Result.WARNING):
            self.memory.ended_well(job_id, occasion)
        elif not accepted and type(execution.path) in _LEFT:
            self._leave(execution, _LEFT[type(execution.path)])
        self._put_down(execution, now)
        if accepted and isinstance(execution.path, CompleteTwice):
            execution.phase, execution.due = Phase.REPEATING, now + execution.path.gap
            self.lingering = (*self.lingering, execution)

    def _leave(self, execution: Execution, why: str) -> None:
        """The run stays open when its work is over; if its job comes back, that is another attempt."""
        self._employer.note(JobLeft(execution.job.job_id, execution.audit_id, execution.occasion, why))

    def _linger(self, execution: Execution, now: Instant) -> None:
        """It has nothing to do for a while: others may."""
        self._put_down(execution, now)
        self.lingering = (*self.lingering, execution)

    def _put_down(self, execution: Execution, now: Instant = NEVER) -> None:
        """Forget the run; a recurring job waits for its next time, a one-time job leaves the list."""
        if execution is not self.execution:
            self.lingering = tuple(other for other in self.lingering if other is not execution)
            return  # its place on the list was settled when it began to linger
        self.execution = None
        self.listed.done(execution.job, now, self._employer.clock)


def _store_path(reply: Configuration) -> str:
    return reply.store_path or (reply.job.store_path if isinstance(reply.job, InventoryJob | ManagementJob) else "")


def _crash(path: Crash, now: Instant) -> Crashed:
    return Crashed(now + path.restart_after, path.keeps_identity)


def _after_renewal(path: Path | None) -> Path | None:
    """An old session that the server does not take has had its effect."""
    return None if isinstance(path, StaleSession) else path
