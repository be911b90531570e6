"""One orchestrator agent: a plain object that is told what happened and says what to send.

    START ── Register ──┬─ refused ──────── wait, Register again
                        └─ session ──────── Heartbeat every interval ── invalid ── Register
                               └─ listed job due ── Configure ── work ── upload ── Complete, until acknowledged

It knows neither sockets nor clocks nor tasks: a shell calls `handle` with an event and the time, sends the requests
that come back, and calls again at `next_wake`. Every deadline is a field, so one that is overwritten cannot leak.
An answer counts only for the request that is still waited for: what a crash forgot, its late answers cannot revive.

A crash forgets all that a process holds in memory. What stays is the count of occurrences and attempts: no message
says it and the agent acts on it in nothing but chance, so it is the simulator's book-keeping rather than the agent's
memory, and the n-th doing of a job comes to the same whatever crashed before it. A run that a crash cut short did not
end well: its job comes back as the next attempt.
Source: agent-protocol 2 to 4 and 8.2; one job at a time, as the vendor's C agent does.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, assert_never

from agent_sim.agent.behaviour import Behaviour, Occasion, decide
from agent_sim.agent.events import (
    AgentCrashed,
    AgentOffline,
    AgentOnline,
    Answered,
    CameOnline,
    Crashed,
    Event,
    Fact,
    JobCancelled,
    JobCompleted,
    JobConfigured,
    JobLeft,
    JobRefused,
    Notified,
    Registered,
    RegistrationRefused,
    SendFailed,
    SessionLost,
    StopRequested,
    WentOffline,
    Woken,
)
from agent_sim.agent.execution import Execution, Phase, completion, upload
from agent_sim.distributions import Constant, Distribution
from agent_sim.draws import Key, unit
from agent_sim.instants import MINUTE, NEVER, SECOND, Instant, Span
from agent_sim.protocol import schedule
from agent_sim.protocol.agent import (
    DEFAULT_PLATFORM,
    HEARTBEAT,
    NO_TENANT,
    REGISTER,
    SESSION_UNKNOWN,
    Acknowledged,
    AgentReply,
    AgentRequest,
    Complete,
    CompletionReply,
    Configuration,
    Configure,
    Heartbeat,
    HeartbeatReply,
    InventoryJob,
    ManagementJob,
    Register,
    Session,
    SessionJob,
    SessionReply,
    pack_version,
)
from agent_sim.protocol.enums import JobType, Result

_FIRST_BACKOFF: Final[Span] = SECOND
_LONGEST_BACKOFF: Final[Span] = MINUTE
_RETRY_STATUSES: Final = frozenset({401, 403, 408, 429})
"""Answers outside 2xx after which a completion is sent again; so is every 5xx. Other 4xx are final."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who an agent is. `capabilities` are wire names; `key` decides every chance in its life."""

    fleet: str
    machine: str
    capabilities: tuple[str, ...]
    key: Key
    jitter: float = 0.0
    check_interval: Span = 30 * MINUTE  # how long to wait after a refused registration (agent-protocol 8.2.8)
    certificates: Distribution = Constant(3)  # in each store
    version: int = pack_version(25, 4, 1, 0)
    platform: int = DEFAULT_PLATFORM


_NO_BEAT: Final = AgentRequest(HEARTBEAT, Heartbeat(DEFAULT_PLATFORM, NO_TENANT, "", ""))


@dataclass(slots=True)
class _Listed:
    """A job of the session's list and when it is due here."""

    job: SessionJob
    type: JobType
    due: Instant


