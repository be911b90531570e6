"""All verdicts on a run: the thresholds and invariants that were asked for, and what is always looked at.

Always: each storm's reconciliation, whether load generators kept up, and whether the run came to its own end.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from agent_sim.results.checks import Checks, InvariantCheck
from agent_sim.results.invariants.acknowledged_stays_acknowledged import acknowledged_stays_acknowledged
from agent_sim.results.invariants.at_most_once import at_most_once
from agent_sim.results.invariants.capability_respected import capability_respected
from agent_sim.results.invariants.fleet_count import fleet_count
from agent_sim.results.invariants.no_job_after_unschedule import no_job_after_unschedule
from agent_sim.results.invariants.no_lost_jobs import no_lost_jobs
from agent_sim.results.invariants.no_result_from_unapproved import no_result_from_unapproved
from agent_sim.results.invariants.oig import oig_no_lost_runs, oig_no_run_twice, oig_retries_obeyed
from agent_sim.results.invariants.reconciliation import judge_generator, judge_stop, judge_storm
from agent_sim.results.invariants.rescheduled_once import rescheduled_once
from agent_sim.results.invariants.single_terminal_state import single_terminal_state
from agent_sim.results.invariants.status_agrees import status_agrees
from agent_sim.results.summary import Summary
from agent_sim.results.thresholds import judge_threshold
from agent_sim.results.verdict import Verdict
from agent_sim.results.watch import ABORTED

INVARIANTS: Final[Mapping[str, Callable[[Summary, InvariantCheck], Verdict]]] = {
    "no_lost_jobs": no_lost_jobs,
    "at_most_once": at_most_once,
    "single_terminal_state": single_terminal_state,
    "status_agrees": status_agrees,
    "capability_respected": capability_respected,
    "no_result_from_unapproved": no_result_from_unapproved,
    "no_job_after_unschedule": no_job_after_unschedule,
    "acknowledged_stays_acknowledged": acknowledged_stays_acknowledged,
    "rescheduled_once": rescheduled_once,
    "fleet_count": fleet_count,
    "oig_no_lost_runs": oig_no_lost_runs,
    "oig_no_run_twice": oig_no_run_twice,
    "oig_retries_obeyed": oig_retries_obeyed,
}


def judge(summary: Summary, checks: Checks) -> tuple[Verdict, ...]:
    """The verdicts, in the order in which reports show them. Raises KeyError for an invariant not in the table."""
    return (
        *(judge_threshold(summary, threshold) for threshold in checks.thresholds),
        *(INVARIANTS[check.name](summary, check) for check in checks.invariants),
        *(judge_storm(storm) for storm in summary.storms),
        *_warnings(summary),
    )


def _warnings(summary: Summary) -> Iterator[Verdict]:
    for storm in summary.storms:
        yield from filter(None, (judge_stop(storm), judge_generator(storm)))
    if (warning := _ending(summary)) is not None:
        yield warning


def _ending(summary: Summary) -> Verdict | None:
    name, ended = "end of the run", summary.ended
    if ended is None:
        return Verdict("run", name, "unknown", "its journal has no end")
    if ended.reason.startswith(ABORTED):
        return Verdict("run", name, "broken", ended.reason)  # whatever came of it in the seconds that were left
    if ended.reason != "finished":
        # Ctrl-C is how a run without an end is ended: it counts only where a check could not decide.
        return Verdict("run", name, "unknown", ended.reason, warn_only=ended.reason == "interrupted")
    if not ended.drained:
        return Verdict("run", name, "unknown", "the drain ended before the work in flight did", warn_only=True)
    return None
