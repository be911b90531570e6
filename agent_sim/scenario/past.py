"""The past of a scenario: its plan, stretched, so that what takes a minute in the run took a day.

    run's plan, as long as the history tells ──> every moment and pause stretched ──> a plan that ends as the run begins

When things happen is stretched: arrivals, phases, schedules, windows of faults, beginnings of storms, heartbeats (to
two hours at most, or work would wait for days). How long they take is not: jobs, outages of one agent, a storm's own
rates. Chance is drawn anew, so a run comes to the same with a history and without.
"""

from dataclasses import fields, replace
from typing import Final

from agent_sim.agent.affairs import Timetable
from agent_sim.agent.behaviour import Behaviour
from agent_sim.agent.events import Crashed
from agent_sim.agent.identity import Identity
from agent_sim.distributions import Discrete, Distribution, Mixture
from agent_sim.draws import sub
from agent_sim.faults.plan import FaultPlan
from agent_sim.instants import DAY, HOUR, MINUTE, NEVER, Instant, Span
from agent_sim.protocol.schedule import ExactlyOnce, Interval, Schedule
from agent_sim.results.checks import Checks
from agent_sim.scenario.duties import Posting
from agent_sim.scenario.history import LONGEST_BEAT, History
from agent_sim.scenario.members import Member, Members
from agent_sim.scenario.models import Scenario
from agent_sim.scenario.plan import Plan, plan
from agent_sim.settings import ServerSettings
from agent_sim.storms.oig import OIG_OPERATIONS

_SETTLING: Final[Span] = 2 * LONGEST_BEAT
_SESSION: Final[Span] = DAY
_LOOK_AGAIN: Final[Span] = HOUR // 2


def past(scenario: Scenario, history: History, end: Instant) -> Plan:
    """What happened until `end`, from a whole minute on; work is posted until shortly before, so little is left."""
    stop = scenario.stop.model_copy(update={"after": max(history.told, 1)})
    told = plan(scenario.model_copy(update={"stop": stop, "oig": None}), (end - history.backfill) // MINUTE * MINUTE)
    stretch = _Stretch(told.start, history.day)
    settling = min(_SETTLING, history.backfill // 4)
    until = end - settling
    return replace(
        told,
        stop=until,
        drain_until=end,
        members=Members(_member(member, stretch) for member in told.members),
        phases=tuple(replace(one, start=stretch.at(one.start), end=stretch.at(one.end)) for one in told.phases),
        operator=replace(
            told.operator,
            postings=tuple(_posting(posting, stretch, until) for posting in told.operator.postings),
            look_again=_LOOK_AGAIN,
        ),
        faults=tuple(_fault(fault, stretch) for fault in told.faults if _begins(fault)),
        storms=tuple(
            replace(storm, start=stretch.at(storm.start))
            for storm in told.storms
            if storm.operation not in OIG_OPERATIONS and stretch.at(storm.start) + storm.span < until
        ),
        checks=Checks((), ()),
        server=_server(told.server, history),
        oig=None,
    )


class _Stretch:
    """Makes a day out of each `day` since `start`."""

    def __init__(self, start: Instant, day: Span) -> None:
        self.start, self.day = start, day

    def at(self, instant: Instant) -> Instant:
        return NEVER if instant == NEVER else self.start + self.span(instant - self.start)

    def span(self, span: Span) -> Span:
        return NEVER if span == NEVER else span * DAY // self.day


def _member(member: Member, stretch: _Stretch) -> Member:
    return replace(
        member,
        identity=Identity(replace(member.identity.stock, life="history"), member.identity.index),
        behaviour=_behaviour(member.behaviour, stretch),
        online=stretch.at(member.online),
        timetable=_timetable(member.timetable, stretch),
    )


def _timetable(turns: Timetable, stretch: _Stretch) -> Timetable:
    """Who is restarted is away as long as in the run."""
    return tuple(
        (stretch.at(at), replace(turn, restart_at=stretch.at(at) + turn.restart_at - at))
        if isinstance(turn, Crashed)
        else (stretch.at(at), turn)
        for at, turn in turns
    )


def _behaviour(behaviour: Behaviour, stretch: _Stretch) -> Behaviour:
    """Rules about time hold in the same parts of the story."""
    clock = behaviour.clock
    phases = tuple((name, stretch.at(start), stretch.at(end)) for name, start, end in clock.phases)
    return replace(behaviour, clock=replace(clock, phases=phases, day=stretch.day))


def _posting(posting: Posting, stretch: _Stretch, until: Instant) -> Posting:
    return replace(
        posting,
        start=stretch.at(posting.start),
        until=min(stretch.at(posting.until), until),
        every=None if posting.every is None else stretch.span(posting.every),
        spread=stretch.span(posting.spread),
        handed_over=None if posting.handed_over is None else _handed_over(posting.handed_over, stretch),
    )


def _handed_over(schedule: Schedule, stretch: _Stretch) -> Schedule:
    """What the server repeats by the calendar it does so in any past."""
    match schedule:
        case Interval(minutes):
            return Interval(max(stretch.span(minutes * MINUTE) // MINUTE, 1))
        case ExactlyOnce(at):
            return ExactlyOnce(-(-stretch.at(at) // MINUTE) * MINUTE)
    return schedule


def _begins(fault: FaultPlan) -> bool:
    """False for a fault that comes after all that the history tells."""
    return any(begin < end for begin, end in fault.spans)


def _fault(fault: FaultPlan, stretch: _Stretch) -> FaultPlan:
    again = fault.recurrence
    if again is not None:
        lasts = None if again.lasts is None else stretch.span(again.lasts)
        again = replace(again, every=_stretched(again.every, DAY / stretch.day), lasts=lasts)
    spans = tuple((stretch.at(begin), stretch.at(end)) for begin, end in fault.spans if begin < end)
    return replace(fault, key=sub(fault.key, "history"), spans=spans, recurrence=again)


def _stretched(distribution: Distribution, times: float) -> Distribution:
    """The same distribution of values so many times as large."""
    match distribution:
        case Discrete(values):
            return Discrete(tuple((value * times, weight) for value, weight in values))
        case Mixture(parts):
            return Mixture(tuple((_stretched(part, times), weight) for part, weight in parts))
    # Of the others every number is a value.
    return replace(distribution, **{one.name: getattr(distribution, one.name) * times for one in fields(distribution)})


def _server(settings: ServerSettings, history: History) -> ServerSettings:
    def slower(minutes: float) -> float:
        return history.beat(round(minutes * MINUTE)) / MINUTE

    return replace(
        settings,
        heartbeat_minutes=slower(settings.heartbeat_minutes),
        heartbeat_by_prefix=tuple((prefix, slower(minutes)) for prefix, minutes in settings.heartbeat_by_prefix),
        session_length=max(settings.session_length, _SESSION),
        job_history_retention_days=None,
        job_history_most=None,
    )
