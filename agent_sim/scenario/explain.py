"""A scenario in plain words, in the order in which it is read aloud, with what it will come to.

Who, what they do, when, what goes wrong, what is thrown at the server, what must hold; then the forecast. Every
sentence is made from the resolved scenario, so that defaults are told like anything else.
"""

from collections.abc import Iterator
from typing import Final

from agent_sim.instants import NEVER, Span
from agent_sim.protocol.enums import STORE_TYPE_IDS
from agent_sim.scenario import explain_oig
from agent_sim.scenario.behaviours import Behaviour, Ending, Job
from agent_sim.scenario.explain_faults import fault
from agent_sim.scenario.explain_values import all_of, counted, selected, spread
from agent_sim.scenario.fields import ClockTime, time_point_text
from agent_sim.scenario.fleets import Fleet
from agent_sim.scenario.forecast import HORIZON, Forecast, JobForecast
from agent_sim.scenario.models import Scenario
from agent_sim.scenario.plan import plan
from agent_sim.scenario.schedules import Phase, Recurrence, Schedule
from agent_sim.scenario.selection import can_do, chosen
from agent_sim.scenario.storms import Load, Storm
from agent_sim.scenario.timeline import ever_online, levels, offset, phase_starts
from agent_sim.scenario.units import duration_text, rate_text, share_rate_text, share_text
from agent_sim.storms.kinds import WORDS

Section = tuple[str, list[str]]
"""A heading and its sentences."""


def explain(scenario: Scenario, foreseen: Forecast) -> str:
    """The whole story."""
    about = f"{scenario.name}: {scenario.description}" if scenario.description else scenario.name
    sections = [section for section in _sections(scenario, foreseen) if section[1]]
    told = "".join(f"\n{title}\n" + "".join(f"  {line}\n" for line in lines) for title, lines in sections)
    return f"{about}\n{told}"


def _sections(scenario: Scenario, foreseen: Forecast) -> Iterator[Section]:
    yield "Who takes part", [_fleet(fleet) for fleet in scenario.fleets]
    yield "What they do", list(_behaviours(scenario))
    yield "What the scheduler does", list(explain_oig.jobs(scenario))
    yield "What was before", list(_before(scenario))
    yield "When", [*_phases(scenario), *(_schedule(scenario, one) for one in scenario.schedules), _end(scenario)]
    yield "What goes wrong", [fault(scenario, one) for one in scenario.faults]
    yield "What is thrown at the server", [_storm(scenario, storm) for storm in scenario.storms]
    yield "What must hold", list(_checks(scenario))
    yield _forecast_title(scenario), list(_forecast(foreseen))


# --- who --------------------------------------------------------------------------------------


def _fleet(fleet: Fleet) -> str:
    labels = f" ({', '.join(f'{name} {word}' for name, word in fleet.labels.items())})" if fleet.labels else ""
    beat = f"a heartbeat every {duration_text(fleet.heartbeat.every)}"
    beat += ", all at the same moments" if fleet.heartbeat.align else ""
    stores = [word for word in fleet.capabilities if word in STORE_TYPE_IDS]
    has = ""
    if stores:
        per_agent, certificates = spread(fleet.stores.per_agent), spread(fleet.stores.certificates)
        has = f"; stores of each kind: {per_agent}; certificates in each: {certificates}"
    kinds = [f"{share_text(persona.share)} {persona.name}" for persona in fleet.personas]
    of_them = f"; of them {all_of(kinds)}" if kinds else ""
    return (
        f"{counted(fleet.count, 'agent')} of {fleet.name}{labels}: {all_of(fleet.capabilities)}; {beat}{has}{of_them}"
    )


# --- what they do -----------------------------------------------------------------------------


def _behaviours(scenario: Scenario) -> Iterator[str]:
    for name in dict.fromkeys(name for fleet in scenario.fleets for name in _followed(fleet)):
        fleets = [fleet for fleet in scenario.fleets if name in _followed(fleet)]
        found = next((one for one in scenario.behaviours if one.name == name), None)
        yield from _behaviour(fleets, found)


def _followed(fleet: Fleet) -> list[str]:
    """The behaviours of a fleet's agents."""
    return [persona.behaviour or fleet.behaviour for persona in fleet.personas] or [fleet.behaviour]


