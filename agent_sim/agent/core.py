"""One orchestrator agent: a plain object that is told what happened and says what to send.

    START ── Register ──┬─ refused ──────── wait, Register again
                        └─ session ──────── Heartbeat every interval ── invalid ── Register
                               └─ listed jobs: the worker's business

It knows neither sockets nor clocks nor tasks: a shell calls `handle` with an event and the time, sends the requests
that come back, and calls again at `next_wake`. Every deadline is a field, so one that is overwritten cannot leak.
Most agents of a large fleet have a session and nothing else to think of: what they do not need to know is kept in
`affairs`, and theirs are those of all who are calm.
An answer counts only for the request that is still waited for: what a crash forgot, its late answers cannot revive.

A crash forgets all that a process holds in memory. What stays is the count of occurrences and attempts: no message
says it and the agent acts on it in nothing but chance, so it is the simulator's book-keeping rather than the agent's
memory, and the n-th doing of a job comes to the same whatever crashed before it. A run that a crash cut short did not
end well: its job comes back as the next attempt. Source: agent-protocol 2 to 4 and 8.2.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Final, assert_never

from agent_sim.agent.affairs import CALM, UNBORN, Affairs, Timetable
from agent_sim.agent.behaviour import Behaviour
from agent_sim.agent.clock import RIGHT, Clock
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
from agent_sim.agent.papers import Papers, agent_id_of, has_token, number_of, papers, token_of
from agent_sim.agent.worker import Worker
from agent_sim.draws import unit
from agent_sim.instants import MINUTE, NEVER, SECOND, Instant, Span
from agent_sim.protocol.agent import (
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

_FIRST_INTERVAL: Final[Span] = 5 * MINUTE
_FIRST_BACKOFF: Final[Span] = SECOND
_LONGEST_BACKOFF: Final[Span] = MINUTE


class Agent:
    """One of three classes with state; see the module's drawing. What there is for jobs only is in its worker."""

    __slots__ = (
        *("affairs", "beat", "behaviour", "catalogue", "facts", "heartbeat_at", "interval", "worker"),
        *("_papers", "_stock"),
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
        self._stock = identity.stock
        self._papers: Papers = papers(identity.index, agent_id, None)
        self.behaviour = behaviour
        self.catalogue = catalogue
        self.beat: AgentRequest | None = None  # the heartbeat on its way
        self.interval: Span = _FIRST_INTERVAL
        self.heartbeat_at: Instant = start  # of the unborn it is when they register first
        self.worker: Worker | None = None  # until the first job: an idle agent should cost little
        self.facts: list[Fact] | None = None
        self.affairs = UNBORN
        if timetable:
            self._be_born(timetable)

    # --- the two methods ----------------------------------------------------------------------

    def handle(self, event: Event, now: Instant) -> list[AgentRequest]:
        """Take in one event; return what to send, in order."""
        if self.affairs is CALM:
            if type(event) is Woken and (
                self.worker is None or self.worker.rests
            ):  # with `heard`, nearly all that happens
                return [self._next_beat()] if self.heartbeat_at <= now else []
        elif self.affairs is UNBORN:
            self._be_born()
        while self.affairs.turn_at <= now:
            self._take_turn()
        self._happened(event, now)
        return self._due(now)

    def heard(self, request: AgentRequest, reply: AgentReply, now: Instant) -> list[AgentRequest]:
        """The same as `handle(Answered(request, reply), now)`, without the event where there is nothing to it."""
        if request is not self.beat or self.affairs is not CALM or not (self.worker is None or self.worker.rests):
            return self.handle(Answered(request, reply), now)
        self._beat_answered(reply, now)
        return [] if self.affairs is CALM and self.heartbeat_at > now else self._due(now)

    def _happened(self, event: Event, now: Instant) -> None:
        match event:
            case Woken():
                pass
            case Answered(request) if self.affairs.offline:
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
                self._set_clock(Clock(event.offset, event.drift, now), now)
            case StopRequested():
                self._stop()
            case _:
                assert_never(event)

    def next_wake(self) -> Instant:
        """When this agent next acts by itself; NEVER if only a message can move it."""
        affairs = self.affairs
        if affairs is CALM or affairs is UNBORN:
            if self.worker is None or self.worker.rests:
                return self.heartbeat_at
            return min(self.heartbeat_at, self.worker.next_due())
        if affairs.offline:
            return affairs.turn_at
        if self.token is None:
            return min(affairs.register_at, affairs.turn_at)  # nothing else can be sent without a session
        due = NEVER if self.worker is None else self.worker.next_due()
        return min(affairs.register_at, self.heartbeat_at, affairs.turn_at, due)

    def take_facts(self) -> list[Fact]:
        """What happened since this was last asked, in order."""
        facts, self.facts = self.facts, None
        return facts or []

    @property
    def is_idle(self) -> bool:
        """True if no run is under way here."""
        return self.worker is None or self.worker.is_idle

    # --- who it is ------------------------------------------------------------------------------

    @property
    def identity(self) -> Identity:
        """Who it is."""
        return Identity(self._stock, number_of(self._papers))

    @property
    def agent_id(self) -> str:
        """The id that the server gave it, "" before."""
        return agent_id_of(self._papers)

    @property
    def token(self) -> str | None:
        """Its session, if it has one."""
        return token_of(self._papers)

    def _hold(self, agent_id: str, token: str | None) -> None:
        self._stock.forget_beat(self._papers)
        self._papers = papers(number_of(self._papers), agent_id, token)

    # --- what is due --------------------------------------------------------------------------

    def _be_born(self, timetable: Timetable = ()) -> None:
        self.affairs, self.heartbeat_at = Affairs(self.heartbeat_at, timetable), NEVER

    def _stirred(self) -> Affairs:
        """Its affairs, of its own from now on."""
        if self.affairs is CALM:
            self.affairs = Affairs.of_the_calm()
        return self.affairs

    def _calm_down(self, now: Instant) -> None:
        if self.affairs is not CALM and self.affairs.are_calm(now) and self.token is not None:
            self.affairs = CALM

    def _take_turn(self) -> None:
        at, event = self.affairs.next_turn()
        match event:
            case Crashed():
                self.crash(event, at)
            case WentOffline():
                self._cut_off()
            case CameOnline():
                self._come_back()

    def _due(self, now: Instant) -> list[AgentRequest]:
        requests: list[AgentRequest] = []
        affairs = self.affairs
        if affairs is not CALM:
            if affairs.offline:
                return requests
            if affairs.register_at <= now:
                affairs.look_again = False
                affairs.register_at, affairs.registering = NEVER, AgentRequest(REGISTER, self._registration())
                requests.append(affairs.registering)
        if self.heartbeat_at <= now and has_token(self._papers):
            requests.append(self._next_beat())
        if self.worker is not None and has_token(self._papers):
            requests += self.worker.step(now)
        return requests

    def _next_beat(self) -> AgentRequest:
        self.heartbeat_at = NEVER
        self.beat = AgentRequest(HEARTBEAT, self._stock.beat(self._papers))
        return self.beat

    def _registration(self) -> Register:
        stock = self._stock
        machine = stock.machine(number_of(self._papers))
        return Register(stock.platform, stock.version, NO_TENANT, machine, None, self.agent_id, stock.capabilities)

    # --- answers ------------------------------------------------------------------------------

    def _answered(self, request: AgentRequest, reply: AgentReply, now: Instant) -> None:
        if request is self.beat:
            self._beat_answered(reply, now)
            return
        body = reply.body if reply.status < 300 else None
        match request.body:
            case Register():
                if request is self.affairs.registering:
                    self.affairs.registering = None
                    self._register_answered(body if isinstance(body, SessionReply) else None, reply.status, now)
            case Heartbeat():
                pass  # an answer about an earlier session says nothing of this one
            case _:
                if self.worker is not None:
                    self.worker.answered(request, reply, now)

    def _register_answered(self, reply: SessionReply | None, status: int, now: Instant) -> None:
        session = reply.session if reply is not None else None
        if reply is None:
            self.note(RegistrationRefused("", f"HTTP status {status}, or an answer that cannot be read"))
            self._stirred().register_at = now + self.backoff()
        elif session is None or session.token is None or reply.result.is_refusal:
            self.note(RegistrationRefused(reply.result.code, reply.result.error.message or ""))
            self._stirred().register_at = now + self._stock.check_interval
        else:
            self._open(session, session.token, now)
        if self.affairs.look_again:
            self._look_now(now)
        if self.affairs.stopping:
            self._stop()
        self._calm_down(now)

    def _open(self, session: Session, token: str, now: Instant) -> None:
        self._hold(session.agent_id or self.agent_id, token)
        self.beat = None
        self.setbacks = 0
        self.interval = _interval(session.heartbeat_interval)
        # Spread the first heartbeat: a fleet that registers together must not beat together.
        key = self._stock.key(number_of(self._papers))
        spread = round(self.interval * unit(key, "first heartbeat"))
        self.heartbeat_at = self._on_the_grid(now) if self._stock.aligned else now + spread
        jobs = session.jobs or ()
        if self.worker is None and jobs:
            self.worker = Worker(self)
        if self.worker is not None:
            self.worker.relist(jobs, now)
            self.worker.go_on(now)
        affairs = self._stirred()
        self.note(Registered(first=not affairs.registered_before, jobs=len(jobs)))
        affairs.registered_before = True

    def _beat_answered(self, reply: AgentReply, now: Instant) -> None:
        self.beat = None
        says = reply.body
        if isinstance(says, HeartbeatReply) and reply.status < 300 and not says.result.is_refusal:
            self.interval = _interval(says.heartbeat_interval)
            if not says.session_valid:
                self.lose_session(now)
                return
        affairs = self.affairs
        if not affairs.stopping:
            self._plan_heartbeat(now)
        if affairs is CALM:
            return
        if affairs.look_again:
            self._look_now(now)
        self._calm_down(now)

    def _plan_heartbeat(self, now: Instant) -> None:
        stock, clock = self._stock, self.affairs.clock
        if stock.aligned:
            self.heartbeat_at = self._on_the_grid(now)
            return
        span = self.interval
        if stock.jitter:  # never sooner than told (agent-protocol 8.2.7): jitter only ever adds
            span = round(span * (1 + stock.drawn_jitter(number_of(self._papers), now)))
        self.heartbeat_at = now + (span if clock is RIGHT else clock.lasts(span))

    def _on_the_grid(self, now: Instant) -> Instant:
        """The next multiple of the interval: an even grid, as the vendor's C agent keeps it (agent-protocol 3)."""
        return (now // self.interval + 1) * self.interval

    # --- setbacks, nudges, the end ------------------------------------------------------------

    def _send_failed(self, request: AgentRequest, now: Instant) -> None:
        match request.body:
            case Register():
                if request is self.affairs.registering:
                    affairs = self._stirred()
                    affairs.registering = None
                    affairs.register_at = NEVER if affairs.stopping and self.is_idle else now + self.backoff()
            case Heartbeat():
                if request is self.beat:
                    self.beat = None
                    if not self.affairs.stopping:
                        self._plan_heartbeat(now)  # keep the token (agent-protocol 3)
                        if self.affairs.look_again:
                            self._look_now(now)
            case _:
                if self.worker is not None:
                    self.worker.send_failed(request, now)

    def _look_now(self, now: Instant) -> None:
        affairs = self._stirred()
        affairs.look_again = False
        if affairs.stopping or now < affairs.down_until:
            return  # nobody is there to hear it
        if self.token is not None and self.heartbeat_at != NEVER:
            self.heartbeat_at = now
        elif self.token is None and affairs.register_at != NEVER:
            affairs.register_at, affairs.setbacks = now, 0
        else:
            affairs.look_again = True  # what is being answered just now may be older than the news

    def _cut_off(self) -> None:
        if not self.affairs.offline:
            self._stirred().offline = True
            self.note(AgentOffline())

    def _come_back(self) -> None:
        if self.affairs.offline:
            self.affairs.offline = False
            self.note(AgentOnline())

    def _stop(self) -> None:
        affairs = self._stirred()
        affairs.stop()
        self.heartbeat_at = NEVER
        waits_for_session = self.worker is not None and self.worker.waits_for_session
        if self.is_idle or (self.token is not None and not waits_for_session):
            affairs.register_at = NEVER

    # --- what the worker needs (worker.Employer) ----------------------------------------------

    @property
    def stopping(self) -> bool:
        """True if it starts nothing new."""
        return self.affairs.stopping

    @property
    def clock(self) -> Clock:
        """Its own."""
        return self.affairs.clock

    @property
    def setbacks(self) -> int:
        """How often in a row something went wrong."""
        return self.affairs.setbacks

    @setbacks.setter
    def setbacks(self, number: int) -> None:
        if number != self.affairs.setbacks:
            self._stirred().setbacks = number

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
        affairs = self._stirred()
        self._hold(self.agent_id, None)
        self.beat, self.heartbeat_at = None, NEVER
        self.note(SessionLost())
        if (not affairs.stopping or not self.is_idle) and affairs.registering is None:
            affairs.register_at = now

    def renew_session(self, now: Instant) -> None:
        """Register again although the session holds."""
        if self.affairs.registering is None:
            self._stirred().register_at = min(self.affairs.register_at, now)

    def crash(self, crash: Crashed, now: Instant) -> None:
        """The process dies."""
        if self.worker is not None:
            self.worker.die()
        self._hold(self.agent_id if crash.keeps_identity else "", None)
        self.beat, self.heartbeat_at = None, NEVER
        restart_at = max(crash.restart_at, now)
        self._stirred().die(restart_at)
        self.note(AgentCrashed(restart_at, crash.keeps_identity))

    def _set_clock(self, new: Clock, now: Instant) -> None:
        if self.worker is not None:
            self.worker.listed.reset_clock(self.clock, new, now)
        self._stirred().clock = new


@lru_cache(maxsize=256)  # every heartbeat's answer says it again
def _interval(minutes: float) -> Span:
    return max(round(minutes * MINUTE), SECOND // 10)
