"""How often a recurring job may run, and how long it may wait: what its schedule makes of its record.

Both bounds give way where in doubt. A fault can set agents' clocks wrong and swallow what was asked, so that runs with
faults are not judged by them; an agent that was away, turned away or busy most of the time excuses the wait.
"""

from itertools import pairwise
from typing import Final

from agent_sim.instants import SECOND
from agent_sim.protocol.enums import AgentStatus, Result, jobs_of
from agent_sim.protocol.schedule import Schedule, from_wire, next_run, recurs
from agent_sim.results.facts import Facts
from agent_sim.results.invariants.stories import CAUSES, Chapter, is_whole
from agent_sim.results.journal import ServerJob, ServerRun

_SLACK: Final = 1
"""Runs more than are due, for what is due just at the end or at the beginning."""

_OWED: Final = 2
"""A wait through so many due times is none for the next."""

_APART: Final = 1.0
"""Seconds by which a run may begin before it is due, as its server tells it."""

_PATIENCE: Final = 60.0
"""Seconds that an idle agent may take, after it must have heard of its work, to begin it (our choice)."""

_GOOD: Final = frozenset({Result.SUCCESS, Result.WARNING})


def one_too_many(facts: Facts, job: str, runs: tuple[ServerRun, ...]) -> ServerRun | None:
    """The last run of a recurring job that ran more often than it was due, retried and rescheduled."""
    schedule = _schedule_of(runs)
    begun = [run for run in runs if run.start is not None]
    if schedule is None or not begun or facts.faults or facts.ended is None:
        return None
    story = facts.stories.get(job, ())
    if is_whole(story):
        begin = story[0][1]
        more = sum(kind in CAUSES for kind, _, _ in story) - 1
    else:
        # What came before is not known, but each run's own time; only after a bad end it may have been asked for again.
        begin = begun[0].start or 0.0
        more = 1 + sum(run.result not in _GOOD for run in begun)
    spare = len(begun) - more - _SLACK
    end = max(run.start for run in begun if run.start is not None)
    return begun[-1] if spare > 0 and _dues(facts, schedule, begin, end, spare) < spare else None


def is_starved(facts: Facts, job: str, waiting: ServerJob) -> bool:
    """True if a recurring job was due twice since it last ran while its agent was there, idle and able."""
    posted, ended = facts.posted.get(job), facts.ended
    if posted is None or ended is None or facts.faults or facts.was_cut_short or job in facts.never_started:
        return False
    since = facts.there_since.get(waiting.machine)
    if since is None or not _may_run(facts, waiting):
        return False
    runs = facts.runs.get(job, ())
    times = [time for run in runs for time in (run.start, run.end) if time is not None]
    times += [time for _, time, _ in facts.stories.get(job, ())]
    begin = max(posted.t, since, *times)
    if _dues(facts, from_wire(waiting.schedule), begin, ended.t, _OWED) < _OWED:
        return False
    return busy(facts, waiting.machine, begin, ended.t) < (ended.t - begin) / 2


def ran_before_its_time(facts: Facts, runs: tuple[ServerRun, ...], chapter: Chapter) -> bool:
    """True if a recurring job, wanted once, then ran a second time that it was not due."""
    schedule = _schedule_of(runs)
    if schedule is None or facts.faults:
        return False
    starts = [at for _, at, _ in chapter.of("configured")]
    return any(not _dues(facts, schedule, before, after + _APART, 1) for before, after in pairwise(starts))


def is_passed_over(facts: Facts, job: str, chapter: Chapter, heartbeat: float) -> bool:
    """True if a recurring job that is wanted now was left to wait by an agent that was there, idle and able."""
    waiting, ended = facts.waiting.get(job), facts.ended
    if waiting is None or ended is None or facts.faults or job in facts.never_started or chapter.of("unscheduled"):
        return False
    begin = chapter.cause[1]
    until = min((at for _, at, _ in chapter.of("configured")), default=ended.t)
    if until - begin <= 2 * heartbeat + _PATIENCE or facts.there_since.get(waiting.machine, until) > begin:
        return False
    return _may_run(facts, waiting) and busy(facts, waiting.machine, begin, until) < (until - begin) / 2


def _schedule_of(runs: tuple[ServerRun, ...]) -> Schedule | None:
    """The schedule that they all have; None if they have several: then somebody changed it."""
    schedules = {from_wire(run.schedule) for run in runs if recurs(from_wire(run.schedule))}
    return schedules.pop() if len(schedules) == 1 else None


def _dues(facts: Facts, schedule: Schedule, begin: float, end: float, most: int) -> int:
    """How often it is due after `begin` and up to `end`, both in seconds of the run; `most` are counted at most."""
    started = facts.started_at or 0
    due, last, count = started + round(begin * SECOND), started + round(end * SECOND), 0
    while count < most and (due := next_run(schedule, due)) <= last:
        count += 1
    return count


def _may_run(facts: Facts, waiting: ServerJob) -> bool:
    fleet = facts.fleets.get(facts.fleet_of.get(waiting.machine, ""))
    if fleet is None or facts.ended is None or waiting.machine in facts.ended.offline:
        return False
    able = {kind.history.lower() for capability in fleet.capabilities for kind in jobs_of(capability)}
    if waiting.type.lower() not in able:
        return False
    return all(
        each.status is AgentStatus.APPROVED for each in facts.agents if each.machine.lower() == waiting.machine.lower()
    )


def busy(facts: Facts, machine: str, begin: float, end: float) -> float:
    """For how long an agent was at work in that time; agents do one job after the other."""
    spans = [
        (run.start, end if run.end is None else run.end)
        for runs in facts.runs.values()
        for run in runs
        if run.machine == machine and run.start is not None
    ]
    return sum(max(min(until, end) - max(start, begin), 0.0) for start, until in spans)
