"""The verdicts as JUnit XML, for whatever reads test results: one case for each threshold, invariant and the rest.

Broken is a failure; what leaves the run inconclusive is an error; what only warns, and what the scenario itself
declares undecidable, is skipped with its reason. Names and texts come from servers: what XML cannot carry is replaced.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from junitparser import Error, Failure, Skipped, TestCase, TestSuite
from junitparser.junitparser import FinalResult

from agent_sim.results.summary import Summary
from agent_sim.results.verdict import IfOpen, Overall, Verdict, is_good, weight
from agent_sim.results.wording import visible

_OUTCOMES: Final[Mapping[Overall | None, type[FinalResult]]] = {"FAIL": Failure, "INCONCLUSIVE": Error}


def render_junit(
    summary: Summary, verdicts: Sequence[Verdict], *, replay: str = "", inconclusive: IfOpen = None
) -> str:
    """The file; the same arguments give the same text. `replay` is the command that replays the run."""
    scenario = visible(summary.run.scenario) if summary.run is not None else "unknown"
    suite = TestSuite(f"agent-sim {scenario}")
    if summary.run is not None:
        suite.timestamp = summary.run.started_at
    for name, value in _properties(summary, replay).items():
        suite.add_property(name, value)
    for verdict in verdicts:
        suite.add_testcase(_case(verdict, scenario, _again(summary, replay), inconclusive))
    suite.time = round(summary.whole.seconds, 3)
    text: bytes = suite.tostring()  # type: ignore[no-untyped-call]  # junitparser is typed in part
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text.decode("utf-8")}\n'


def _properties(summary: Summary, replay: str) -> dict[str, str]:
    seed = {"seed": str(summary.run.seed)} if summary.run is not None else {}
    return {**seed, "outcome_digest": summary.outcome_digest, "replay": visible(replay)}


def _case(verdict: Verdict, scenario: str, again: str, inconclusive: IfOpen) -> TestCase:
    case = TestCase(visible(verdict.name), f"agent-sim.{scenario}.{verdict.kind}")
    if is_good(verdict):
        return case
    outcome = _OUTCOMES.get(weight(verdict, inconclusive), Skipped)(visible(verdict.detail), verdict.answer)
    if outcome.text is None:
        outcome.text = "\n".join(
            [visible(verdict.detail), *(f"- {visible(each)}" for each in verdict.offenders), again]
        )
    case.result = [outcome]
    return case


def _again(summary: Summary, replay: str) -> str:
    seed = f"seed {summary.run.seed}" if summary.run is not None else ""
    return "; ".join(filter(None, [seed, f"replay it: {visible(replay)}" if replay else ""]))
