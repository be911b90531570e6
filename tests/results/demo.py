"""A made-up minute of 300 agents, drawn by key: what reports are looked at with. Hostile names included on request."""

import math
from typing import Any

from agent_sim.draws import Key, guid, key, sub, unit
from agent_sim.histogram import Histogram
from agent_sim.protocol.enums import Result, Status
from agent_sim.results.journal import (
    AgentApproved,
    AgentRefused,
    AgentRegistered,
    JobCompleted,
    JobConfigured,
    JobPosted,
    Line,
    PhaseStarted,
    PostFailed,
    RunEnded,
    RunStarted,
    SendFailed,
    ServerJob,
    ServerRun,
    StormEnded,
    StormStarted,
    Traffic,
)
from agent_sim.results.plain import Json

HOSTILE = "<script>alert('x')</script>"

_TYPES = (
    ("LOGS", "FetchLogs", ""),
    ("Inventory", "PEMInventory", "/etc/pki/a.pem"),
    ("Management", "PEMManagement", "/etc/pki/b.pem"),
    ("custom:Rotate", "Rotate", ""),
)
_MEDIAN = {"register": 18.0, "heartbeat": 4.0, "configure": 7.0, "upload": 11.0, "complete": 8.0, "operator": 14.0}


def demo_journal(seconds: int = 64, agents: int = 300, hostile: bool = False, saturated: bool = False) -> list[Line]:
    """The lines, in time."""
    root = key("demo", seconds, agents)
    prefix = "agentsim-demo-" + (HOSTILE if hostile else "")
    names = [f"{prefix}{'fra' if place % 3 else 'shz'}-{place:04d}" for place in range(agents)]
    lines: list[Line] = [
        RunStarted(
            0.0, "demo", 20261, "http://127.0.0.1:8600", True, agents, prefix, "2026-01-02T03:04:05Z", "0.1.0", "shared"
        )
    ]
    for name, share, length in (
        ("ramp", 0.0, 0.15),
        ("steady", 0.15, 0.3),
        ("storms", 0.45, 0.4),
        ("calm", 0.85, 0.15),
    ):
        lines.append(PhaseStarted(share * seconds, name, length * seconds))
    for place, name in enumerate(names):
        at = 0.15 * seconds * place / agents
        lines.append(AgentRegistered(at, "emea", name, True, 1))
        lines.append(AgentApproved(at, name))
    lines += [AgentRefused(2.0, "emea", names[0], "A0020042", HOSTILE if hostile else "The agent is not approved.")]
    for tick in range(1, seconds + 1):
        lines += _second(sub(root, tick), tick, seconds, agents)
    audit = 1
    for number in range(agents * 4):
        lines += _job(sub(root, "job", number), names[number % agents], number, seconds, audit)
        audit += 1
    lines += [PostFailed(9.0, "fetch", "LOGS", names[1], 503, HOSTILE if hostile else "Service Unavailable")] * 3
    lines += [SendFailed(30.0 + each, "emea", names[2], "heartbeat", "read_timeout") for each in range(5)]
    lines += _storm(sub(root, "again"), "again", "reschedule", 0.48 * seconds, 0.16 * seconds, saturated)
    lines += _storm(sub(root, "enough"), "enough", "acknowledge", 0.67 * seconds, 0.14 * seconds, False)
    lines.append(ServerJob(seconds, guid(root, "recurring"), "PEMInventory", names[3], "I_15"))
    lines.append(RunEnded(float(seconds), "finished", True, ()))
    return sorted(lines, key=lambda line: (isinstance(line, RunEnded), line.t, not isinstance(line, RunStarted)))


def _second(draw: Key, tick: int, seconds: int, agents: int) -> list[Line]:
    lines: list[Line] = []
    share = tick / seconds
    stress = 3.0 if 0.48 < share < 0.64 else 1.6 if 0.67 < share < 0.81 else 1.0
    for operation, median in _MEDIAN.items():
        weight = {"register": 1.0 if share < 0.17 else 0.0, "heartbeat": 0.5, "operator": 0.1}.get(operation, 0.13)
        count = round(agents * weight * (0.8 + 0.4 * unit(draw, operation)) * min(1.0, share / 0.15))
        if not count:
            continue
        latency = latencies_of(sub(draw, operation), count, median * stress)
        failed = 1 if operation == "heartbeat" and 30 <= tick < 35 else 0
        errors = {"read_timeout": failed} if failed else {}
        lines.append(Traffic(float(tick), operation, count - failed, failed, errors, latency.to_json()))
    return lines