def _behaviour(fleets: list[Fleet], behaviour: Behaviour | None) -> Iterator[str]:
    told = False
    for rule in behaviour.rules if behaviour is not None else ():
        yield f"{all_of(fleet.name for fleet in fleets)}: {_ending(rule)} when {rule.when}"
    for job in behaviour.jobs if behaviour is not None else ():
        able = [fleet.name for fleet in fleets if job.type == "custom" or can_do(fleet, job.type)]
        if able:
            told = True
            yield f"{all_of(able)}: {job.type} takes {spread(job.duration)}; {_outcomes(job)}"
    yield f"{all_of(fleet.name for fleet in fleets)}: {'any other' if told else 'every'} job succeeds in 1s"


def _outcomes(job: Job) -> str:
    weighed = all_of(f"{share_text(one.weight)} {_ending(one)}" for one in job.outcomes if one.weight)
    if job.sequence is None:
        return weighed
    first = f"for each {job.sequence.per} first {', '.join(map(_ending, job.sequence.results))}"
    after = {"weights": f"then {weighed}", "last": "the last for good", "repeat": "and again from the first"}
    return f"{first}, {after[job.sequence.then]}"


def _ending(ending: Ending) -> str:
    word = _ENDINGS.get(ending.result, ending.result)
    more = f" by {duration_text(ending.by)}" if ending.by is not None else ""
    message = f' "{ending.message}"' if ending.message else ""
    return f"{word}{more}{message}"


_ENDINGS: Final = {
    "reject": "rejected by its agent",
    "never_start": "never started",
    "hang": "taken and never completed",
    "late": "completed late",
    "complete_twice": "completed twice",
    "stale_session": "completed under an older session",
    "lost_ack": "completed with the answer lost",
    "crash": "ended by a crash of its agent",
    "oversize": "completed with a log that is too large",
    "malformed": "completed with a body that does not parse",
}
"""What an outcome is called where its word does not say enough."""


# --- before and when -------------------------------------------------------------------------------------


def _before(scenario: Scenario) -> Iterator[str]:
    past = scenario.history
    if past is not None:
        span, told, day = map(duration_text, (past.backfill, past.told, past.day))
        yield f"the embedded server remembers {span}, made up before the run begins: the first {told} of all this"
        yield f"in slow motion, {day} of it a day; jobs last as long as ever, and no check looks at it"


_SHAPES: Final = {
    "linear": "one after another",
    "step": "all at once",
    "poisson": "at random",
    "burst": "in ten groups",
}


def _phases(scenario: Scenario) -> Iterator[str]:
    starts = phase_starts(scenario)
    for phase, before, after in levels(scenario):
        begin = starts[phase.name]
        yield f"{duration_text(begin)} to {duration_text(begin + phase.duration)} {phase.name}: " + _moves(
            phase, before, after
        )


def _moves(phase: Phase, before: float, after: float) -> str:
    churn = ""
    if phase.churn is not None:
        rate, down = share_rate_text(phase.churn.restart), duration_text(phase.churn.down)
        churn = f"; {rate} of them are restarted, down for {down}"
    if before == after:
        return f"{share_text(after)} of the agents are online{churn}"
    what = "come online" if after > before else "go offline"
    return f"agents {what} {_SHAPES[phase.shape]}, from {share_text(before)} to {share_text(after)}{churn}"


def _schedule(scenario: Scenario, schedule: Schedule) -> str:
    agents = sum(len(one.indices) for one in chosen(scenario, schedule, ever_online(scenario)))
    who = f"{counted(agents, 'agent')}{selected(schedule.select)}"
    what = f"Management ({schedule.operation} a certificate)" if schedule.type == "Management" else schedule.type
    each = f", spread over {duration_text(schedule.spread)}" if schedule.spread else ""
    return f"{schedule.name}: {what} for {who}, {_times(scenario, schedule)}{each}"


def _times(scenario: Scenario, schedule: Schedule) -> str:
    if schedule.at is not None:
        return f"once at {duration_text(offset(scenario, schedule.at))}"
    since = f"from {duration_text(offset(scenario, schedule.from_))}"
    if schedule.every is not None:
        until = f" until {duration_text(offset(scenario, schedule.until))}" if schedule.until is not None else ""
        return f"every {duration_text(schedule.every)} {since}{until}"
    assert schedule.schedule is not None
    return f"handed to the server {since}: {_recurrence(scenario, schedule.schedule)}"


