"""Whether a scenario that is well formed also makes sense: nothing after the end, nobody selected in vain."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Final

from agent_sim.agent.conditions import LABELS, compared_with, named
from agent_sim.errors import MalformedMessage
from agent_sim.protocol.enums import CUSTOM_PREFIX
from agent_sim.protocol.oig_triggers import checked
from agent_sim.query.wording import did_you_mean
from agent_sim.scenario.amounts import too_many
from agent_sim.scenario.behaviours import Behaviour, Ending
from agent_sim.scenario.checks import metric_parts
from agent_sim.scenario.fault_sense import of_fault, too_late
from agent_sim.scenario.fields import TimePoint, time_point_text
from agent_sim.scenario.job_types import misfit
from agent_sim.scenario.models import Scenario
from agent_sim.scenario.oig_plan import trigger
from agent_sim.scenario.personas import LABEL as PERSONA
from agent_sim.scenario.schedules import Schedule
from agent_sim.scenario.select_sense import labels, nobody_has, of_fields, of_select
from agent_sim.scenario.selection import able, can_do, candidates, chosen
from agent_sim.scenario.storm_sense import of_storm, storm_remarks
from agent_sim.scenario.timeline import ever_online, offset
from agent_sim.scenario.units import duration_text, share_text, size_text
from agent_sim.scenario.wording import Way
from agent_sim.storms.catalogue import CATALOGUE

Finding = tuple[Way, str]
"""What is wrong, and where."""


def findings(scenario: Scenario) -> Iterator[Finding]:
    """Everything that makes no sense."""
    yield from _phases(scenario)
    yield from _scheduler(scenario)
    yield from _job_types(scenario)
    yield from _rules(scenario)
    yield from _connections(scenario)
    yield from too_many(scenario)
    if scenario.history is not None and not scenario.fleets:
        yield ("history",), "found a past, but no fleet that could have one, expected fleets"
    yield from _personas(scenario)
    yield from _oversize(scenario)
    yield from _thresholds(scenario)
    for number, schedule in enumerate(scenario.schedules):
        for way, message in (*_times(scenario, schedule), *_selection(scenario, schedule), *_given(scenario, schedule)):
            yield ("schedules", number, *way), message
    for number, fault in enumerate(scenario.faults):
        for way, message in of_fault(scenario, fault):
            yield ("faults", number, *way), message
    for number, storm in enumerate(scenario.storms):
        before = scenario.storms[:number]
        for way, message in of_storm(scenario, storm, before):
            yield ("storms", number, *way), message


def _connections(scenario: Scenario) -> Iterator[Finding]:
    """A connection that many share says who one of them is, and no other."""
    mode = scenario.transport.connections.mode
    for number, fleet in enumerate(scenario.fleets):
        if fleet.auth.kind == "client_cert" and mode == "shared":
            expected = "expected transport.connections.mode per_agent or per_request: a certificate is one agent's"
            yield ("fleets", number, "auth", "kind"), f"found client_cert with shared connections, {expected}"


def _personas(scenario: Scenario) -> Iterator[Finding]:
    """What an agent's persona is, its label says, and nothing else does."""
    for number, fleet in enumerate(scenario.fleets):
        ways: list[tuple[Way, Mapping[str, str]]] = [((), fleet.labels)] if fleet.personas else []
        ways += [(("personas", place), persona.labels) for place, persona in enumerate(fleet.personas)]
        for way, said in ways:
            if PERSONA in said:
                expected = "expected another label: this one is the name of an agent's persona"
                yield ("fleets", number, *way, "labels", PERSONA), f"found beside personas, {expected}"


def _oversize(scenario: Scenario) -> Iterator[Finding]:
    """What is to be refused for its size is larger than what is asked for, of a log, or taken."""
    most = min(scenario.server.max_data, scenario.server.max_log_characters)
    for number, behaviour in enumerate(scenario.behaviours):
        for way, ending in _endings(behaviour):
            if ending.size is not None and ending.size <= most:
                expected = f"expected more than the server asks for, {size_text(most)}"
                yield ("behaviours", number, *way, "size"), f"found {size_text(ending.size)} as oversize, {expected}"


def _endings(behaviour: Behaviour) -> Iterator[tuple[Way, Ending]]:
    for place, rule in enumerate(behaviour.rules):
        yield ("rules", place), rule
    for place, job in enumerate(behaviour.jobs):
        for step, outcome in enumerate(job.outcomes):
            yield ("jobs", place, "outcomes", step), outcome
        for step, ending in enumerate(job.sequence.results if job.sequence is not None else ()):
            yield ("jobs", place, "sequence", "results", step), ending


def _thresholds(scenario: Scenario) -> Iterator[Finding]:
    """A bound on what no storm asks for is never measured."""
    made = {storm.op for storm in scenario.storms}
    for number, threshold in enumerate(scenario.checks.thresholds):
        operation = metric_parts(threshold.metric)[1].get("op")
        if operation in CATALOGUE and operation not in made:
            yield ("checks", "thresholds", number, "metric"), f"found op={operation}, but no storm asks for that"


