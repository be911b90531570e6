"""Whether a fault makes sense: armed within the run, about somebody who is there, about requests that are made."""

from collections.abc import Iterator
from typing import Final

from agent_sim.instants import NEVER, Span
from agent_sim.scenario.apportion import portion
from agent_sim.scenario.fault_plans import fault_plan
from agent_sim.scenario.faults import AT_BROKERS, OF_AGENTS, OF_STORMS, Fault, FaultSelect
from agent_sim.scenario.fields import time_point_text
from agent_sim.scenario.models import Scenario
from agent_sim.scenario.select_sense import of_select
from agent_sim.scenario.selection import candidates
from agent_sim.scenario.timeline import ever_online, offset
from agent_sim.scenario.units import duration_text, share_text
from agent_sim.scenario.wording import Way

Finding = tuple[Way, str]
"""What is wrong, and where."""


def of_fault(scenario: Scenario, fault: Fault) -> Iterator[Finding]:
    """Everything about the fault that makes no sense."""
    yield from _times(scenario, fault)
    yield from _requests(scenario, fault)
    yield from _broker(scenario, fault)
    if not fault.is_of_storms:
        yield from _selection(scenario, fault)


def too_late(text: str, when: Span, scenario: Scenario) -> str:
    """That a moment is not within the run."""
    at = "" if text == duration_text(when) else f", which is {duration_text(when)}"
    return f"found {text}{at}, expected a time before the run ends, at {duration_text(scenario.length)}"


def _times(scenario: Scenario, fault: Fault) -> Iterator[Finding]:
    begin = 0 if fault.at is None else offset(scenario, fault.at)
    if fault.at is not None and begin >= scenario.length:
        yield ("at",), too_late(time_point_text(fault.at), begin, scenario)
    elif fault.for_ is not None and fault.every is None and begin + fault.for_ > scenario.length:
        end, last = duration_text(begin + fault.for_), duration_text(scenario.length)
        yield ("for",), f"ends at {end}, expected an end before that of the run, at {last}"
    elif scenario.length != NEVER and next(fault_plan(scenario, fault, 0, {}).windows(), None) is None:
        yield ("every",), "never happens: even the first time would be after the end"


_OF_AGENTS_ONLY: Final = frozenset({"crash", "reorder", "clock"})


def _requests(scenario: Scenario, fault: Fault) -> Iterator[Finding]:
    crash = fault.do.crash
    if crash is not None and crash.operation and fault.on not in ((), (crash.operation,)):
        found = f"found {' and '.join(fault.on)} beside a crash at {crash.point}"
        yield ("on",), f"{found}, expected {crash.operation}, or nothing"
    if not fault.is_of_storms:
        return
    made = {storm.op for storm in scenario.storms}
    for number, word in enumerate(fault.on):
        if word in OF_AGENTS:
            other = next(one for one in fault.on if one in OF_STORMS)
            yield ("on", number), f"found {word} beside {other}, expected requests of agents or of storms, not both"
        elif word not in made:
            yield ("on", number), f"found {word}, but no storm asks for that"
    if fault.select != FaultSelect():
        yield ("select",), "found beside a storm's requests, which come from no agent; expected none"
    for name in (name for name, _ in fault.do.given if name in _OF_AGENTS_ONLY):
        yield ("do", name), "found for a storm's requests, expected something that can happen to a request of a storm"


def _broker(scenario: Scenario, fault: Fault) -> Iterator[Finding]:
    wanted = [name for name, _ in fault.do.given if name in AT_BROKERS]
    fleets = [one.fleet for one in candidates(scenario, fault.select, ever_online(scenario))]
    wires = {(fleet.transport or scenario.transport).kind for fleet in fleets}
    if wanted and (fault.is_of_storms or "mqtt" not in wires):
        yield ("do", wanted[0]), "found, but nobody whom it selects uses a broker; expected transport: {kind: mqtt}"


def _selection(scenario: Scenario, fault: Fault) -> Iterator[Finding]:
    online = ever_online(scenario)
    sizes = [len(one.indices) for one in candidates(scenario, fault.select, online)]
    agents = sum(sizes)
    count, percent = fault.select.count, fault.select.percent
    if wrong := list(of_select(scenario, fault.select)):
        yield from ((("select", *way), message) for way, message in wrong)
    elif not agents:
        yield ("select",), "matches nobody: no agent that it asks for ever comes online"
    elif count is not None and count > agents:
        yield ("select", "count"), f"found {count}, expected at most the {agents} agents that are there"
    elif percent is not None and not any(portion(percent, size) for size in sizes):
        told = " and ".join(map(str, sizes))
        yield ("select",), f"matches nobody: {share_text(percent)} of {told} agents is less than half a one"
