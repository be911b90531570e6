"""A part of a fleet in a process of its own, for `agent-sim run --processes N`: see `crew` for what it says and hears.

    python -m agent_sim.cli.shard < ORDER AND MESSAGES, a JSON object a line

It ends when it is told to, or when whoever started it is gone.
"""

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from agent_sim.cli import identities, ways
from agent_sim.cli.agent_kinds import AgentKinds
from agent_sim.cli.embedded import cpu_seconds
from agent_sim.cli.loops import freeze, keep_frozen, run_fast
from agent_sim.cli.sign_in import Certificate
from agent_sim.errors import AgentSimError, TransportError
from agent_sim.faults.effects import AgentEffect, BrokerEffect
from agent_sim.fleet.cast import Cast
from agent_sim.fleet.live import Actor, Scheduler, WallClock
from agent_sim.fleet.traffic import Traffic
from agent_sim.fleet.troubles import Troubles, suffered
from agent_sim.instants import HOUR, NEVER, SECOND, Span
from agent_sim.logins import find_agent
from agent_sim.protocol.enums import Category, JobType
from agent_sim.results import journal, journal_text
from agent_sim.scenario.load import Overrides, load
from agent_sim.scenario.plan import Plan, plan
from agent_sim.storms.stop import REFUSED, StopRule
from agent_sim.transports.base import Connections, Target

_FLUSH_SECONDS: Final = 0.1
_LAST_LOOKS: Final = 50
"""So often it looks whether the last requests have ended: for five seconds, as the run's own process does."""


@dataclass(slots=True)
class Shard:
    """The agents whose numbers leave this rest."""

    plan: Plan
    number: int
    of: int
    clock: WallClock
    _traffic: Traffic = field(default_factory=Traffic)
    _stop_rule: StopRule = field(default_factory=StopRule)
    _said: list[str] = field(default_factory=list)
    _is_stopped: bool = False

    async def run(self, through: ways.Ways, messages: asyncio.StreamReader) -> None:
        """From the plan's start until told to stop."""
        scheduler = Scheduler(self.clock.now, self.clock.scale)
        cast = Cast[Actor](self.plan, self._write, self._elapsed)
        troubles = Troubles(
            self.plan, self._write, self.clock, lambda machine, effect: self._suffer(cast, machine, effect),
            mine=cast.has, announces=False,
        )  # fmt: skip  # whose faults, then which agents are here
        kinds = AgentKinds(through, self._ended, self._write, self._elapsed, troubles if self.plan.faults else None)
        cast.enter_agents(scheduler, kinds.of, range(self.number, len(self.plan.members), self.of))
        freeze()
        driving = asyncio.create_task(scheduler.run(), name="scheduler")
        telling = asyncio.create_task(self._tell(), name="tell")
        hearing = asyncio.create_task(self._hear(cast, messages), name="hear")
        watching = asyncio.create_task(self._watch(troubles), name="faults")
        freezing = asyncio.create_task(keep_frozen(), name="freeze")
        await asyncio.wait({driving, hearing}, return_when=asyncio.FIRST_COMPLETED)
        cast.stop_agents()
        for _ in range(_LAST_LOOKS):
            if not scheduler.in_flight or driving.done():
                break
            await asyncio.sleep(_FLUSH_SECONDS)
        scheduler.stop()
        helpers = (telling, hearing, watching, freezing)
        for task in helpers:
            task.cancel()
        await asyncio.wait({driving, *helpers})
        for task in (driving, *helpers):
            if not task.cancelled():
                task.result()  # if something went wrong in it, our end tells so
        troubles.finish(self.clock())
        self._flush_traffic()
        self._say({"over": cpu_seconds()})
        self._flush()

    async def _watch(self, troubles: Troubles) -> None:
        while troubles.next_change != NEVER:
            span = min(troubles.next_change - self.clock(), HOUR)
            await asyncio.sleep(max(span, 0) / SECOND / self.clock.scale)
            troubles.look(self.clock())

    def _suffer(self, cast: Cast[Actor], machine: str, effect: AgentEffect | BrokerEffect) -> None:
        if isinstance(effect, AgentEffect):  # no broker: agents over MQTT have one process
            cast.tell(machine, suffered(effect, self.clock()))

    async def _hear(self, cast: Cast[Actor], messages: asyncio.StreamReader) -> None:
        while raw := await messages.readline():
            match json.loads(raw):
                case {"notify": str(machine)} if cast.has(machine):
                    cast.notify(machine)
                case {"learn": kind}:
                    cast.learn(JobType(**{**kind, "category": Category(kind["category"])}))
                case {"stop": True}:
                    return

    async def _tell(self) -> None:
        loop = asyncio.get_running_loop()
        second = loop.time() + 1
        while True:
            await asyncio.sleep(_FLUSH_SECONDS)
            if loop.time() >= second:
                second += 1
                self._flush_traffic()
                self._say({"alive": True})
            self._flush()

    def _ended(
        self, operation: str, outcome: int | TransportError, wire: Span, waited: Span, faults: tuple[str, ...]
    ) -> None:
        error = self._traffic.ended(operation, outcome, wire, waited, faults)
        # What our own faults did says nothing about how the target fares.
        why = None if faults else self._stop_rule.see(error, self.clock.now())
        if why is not None and not self._is_stopped:
            self._is_stopped = True
            self._say({"stopped": why, "refused": why == REFUSED})

    def _elapsed(self) -> float:
        return (self.clock() - self.plan.start) / SECOND

    def _write(self, line: journal.Line) -> None:
        self._said.append(journal_text.encode(line))

    def _say(self, message: Mapping[str, Any]) -> None:
        self._said.append(json.dumps(message))

    def _flush_traffic(self) -> None:
        for line in self._traffic.take(self._elapsed()):
            self._write(line)

    def _flush(self) -> None:
        """A pipe that is full makes us wait, and so keeps us from running ahead of whoever reads it."""
        said, self._said = self._said, []
        if said:
            sys.stdout.write("\n".join(said) + "\n")
            sys.stdout.flush()


async def _main() -> None:
    messages = asyncio.StreamReader(limit=1 << 20)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(messages), sys.stdin)
    sys.stdout.write('{"ready": true}\n')
    sys.stdout.flush()
    if not (first := await messages.readline()):
        return  # the run never began
    order = json.loads(first)
    clock = WallClock(order["scale"], tuple(order["began"]))
    planned = plan(load(Path(order["scenario"]), Overrides()), order["start"])
    if order["state"] is not None:
        planned = identities.known(planned, identities.read(Path(order["state"])))
    ca = order["target"].pop("ca")
    target = Target(**order["target"], ca=None if ca is None else Path(ca))
    login, limits = find_agent(os.environ, None), Connections(**order["connections"])
    files = order["certificate"]
    certificate = None if files is None else Certificate(Path(files[0]), None if files[1] is None else Path(files[1]))
    async with ways.opened(planned, target, login, limits, None, None, clock(), certificate) as through:
        await Shard(planned, order["number"], order["of"], clock).run(through, messages)


def main() -> None:
    """Run, and say what is wrong in one line."""
    try:
        run_fast(_main())
    except AgentSimError as error:
        sys.exit(f"error: {error}")
    except BrokenPipeError:  # whoever started it is gone, and what is left to say goes nowhere
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


if __name__ == "__main__":
    main()
