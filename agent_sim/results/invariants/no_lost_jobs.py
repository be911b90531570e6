"""No job lost: every accepted job ends in a terminal run, or is unscheduled, or waits for an agent that the
scenario took offline (architecture, "Two tables, not one").

Accepted is what the operator posted and what a storm had rescheduled; and a run whose completion an agent was told is
accepted must have ended in the server's history, and not by a timeout. Off the schedule goes only what somebody asked
to have off it: that the server says so proves nothing. Each job has one `Fate`; the table says what it makes of the
invariant. What only an interrupted run, or one younger than `settle`, left open is unknown, not broken.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from agent_sim.instants import SECOND
from agent_sim.protocol.enums import AgentStatus, Status
from agent_sim.protocol.schedule import ExactlyOnce, from_wire, recurs
from agent_sim.results.checks import InvariantCheck
from agent_sim.results.facts import Facts, word_of
from agent_sim.results.invariants.findings import allowance, is_excused
from agent_sim.results.invariants.reconciliation import violations
from agent_sim.results.invariants.recurrence import busy, is_starved
from agent_sim.results.invariants.stories import CAUSES, timeouts, was_asked_off
from agent_sim.results.journal import ServerJob, Steps
from agent_sim.results.summary import Summary
from agent_sim.results.verdict import OFFENDERS, Answer, Verdict
from agent_sim.results.wording import counted


class Fate(Enum):
    """Where an accepted job was found at the end; the value completes "n jobs ..."."""

    ENDED = "ended"
    TRACED = "left a trace"
    RECURS = "waiting for the next occurrence"
    LATER = "not due yet"
    OFFLINE = "waiting for an agent that was taken offline"
    SHUT_OUT = "waiting for an agent that is not approved"
    UNSCHEDULED = "unscheduled"
    NEVER_STARTED = "left on its agent's list, as the scenario has it"
    LEFT_OPEN = "left in process by its agent, as the scenario has it, and not given up by the server yet"
    LEFT_BEHIND = "in process on an agent that was taken offline"
    TOO_YOUNG = "open, but younger than the time to settle"
    UNFINISHED = "open when the drain ended, for its agent was still at work"
    CUT_SHORT = "open when the run was cut short"
    CANCELLED = "said to be cancelled, and whether somebody asked for that the target does not show"
    STARVED = "due twice and not run by an agent that is online"
    WAITING = "still waiting for an agent that is online"
    IN_PROCESS = "still in process"
    GONE = "gone (neither run nor scheduled)"
    TAKEN_OFF = "taken off the schedule though nobody asked for that"
    CALLED_OFF = "recurring and no longer scheduled though nobody asked for that"
    NOT_RETRIED = "failed, said to be retried, and no longer scheduled"
    UNRECORDED = "completed by their agent but not so in the server's history"
    NOT_RESCHEDULED = "accepted for reschedule but not run again"


_ANSWERS: Final[Mapping[Fate, Answer]] = {
    Fate.ENDED: "kept",
    Fate.TRACED: "kept",
    Fate.RECURS: "kept",
    Fate.LATER: "kept",
    Fate.OFFLINE: "kept",
    Fate.SHUT_OUT: "kept",
    Fate.UNSCHEDULED: "kept",
    Fate.NEVER_STARTED: "kept",
    Fate.LEFT_OPEN: "unknown",
    Fate.LEFT_BEHIND: "unknown",
    Fate.TOO_YOUNG: "unknown",
    Fate.UNFINISHED: "unknown",
    Fate.CUT_SHORT: "unknown",
    Fate.CANCELLED: "unknown",
    Fate.STARVED: "broken",
    Fate.WAITING: "broken",
    Fate.IN_PROCESS: "broken",
    Fate.GONE: "broken",
    Fate.TAKEN_OFF: "broken",
    Fate.CALLED_OFF: "broken",
    Fate.NOT_RETRIED: "broken",
    Fate.UNRECORDED: "broken",
    Fate.NOT_RESCHEDULED: "broken",
}

_MENDS: Final[Mapping[Fate, str]] = {
    Fate.LEFT_OPEN: "the server gives up on it after server.job_timeout, which must be shorter than stop.drain",
    Fate.UNFINISHED: "give it less to do, or a longer stop.drain",
}
"""What would have let it be decided, where the scenario can see to that."""

_PATIENCE: Final = 60.0
"""Seconds without a sign of a job after which it was lost before whatever came then, if `settle` is not longer."""

_TERMINAL: Final = (Status.COMPLETED, Status.ACKNOWLEDGED)


@dataclass(frozen=True, slots=True)
class _Found:
    """`t` is when it was lost, if that is known: by then it had not been heard of for long enough."""

    job: str
    fate: Fate
    t: float | None = None


def no_lost_jobs(summary: Summary, check: InvariantCheck) -> Verdict:
    """Kept, broken (with the lost jobs) or unknown."""
    facts = summary.facts
    if facts.is_idle:
        return _verdict(check, "kept", "no job was asked for")
    if not facts.was_read_back:
        return _verdict(check, "unknown", "the server's history could not be read back, or has no run")
    accepted = _accepted(facts)
    if not accepted and not facts.unnamed:
        return _verdict(check, "unknown", f"no job was accepted ({counted(facts.refused_posts, 'post')} failed)")
    named = _named(summary, accepted, check.settle / SECOND)
    found = [*named, *_unnamed(facts), *_unrecorded(facts), *_not_rescheduled(summary)]
    return _judge(facts, check, _said(facts, accepted), found)


def _said(facts: Facts, accepted: Mapping[str, float]) -> str:
    jobs = [counted(len(accepted), "accepted job")] if accepted or not facts.unnamed else []
    return " and ".join(
        [*jobs, *([f"{counted(len(facts.unnamed), 'post')} that named no job"] if facts.unnamed else [])]
    )


def _accepted(facts: Facts) -> dict[str, float]:
    """Every job that the server surely had, and when we last saw it given out: posted, or handed to an agent."""
    since = {job: posted.t for job, posted in facts.posted.items()}
    for agents in facts.handed.values():
        for handed in agents:
            job = handed.job.lower()
            since[job] = max(since.get(job, handed.t), handed.t)
    return since


def _named(summary: Summary, accepted: Mapping[str, float], settle: float) -> Iterator[_Found]:
    young = summary.whole.end - settle if settle else float("inf")
    for job, since in sorted(accepted.items()):
        heard = _last_heard(summary.facts, job, since)
        fate = _softened(summary.facts, _fate(summary.facts, job), is_young=since > young)
        if fate in (Fate.WAITING, Fate.IN_PROCESS) and _is_at_work(summary.facts, job, heard):
            fate = Fate.UNFINISHED
        yield _Found(job, fate, heard + max(settle, _PATIENCE))


# --- one job ----------------------------------------------------------------------------------


def _fate(facts: Facts, job: str) -> Fate:
    runs = facts.runs.get(job, ())
    open_runs = [run for run in runs if run.status is Status.IN_PROCESS]
    if open_runs and open_runs[-1].audit in facts.left:
        return Fate.LEFT_OPEN
    if open_runs:
        return Fate.LEFT_BEHIND if _is_offline(facts, open_runs[-1].machine) else Fate.IN_PROCESS
    if job in facts.waiting:
        return Fate.NEVER_STARTED if job in facts.never_started else _waiting_fate(facts, job, facts.waiting[job])
    goes_on = bool(runs) and recurs(from_wire(runs[-1].schedule))
    if runs and runs[-1].status in _TERMINAL and not goes_on:
        return Fate.ENDED
    return _vanished(facts, job, goes_on=goes_on)


def _vanished(facts: Facts, job: str, *, goes_on: bool) -> Fate:
    story = facts.stories.get(job, ())
    if was_asked_off(story, facts.unscheduled.get(job)):
        return Fate.UNSCHEDULED
    if job in facts.cancelled and not facts.shows_transitions:
        return Fate.CANCELLED  # another person at the target may have wanted it
    if job in facts.cancelled or _is_off(story):
        return Fate.TAKEN_OFF
    if goes_on:
        return Fate.CALLED_OFF
    return Fate.NOT_RETRIED if job in facts.runs else Fate.GONE


def _last_heard(facts: Facts, job: str, since: float) -> float:
    times = [time for run in facts.runs.get(job, ()) for time in (run.start, run.end) if time is not None]
    return max([since, *times, *(at for _, at, _ in facts.stories.get(job, ()))])


def _is_off(story: Steps) -> bool:
    wishes = [kind for kind, _, _ in story if kind in CAUSES or kind == "unscheduled"]
    return wishes[-1:] == ["unscheduled"]


def _waiting_fate(facts: Facts, job: str, waiting: ServerJob) -> Fate:
    schedule = from_wire(waiting.schedule)
    if recurs(schedule):
        return Fate.STARVED if is_starved(facts, job, waiting) else Fate.RECURS
    if _is_offline(facts, waiting.machine):
        return Fate.OFFLINE
    if any(agent.machine == waiting.machine and agent.status is not AgentStatus.APPROVED for agent in facts.agents):
        return Fate.SHUT_OUT
    if isinstance(schedule, ExactlyOnce) and schedule.time > _end(facts):
        return Fate.LATER
    return Fate.WAITING


def _end(facts: Facts) -> float:
    if facts.started_at is None or facts.ended is None:
        return float("-inf")
    return facts.started_at + facts.ended.t * SECOND


def _is_offline(facts: Facts, machine: str) -> bool:
    return facts.ended is not None and machine in facts.ended.offline


def _softened(facts: Facts, fate: Fate, is_young: bool) -> Fate:
    """An open job proves nothing if there was no time to finish it."""
    if fate not in (Fate.WAITING, Fate.IN_PROCESS, Fate.CALLED_OFF):
        return fate
    if facts.was_cut_short:
        return Fate.CUT_SHORT
    return Fate.TOO_YOUNG if is_young else fate


def _is_at_work(facts: Facts, job: str, since: float) -> bool:
    """True if the drain ended while the job's agent was doing it, or had been busy for most of its wait."""
    if facts.ended is None or facts.ended.drained:
        return False
    if job in facts.waiting:
        end = facts.ended.t
        return since < end and busy(facts, facts.waiting[job].machine, since, end) >= (end - since) / 2
    last = facts.runs[job][-1]
    there_since = facts.there_since.get(last.machine)
    is_told = last.audit in facts.completions or last.audit in facts.refused
    is_there = there_since is not None and last.start is not None and there_since <= last.start
    return is_there and last.audit in facts.handed and not is_told


