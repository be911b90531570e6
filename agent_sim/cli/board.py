"""What a demo's page can start: the scenario's faults and storms, begun by hand in the fleet that is under way.

    the page's button ──> the server's process ── control start fault shz-down ──> Board ──> the fleet's faults, Locust
    the page          <── the server's process <── what there is, what is under way, the story ──┘

The same board serves the tour, which presses the same buttons.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

from agent_sim.cli.embedded import Embedded
from agent_sim.cli.storm_process import StormEnd, StormProcess
from agent_sim.errors import UsageError
from agent_sim.fleet.live import WallClock
from agent_sim.fleet.troubles import Troubles
from agent_sim.results.plain import JsonObject
from agent_sim.scenario.explain_faults import happening
from agent_sim.scenario.models import Scenario
from agent_sim.server.web.controls import Control, ControlKind
from agent_sim.server.web.remote import LOOKED, pressed, state
from agent_sim.storms.plan import StormPlan

_LOOK_SECONDS: Final = 0.5


@dataclass(slots=True)
class _Storm:
    """A storm that can be begun; `running` while it is under way."""

    plan: StormPlan
    note: str
    running: "asyncio.Task[None] | None" = None
    process: StormProcess | None = None
    ids: int = 0
    said: str = ""

    @property
    def is_running(self) -> bool:
        return self.running is not None and not self.running.done()


class Board:
    """Starts and stops what the scenario declares (`server.web.controls.Controls`, at the fleet's end)."""

    def __init__(
        self,
        scenario: Scenario,
        storms: tuple[StormPlan, ...],
        troubles: Troubles,
        make: Callable[[StormPlan], StormProcess],
        clock: WallClock,
    ) -> None:
        self._troubles, self._make, self._clock = troubles, make, clock
        self._faults = {fault.name: happening(fault) for fault in scenario.faults}
        self._storms = {storm.name: _Storm(storm, _about(storm)) for storm in storms}
        self._told = ""
        self.looked = asyncio.Event()
        """Set when somebody sees the page."""

    # --- what there is ------------------------------------------------------------------------

    def listed(self) -> tuple[Control, ...]:
        """Everything, faults first, in the scenario's order."""
        armed = self._troubles.armed
        faults = (Control("fault", name, note, is_running=name in armed) for name, note in self._faults.items())
        storms = (Control("storm", name, _note(one), is_running=one.is_running) for name, one in self._storms.items())
        return (*faults, *storms)

    def story(self) -> str:
        return self._told

    def tell(self, story: str) -> None:
        """Change what the page says about what is happening."""
        self._told = story

    # --- starting and stopping ----------------------------------------------------------------

    def start(self, kind: ControlKind, name: str) -> None:
        """Begin one now. Raises KeyError for a name that is none, UsageError for one that is under way."""
        if kind == "fault":
            self._troubles.arm(name, self._clock())
            return
        storm = self._storms[name]
        if storm.is_running:
            raise UsageError(f"{name} is under way already")
        storm.running = asyncio.create_task(self._run(storm), name=f"storm {name}")

    def stop(self, kind: ControlKind, name: str) -> None:
        """End one; one that is not under way is no error. Raises KeyError."""
        if kind == "fault":
            self._troubles.disarm(name, self._clock())
        elif (process := self._storms[name].process) is not None:
            process.interrupt()

    async def over(self, name: str) -> None:
        """Return when a storm is over."""
        running = self._storms[name].running
        if running is not None:
            await asyncio.wait({running})

    async def _run(self, storm: _Storm) -> None:
        storm.ids, storm.said = 0, "begins"
        storm.process = process = self._make(replace(storm.plan, start=self._clock.on_the_wall(self._clock())))
        process.on_progress = lambda progress: _follow(storm, progress)
        try:
            storm.said = _ended(storm, await process.run())
        finally:
            process.kill()

    async def close(self) -> None:
        """Let no storm go on."""
        for storm in self._storms.values():
            if storm.running is not None:
                storm.running.cancel()
                with suppress(asyncio.CancelledError):
                    await storm.running

    # --- the server's end ---------------------------------------------------------------------

    async def serve(self, server: Embedded) -> None:
        """Do what is pressed and tell what there is, for as long as the server lives."""
        async with asyncio.TaskGroup() as group:
            telling = group.create_task(self._tell_on(server), name="board")
            while line := await server.hear():
                self.press(line.strip())
            telling.cancel()

    def press(self, line: str) -> None:
        """One line of the server's."""
        if line == LOOKED:
            self.looked.set()
        wanted = pressed(line)
        if wanted is None:
            return
        kind, name, starts = wanted
        with suppress(KeyError, UsageError):  # pressed twice, or before the page knew better
            (self.start if starts else self.stop)(kind, name)

    async def _tell_on(self, server: Embedded) -> None:
        said = ""
        while True:
            self._troubles.look(self._clock())
            line = state(self.listed(), self.story())
            if line != said:
                said = line
                server.say(line)
            await asyncio.sleep(_LOOK_SECONDS)


def _about(storm: StormPlan) -> str:
    of = "by query" if storm.by == "query" else f"{storm.batch} ids a request"
    return f"{storm.operation}, {of}"


def _note(storm: _Storm) -> str:
    return ", ".join(filter(None, (storm.note, storm.said)))


def _follow(storm: _Storm, progress: JsonObject) -> None:
    ids = progress.get("ids", 0)
    storm.ids += ids if isinstance(ids, int) else 0
    storm.said = f"{storm.ids:,} ids so far"


def _ended(storm: _Storm, end: StormEnd) -> str:
    if end.result is None:
        return f"ended without a result: {' '.join(end.said[-1:]) or 'it said nothing'}"
    return f"the last time {storm.ids:,} ids"
