"""From the words of a `behaviours` block to the values that agents act on."""

from collections.abc import Callable, Mapping
from typing import Final

from agent_sim.agent import behaviour as agent
from agent_sim.agent.paths import (
    CompleteTwice,
    Crash,
    Hang,
    Late,
    LostAck,
    Malformed,
    NeverStart,
    Oversize,
    Path,
    Reject,
    StaleSession,
)
from agent_sim.instants import SECOND, Instant, Span
from agent_sim.protocol.enums import Result
from agent_sim.scenario.behaviours import Ending, Job, Outcome, Sequence
from agent_sim.scenario.models import Scenario
from agent_sim.scenario.spreads import distribution
from agent_sim.scenario.timeline import phase_starts

_GAP: Final[Span] = 3 * SECOND
_RESTART: Final[Span] = 15 * SECOND
_OVERSIZE: Final = 2_000_001
"""A character more than Command takes (command-api 2.1)."""

_REJECTED: Final = "Error: local validation failed before the job could begin\n"


def behaviour(scenario: Scenario, name: str, start: Instant) -> agent.Behaviour:
    """The behaviour of that name for a run that begins at `start`; one that is not there succeeds in all."""
    found = next((behaviour for behaviour in scenario.behaviours if behaviour.name == name), None)
    if found is None:
        return agent.Behaviour(name)
    return agent.Behaviour(
        name,
        {job.type: _job(job) for job in found.jobs},
        rules=tuple(agent.Rule(rule.condition, ending(rule)) for rule in found.rules),
        clock=_clock(scenario, start) if found.rules else agent.Clock(),
    )


def _clock(scenario: Scenario, start: Instant) -> agent.Clock:
    starts = phase_starts(scenario)
    return agent.Clock(
        start,
        tuple(
            (phase.name, start + starts[phase.name], start + starts[phase.name] + phase.duration)
            for phase in scenario.phases
        ),
    )


def _job(job: Job) -> agent.JobBehaviour:
    never = sum(outcome.weight for outcome in job.outcomes if outcome.result == "never_start")
    return agent.JobBehaviour(
        distribution(job.duration),
        _weighted(tuple(outcome for outcome in job.outcomes if outcome.result != "never_start"), never),
        distribution(job.size),
        None if job.sequence is None else _sequence(job.sequence),
        never,
    )


def _weighted(outcomes: tuple[Outcome, ...], never: float) -> tuple[tuple[agent.Ending, float], ...]:
    """The endings of jobs that are started, whose weights total 1 again."""
    if not outcomes:
        return agent.JobBehaviour().endings  # nothing is ever started
    return tuple((ending(way), way.weight / (1 - never) if never else way.weight) for way in outcomes)


def _sequence(said: Sequence) -> agent.Sequence:
    return agent.Sequence(said.per, tuple(ending(step) for step in said.results), said.then)


# --- endings ----------------------------------------------------------------------------------

_RESULTS: Final[Mapping[str, Result]] = {
    "warning": Result.WARNING,
    "reject": Result.WARNING,
    "failure": Result.FAILURE,
}
"""What is said in the end, where it is not success."""

_PATHS: Final[Mapping[str, Callable[[Ending], Path]]] = {
    "reject": lambda said: Reject(),
    "never_start": lambda said: NeverStart(),
    "hang": lambda said: Hang(after_upload=said.at == "after_upload"),
    "late": lambda said: Late(said.by or 0),
    "complete_twice": lambda said: CompleteTwice(_GAP if said.gap is None else said.gap),
    "stale_session": lambda said: StaleSession(),
    "lost_ack": lambda said: LostAck(),
    "crash": lambda said: Crash(
        after_completing=said.point == "after_complete",
        restart_after=_RESTART if said.restart_after is None else said.restart_after,
        keeps_identity=said.keeps_identity is not False,
    ),
    "oversize": lambda said: Oversize(said.size or _OVERSIZE),
    "malformed": lambda said: Malformed(),
}


def ending(said: Ending) -> agent.Ending:
    """The ending that the words say."""
    make = _PATHS.get(said.result)
    message = said.message or (_REJECTED if said.result == "reject" else "")
    return agent.Ending(_RESULTS.get(said.result, Result.SUCCESS), message, None if make is None else make(said))