def _unnamed(facts: Facts) -> Iterator[_Found]:
    """A post whose answer named no job can only be looked for by machine and type: some trace must be there."""
    traces = {(run.machine, word_of(run.type)) for runs in facts.runs.values() for run in runs}
    traces |= {(job.machine, word_of(job.type)) for job in facts.waiting.values()}
    for posted in sorted(facts.unnamed, key=lambda each: (each.machine, each.type)):
        wanted = posted.machine, word_of(posted.type)
        yield _Found(", ".join(wanted), Fate.TRACED if wanted in traces else _traceless(facts, posted.machine))


def _traceless(facts: Facts, machine: str) -> Fate:
    if _is_offline(facts, machine):
        return Fate.OFFLINE
    return Fate.CUT_SHORT if facts.was_cut_short else Fate.GONE


# --- completions and reschedules --------------------------------------------------------------


def _unrecorded(facts: Facts) -> Iterator[_Found]:
    recorded = {run.audit: run for runs in facts.runs.values() for run in runs}
    given_up = timeouts(facts.stories.values())
    for audit, completions in facts.completions.items():
        run, told = recorded.get(audit), completions[0].t
        # A report that was accepted after the timeout is another law's business: `single_terminal_state`.
        if run is None or run.status is Status.IN_PROCESS or told < given_up.get(audit, told):
            yield _Found(completions[0].job.lower(), Fate.UNRECORDED, told)


