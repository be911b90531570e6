"""From the `faults` block to the plans that `agent_sim.faults` carries out."""

from collections.abc import Mapping, Sequence

from agent_sim.draws import key
from agent_sim.faults.plan import Crowd, FaultPlan, Recurrence
from agent_sim.instants import NEVER, Instant
from agent_sim.scenario.apportion import portion
from agent_sim.scenario.faults import BUILDERS, Fault
from agent_sim.scenario.models import Scenario
from agent_sim.scenario.selection import candidates
from agent_sim.scenario.spreads import distribution
from agent_sim.scenario.timeline import offset, phase_starts


def fault_plans(scenario: Scenario, start: Instant, machines: Mapping[str, Sequence[str]]) -> tuple[FaultPlan, ...]:
    """Every fault of a run that begins at `start`; `machines` are those of each fleet that ever come online."""
    return tuple(fault_plan(scenario, fault, start, machines) for fault in scenario.faults)


def storm_fault_plans(scenario: Scenario, start: Instant, operation: str) -> tuple[FaultPlan, ...]:
    """The faults that meet a storm's requests."""
    return tuple(fault_plan(scenario, fault, start, {}) for fault in scenario.faults if operation in fault.on)


def fault_plan(scenario: Scenario, fault: Fault, start: Instant, machines: Mapping[str, Sequence[str]]) -> FaultPlan:
    """One fault of a run."""
    recurrence = None if fault.every is None else Recurrence(distribution(fault.every), fault.for_)
    crash = fault.do.crash
    return FaultPlan(
        name=fault.name,
        key=key(scenario.seed, "fault", fault.name),
        kinds=tuple(BUILDERS[name](said) for name, said in fault.do.given),
        spans=_spans(scenario, fault, start),
        recurrence=recurrence,
        probability=fault.probability,
        operations=frozenset(fault.on or ((crash.operation,) if crash is not None and crash.operation else ())),
        crowd=None if fault.is_of_storms else _crowd(scenario, fault, machines),
    )


def _spans(scenario: Scenario, fault: Fault, start: Instant) -> tuple[tuple[Instant, Instant], ...]:
    last = NEVER if scenario.length == NEVER else start + scenario.length
    if fault.during:
        starts = phase_starts(scenario)
        phases = [phase for phase in scenario.phases if phase.name in fault.during]
        return tuple((start + starts[one.name], start + starts[one.name] + one.duration) for one in phases)
    begin = start if fault.at is None else start + offset(scenario, fault.at)
    if fault.for_ is None or fault.every is not None:
        return ((begin, last),)
    return ((begin, min(begin + fault.for_, last)),)


def _crowd(scenario: Scenario, fault: Fault, machines: Mapping[str, Sequence[str]]) -> Crowd:
    online = {fleet.name: len(machines.get(fleet.name, ())) for fleet in scenario.fleets}
    fleets = tuple(
        tuple(machines[one.fleet.name][index] for index in one.indices)
        for one in candidates(scenario, fault.select, online)
    )
    percent = fault.select.percent
    shares = None if percent is None else tuple(portion(percent, len(fleet)) for fleet in fleets)
    return Crowd(fleets, shares, fault.select.count, fault.select.sticky)
