"""Scenarios as text, replayed in this process: journal lines come back as a list."""

from dataclasses import replace

from agent_sim.cli.replay import backend, opening
from agent_sim.fleet.replay import Replay
from agent_sim.instants import from_iso
from agent_sim.results import journal_text
from agent_sim.results.judge import INVARIANTS, judge
from agent_sim.results.summary import summarise
from agent_sim.scenario.load import Overrides, load
from agent_sim.scenario.plan import plan
from agent_sim.server.store import SqliteStore

EVERY_LAW = f"{{{', '.join(f'{name}: true' for name in INVARIANTS)}}}"
"""What stands for the word EVERY_LAW in a scenario: all of them asked for."""

START = from_iso("2026-01-01T00:00:00Z")


class Played:
    """A replay that is over."""

    def __init__(self, lines, checks):
        self.lines = lines
        self.summary = summarise(lines)
        self.verdicts = judge(self.summary, checks)

    @property
    def text(self):
        return "".join(f"{journal_text.encode(line)}\n" for line in self.lines)

    @property
    def digest(self):
        return self.summary.outcome_digest

    @property
    def kept(self):
        """True if nothing is broken, unknown or not measured."""
        return {verdict.answer for verdict in self.verdicts} <= {"kept", "held"}

    @property
    def answers(self):
        return {verdict.name: verdict.answer for verdict in self.verdicts}

    def of(self, kind):
        return [line for line in self.lines if isinstance(line, kind)]


def play(
    folder,
    text,
    *,
    seed=None,
    settings=(),
    change=lambda planned: planned,
    at=lambda run, line: None,
    watch=None,
    serve=backend,
):
    """Replay a scenario; `change` may alter its plan, `at` is told of each line and the run it comes from, `watch` of
    each agent's request with the server's reply and the instant. `serve` makes the server, from what `backend` takes.
    """
    file = folder / "scenario.yaml"
    file.write_text(text.replace("EVERY_LAW", EVERY_LAW), encoding="utf-8")
    scenario = load(file, Overrides(settings=tuple(settings), seed=seed), seed=1)
    planned = change(plan(scenario, START))
    lines = [opening(planned)]
    store = SqliteStore.open(":memory:")

    def record(line):
        lines.append(line)
        at(run, line)

    server = serve(store, planned.server, planned.seed)
    run = Replay(planned, watched(server, watch) if watch else server, record, scenario.stop.drain)
    run.run()
    store.close()
    return Played(lines, planned.checks)


def watched(server, watch):
    """The same server, looked at."""

    def agents(request, now):
        reply = server.agents(request, now)
        watch(request, reply, now)
        return reply

    return replace(server, agents=agents)


def backwards(planned):
    """The same plan with everybody in the opposite order."""
    return replace(
        planned,
        members=planned.members[::-1],
        operator=replace(
            planned.operator, fleets=planned.operator.fleets[::-1], postings=planned.operator.postings[::-1]
        ),
    )