def _recurrence(scenario: Scenario, said: Recurrence) -> str:
    match said:
        case Recurrence(interval=int() as span):
            return f"every {duration_text(span)}"
        case Recurrence(daily=daily) if daily is not None:
            return f"every day at {_moment(scenario, daily)}"
        case Recurrence(weekly=weekly) if weekly is not None:
            return f"every {all_of(weekly.days) if weekly.days else 'week'} at {_moment(scenario, weekly.time)}"
        case Recurrence(monthly=monthly) if monthly is not None:
            day = f"day {monthly.day}" if monthly.day is not None else "this day"
            return f"on {day} of every month at {_moment(scenario, monthly.time)}"
        case Recurrence(exactly_once=point) if point is not None:
            return f"once at {time_point_text(point)}"
    return "once, now"


def _moment(scenario: Scenario, time: object) -> str:
    if isinstance(time, ClockTime):
        return f"{time.minutes // 60:02d}:{time.minutes % 60:02d} UTC"
    assert not isinstance(time, str)
    return f"the next whole minute after {time_point_text(time)}"  # type: ignore[arg-type]


def _end(scenario: Scenario) -> str:
    if scenario.length == NEVER:
        return "it never ends by itself"
    drain = duration_text(scenario.stop.drain)
    return f"the end at {duration_text(scenario.length)}; jobs in flight may take up to {drain} more"


# --- storms and checks ------------------------------------------------------------------------


def _storm(scenario: Scenario, storm: Storm) -> str:
    begin = offset(scenario, storm.at)
    if storm.is_of_jobs:
        each = "one job each"
    else:
        each = f"{counted(storm.batch, 'id')} each" if storm.target.by == "ids" else "a query each"
        each += f" ({WORDS[storm.target.kind]})" if storm.target.kind != "plain" else ""
    span = f"{duration_text(begin)} to {duration_text(begin + storm.span)}"
    return f"{span} {storm.name}: {storm.op}{_what(storm)} with {each}, {_load(storm.load)}"


def _what(storm: Storm) -> str:
    return f" {storm.makes}" if storm.makes else ""


def _load(load: Load) -> str:
    how = {"uniform": "evenly", "poisson": "at random"}[load.arrivals]
    if load.rate is not None:
        return f"{rate_text(load.rate)} {how}"
    steps = [_stage(stage.to, stage.over, stage.hold) for stage in load.stages]
    return f"{', then '.join(steps)}, {how}"


def _stage(to: float | None, over: Span | None, hold: Span | None) -> str:
    if hold is not None:
        return f"held for {duration_text(hold)}"
    return f"to {rate_text(to or 0)} in {duration_text(over or 0)}"


def _checks(scenario: Scenario) -> Iterator[str]:
    wanted = plan(scenario, 0).checks
    for threshold in wanted.thresholds:
        yield threshold.text + (" (told, but no failure)" if threshold.warn_only else "")
    fields = type(scenario.checks.invariants).model_fields
    for invariant in wanted.invariants:
        about = fields[invariant.name].description or ""
        yield f"{invariant.name}: {about[:1].lower()}{about[1:].removesuffix('.')}"


# --- forecast ---------------------------------------------------------------------------------


def _forecast_title(scenario: Scenario) -> str:
    first = f" of the first {duration_text(HORIZON)}" if scenario.length == NEVER else ""
    return f"Forecast{first}, if nothing goes wrong"


def _forecast(foreseen: Forecast) -> Iterator[str]:
    for job in foreseen.jobs:
        yield _job(job)
    if foreseen.agents:
        counts = all_of(f"{_about(count)} {name}" for name, count in foreseen.requests.items())
        yield f"requests of agents: {_rate(foreseen.rate)}/s on average ({counts})"
    for storm in foreseen.storms:
        if storm.operation.startswith("oig_"):
            yield f"{storm.name}: {_about(storm.requests)} requests at most, a job each"
            continue
        yield f"{storm.name}: {_about(storm.requests)} requests at most, {_about(storm.ids)} ids to {storm.operation}"
    if not foreseen.agents:
        return
    if foreseen.busiest > 1:
        yield f"agents have {foreseen.busiest:.1f} times the work that they can do: jobs will be left over"
    else:
        yield f"agents work {foreseen.busiest:.0%} of the time at most"


def _job(job: JobForecast) -> str:
    ends = all_of(f"{share_text(round(count / job.runs, 3))} {name}" for name, count in job.outcomes.items())
    return f"{job.type}: {_about(job.jobs)} jobs in {_about(job.runs)} runs: {ends}"


def _rate(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= 100 else f"{rate:.3g}"


def _about(amount: float) -> str:
    return f"{round(amount):,}"