def _not_rescheduled(summary: Summary) -> Iterator[_Found]:
    for each in violations(summary, "reschedule", "lost_update"):
        yield _Found(each.id, Fate.NOT_RESCHEDULED, each.t)


# --- all of them ------------------------------------------------------------------------------


def _judge(facts: Facts, check: InvariantCheck, said: str, found: list[_Found]) -> Verdict:
    excused: list[_Found] = []
    decided: list[_Found] = []
    for each in found:
        may_be = _ANSWERS[each.fate] == "broken" and is_excused(facts, check, each.t)
        (excused if may_be else decided).append(each)
    worst = _worst({_ANSWERS[each.fate] for each in decided} or {"kept"})
    # What is unknown for another reason stays so, and counts.
    is_declared = worst == "kept" and bool(excused)
    said_of = excused if is_declared else [each for each in decided if _ANSWERS[each.fate] == worst]
    counts = Counter(each.fate for each in said_of)
    fates = ", ".join(f"{counts[fate]:,} {fate.value}" for fate in Fate if counts[fate])
    fates = "; ".join([fates, *(mend for fate, mend in _MENDS.items() if counts[fate] and worst == "unknown")])
    offenders = tuple(dict.fromkeys(each.job for each in said_of if worst != "kept" or is_declared))
    if is_declared:
        return _verdict(check, "unknown", f"{said}: {fates}, {allowance(facts, check)}", offenders, is_declared=True)
    return _verdict(check, worst, f"{said}: {fates}", offenders)


def _worst(answers: set[Answer]) -> Answer:
    return next(answer for answer in _FROM_WORST if answer in answers)


_FROM_WORST: Final[tuple[Answer, ...]] = ("broken", "unknown", "kept")


def _verdict(
    check: InvariantCheck, answer: Answer, detail: str, offenders: tuple[str, ...] = (), *, is_declared: bool = False
) -> Verdict:
    return Verdict("invariant", check.name, answer, detail, offenders[:OFFENDERS], is_declared=is_declared)
