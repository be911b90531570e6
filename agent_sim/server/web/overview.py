"""What the page's first view shows, counted from the database: the fleet, jobs that wait, results as they come.

Values in, plain JSON-able values out. Results are counted in steps of a second as they end, so that a look costs by
what is new and not by what there is; what must be counted anew each time is counted less often the longer it takes.
A site is what agents' names have in common before their number (our choice: the wire knows no sites).
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Generic, TypedDict, TypeVar

from agent_sim.instants import DAY, HOUR, MILLISECOND, MINUTE, SECOND, Instant, Span
from agent_sim.protocol.enums import AgentStatus, Result
from agent_sim.server.ports import Store
from agent_sim.settings import ServerSettings

STEPS: Final = 300
"""How many seconds the live charts show."""

RANGES: Final = {"1h": (HOUR, MINUTE), "24h": (DAY, 20 * MINUTE), "30d": (30 * DAY, 12 * HOUR)}
"""Longer stretches and their steps."""

_RECENT: Final = 12
_AGE_STEP: Final[Span] = 5 * SECOND
_OLDEST: Final = 1000
_STORED_LATE: Final[Span] = 12 * SECOND  # the database learns every ten seconds who was heard of
_BEATS_MISSED: Final = 2.5
_SITE_WINDOW: Final[Span] = 5 * MINUTE

ENDINGS: Final = ("success", "warning", "failure", "will_retry")
TOLD: Final = ("rescheduled", "acknowledged", "unscheduled")


Value = TypeVar("Value")


class Site(TypedDict):
    """Agents whose names differ in their number only, and how their last runs ended."""

    name: str
    total: int
    online: int
    waiting: int  # for approval
    ended: dict[str, int]  # lately, by `ENDINGS`


class Capability(TypedDict):
    """How many approved agents can do something."""

    name: str
    total: int


class Ended(TypedDict):
    """A run that ended lately."""

    id: int
    agent: str
    type: str
    result: int
    status: int
    at: int  # milliseconds since 1970
    message: str
    job: str
    agent_id: str


Step = dict[str, int]
"""What happened in one second: `at` (seconds since 1970), `started`, and counts by `ENDINGS` and `TOLD`."""


class Picture(TypedDict):
    """One look at everything; `steps` are those since the last look, or all of them."""

    at: int  # milliseconds since 1970
    agents: dict[str, int]
    sites: list[Site]
    capabilities: list[Capability]
    jobs: dict[str, int]
    open: dict[str, int]
    steps: list[Step]
    recent: list[Ended]


@dataclass(slots=True)
class _Paced(Generic[Value]):
    """Something that is counted anew at most so often that counting takes a fiftieth of the time."""

    count: Callable[[Instant], Value]
    clock: Callable[[], Instant]
    value: Value | None = None
    due: Instant = 0

    def look(self, now: Instant) -> Value:
        if self.value is None or now >= self.due:
            begun = self.clock()
            self.value = self.count(now)
            self.due = now + 50 * max(self.clock() - begun, 0)
        return self.value


@dataclass(slots=True)
class Overview:
    """Looks at one server's database. `clock` says how long counting took."""

    store: Store
    settings: ServerSettings
    clock: Callable[[], Instant]
    _steps: deque[Step] = field(default_factory=lambda: deque(maxlen=STEPS))
    _counted_to: Instant = 0
    _told_to: int = 0
    _sites: _Paced[list[Site]] = field(init=False)
    _capabilities: _Paced[list[Capability]] = field(init=False)
    _open: _Paced[dict[str, int]] = field(init=False)
    _jobs: _Paced[dict[str, int]] = field(init=False)

    def __post_init__(self) -> None:
        self._sites = _Paced(self._count_sites, self.clock)
        self._capabilities = _Paced(self._count_capabilities, self.clock)
        self._open = _Paced(self._count_open, self.clock)
        self._jobs = _Paced(self._count_jobs, self.clock)

    def look(self, now: Instant) -> Picture:
        """Everything, with the steps that are new since the last look."""
        new = self._advance(now)
        sites = self._sites.look(now)
        return Picture(
            at=now // MILLISECOND,
            agents={
                "total": sum(site["total"] for site in sites),
                "online": sum(site["online"] for site in sites),
                "waiting": sum(site["waiting"] for site in sites),
            },
            sites=sites,
            capabilities=self._capabilities.look(now),
            jobs=self._jobs.look(now),
            open=self._open.look(now),
            steps=new,
            recent=self._recent(),
        )

    def whole(self, now: Instant) -> Picture:
        """The same with all steps."""
        picture = self.look(now)
        picture["steps"] = list(self._steps)
        return picture

    def timeline(self, name: str, now: Instant) -> list[Step]:
        """Results over one of the `RANGES`. Raises KeyError."""
        length, step = RANGES[name]
        until = now // step * step + step
        return self._count_steps(until - length, until, step)

    def sites(self, now: Instant) -> list[Site]:
        """The fleet by site."""
        return self._sites.look(now)

    def jobs(self, now: Instant) -> dict[str, int]:
        """How many jobs are `waiting` and `running`."""
        return self._jobs.look(now)

    def open_runs(self, now: Instant) -> dict[str, int]:
        """`failures` and `warnings` that nobody acknowledged, within `days`."""
        return self._open.look(now)

    # --- steps --------------------------------------------------------------------------------

    def _advance(self, now: Instant) -> list[Step]:
        """Count the whole seconds that are over since the last time."""
        until = now // SECOND * SECOND
        since = max(self._counted_to, until - STEPS * SECOND)
        if until <= since:
            return []
        new = self._count_steps(since, until, SECOND)
        self._counted_to = until
        self._count_told(new[-1])
        self._steps.extend(new)
        return new

    def _count_told(self, step: Step) -> None:
        """What operators did since the last look goes into the newest step."""
        if not self._steps:  # before the first look: nobody asks how much that was
            [(self._told_to,)] = self.store.rows("transition_last", {})
        for kind, count, last in self.store.rows("web_told", {"after": self._told_to}):
            self._told_to = max(self._told_to, int(last))
            step[kind] += int(count)

    def _count_steps(self, since: Instant, until: Instant, step: Span) -> list[Step]:
        first = since // step
        steps = [_no_step((first + number) * step // SECOND) for number in range((until - since) // step)]
        values = {"since": since, "until": until, "step": step}
        for at, count in self.store.rows("web_started", values):
            steps[at - first]["started"] += int(count)
        for at, result, retries, count in self.store.rows("web_ended", values):
            steps[at - first][_ending(result, retries)] += int(count)
        return steps

    # --- what is counted anew -------------------------------------------------------------------

    def _count_sites(self, now: Instant) -> list[Site]:
        sites: dict[str, Site] = {}
        rows = self.store.rows("web_sites", {"now": now, "step": _AGE_STEP, "oldest": _OLDEST})
        for name, status, age, count in rows:
            site = sites.setdefault(
                name, Site(name=name, total=0, online=0, waiting=0, ended=dict.fromkeys(ENDINGS, 0))
            )
            site["total"] += count
            site["waiting"] += count if status == AgentStatus.NEW else 0
            is_online = age < _OLDEST and age * _AGE_STEP <= self._silence(name)
            site["online"] += count if is_online and status == AgentStatus.APPROVED else 0
        for name, result, count in self.store.rows("web_ended_by_site", {"since": now - _SITE_WINDOW}):
            if name in sites:
                sites[name]["ended"][_ending(result, retries=False)] += count
        return sorted(sites.values(), key=lambda site: site["name"])

    def _silence(self, site: str) -> Span:
        """How long an agent of a site may be silent before it counts as offline."""
        fitting = [each for each in self.settings.heartbeat_by_prefix if f"{site}-".startswith(each[0])]
        minutes = max(fitting, key=lambda each: len(each[0]))[1] if fitting else self.settings.heartbeat_minutes
        return round(_BEATS_MISSED * minutes * MINUTE) + _STORED_LATE

    def _count_capabilities(self, now: Instant) -> list[Capability]:
        totals: dict[str, int] = {}
        for name, status, count in self.store.rows("web_capabilities", {}):
            totals[name] = totals.get(name, 0) + (count if status == AgentStatus.APPROVED else 0)
        return [Capability(name=name, total=total) for name, total in sorted(totals.items())]

    def _count_jobs(self, now: Instant) -> dict[str, int]:
        return {"waiting": 0, "running": 0, **dict(self.store.rows("web_jobs", {}))}

    def _count_open(self, now: Instant) -> dict[str, int]:
        """Failures and warnings that nobody acknowledged, within their age-out (command-api 7)."""
        days = self.settings.age_out_days
        [(failures, warnings)] = self.store.rows("runs_counted", {"since": max(now - days * DAY, 0)})
        return {"failures": failures, "warnings": warnings, "days": days}

    def _recent(self) -> list[Ended]:
        return [
            Ended(
                id=audit_id, agent=agent, type=kind, result=result, status=status, at=end // MILLISECOND,
                message=message, job=job, agent_id=agent_id,
            )
            for audit_id, agent, kind, result, status, end, message, job, agent_id in self.store.rows(
                "web_recent", {"limit": _RECENT}
            )
        ]  # fmt: skip


def _no_step(at: int) -> Step:
    return {"at": at} | dict.fromkeys(("started", *ENDINGS, *TOLD), 0)


def _ending(result: int, retries: object) -> str:
    if retries:
        return "will_retry"
    return {Result.SUCCESS: "success", Result.WARNING: "warning"}.get(Result(result), "failure")
