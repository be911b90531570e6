"""Whether a scenario that is well formed also makes sense: nothing after the end, nobody selected in vain."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from agent_sim.errors import MalformedMessage, QueryError
from agent_sim.protocol.oig_triggers import checked
from agent_sim.query.fields import JOB_HISTORY
from agent_sim.query.grammar import parse
from agent_sim.query.sql import compile as compile_query
from agent_sim.query.values import Context
from agent_sim.scenario.fault_sense import of_fault, too_late
from agent_sim.scenario.fields import time_point_text
from agent_sim.scenario.models import Scenario
from agent_sim.scenario.oig_plan import trigger
from agent_sim.scenario.schedules import Schedule
from agent_sim.scenario.selection import able, can_do, chosen
from agent_sim.scenario.storms import Storm
from agent_sim.scenario.timeline import ever_online, levels, offset
from agent_sim.scenario.units import duration_text, share_text
from agent_sim.scenario.wording import Way

Finding = tuple[Way, str]
"""What is wrong, and where."""


def findings(scenario: Scenario) -> Iterator[Finding]:
    """Everything that makes no sense."""
    yield from _phases(scenario)
    yield from _scheduler(scenario)
    for number, schedule in enumerate(scenario.schedules):
        for way, message in (*_times(scenario, schedule), *_selection(scenario, schedule)):
            yield ("schedules", number, *way), message
    for number, fault in enumerate(scenario.faults):
        for way, message in of_fault(scenario, fault):
            yield ("faults", number, *way), message
    for number, storm in enumerate(scenario.storms):
        before = scenario.storms[:number]
        if storm.is_of_jobs and scenario.oig is None:
            yield ("storms", number, "op"), f"found {storm.op}, but there is no oig block, expected one"
        for way, message in (*_storm_times(scenario, storm), *_overlap(scenario, storm, before), *_query(storm)):
            yield ("storms", number, *way), message


def remarks(scenario: Scenario) -> Iterator[str]:
    """What is not wrong, but perhaps not meant."""
    used = {fleet.behaviour for fleet in scenario.fleets}
    for behaviour in scenario.behaviours:
        if behaviour.name not in used:
            yield f"no fleet follows the behaviour {behaviour.name}"
    if scenario.server.retries and any(storm.op == "reschedule" for storm in scenario.storms):
        tries = f"a failed job is tried {scenario.server.retries} more times before it can be rescheduled"
        yield f"{tries}: server.retries is {scenario.server.retries}"
    if scenario.oig is not None:
        yield "oig.tasks hold for the embedded server; a real one runs the product's own tasks"
    yield "heartbeat.every and server hold for the embedded server; any other target has its own"


# --- phases -----------------------------------------------------------------------------------


def _phases(scenario: Scenario) -> Iterator[Finding]:
    total = sum(phase.duration for phase in scenario.phases)
    if total > scenario.length:
        found = f"found {duration_text(scenario.length)}, but the phases last {duration_text(total)} in all"
        yield ("stop", "after"), f"{found}; expected at least that"
    for number, (phase, before, after) in enumerate(levels(scenario)):
        if after < before:
            found = f"found {share_text(phase.online or 0)} after {share_text(before)}"
            yield (
                ("phases", number, "online"),
                f"{found}, expected as much or more: this version takes no agent offline",
            )
    if scenario.fleets and not any(ever_online(scenario).values()):
        yield ("phases",), "found no agent that ever comes online, expected some"


# --- the second target's scheduler --------------------------------------------------------------


def _scheduler(scenario: Scenario) -> Iterator[Finding]:
    """Nothing after the end, and no trigger that a scheduler would refuse."""
    for number, job in enumerate(scenario.oig.jobs if scenario.oig else ()):
        way: Way = ("oig", "jobs", number)
        for place, action in enumerate(job.do):
            if offset(scenario, action.at) >= scenario.length:
                yield (
                    (*way, "do", place, "at"),
                    too_late(time_point_text(action.at), offset(scenario, action.at), scenario),
                )
        if job.trigger is not None:
            try:
                wanted = trigger(job.trigger, 0, lambda point: offset(scenario, point))
                # Whether a weekday comes before its end depends on the day of the run.
                ends_early = wanted.end_time is not None and wanted.end_time < (wanted.start_time or 0)
                checked(wanted if ends_early else replace(wanted, end_time=None), 0)
            except MalformedMessage as error:
                yield (*way, "trigger"), str(error)


# --- schedules --------------------------------------------------------------------------------

_SCHEDULE_POINTS: Final = (("at", "at"), ("from_", "from"), ("until", "until"))


def _times(scenario: Scenario, schedule: Schedule) -> Iterator[Finding]:
    for attribute, key in _SCHEDULE_POINTS:
        point = getattr(schedule, attribute)
        if point is not None and offset(scenario, point) >= scenario.length + (key == "until"):
            yield (key,), too_late(time_point_text(point), offset(scenario, point), scenario)
    if schedule.until is not None and offset(scenario, schedule.until) <= offset(scenario, schedule.from_):
        found = f"found {time_point_text(schedule.until)}"
        yield ("until",), f"{found}, expected a time after it begins, at {time_point_text(schedule.from_)}"


def _selection(scenario: Scenario, schedule: Schedule) -> Iterator[Finding]:
    fleets = able(scenario, schedule)
    online = ever_online(scenario)
    agents = sum(online[fleet.name] for fleet in fleets)
    count = schedule.select.count
    if not any(can_do(fleet, schedule.type) for fleet in scenario.fleets):
        yield ("type",), f"found {schedule.type}, but no fleet has a capability for it"
    elif not fleets:
        yield ("select",), f"matches nobody: no fleet that it asks for has a capability for {schedule.type}"
    elif count is not None and count > agents:
        yield ("select", "count"), f"found {count}, expected at most the {agents} agents that can do it"
    elif not any(one.indices for one in chosen(scenario, schedule, online)):
        sizes = " and ".join(str(online[fleet.name]) for fleet in fleets)
        yield ("select",), f"matches nobody: {_share(schedule)} of {sizes} agents is less than half a one"


def _share(schedule: Schedule) -> str:
    return share_text(1.0 if schedule.select.percent is None else schedule.select.percent)


# --- storms -----------------------------------------------------------------------------------


def _storm_times(scenario: Scenario, storm: Storm) -> Iterator[Finding]:
    begin = offset(scenario, storm.at)
    if begin >= scenario.length:
        yield ("at",), too_late(time_point_text(storm.at), begin, scenario)
    elif begin + storm.span > scenario.length:
        end, last = duration_text(begin + storm.span), duration_text(scenario.length)
        yield ("for" if storm.for_ else "load",), f"ends at {end}, expected an end before that of the run, at {last}"


def _overlap(scenario: Scenario, storm: Storm, before: tuple[Storm, ...]) -> Iterator[Finding]:
    """Two storms that ask the same of the same ids at once could not tell their own effects from each other's."""
    begin = offset(scenario, storm.at)
    for other in before:
        start = offset(scenario, other.at)
        if other.op == storm.op and start < begin + storm.span and begin < start + other.span:
            end = duration_text(start + other.span)
            yield (
                ("at",),
                f"{storm.op} while storm {other.name} does the same until {end}, expected one after the other",
            )


def _query(storm: Storm) -> Iterator[Finding]:
    try:
        compile_query(parse(storm.target.query), JOB_HISTORY, Context(now=0))
    except QueryError as error:
        yield ("target", "query"), str(error)