def latencies_of(draw: Key, count: int, median: float) -> Histogram:
    made = Histogram()
    for place in range(count):
        sigma = (unit(draw, place, 1) + unit(draw, place, 2) + unit(draw, place, 3) - 1.5) * 1.1
        made.record(round(median * math.exp(sigma) * 1000))
    return made


def _job(draw: Key, agent: str, number: int, seconds: int, audit: int) -> list[Line]:
    word, history, store = _TYPES[number % len(_TYPES)]
    job, begun = guid(draw, "id"), 3.0 + unit(draw, "begun") * (seconds - 10.0)
    worked = 0.4 + 3.0 * unit(draw, "worked") ** 3
    weights = (0.78, 0.86) if word == "Management" else (0.92, 0.96)
    chance = unit(draw, "outcome")
    outcome = Result.SUCCESS if chance < weights[0] else Result.WARNING if chance < weights[1] else Result.FAILURE
    done = begun + worked
    status = Status.ACKNOWLEDGED if outcome is not Result.SUCCESS and number % 2 else Status.COMPLETED
    return [
        JobPosted(begun - 1.5, "work", word, agent, job),
        JobConfigured(begun, "emea", agent, job, audit, word, store, 1, 1),
        JobCompleted(done, "emea", agent, job, audit, word, store, 1, 1, outcome, True, worked),
        ServerRun(float(seconds), audit, job, history, agent, outcome, status, begun, done, None),
    ]


def storm_lines(name: str, operation: str, at: float, length: float) -> list[Line]:
    """Both lines of a storm that began so many seconds after the run."""
    return _storm(key("demo", name), name, operation, at, length, False)


def _storm(draw: Key, name: str, operation: str, at: float, length: float, saturated: bool) -> list[Line]:
    count = round(length)
    series: list[Json] = []
    response = Histogram()
    for tick in range(count):
        each = latencies_of(sub(draw, tick), 18, 35.0)
        response.merge(each)
        series.append(
            {
                "t": float(tick + 1),
                "offered": 18.0,
                "completed": 18.0,
                "ids": 450.0 + 90 * unit(draw, tick, "ids"),
                "failed": 0,
                "response_p50_us": each.percentile(0.5),
                "response_p95_us": each.percentile(0.95),
                "response_max_us": float(each.max_us),
            }
        )
    requests, refused = 18 * count, 50 if operation == "acknowledge" else 0
    sent = requests * 25
    begun = 5 + at
    result: dict[str, Any] = {
        "name": name,
        "operation": operation,
        "by": "ids",
        "kind": "plain",
        "batch": 25,
        "model": "open",
        "seed": 20261,
        "started_at": f"2026-01-02T03:{4 + int(begun) // 60:02d}:{begun % 60:06.3f}Z",
        "seconds": length,
        "pool": {"eligible": sent + 400, "out_of_scope": 0, "used": sent, "exhausted_at": None},
        "planned": requests,
        "started": requests,
        "dropped": 0,
        "late_starts": 3,
        "completed": requests,
        "offered_rate": requests / length,
        "achieved_rate": requests / length,
        "ids_per_second": sent / length,
        "response": response.to_json(),
        "service": response.to_json(),
        "wait": latencies_of(draw, requests, 0.01).to_json(),
        "lateness": latencies_of(draw, requests, 0.3).to_json(),
        "apdex": 1.0,
        "errors": {"http_4xx_contract": 2} if refused else {},
        "faults": {},
        "ledger": {"sent": sent, "accepted": sent - refused, "refused": refused, "unknown": 0},
        "reconciliation": {
            "checked": sent,
            "no_op": 0 if refused else 12,
            "violations": dict.fromkeys(_RULES, 0),
            "examples": [],
            "not_checkable": [],
        },
        "generator": {
            "cpu_percent_max": 97.0 if saturated else 44.0,
            "late_p99_ms": 84.0 if saturated else 1.4,
            "saturated": saturated,
        },
        "series": series,
        "warm_up": 0.0,
        "is_steady": None,
        "steps": [],
        "workers": {"asked": 0, "lost": 0, "starved": 0},
        "knee": None,
        "stopped": None,
    }
    return [StormStarted(at - 1.5, name, operation), StormEnded(at + length + 1, name, result)]


_RULES = ("lost_update", "double_transition", "phantom_transition", "out_of_bounds", "conservation")