def remarks(scenario: Scenario) -> Iterator[str]:
    """What is not wrong, but perhaps not meant."""
    used = {fleet.behaviour for fleet in scenario.fleets}
    used |= {persona.behaviour for fleet in scenario.fleets for persona in fleet.personas if persona.behaviour}
    able = {word.removeprefix(CUSTOM_PREFIX).casefold() for fleet in scenario.fleets for word in fleet.capabilities}
    for job_type in scenario.job_types:
        if job_type.name.casefold() not in able:
            yield f"no fleet has the capability custom:{job_type.name}"
    for behaviour in scenario.behaviours:
        for job in behaviour.jobs:
            word = job.type.removeprefix(CUSTOM_PREFIX)
            if word != job.type and word.casefold() not in able:
                yield f"behaviour {behaviour.name}: no fleet has the capability {job.type}"
        if behaviour.name not in used:
            yield f"no fleet follows the behaviour {behaviour.name}"
    yield from _open_runs(scenario)
    yield from storm_remarks(scenario)
    if scenario.oig is not None:
        yield "oig.tasks hold for the embedded server; a real one runs the product's own tasks"
    yield "heartbeat.every and server hold for the embedded server; any other target has its own"


_LEFT_OPEN: Final = ("hang", "late", "crash", "oversize", "malformed")


def _open_runs(scenario: Scenario) -> Iterator[str]:
    """Runs that only the server's timeout ends need the time for that."""
    timeout, drain = scenario.server.job_timeout, scenario.stop.drain
    for behaviour in scenario.behaviours:
        endings = [*behaviour.rules, *(ending for job in behaviour.jobs for ending in job.endings)]
        words = sorted({ending.result for ending in endings if ending.result in _LEFT_OPEN})
        if words and timeout > drain:
            yield (
                f"behaviour {behaviour.name}: {' and '.join(words)} leave runs open until server.job_timeout"
                f" ({duration_text(timeout)}), and the drain lasts {duration_text(drain)}:"
                f" some may still be open at the end{_undecided(scenario)}"
            )
        for ending in endings:
            if ending.result == "late" and ending.by is not None and ending.by < timeout:
                late, given = duration_text(ending.by), duration_text(timeout)
                yield f"behaviour {behaviour.name}: late by {late} is in time if server.job_timeout is {given}"


def _undecided(scenario: Scenario) -> str:
    """What follows for the exit code, and what helps."""
    if scenario.checks.invariants.no_lost_jobs is None:
        return ""
    timeout, drain = duration_text(scenario.server.job_timeout), duration_text(scenario.stop.drain)
    mend = f"set server.job_timeout below {drain} or stop.drain above {timeout}"
    return f", then no_lost_jobs cannot be decided and the exit code is 3; {mend}"


# --- phases -----------------------------------------------------------------------------------


def _phases(scenario: Scenario) -> Iterator[Finding]:
    total = sum(phase.duration for phase in scenario.phases)
    if total > scenario.length:
        found = f"found {duration_text(scenario.length)}, but the phases last {duration_text(total)} in all"
        yield ("stop", "after"), f"{found}; expected at least that"
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
    once = schedule.schedule.exactly_once if schedule.schedule is not None else None
    if isinstance(once, TimePoint) and offset(scenario, once) >= scenario.length:
        yield ("schedule", "exactly_once"), too_late(time_point_text(once), offset(scenario, once), scenario)
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
    elif wrong := list(of_select(scenario, schedule.select)):
        yield from ((("select", *way), message) for way, message in wrong)
    elif not fleets:
        there = candidates(scenario, schedule.select, {fleet.name: fleet.count for fleet in scenario.fleets})
        lacks = f"no fleet that it asks for has a capability for {schedule.type}" if there else "nobody fits all of it"
        yield ("select",), f"matches nobody: {lacks}"
    elif count is not None and count > agents:
        yield ("select", "count"), f"found {count}, expected at most the {agents} agents that can do it"
    elif not any(one.indices for one in chosen(scenario, schedule, online)):
        sizes = " and ".join(str(online[fleet.name]) for fleet in fleets)
        yield ("select",), f"matches nobody: {_share(schedule)} of {sizes} agents is less than half a one"


def _given(scenario: Scenario, schedule: Schedule) -> Iterator[Finding]:
    """What a schedule gives to the fields of its job type, and what it owes them."""
    return of_fields(scenario, schedule.type, schedule.fields)


def _rules(scenario: Scenario) -> Iterator[Finding]:
    """Rules that wait for a phase, fleet or label that never comes."""
    known: Mapping[str, Collection[str]] = {
        "phase": [phase.name for phase in scenario.phases],
        "agent.fleet": [fleet.name for fleet in scenario.fleets],
    }
    of_agents = labels(scenario)
    for number, behaviour in enumerate(scenario.behaviours):
        for place, rule in enumerate(behaviour.rules):
            for label in (name.removeprefix(LABELS) for name in named(rule.condition) if name.startswith(LABELS)):
                if label not in of_agents:
                    yield ("behaviours", number, "rules", place, "when"), nobody_has(label, of_agents)
            for name, words in known.items():
                for word in compared_with(rule.condition, name):
                    if word not in words and word != "":
                        remark = did_you_mean(str(word), words) if words else f"there is no {name} at all"
                        yield ("behaviours", number, "rules", place, "when"), f"{name} is never {word}; {remark}"


def _job_types(scenario: Scenario) -> Iterator[Finding]:
    for number, job_type in enumerate(scenario.job_types):
        for place, field in enumerate(job_type.fields):
            if field.default is not None and (wrong := misfit(field.type, field.default)) is not None:
                yield ("job_types", number, "fields", place, "default"), wrong


def _share(schedule: Schedule) -> str:
    return share_text(1.0 if schedule.select.percent is None else schedule.select.percent)
