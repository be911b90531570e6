"""From a resolved scenario to the plain values that the lower layers carry out.

Everything an agent is and does hangs on (seed, fleet, index): adding a fleet changes nothing for the others. Instants
are absolute, counted from `start`. Nothing here runs anything.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from agent_sim.agent.affairs import Timetable
from agent_sim.agent.events import CameOnline, Crashed, WentOffline
from agent_sim.agent.identity import Identity, Stock
from agent_sim.agent.inventory import Contents
from agent_sim.distributions import Discrete
from agent_sim.draws import root, unit
from agent_sim.faults.plan import FaultPlan
from agent_sim.instants import DAY, MINUTE, NEVER, Instant, Span
from agent_sim.protocol.command import JobTypeField
from agent_sim.protocol.enums import STORE_TYPE_IDS, jobs_of
from agent_sim.results.checks import Checks, InvariantCheck, Threshold
from agent_sim.results.metrics import METRICS
from agent_sim.scenario import checks
from agent_sim.scenario.apportion import dealt
from agent_sim.scenario.duties import FleetNeed, JobTypeNeed, OperatorPlan
from agent_sim.scenario.fault_plans import fault_plans
from agent_sim.scenario.fields import BOUNDS, MOST_NUMBER, MOST_STORES
from agent_sim.scenario.fleets import Fleet
from agent_sim.scenario.job_types import KINDS, JobType
from agent_sim.scenario.members import Member, Members
from agent_sim.scenario.models import Scenario
from agent_sim.scenario.oig_plan import OigPlan, job_duties, task_behaviours
from agent_sim.scenario.outcomes import behaviour
from agent_sim.scenario.personas import agent_key, labels_of, personas
from agent_sim.scenario.postings import postings
from agent_sim.scenario.server import Transport
from agent_sim.scenario.spreads import distribution
from agent_sim.scenario.storm_plans import storm_plans
from agent_sim.scenario.timeline import offset, phase_starts, presence, restarts
from agent_sim.settings import ServerSettings
from agent_sim.storms.plan import StormPlan

PREFIX: Final = "agentsim-"
"""Begins every simulated ClientMachine, so that nobody takes one for a real machine."""

_DIGITS: Final = 5


@dataclass(frozen=True, slots=True)
class PhaseWindow:
    """A phase from its start to its end (exclusive)."""

    name: str
    start: Instant
    end: Instant


@dataclass(frozen=True, slots=True)
class MqttPlan:
    """How agents use a broker."""

    gateways: int
    session_expiry: Span
    clean_start: bool
    will_delay: Span
    keepalive: Span


@dataclass(frozen=True, slots=True)
class TransportPlan:
    """How agents connect; `auto` is for whoever knows the target to settle."""

    mode: Literal["auto", "shared", "per_agent", "per_request"]
    limit: int
    connect_timeout: Span
    request_timeout: Span
    mqtt: MqttPlan


@dataclass(frozen=True, slots=True)
class Plan:
    """All that one run does. `stop` and `drain_until` are NEVER for a run without an end."""

    name: str
    seed: int
    prefix: str
    start: Instant
    stop: Instant
    drain_until: Instant
    members: Sequence[Member]
    phases: tuple[PhaseWindow, ...]
    operator: OperatorPlan
    faults: tuple[FaultPlan, ...]
    storms: tuple[StormPlan, ...]
    checks: Checks
    server: ServerSettings
    oig: OigPlan | None
    transport: TransportPlan


def plan(scenario: Scenario, start: Instant) -> Plan:
    """What a run of the scenario that begins at `start` does."""
    fleets = {fleet.name: _members(scenario, fleet, start) for fleet in scenario.fleets}
    needs = tuple(_need(fleet, fleets[fleet.name]) for fleet in scenario.fleets)
    stop = later(start, scenario.length)
    return Plan(
        name=scenario.name,
        seed=scenario.seed,
        prefix=prefix(scenario),
        start=start,
        stop=stop,
        drain_until=later(stop, scenario.stop.drain),
        members=Members(member for members in fleets.values() for member in members),
        phases=_windows(scenario, start),
        operator=OperatorPlan(
            prefix=prefix(scenario),
            fleets=needs,
            postings=postings(scenario, start, stop, machine),
            # Whom a storm is to approve, the operator leaves to it.
            may_approve=not any(storm.op == "approve" for storm in scenario.storms),
            job_types={said.name.lower(): _job_type(said) for said in scenario.job_types},
        ),
        faults=fault_plans(scenario, start, {need.name: need.machines for need in needs}),
        storms=storm_plans(scenario, prefix(scenario), start),
        checks=_checks(scenario),
        server=_server(scenario),
        oig=_oig(scenario, start),
        transport=_transport(scenario.transport),
    )


def prefix(scenario: Scenario) -> str:
    """What every ClientMachine of the scenario begins with, the same in every run."""
    return f"{PREFIX}{scenario.name}-"


def machine(scenario: Scenario, fleet: str, index: int) -> str:
    """The ClientMachine of one agent: `agentsim-demo-emea-00042`."""
    return f"{_stem(scenario, fleet)}{index:0{_DIGITS}d}"


def _stem(scenario: Scenario, fleet: str) -> str:
    return f"{prefix(scenario)}{fleet}-"


def later(start: Instant, span: Span) -> Instant:
    """`span` after `start`; NEVER stays NEVER."""
    return NEVER if NEVER in (start, span) else start + span


def _windows(scenario: Scenario, start: Instant) -> tuple[PhaseWindow, ...]:
    starts = phase_starts(scenario)
    return tuple(
        PhaseWindow(phase.name, start + starts[phase.name], start + starts[phase.name] + phase.duration)
        for phase in scenario.phases
    )


# --- agents -----------------------------------------------------------------------------------


def _members(scenario: Scenario, fleet: Fleet, start: Instant) -> Members:
    """The agents of a fleet that ever come online, in index order."""
    behaviours = {
        name: behaviour(scenario, name, start)
        for name in (fleet.behaviour, *(persona.behaviour for persona in fleet.personas))
        if name is not None
    }
    capabilities = tuple(job.wire for word in fleet.capabilities for job in jobs_of(word))
    contents = _contents(fleet)
    stores = _stores(scenario.seed, fleet)
    of = personas(scenario.seed, fleet)
    plain = Stock(
        fleet=fleet.name,
        stem=_stem(scenario, fleet.name),
        capabilities=capabilities,
        root=root(scenario.seed, fleet.name),
        digits=_DIGITS,
        jitter=fleet.heartbeat.jitter,
        check_interval=scenario.server.registration_check,
        contents=contents,
        aligned=fleet.heartbeat.align,
        labels=fleet.labels,
    )
    stocks = {persona.name: replace(plain, labels=labels_of(fleet, persona)) for persona in fleet.personas}
    return Members(
        Member(
            Identity(stocks[of[index].name] if of else plain, index),
            behaviours[(of[index].behaviour if of else None) or fleet.behaviour],
            online=start + turns[0],
            stores=stores[index],
            wire=(fleet.transport or scenario.transport).kind,
            timetable=_timetable(scenario, fleet, index, turns, start),
            auth=fleet.auth.kind,
        )
        for index, turns in enumerate(presence(scenario, fleet))
    )


def _contents(fleet: Fleet) -> Contents:
    stores = fleet.stores
    return Contents(
        certificates=distribution(stores.certificates, MOST_NUMBER),
        add=stores.change.add,
        remove=stores.change.remove,
        modify=stores.change.modify,
        is_full=stores.marks == "full",
        found=distribution(stores.discovered, MOST_STORES),
        endpoints=distribution(fleet.endpoints, MOST_NUMBER),
    )


def _timetable(scenario: Scenario, fleet: Fleet, index: int, turns: tuple[Span, ...], start: Instant) -> Timetable:
    goes_and_comes = (WentOffline(), CameOnline())
    moves = [(start + turn, goes_and_comes[number % 2]) for number, turn in enumerate(turns[1:])]
    crashes = [
        (start + at, Crashed(start + at + churn.down, churn.keeps_identity))
        for at, churn in restarts(scenario, fleet, index, turns)
    ]
    return tuple(sorted([*moves, *crashes], key=lambda turn: turn[0]))


def _stores(seed: int, fleet: Fleet) -> tuple[int, ...]:
    """How many stores of each kind each agent has; declared shares are kept exactly, by largest remainder."""
    if not any(word in STORE_TYPE_IDS for word in fleet.capabilities):
        return (0,) * fleet.count
    per_agent = distribution(fleet.stores.per_agent, MOST_STORES)
    draws = [unit(agent_key(seed, fleet.name, index), "stores") for index in range(fleet.count)]
    if isinstance(per_agent, Discrete):
        return tuple(round(value) for value in dealt(per_agent.values, draws))
    return tuple(max(round(per_agent.sample(draw)), 0) for draw in draws)


def _need(fleet: Fleet, members: Sequence[Member]) -> FleetNeed:
    return FleetNeed(
        name=fleet.name,
        machines=tuple(member.identity.machine for member in members),
        capabilities=fleet.capabilities,
        stores=tuple(member.stores for member in members),
    )


def _oig(scenario: Scenario, start: Instant) -> OigPlan | None:
    if scenario.oig is None:
        return None
    jobs = [
        duties
        for job in scenario.oig.jobs
        for duties in job_duties(job, prefix(scenario), start, lambda point: offset(scenario, point))
    ]
    return OigPlan(prefix(scenario), tuple(jobs), task_behaviours(scenario.oig.tasks, scenario.seed))


def _job_type(said: JobType) -> JobTypeNeed:
    fields = (JobTypeField(one.name, KINDS[one.type], one.default, one.required) for one in said.fields)
    return JobTypeNeed(said.name, said.description, tuple(fields))


# --- checks ------------------------------------------------------------------------


def _checks(scenario: Scenario) -> Checks:
    wanted = scenario.checks
    laws = {name: getattr(wanted.invariants, name) for name in checks.Invariants.model_fields}
    slowest = max((round(one.heartbeat.every * (1 + one.heartbeat.jitter)) for one in scenario.fleets), default=0)
    invariants = (_invariant(name, law, slowest) for name, law in laws.items() if law is not None)
    return Checks(tuple(threshold(one) for one in wanted.thresholds), tuple(invariants))


def _invariant(name: str, law: checks.Law, heartbeat: Span) -> InvariantCheck:
    return InvariantCheck(
        name,
        settle=law.settle if isinstance(law, checks.NoLostJobs) else 0,
        grace=law.grace if isinstance(law, checks.NoJobAfterUnschedule) else 0,
        allow_after=law.allow_after,
        heartbeat=heartbeat,
    )


def threshold(wanted: checks.Threshold) -> Threshold:
    """A threshold as checks have it."""
    name, labels = checks.metric_parts(wanted.metric)
    bound = BOUNDS[name]
    limits = [f"{sign} {value}" for sign, value in ((">=", wanted.min), ("<=", wanted.max)) if value is not None]
    during = f"during {', '.join(wanted.during)}" if wanted.during else ""
    calm = "without faults" if wanted.exclude_faults else ""
    stat = (wanted.stat or "p95") if METRICS[name].takes_stat else ""
    return Threshold(
        metric=name,
        labels=labels,
        stat=stat,
        minimum=None if wanted.min is None else bound.read(wanted.min),
        maximum=None if wanted.max is None else bound.read(wanted.max),
        during=wanted.during,
        text=" ".join(filter(None, [wanted.metric, stat, " and ".join(limits), during, calm])),
        warn_only=wanted.warn_only,
        exclude_faults=wanted.exclude_faults,
        abort_on_fail=wanted.abort_on_fail,
        abort_delay=wanted.abort_delay if wanted.abort_on_fail else 0,
    )


# --- the server and the way to it -------------------------------------------------------------


def _server(scenario: Scenario) -> ServerSettings:
    said = scenario.server
    return ServerSettings(
        auto_approve=said.auto_approve,
        heartbeat_minutes=said.heartbeat / MINUTE,
        heartbeat_by_prefix=_heartbeats(scenario),
        registration_check_minutes=said.registration_check / MINUTE,
        session_length=said.session_length,
        pending_answer=said.pending_answer,
        retries=said.retries,
        job_timeout=said.job_timeout,
        max_log_characters=said.max_log_characters,
        max_data_bytes=said.max_data,
        age_out_days=said.age_out // DAY,
        job_history_most=said.history_kept,
        partial_policy=said.partial_policy,
        acknowledge_again=said.acknowledge_again,
        reschedule_marks_acknowledged=said.reschedule_marks_acknowledged,
        max_ids=said.max_ids,
        max_return_limit=said.max_return_limit,
        count_most=said.count_most,
        enum_style=said.enum_style,
        null_style=said.null_style,
        timestamp_key=said.timestamp_key,
        strict_headers=said.strict_headers,
        oig_unknown_job=said.oig_unknown_job,
        oig_run_disabled=said.oig_run_disabled,
        oig_retries=said.oig_retries,
        oig_retry_delay=said.oig_retry_delay,
        durability=said.durability,
    )


def _heartbeats(scenario: Scenario) -> tuple[tuple[str, float], ...]:
    """Longest prefix first, so that the first that fits is the fleet's own even if one is named `emea-2`."""
    minutes = {f"{prefix(scenario)}{fleet.name}-": fleet.heartbeat.every / MINUTE for fleet in scenario.fleets}
    return tuple(sorted(minutes.items(), key=lambda item: (-len(item[0]), item[0])))


def _transport(said: Transport) -> TransportPlan:
    return TransportPlan(
        mode=said.connections.mode,
        limit=said.connections.limit,
        connect_timeout=said.timeouts.connect,
        request_timeout=said.timeouts.request,
        mqtt=MqttPlan(**{name: getattr(said.mqtt, name) for name in type(said.mqtt).model_fields}),
    )
