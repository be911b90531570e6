"""A scenario's schedules as postings: who is posted what, when, and what the server repeats by itself."""

from collections.abc import Callable
from datetime import datetime

from agent_sim.draws import key
from agent_sim.instants import DAY, MINUTE, Instant, to_datetime
from agent_sim.protocol.enums import STORE_JOBS, Category
from agent_sim.protocol.schedule import Daily, ExactlyOnce, Immediate, Interval, Monthly, Weekly
from agent_sim.protocol.schedule import Schedule as WireSchedule
from agent_sim.scenario.duties import Lottery, Posting
from agent_sim.scenario.fields import WEEKDAYS, ClockTime, TimePoint
from agent_sim.scenario.models import Scenario
from agent_sim.scenario.schedules import Recurrence, Schedule
from agent_sim.scenario.selection import able, chosen, lots
from agent_sim.scenario.timeline import ever_online, offset

Named = Callable[[Scenario, str, int], str]
"""The name of a fleet's agent by index."""


def postings(scenario: Scenario, start: Instant, stop: Instant, machine: Named) -> tuple[Posting, ...]:
    """One posting for each schedule, in the scenario's order."""
    online = ever_online(scenario)
    return tuple(_posting(scenario, schedule, start, stop, machine, online) for schedule in scenario.schedules)


def _posting(
    scenario: Scenario, schedule: Schedule, start: Instant, stop: Instant, machine: Named, online: dict[str, int]
) -> Posting:
    begin = schedule.from_ if schedule.at is None else schedule.at
    return Posting(
        name=schedule.name,
        type=schedule.type,
        machines=tuple(
            machine(scenario, one.fleet.name, index)
            for one in chosen(scenario, schedule, online)
            for index in one.indices
        ),
        start=start + offset(scenario, begin),
        until=stop if schedule.until is None else start + offset(scenario, schedule.until),
        every=schedule.every,
        handed_over=None if schedule.schedule is None else recurrence(scenario, schedule.schedule, start),
        spread=schedule.spread,
        operation=schedule.operation,
        alias=schedule.alias or "agent-sim",
        subject=schedule.subject or "CN={store}",
        dirs=schedule.dirs or ("/opt",),
        capabilities=_kinds(scenario, schedule),
        fields=schedule.fields,
        lottery=None if schedule.select.sticky else _lottery(scenario, schedule, machine, online),
    )


def _kinds(scenario: Scenario, schedule: Schedule) -> tuple[str, ...]:
    """The kinds of stores that a discovery is to look for: those that the fleets it goes to have all of."""
    if schedule.type != Category.DISCOVERY:
        return ()
    words = [word for fleet in able(scenario, schedule) for word in fleet.capabilities]
    return tuple(dict.fromkeys(word for word in words if (word, Category.DISCOVERY) in STORE_JOBS))


def _lottery(scenario: Scenario, schedule: Schedule, machine: Named, online: dict[str, int]) -> Lottery:
    of = lots(scenario, schedule, online)
    return Lottery(
        key(scenario.seed, schedule.name),
        tuple(tuple(machine(scenario, one.fleet.name, index) for index in one.indices) for one, _ in of),
        None if schedule.select.percent is None else tuple(share or 0 for _, share in of),
        schedule.select.count,
    )


def recurrence(scenario: Scenario, said: Recurrence, start: Instant) -> WireSchedule:
    """The schedule that the server is handed."""
    match said:
        case Recurrence(interval=int() as span):
            return Interval(span // MINUTE)
        case Recurrence(daily=daily) if daily is not None:
            return Daily(_moment(scenario, daily, start))
        case Recurrence(weekly=weekly) if weekly is not None:
            time = _moment(scenario, weekly.time, start)
            days = {WEEKDAYS.index(day) for day in weekly.days} or {_weekday(to_datetime(time))}
            return Weekly(tuple(sorted(days)), time)
        case Recurrence(monthly=monthly) if monthly is not None:
            time = _moment(scenario, monthly.time, start)
            return Monthly(monthly.day or to_datetime(time).day, time)
        case Recurrence(exactly_once=TimePoint() as point):
            return ExactlyOnce(_moment(scenario, point, start))
    return Immediate()


def _moment(scenario: Scenario, time: ClockTime | TimePoint, start: Instant) -> Instant:
    """A time of day on the day of the start; a point of the run at the next whole minute, all that the wire can say."""
    if isinstance(time, ClockTime):
        return start // DAY * DAY + time.minutes * MINUTE
    return -(-(start + offset(scenario, time)) // MINUTE) * MINUTE


def _weekday(moment: datetime) -> int:
    return (moment.weekday() + 1) % 7  # 0 is Sunday
