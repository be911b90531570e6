"""One orchestrator agent: a plain object that is told what happened and says what to send.

    START ── Register ──┬─ refused ──────── wait, Register again
                        └─ session ──────── Heartbeat every interval ── invalid ── Register
                               └─ listed jobs: the worker's business

It knows neither sockets nor clocks nor tasks: a shell calls `handle` with an event and the time, sends the requests
that come back, and calls again at `next_wake`. Every deadline is a field, so one that is overwritten cannot leak.
An answer counts only for the request that is still waited for: what a crash forgot, its late answers cannot revive.

A crash forgets all that a process holds in memory. What stays is the count of occurrences and attempts: no message
says it and the agent acts on it in nothing but chance, so it is the simulator's book-keeping rather than the agent's
memory, and the n-th doing of a job comes to the same whatever crashed before it. A run that a crash cut short did not
end well: its job comes back as the next attempt. Source: agent-protocol 2 to 4 and 8.2.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Final, assert_never

from agent_sim.agent import clock
from agent_sim.agent.behaviour import Behaviour
from agent_sim.agent.events import (
    AgentCrashed,
    AgentOffline,
    AgentOnline,
    Answered,
    CameOnline,
    ClockSet,
    Crashed,
    Event,
    Fact,
    Notified,
    Registered,
    RegistrationRefused,
    SendFailed,
    SessionLost,
    StopRequested,
    WentOffline,
    Woken,
)
from agent_sim.agent.identity import Identity
from agent_sim.agent.worker import Worker
from agent_sim.draws import unit
from agent_sim.instants import MINUTE, NEVER, SECOND, Instant, Span
from agent_sim.protocol.agent import (
    DEFAULT_PLATFORM,
    HEARTBEAT,
    NO_TENANT,
    REGISTER,
    AgentReply,
    AgentRequest,
    Heartbeat,
    HeartbeatReply,
    Register,
    Session,
    SessionReply,
)
from agent_sim.protocol.enums import JobType

_FIRST_BACKOFF: Final[Span] = SECOND
_LONGEST_BACKOFF: Final[Span] = MINUTE
_NO_BEAT: Final = AgentRequest(HEARTBEAT, Heartbeat(DEFAULT_PLATFORM, NO_TENANT, "", ""))

Timetable = tuple[tuple[Instant, Crashed | WentOffline | CameOnline], ...]
"""What the scenario has happen to an agent, in time's order."""