class Agent:
    """One of three classes with state; see the module's drawing."""

    __slots__ = (
        "agent_id",
        "beat",
        "behaviour",
        "catalogue",
        "down_until",
        "execution",
        "facts",
        "failed",
        "heartbeat_at",
        "identity",
        "interval",
        "listed",
        "look_again",
        "occurrences",
        "offline",
        "register_at",
        "registered_before",
        "registering",
        "setbacks",
        "stopping",
        "token",
    )

    def __init__(
        self,
        identity: Identity,
        behaviour: Behaviour,
        catalogue: Mapping[str, JobType],
        start: Instant,
        agent_id: str = "",
    ) -> None:
        """`catalogue` maps job-type GUIDs to types and may grow; `start` is when to register first."""
        self.identity = identity
        self.behaviour = behaviour
        self.catalogue = catalogue
        self.agent_id = agent_id
        self.token: str | None = None
        self.beat = _NO_BEAT  # the session's heartbeat, made once: it is most of what an agent ever says
        self.interval: Span = 5 * MINUTE
        self.register_at: Instant = start
        self.heartbeat_at: Instant = NEVER
        self.listed: dict[str, _Listed] | None = None  # None while empty: an idle agent should cost little
        self.execution: Execution | None = None
        self.occurrences: dict[tuple[str, str], int] | None = None
        self.failed: dict[str, tuple[int, int]] | None = None
        self.facts: list[Fact] | None = None
        self.setbacks = 0
        self.registered_before = False
        self.registering: AgentRequest | None = None  # the Register on its way
        self.look_again = False  # notified while asking
        self.down_until: Instant = start  # no process before
        self.offline = False
        self.stopping = False

    # --- the two methods ----------------------------------------------------------------------

    def handle(self, event: Event, now: Instant) -> list[AgentRequest]:
        """Take in one event; return what to send, in order."""
        match event:
            case Woken():
                pass
            case Answered(request) if self.offline:
                self._send_failed(request, now)  # the server acted, but its answer does not get through
            case Answered(request, reply):
                self._answered(request, reply, now)
            case SendFailed(request):
                self._send_failed(request, now)
            case Notified():
                self._look_now(now)
            case Crashed():
                self._crash(event, now)
            case WentOffline():
                self._cut_off()
            case CameOnline():
                self._come_back()
            case StopRequested():
                self._stop()
            case _:
                assert_never(event)
        return self._due(now)

    def next_wake(self) -> Instant:
        """When this agent next acts by itself; NEVER if only a message can move it."""
        if self.offline:
            return NEVER
        if self.token is None:
            return self.register_at  # nothing else can be sent without a session
        if self.execution is not None:
            return min(self.register_at, self.heartbeat_at, self.execution.due)
        if not self.listed or self.stopping:
            return min(self.register_at, self.heartbeat_at)
        return min(self.register_at, self.heartbeat_at, min(item.due for item in self.listed.values()))

    def take_facts(self) -> list[Fact]:
        """What happened since this was last asked, in order."""
        facts, self.facts = self.facts, None
        return facts or []

    @property
    def is_idle(self) -> bool:
        """True if no run is under way here."""
        return self.execution is None

    # --- what is due --------------------------------------------------------------------------

    def _due(self, now: Instant) -> list[AgentRequest]:
        requests: list[AgentRequest] = []
        if self.offline:
            return requests
        if self.register_at <= now:
            self.look_again = False
            self.register_at, self.registering = NEVER, AgentRequest(REGISTER, self._registration())
            requests.append(self.registering)
        if self.heartbeat_at <= now and self.token is not None:
            self.heartbeat_at = NEVER
            requests.append(self.beat)
        if self.listed and self.execution is None and self.token is not None and not self.stopping:
            self._start_a_job(self.listed, now)
        if self.execution is not None and self.execution.due <= now and self.token is not None:
            requests.append(self._step(self.execution, self.token))
        return requests

    def _registration(self) -> Register:
        who = self.identity
        return Register(who.platform, who.version, NO_TENANT, who.machine, None, self.agent_id, who.capabilities)

    def _start_a_job(self, listed: dict[str, _Listed], now: Instant) -> None:
        due = next((item for item in listed.values() if item.due <= now), None)
        if due is not None:
            self.execution = Execution(job=due.job, type=due.type, due=now)
            due.due = NEVER

    def _step(self, execution: Execution, token: str) -> AgentRequest:
        execution.due = NEVER  # until the request that now leaves has ended
        match execution.phase:
            case Phase.CONFIGURING:
                sent = AgentRequest(execution.job.configuration_endpoint, Configure(token, execution.job.job_id))
            case Phase.UPLOADING:
                sent = upload(execution, self.identity.key, self.identity.certificates, token)
            case Phase.COMPLETING:
                sent = completion(execution, self.identity.machine, token)
        execution.sent = sent
        return sent

    # --- answers ------------------------------------------------------------------------------

    def _answered(self, request: AgentRequest, reply: AgentReply, now: Instant) -> None:
        body = reply.body if reply.status < 300 else None
        match request.body:
            case Register():
                if request is self.registering:
                    self.registering = None
                    self._register_answered(body if isinstance(body, SessionReply) else None, reply.status, now)
            case Heartbeat(session_token=token):
                if token == self.token:  # an answer about an earlier session says nothing of this one
                    self._heartbeat_answered(body if isinstance(body, HeartbeatReply) else None, now)
            case Configure():
                if (execution := self._executing(request)) is not None:
                    self._configure_answered(execution, body if isinstance(body, Configuration) else None, now)
            case Complete() as complete:
                if (execution := self._executing(request)) is not None:
                    body = body if isinstance(body, CompletionReply) else None
                    self._complete_answered(execution, complete, body, reply.status, now)
            case _:
                if (execution := self._executing(request)) is not None:
                    body = body if isinstance(body, Acknowledged) else None
                    self._upload_answered(execution, body, reply.status, now)

    def _executing(self, request: AgentRequest) -> Execution | None:
        """The run that waits for what becomes of this very request."""
        return self.execution if self.execution is not None and self.execution.sent is request else None

    def _register_answered(self, reply: SessionReply | None, status: int, now: Instant) -> None:
        session = reply.session if reply is not None else None
        if reply is None:
            self._note(RegistrationRefused("", f"HTTP status {status}, or an answer that cannot be read"))
            self.register_at = now + self._backoff()
        elif session is None or session.token is None or reply.result.is_refusal:
            self._note(RegistrationRefused(reply.result.code, reply.result.error.message or ""))
            self.register_at = now + self.identity.check_interval
        else:
            self._open(session, session.token, now)
        if self.look_again:
            self._look_now(now)
        if self.stopping:
            self._stop()

    def _open(self, session: Session, token: str, now: Instant) -> None:
        self.token = token
        who = self.identity
        self.beat = AgentRequest(HEARTBEAT, Heartbeat(who.platform, NO_TENANT, who.machine, token))
        self.agent_id = session.agent_id or self.agent_id
        self.setbacks = 0
        self._beat_every(session.heartbeat_interval)
        # Spread the first heartbeat: a fleet that registers together must not beat together.
        self.heartbeat_at = now + round(self.interval * unit(self.identity.key, "first heartbeat"))
        self._list(session.jobs or (), now)
        self._note(Registered(first=not self.registered_before, jobs=len(session.jobs or ())))
        self.registered_before = True

    def _list(self, jobs: tuple[SessionJob, ...], now: Instant) -> None:
        """Replace the whole list; a recurring job that was listed before keeps its next due time."""
        before = self.listed or {}
        self.listed = {}
        for job in jobs:
            kind = self.catalogue.get(job.job_type_id.lower())
            if kind is None:
                continue  # unknown job types are skipped silently (agent-protocol 2.2)
            known = before.get(job.job_id)
            when = schedule.from_wire(job.schedule)
            keep = known is not None and known.job.schedule == job.schedule and schedule.recurs(when)
            due = known.due if known is not None and keep else schedule.next_run(when, now)
            self.listed[job.job_id] = _Listed(job, kind, due)

    def _beat_every(self, minutes: float) -> None:
        self.interval = max(round(minutes * MINUTE), SECOND // 10)

    def _heartbeat_answered(self, reply: HeartbeatReply | None, now: Instant) -> None:
        if reply is not None and not reply.result.is_refusal:
            self._beat_every(reply.heartbeat_interval)
            if not reply.session_valid:
                self._lose_session(now)
                return
        if not self.stopping:
            self._plan_heartbeat(now)
        if self.look_again:
            self._look_now(now)

    def _plan_heartbeat(self, now: Instant) -> None:
        # Never sooner than told (agent-protocol 8.2.7): jitter only ever adds.
        jitter = self.identity.jitter
        late = jitter * unit(self.identity.key, "heartbeat", now) if jitter else 0.0
        self.heartbeat_at = now + round(self.interval * (1 + late))

    def _lose_session(self, now: Instant) -> None:
        self.token = None
        self.heartbeat_at = NEVER
        self._note(SessionLost())
        if (not self.stopping or self.execution is not None) and self.registering is None:
            self.register_at = now

    def _configure_answered(self, execution: Execution, reply: Configuration | None, now: Instant) -> None:
        if reply is None:
            execution.due = now + self._backoff()
        elif reply.result.is_refusal:
            # No Complete (agent-protocol 4.0); the next heartbeat tells whether the session still holds.
            self._note(JobRefused(execution.job.job_id, reply.result.error.message or reply.result.code))
            self._drop(execution)
        elif reply.job_cancelled:
            self._note(JobCancelled(execution.job.job_id))
            self._drop(execution)
            self._lose_session(now)
        else:
            self._begin(execution, reply, now)

    def _begin(self, execution: Execution, reply: Configuration, now: Instant) -> None:
        self.setbacks = 0
        occasion = self._occasion(execution, reply)
        execution.begin(reply, occasion, decide(self.behaviour, self.identity.key, occasion), now)
        self._note(JobConfigured(execution.job.job_id, reply.audit_id, occasion))

    def _occasion(self, execution: Execution, reply: Configuration) -> Occasion:
        """Count from memory: the wire shows neither occurrence nor attempt (architecture, determinism)."""
        store = reply.store_path or _store_path(reply)
        again = (self.failed or {}).get(execution.job.job_id)
        if again is not None:
            return Occasion(execution.type, store, again[0], again[1] + 1)
        if self.occurrences is None:
            self.occurrences = {}
        place = (execution.type.word, store)
        self.occurrences[place] = self.occurrences.get(place, 0) + 1
        return Occasion(execution.type, store, self.occurrences[place], 1)

    def _upload_answered(self, execution: Execution, reply: Acknowledged | None, status: int, now: Instant) -> None:
        if reply is None and (status >= 500 or status in _RETRY_STATUSES):
            execution.due = now + self._backoff()
            return
        execution.uploaded(reply, status, now)

    def _complete_answered(
        self, execution: Execution, sent: Complete, reply: CompletionReply | None, status: int, now: Instant
    ) -> None:
        if reply is None and (status < 300 or status >= 500 or status in _RETRY_STATUSES):
            execution.due = now + self._backoff()
        elif reply is not None and reply.result.is_refusal and reply.result.code == SESSION_UNKNOWN:
            execution.due = now
            if sent.session_token == self.token:
                self._lose_session(now)
        else:
            self._finish(execution, accepted=reply is not None and not reply.result.is_refusal, now=now)

    def _finish(self, execution: Execution, *, accepted: bool, now: Instant) -> None:
        self.setbacks = 0
        occasion, result, job_id = execution.occasion, execution.result, execution.job.job_id
        self._note(JobCompleted(job_id, execution.audit_id, occasion, result, accepted, execution.worked))
        if self.failed is None:
            self.failed = {}
        if accepted and result in (Result.SUCCESS, Result.WARNING):
            self.failed.pop(job_id, None)
        else:
            self.failed[job_id] = (occasion.occurrence, occasion.attempt)
        self._drop(execution, now)

    def _drop(self, execution: Execution, now: Instant = NEVER) -> None:
        """Forget the execution; a recurring job waits for its next time, a one-time job leaves the list."""
        self.execution = None
        item = (self.listed or {}).get(execution.job.job_id)
        if self.listed is None or item is None or item.job is not execution.job:
            return  # the list was replaced meanwhile: what it says now counts
        when = schedule.from_wire(item.job.schedule)
        if schedule.recurs(when) and now != NEVER:
            item.due = schedule.next_run(when, now)
        else:
            del self.listed[execution.job.job_id]

    # --- setbacks, nudges, the end ------------------------------------------------------------

    def _send_failed(self, request: AgentRequest, now: Instant) -> None:
        match request.body:
            case Register():
                if request is self.registering:
                    self.registering = None
                    self.register_at = NEVER if self.stopping and self.is_idle else now + self._backoff()
            case Heartbeat(session_token=token):
                if token == self.token and not self.stopping:
                    self._plan_heartbeat(now)  # keep the token (agent-protocol 3)
                    if self.look_again:
                        self._look_now(now)
            case _:
                if (execution := self._executing(request)) is not None:
                    execution.due = now + self._backoff()

    def _backoff(self) -> Span:
        """1 s, 2 s, 4 s ... up to a minute, each cut by up to half by chance (our choice)."""
        longest = min(_FIRST_BACKOFF << min(self.setbacks, 10), _LONGEST_BACKOFF)
        self.setbacks += 1
        return round(longest * (1 - unit(self.identity.key, "backoff", self.setbacks) / 2))

    def _look_now(self, now: Instant) -> None:
        self.look_again = False
        if self.stopping or now < self.down_until:
            return  # nobody is there to hear it
        if self.token is not None and self.heartbeat_at != NEVER:
            self.heartbeat_at = now
        elif self.token is None and self.register_at != NEVER:
            self.register_at, self.setbacks = now, 0
        else:
            self.look_again = True  # what is being answered just now may be older than the news

    def _crash(self, crash: Crashed, now: Instant) -> None:
        if (execution := self.execution) is not None and execution.phase is not Phase.CONFIGURING:
            self._leave(execution, "crash")
        self.token, self.beat, self.heartbeat_at = None, _NO_BEAT, NEVER
        self.listed = self.execution = self.registering = None
        self.look_again, self.setbacks = False, 0
        if not crash.keeps_identity:
            self.agent_id = ""
        self.down_until = max(crash.restart_at, now)
        self.register_at = NEVER if self.stopping else self.down_until
        self._note(AgentCrashed(self.down_until, crash.keeps_identity))

    def _leave(self, execution: Execution, why: str) -> None:
        """The run ends for the agent without a word to the server; if its job comes back, that is another attempt."""
        occasion, job_id = execution.occasion, execution.job.job_id
        if self.failed is None:
            self.failed = {}
        self.failed[job_id] = (occasion.occurrence, occasion.attempt)
        self._note(JobLeft(job_id, execution.audit_id, occasion, why))

    def _cut_off(self) -> None:
        if not self.offline:
            self.offline = True
            self._note(AgentOffline())

    def _come_back(self) -> None:
        if self.offline:
            self.offline = False
            self._note(AgentOnline())

    def _stop(self) -> None:
        self.stopping = True
        self.heartbeat_at = NEVER
        if self.is_idle or self.token is not None:
            self.register_at = NEVER

    def _note(self, fact: Fact) -> None:
        if self.facts is None:
            self.facts = []
        self.facts.append(fact)


def _store_path(reply: Configuration) -> str:
    return reply.job.store_path if isinstance(reply.job, InventoryJob | ManagementJob) else ""
