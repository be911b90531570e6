"""One way to put a small journal before one law."""

from typing import Any

from agent_sim.instants import SECOND
from agent_sim.results.checks import InvariantCheck
from agent_sim.results.journal import Line
from agent_sim.results.judge import INVARIANTS
from agent_sim.results.summary import summarise
from agent_sim.results.verdict import Verdict
from tests.results.journals import ended, started


def judged(
    law: str,
    *lines: Line,
    grace: float = 0.0,
    heartbeat: float = 0.0,
    allow_after: tuple[str, ...] = (),
    until: float = 60.0,
    **end: Any,
) -> Verdict:
    """The verdict of that law on these lines, with a beginning and an end put around them."""
    spans = {"grace": round(grace * SECOND), "heartbeat": round(heartbeat * SECOND)}
    check = InvariantCheck(law, allow_after=allow_after, **spans)
    return INVARIANTS[law](summarise([started(), *lines, ended(until, **end)]), check)


def said(verdict: Verdict) -> tuple[str, str, tuple[str, ...]]:
    """What matters of it."""
    return verdict.answer, verdict.detail, verdict.offenders
