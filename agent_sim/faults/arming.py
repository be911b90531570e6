"""Which faults are armed now, whom they meet and how often: the state behind all of a run's faults.

A shell asks `strikes` for each request, as of the moment it is sent, and `turns` whenever `next_change` has come.
Windows begin and end by the time that is given, so a request at a window's first moment is met even if nobody has
asked for the turns yet. Chance is keyed by (seed, fault, window, agent, operation, how many such requests the agent
has sent in the window): no fault or fleet changes another's.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from agent_sim.draws import sub, unit
from agent_sim.faults.effects import AgentEffect, BrokerEffect, Strike
from agent_sim.faults.kinds import OnAgents, OnRequests, Struck
from agent_sim.faults.plan import FaultPlan, Window
from agent_sim.instants import NEVER, Instant

SENDERS = frozenset({"register", "heartbeat", "configure", "upload", "complete", "notification"})
"""The operations of agents, as reports call them; a fault without operations means these."""

_BY_HAND = 1_000_000
"""Windows that somebody began by hand are numbered from here on."""


@dataclass(frozen=True, slots=True)
class Suffered:
    """What one agent suffers at a turn."""

    agent: str
    effects: tuple[AgentEffect | BrokerEffect, ...]


@dataclass(frozen=True, slots=True)
class Began:
    """A window began; `selected` is how many agents may be met, None if the fault is not about agents."""

    fault: str
    window: Window
    selected: int | None
    suffered: tuple[Suffered, ...]


@dataclass(frozen=True, slots=True)
class Ended:
    """A window ended: how many requests were met, and which senders (of requests, or as agents).

    Both are for the fault's own kind of sender: `is_of_agents`, or of storms.
    """

    fault: str
    window: Window
    is_of_agents: bool
    requests: int
    met: tuple[str, ...]
    suffered: tuple[Suffered, ...]


Turn = Began | Ended


class Faults:
    """All faults of a run, or of a part of its fleet: `mine` says whether an agent is here, if not all of them are."""

    def __init__(self, plans: Iterable[FaultPlan], mine: Callable[[str], bool] = lambda agent: True) -> None:
        self._faults = [_Fault(plan, mine) for plan in plans]
        self._turns: list[Turn] = []
        self._change = min((fault.change for fault in self._faults), default=NEVER)

    @property
    def next_change(self) -> Instant:
        """When the next window begins or ends; NEVER if none does."""
        return self._change

    def strikes(self, sender: str, operation: str, now: Instant) -> tuple[Strike, ...]:
        """What befalls the request of that operation that the sender (a machine, or a storm) sends now."""
        if self._change <= now:
            self._advance(now)
        met: list[Strike] = []
        for fault in self._faults:
            if fault.window is not None:
                met += fault.strikes(sender, operation)
        return tuple(met)

    def turns(self, now: Instant) -> list[Turn]:
        """The windows that began or ended since this was last asked, in order."""
        if self._change <= now:
            self._advance(now)
        turns, self._turns = self._turns, []
        return turns

    @property
    def armed(self) -> tuple[str, ...]:
        """The faults that are in a window, as of the last look."""
        return tuple(fault.name for fault in self._faults if fault.window is not None)

    def arm(self, name: str, now: Instant) -> None:
        """Begin a window by hand, as long as the fault's first; nothing if it is in one. Raises KeyError."""
        fault = self._named(name)
        if fault.window is None:
            self._turns.append(fault.arm(now))
            self._change = min(fault.change for fault in self._faults)

    def disarm(self, name: str) -> None:
        """End the window that a fault is in; nothing if it is in none. Raises KeyError."""
        fault = self._named(name)
        if fault.window is not None:
            self._turns.append(fault.end())
            self._change = min(fault.change for fault in self._faults)

    def _named(self, name: str) -> "_Fault":
        for fault in self._faults:
            if fault.name == name:
                return fault
        raise KeyError(name)

    def finish(self, now: Instant) -> list[Turn]:
        """The same, and the end of all windows: the run is over."""
        turns = self.turns(now)
        for fault in self._faults:
            if fault.window is not None:
                turns.append(fault.end())
        return turns

    def _advance(self, now: Instant) -> None:
        while self._change <= now:
            for fault in self._faults:
                if fault.change == self._change:
                    self._turns += fault.turn()
            self._change = min(fault.change for fault in self._faults)