class Agent:
    """One of three classes with state; see the module's drawing. What there is for jobs only is in its worker."""

    __slots__ = (
        "agent_id",
        "beat",
        "behaviour",
        "catalogue",
        "clock",
        "down_until",
        "facts",
        "heartbeat_at",
        "identity",
        "interval",
        "look_again",
        "offline",
        "register_at",
        "registered_before",
        "registering",
        "setbacks",
        "stopping",
        "timetable",
        "token",
        "turn_at",
        "worker",
    )

    def __init__(
        self,
        identity: Identity,
        behaviour: Behaviour,
        catalogue: Mapping[str, JobType],
        start: Instant,
        agent_id: str = "",
        timetable: Timetable = (),
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
        self.worker: Worker | None = None  # until the first job: an idle agent should cost little
        self.facts: list[Fact] | None = None
        self.setbacks = 0
        self.registered_before = False
        self.registering: AgentRequest | None = None  # the Register on its way
        self.look_again = False  # notified while asking
        self.down_until: Instant = start  # no process before
        self.offline = False
        self.clock = clock.RIGHT
        self.stopping = False
        self.timetable = timetable
        self.turn_at: Instant = timetable[0][0] if timetable else NEVER

    # --- the two methods ----------------------------------------------------------------------

    def handle(self, event: Event, now: Instant) -> list[AgentRequest]:
        """Take in one event; return what to send, in order."""
        while self.turn_at <= now:
            self._take_turn()
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
                self.crash(event, now)
            case WentOffline():
                self._cut_off()
            case CameOnline():
                self._come_back()
            case ClockSet():
                self._set_clock(clock.Clock(event.offset, event.drift, now), now)
            case StopRequested():
                self._stop()
            case _:
                assert_never(event)
        return self._due(now)

    def next_wake(self) -> Instant:
        """When this agent next acts by itself; NEVER if only a message can move it."""
        if self.offline:
            return self.turn_at
        if self.token is None:
            return min(self.register_at, self.turn_at)  # nothing else can be sent without a session
        if self.worker is None:
            return min(self.register_at, self.heartbeat_at, self.turn_at)
        return min(self.register_at, self.heartbeat_at, self.turn_at, self.worker.next_due())

    def take_facts(self) -> list[Fact]:
        """What happened since this was last asked, in order."""
        facts, self.facts = self.facts, None
        return facts or []

    @property
    def is_idle(self) -> bool:
        """True if no run is under way here."""
        return self.worker is None or self.worker.is_idle

    # --- what is due --------------------------------------------------------------------------

    def _take_turn(self) -> None:
        (at, event), self.timetable = self.timetable[0], self.timetable[1:]
        self.turn_at = self.timetable[0][0] if self.timetable else NEVER
        match event:
            case Crashed():
                self.crash(event, at)
            case WentOffline():
                self._cut_off()
            case CameOnline():
                self._come_back()

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
        if self.worker is not None and self.token is not None:
            requests += self.worker.step(now)
        return requests

    def _registration(self) -> Register:
        who = self.identity
        return Register(who.platform, who.version, NO_TENANT, who.machine, None, self.agent_id, who.capabilities)

    # --- answers ------------------------------------------------------------------------------

    def _answered(self, request: AgentRequest, reply: AgentReply, now: Instant) -> None:
        body = reply.body if reply.status < 300 else None
        if request is self.beat and self.token is not None:  # the session's own, as most answers are
            self._heartbeat_answered(body if isinstance(body, HeartbeatReply) else None, now)
            return
        match request.body:
            case Register():
                if request is self.registering:
                    self.registering = None
                    self._register_answered(body if isinstance(body, SessionReply) else None, reply.status, now)
            case Heartbeat(session_token=token):
                if token == self.token:  # an answer about an earlier session says nothing of this one
                    self._heartbeat_answered(body if isinstance(body, HeartbeatReply) else None, now)
            case _:
                if self.worker is not None:
                    self.worker.answered(request, reply, now)

    def _register_answered(self, reply: SessionReply | None, status: int, now: Instant) -> None:
        session = reply.session if reply is not None else None
        if reply is None:
            self.note(RegistrationRefused("", f"HTTP status {status}, or an answer that cannot be read"))
            self.register_at = now + self.backoff()
        elif session is None or session.token is None or reply.result.is_refusal:
            self.note(RegistrationRefused(reply.result.code, reply.result.error.message or ""))
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
        spread = round(self.interval * unit(self.identity.key, "first heartbeat"))
        self.heartbeat_at = self._on_the_grid(now) if self.identity.aligned else now + spread
        jobs = session.jobs or ()
        if self.worker is None and jobs:
            self.worker = Worker(self)
        if self.worker is not None:
            self.worker.relist(jobs, now)
            self.worker.go_on(now)
        self.note(Registered(first=not self.registered_before, jobs=len(jobs)))
        self.registered_before = True

    def _beat_every(self, minutes: float) -> None:
        self.interval = _interval(minutes)

    def _heartbeat_answered(self, reply: HeartbeatReply | None, now: Instant) -> None:
        if reply is not None and not reply.result.is_refusal:
            self._beat_every(reply.heartbeat_interval)
            if not reply.session_valid:
                self.lose_session(now)
                return
        if not self.stopping:
            self._plan_heartbeat(now)
        if self.look_again:
            self._look_now(now)

    def _plan_heartbeat(self, now: Instant) -> None:
        if self.identity.aligned:
            self.heartbeat_at = self._on_the_grid(now)
            return
        # Never sooner than told (agent-protocol 8.2.7): jitter only ever adds.
        jitter = self.identity.jitter
        late = jitter * unit(self.identity.key, "heartbeat", now) if jitter else 0.0
        self.heartbeat_at = now + self.clock.lasts(round(self.interval * (1 + late)))

    def _on_the_grid(self, now: Instant) -> Instant:
        """The next multiple of the interval: an even grid, as the vendor's C agent keeps it (agent-protocol 3)."""
        return (now // self.interval + 1) * self.interval

    # --- setbacks, nudges, the end ------------------------------------------------------------

    def _send_failed(self, request: AgentRequest, now: Instant) -> None:
        match request.body:
            case Register():
                if request is self.registering:
                    self.registering = None
                    self.register_at = NEVER if self.stopping and self.is_idle else now + self.backoff()
            case Heartbeat(session_token=token):
                if token == self.token and not self.stopping:
                    self._plan_heartbeat(now)  # keep the token (agent-protocol 3)
                    if self.look_again:
                        self._look_now(now)
            case _:
                if self.worker is not None:
                    self.worker.send_failed(request, now)

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

    def _cut_off(self) -> None:
        if not self.offline:
            self.offline = True
            self.note(AgentOffline())

    def _come_back(self) -> None:
        if self.offline:
            self.offline = False
            self.note(AgentOnline())

    def _stop(self) -> None:
        self.stopping = True
        self.timetable, self.turn_at = (), NEVER
        self.heartbeat_at = NEVER
        waits_for_session = self.worker is not None and self.worker.waits_for_session
        if self.is_idle or (self.token is not None and not waits_for_session):
            self.register_at = NEVER

    # --- what the worker needs (worker.Employer) ----------------------------------------------

    def note(self, fact: Fact) -> None:
        """Keep a fact until the shell takes it."""
        if self.facts is None:
            self.facts = []
        self.facts.append(fact)

    def backoff(self) -> Span:
        """1 s, 2 s, 4 s ... up to a minute, each cut by up to half by chance (our choice)."""
        longest = min(_FIRST_BACKOFF << min(self.setbacks, 10), _LONGEST_BACKOFF)
        self.setbacks += 1
        return round(longest * (1 - unit(self.identity.key, "backoff", self.setbacks) / 2))

    def lose_session(self, now: Instant) -> None:
        """The server no longer honours the session: register again."""
        self.token = None
        self.heartbeat_at = NEVER
        self.note(SessionLost())
        if (not self.stopping or not self.is_idle) and self.registering is None:
            self.register_at = now

    def renew_session(self, now: Instant) -> None:
        """Register again although the session holds."""
        if self.registering is None:
            self.register_at = min(self.register_at, now)

    def crash(self, crash: Crashed, now: Instant) -> None:
        """The process dies."""
        if self.worker is not None:
            self.worker.die()
        self.token, self.beat, self.heartbeat_at = None, _NO_BEAT, NEVER
        self.registering = None
        self.look_again, self.setbacks = False, 0
        if not crash.keeps_identity:
            self.agent_id = ""
        self.down_until = max(crash.restart_at, now)
        self.register_at = NEVER if self.stopping else self.down_until
        self.note(AgentCrashed(self.down_until, crash.keeps_identity))

    def _set_clock(self, new: clock.Clock, now: Instant) -> None:
        if self.worker is not None:
            self.worker.listed.reset_clock(self.clock, new, now)
        self.clock = new


@lru_cache(maxsize=256)  # every heartbeat's answer says it again
def _interval(minutes: float) -> Span:
    return max(round(minutes * MINUTE), SECOND // 10)
