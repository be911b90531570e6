"""Small journals for tests: each line with what matters in sight, the rest filled in."""

from collections.abc import Mapping, Sequence
from typing import Any

from agent_sim.histogram import Histogram
from agent_sim.protocol.enums import AgentStatus, Result, Status
from agent_sim.results.journal import (
    AgentRegistered,
    FaultArmed,
    FleetDeclared,
    JobCompleted,
    JobConfigured,
    JobLeft,
    JobPosted,
    JobsUnscheduled,
    Line,
    PhaseStarted,
    RunEnded,
    RunStarted,
    ServerAgent,
    ServerCensus,
    ServerJob,
    ServerRun,
    ServerStory,
    StormEnded,
    StormStarted,
    Traffic,
)


def started(scenario: str = "small", agents: int = 2) -> RunStarted:
    return RunStarted(
        t=0.0,
        scenario=scenario,
        seed=42,
        target="http://127.0.0.1:8600",
        embedded=True,
        agents=agents,
        prefix=f"agentsim-{scenario}-",
        started_at="2026-01-02T03:04:05Z",
        version="0.1.0",
        connections="shared",
    )


def ended(t: float = 60.0, reason: str = "finished", drained: bool = True, offline: Sequence[str] = ()) -> RunEnded:
    return RunEnded(t, reason, drained, tuple(offline))


def phase(name: str, t: float, seconds: float) -> PhaseStarted:
    return PhaseStarted(t, name, seconds)


def registered(agent: str = "agent-1", t: float = 0.5, first: bool = True) -> AgentRegistered:
    return AgentRegistered(t, "lab", agent, first, jobs=0)


def posted(job: str | None = "job-1", t: float = 1.0, machine: str = "agent-1", kind: str = "LOGS") -> JobPosted:
    return JobPosted(t, "fetch", kind, machine, job)


def configured(job: str = "job-1", audit: int = 1, t: float = 2.0, agent: str = "agent-1") -> JobConfigured:
    return JobConfigured(t, "lab", agent, job, audit, "LOGS", "", 1, 1)


def completed(
    job: str = "job-1",
    audit: int = 1,
    t: float = 4.0,
    outcome: Result = Result.SUCCESS,
    accepted: bool = True,
    agent: str = "agent-1",
    kind: str = "LOGS",
    seconds: float = 2.0,
    occurrence: int = 1,
) -> JobCompleted:
    return JobCompleted(t, "lab", agent, job, audit, kind, "", occurrence, 1, outcome, accepted, seconds)


def left(job: str = "job-1", audit: int = 1, why: str = "hang") -> JobLeft:
    return JobLeft(3.0, "lab", "agent-1", job, audit, "LOGS", "", 1, 1, why)


def unscheduled(*accepted: str, t: float = 50.0, unanswered: Sequence[str] = ()) -> JobsUnscheduled:
    return JobsUnscheduled(t, "off", accepted, tuple(unanswered))


def armed(fault: str = "cut", t: float = 10.0) -> FaultArmed:
    return FaultArmed(t, fault, 0, None, 1)


def run(
    job: str = "job-1",
    audit: int = 1,
    start: float | None = 2.0,
    end: float | None = 4.0,
    result: Result = Result.SUCCESS,
    status: Status = Status.COMPLETED,
    machine: str = "agent-1",
    kind: str = "FetchLogs",
    schedule: str | None = None,
) -> ServerRun:
    return ServerRun(60.0, audit, job, kind, machine, result, status, start, end, schedule)


def in_process(job: str = "job-1", audit: int = 1, start: float = 2.0, machine: str = "agent-1") -> ServerRun:
    return run(job, audit, start, None, Result.UNKNOWN, Status.IN_PROCESS, machine)


def waiting(job: str = "job-1", schedule: str | None = None, machine: str = "agent-1") -> ServerJob:
    return ServerJob(60.0, job, "FetchLogs", machine, schedule)


def story(
    *steps: str | tuple[str, int] | tuple[str, int, float], job: str = "job-1", begin: float = 1.0
) -> ServerStory:
    """A job's transitions, a second apart from `begin` on unless a step names its time."""
    told = [(step, None, None) if isinstance(step, str) else (*step, None)[:3] for step in steps]
    made = [(kind, begin + place if at is None else at, audit) for place, (kind, audit, at) in enumerate(told)]
    return ServerStory(60.0, job, tuple(made))


