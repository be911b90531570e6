"""A replay in memory: a scenario in virtual time and its verdicts, with nothing written anywhere.

What `agent-sim replay` does, less its folder and its report: for tests, for searching, for whoever wants thousands of
runs and keeps none of them.
"""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from agent_sim.cli.replay import START, backend, opening
from agent_sim.errors import UsageError
from agent_sim.fleet.replay import Backend, Replay
from agent_sim.instants import NEVER, Instant, from_iso
from agent_sim.results import journal
from agent_sim.results.checks import Checks
from agent_sim.results.judge import judge
from agent_sim.results.summary import Summary, summarise
from agent_sim.results.verdict import Verdict
from agent_sim.scenario.models import Scenario
from agent_sim.scenario.plan import plan
from agent_sim.server.store import SqliteStore

BEGIN: Final = from_iso(START)


@dataclass(frozen=True, slots=True)
class Played:
    """A replay that is over."""

    summary: Summary
    verdicts: tuple[Verdict, ...]


def play(
    scenario: Scenario,
    start: Instant = BEGIN,
    *,
    checks: Checks | None = None,
    around: Callable[[Backend], Backend] = lambda server: server,
) -> Played:
    """Replay a scenario and judge it, by its own checks unless others are given.

    `around` may put something between the cast and the server. Raises UsageError for a scenario without an end.
    """
    if scenario.length == NEVER:
        raise UsageError(f"the scenario {scenario.name} never ends (stop.after: never), and a replay would not either")
    planned = plan(scenario, start)
    lines: list[journal.Line] = [opening(planned)]
    with contextlib.closing(SqliteStore.open(":memory:")) as store:
        server = around(backend(store, planned.server, planned.seed))
        Replay(planned, server, lines.append, scenario.stop.drain).run()
    summary = summarise(lines)
    return Played(summary, judge(summary, planned.checks if checks is None else checks))