class _Fault:
    """One fault: the window it is in, and the next one."""

    def __init__(self, plan: FaultPlan, mine: Callable[[str], bool]) -> None:
        self.window: Window | None = None
        self._plan, self._mine = plan, mine
        self._on_requests = [kind for kind in plan.kinds if isinstance(kind, OnRequests)]
        self._on_agents = [kind for kind in plan.kinds if isinstance(kind, OnAgents)]
        self._operations = plan.operations or SENDERS
        self._windows = plan.windows()
        self._by_hand = 0
        self._next = next(self._windows, None)
        self._key = plan.key
        self._selected: frozenset[str] | None = None
        self._counts: dict[tuple[str, str], int] = {}
        self._met: dict[str, None] = {}  # in order of their first time
        self._requests = 0

    @property
    def name(self) -> str:
        return self._plan.name

    @property
    def change(self) -> Instant:
        """When this fault's window ends, or the next one begins."""
        if self.window is not None:
            return self.window.end
        return NEVER if self._next is None else self._next.begin

    def turn(self) -> list[Turn]:
        """End the window if there is one; else begin the next."""
        if self.window is not None:
            return [self.end()]
        window, self._next = self._next, next(self._windows, None)
        assert window is not None
        return [self._begin(window)]

    def arm(self, now: Instant) -> Began:
        """Begin a window that was not planned; planned ones that would begin meanwhile begin after it."""
        self._by_hand += 1
        return self._begin(Window(_BY_HAND + self._by_hand, now, now + self._plan.usual, self._plan.is_once))

    def strikes(self, sender: str, operation: str) -> list[Strike]:
        """What this fault does to a request sent now; it is counted if that is anything."""
        if operation not in self._operations or (self._selected is not None and sender not in self._selected):
            return []
        assert self.window is not None
        number = self._counts.get((sender, operation), 0)
        self._counts[sender, operation] = number + 1
        if (self.window.once and sender in self._met) or not self._on_requests:
            return []
        if not self._happens(sender, operation, number):
            return []
        struck = Struck(sender, operation, partial(unit, self._key, sender, operation, number))
        strikes = [
            Strike(self._plan.name, effect, NEVER if self.window.once else self.window.end)
            for kind in self._on_requests
            for effect in kind.strike(struck)
        ]
        if strikes:
            self._met[sender] = None
            self._requests += 1
        return strikes

    def end(self) -> Ended:
        """End the window."""
        window = self.window
        assert window is not None
        suffered = self._suffer(is_end=True)
        is_of_agents = self._plan.crowd is not None
        ended = Ended(self._plan.name, window, is_of_agents, self._requests, tuple(self._met), suffered)
        self.window = None
        self._counts, self._met, self._requests = {}, {}, 0
        return ended

    def _begin(self, window: Window) -> Began:
        self.window = window
        self._key = sub(self._plan.key, "window", window.number)
        crowd = self._plan.crowd
        self._selected = None if crowd is None else crowd.chosen(self._plan.key, window.number)
        suffered = self._suffer(is_end=False)
        return Began(self._plan.name, window, None if self._selected is None else len(self._selected), suffered)

    def _suffer(self, *, is_end: bool) -> tuple[Suffered, ...]:
        """What the agents themselves suffer as the window begins or ends."""
        if not self._on_agents:
            return ()
        suffered = []
        for agent in sorted(self._selected or ()):
            if not self._mine(agent) or not self._happens(agent, "", 0):
                continue
            struck = Struck(agent, "", partial(unit, self._key, agent, "", 0))
            effects = [kind.end(struck) if is_end else kind.begin(struck) for kind in self._on_agents]
            flat = tuple(effect for one in effects for effect in one)
            if flat:
                suffered.append(Suffered(agent, flat))
                self._met[agent] = None
        return tuple(suffered)

    def _happens(self, sender: str, operation: str, number: int) -> bool:
        probability = self._plan.probability
        return probability >= 1 or unit(self._key, sender, operation, number, "happens") < probability