def fleet(name: str = "lab", capabilities: Sequence[str] = ("LOGS",), agents: int = 2) -> FleetDeclared:
    return FleetDeclared(0.0, name, agents, tuple(capabilities))


def server_agent(
    machine: str = "agent-1", status: AgentStatus = AgentStatus.APPROVED, seen: float | None = 50.0
) -> ServerAgent:
    return ServerAgent(60.0, f"id-of-{machine}", machine, status, seen)


def census(agents: int | None = 1, shows_transitions: bool = True) -> ServerCensus:
    return ServerCensus(60.0, agents, shows_transitions)


def latencies(*milliseconds: float, times: int = 1) -> Histogram:
    made = Histogram()
    for value in milliseconds:
        made.record(round(value * 1000), times)
    return made


def traffic(
    operation: str = "heartbeat",
    t: float = 1.0,
    ok: int = 1,
    errors: Mapping[str, int] | None = None,
    milliseconds: float = 10.0,
) -> Traffic:
    errors = errors or {}
    failed = sum(errors.values())
    return Traffic(t, operation, ok, failed, errors, latencies(milliseconds, times=ok + failed).to_json())


def second(t: float, requests: int = 20, ids: int = 1000) -> dict[str, Any]:
    return {
        "t": t,
        "offered": requests,
        "completed": requests,
        "ids": ids,
        "failed": 0,
        "response_p50_us": 21_000,
        "response_p95_us": 48_000,
        "response_max_us": 60_000,
    }


def storm_result(**changes: Any) -> dict[str, Any]:
    """A reschedule storm of 300 requests in 15 seconds, all of them well; `a__b` changes member b of member a."""
    made: dict[str, Any] = {
        "name": "again",
        "operation": "reschedule",
        "by": "ids",
        "kind": "plain",
        "batch": 50,
        "model": "open",
        "seed": 42,
        "started_at": "2026-01-02T03:04:35Z",
        "seconds": 15.0,
        "pool": {"eligible": 15_000, "out_of_scope": 0, "used": 15_000, "exhausted_at": None},
        "planned": 300,
        "started": 300,
        "dropped": 0,
        "late_starts": 2,
        "completed": 300,
        "offered_rate": 20.0,
        "achieved_rate": 20.0,
        "ids_per_second": 1000.0,
        "response": dict(latencies(20, 25, 40, times=100).to_json()),
        "service": dict(latencies(19, 24, 39, times=100).to_json()),
        "wait": dict(latencies(0, times=300).to_json()),
        "lateness": dict(latencies(0.2, times=300).to_json()),
        "apdex": 1.0,
        "errors": {},
        "faults": {},
        "ledger": {"sent": 15_000, "accepted": 15_000, "refused": 0, "unknown": 0},
        "reconciliation": {
            "checked": 15_000,
            "no_op": 0,
            "violations": {"lost_update": 0, "double_transition": 0},
            "examples": [],
            "not_checkable": [],
        },
        "generator": {"cpu_percent_max": 41.0, "late_p99_ms": 1.2, "saturated": False},
        "series": [second(float(t)) for t in range(1, 16)],
        "warm_up": 0.0,
        "is_steady": None,
        "steps": [],
        "workers": {"asked": 0, "lost": 0, "starved": 0},
        "knee": None,
        "stopped": None,
    }
    for name, value in changes.items():
        outer, _, inner = name.partition("__")
        if inner:
            members = made[outer]
            assert isinstance(members, dict)
            made[outer] = {**members, inner: value}
        else:
            made[outer] = value
    return made


def storm(**changes: Any) -> list[Line]:
    """A storm's two lines."""
    result = storm_result(**changes)
    name, operation = str(result["name"]), str(result["operation"])
    return [StormStarted(29.0, name, operation), StormEnded(46.0, name, result)]


def done_job(number: int = 1, outcome: Result = Result.SUCCESS) -> list[Line]:
    """All lines of one job that went well from post to history."""
    job, agent = f"job-{number}", f"agent-{number}"
    return [
        posted(job, machine=agent),
        configured(job, number, agent=agent),
        completed(job, number, outcome=outcome, agent=agent),
        run(job, number, result=outcome, machine=agent),
    ]
