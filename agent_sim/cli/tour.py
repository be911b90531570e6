"""`agent-sim demo --tour`: the story of the showroom, step by step, told in the terminal and on the page.

A step is what is said and what is pressed; who presses is the board, as for a person at the page.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Protocol

from agent_sim.server.web.controls import ControlKind

PATIENCE: Final = 30.0
"""Seconds until it begins though nobody has opened the page."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step: what is pressed, what is said of it, and how long it is looked at (or until its storm is over)."""

    says: str
    seconds: float = 0
    start: tuple[ControlKind, str] | None = None
    stop: tuple[ControlKind, str] | None = None

    @property
    def storm(self) -> str:
        """The storm that it begins, if any."""
        return self.start[1] if self.start is not None and self.start[0] == "storm" else ""


TOUR: Final = (
    Step(
        "Three sites are at work: fra, shz and nyc. Behind them lies a month: Results, 30 d, shows it, with a day of"
        " renewals every ten days and the day on which operators rescheduled what had failed.",
        25,
    ),
    Step(
        "Failures appear: most of them are renewals at shz. Job history lists them, and the number on its tab counts"
        " those that nobody has dealt with.",
        25,
    ),
    Step(
        "The line to shz breaks: nothing gets in or out. Within half a minute its agents count as offline, and the"
        " jobs they have finished wait for an answer.",
        40,
        start=("fault", "shz-down"),
    ),
    Step(
        "shz returns: all its agents come back at once and hand in what they could not.",
        20,
        stop=("fault", "shz-down"),
    ),
    Step(
        "The storm: operators reschedule every failed renewal that nobody has acknowledged, 20 ids a request.",
        start=("storm", "mass-reschedule"),
    ),
    Step(
        "Many succeed at the second try. Where the cause still holds they fail again: first cure the cause, then"
        " reschedule.",
        25,
    ),
    Step(
        "Operators acknowledge what is left: the number on the tab Job history falls.",
        start=("storm", "mass-acknowledge"),
    ),
    Step("That is the story. The fleet goes on by itself; every fault and storm has its button below.", 15),
)


class Stage(Protocol):
    """What a tour needs: `board.Board` has it."""

    looked: asyncio.Event

    def tell(self, story: str) -> None: ...
    def start(self, kind: ControlKind, name: str) -> None: ...
    def stop(self, kind: ControlKind, name: str) -> None: ...
    async def over(self, name: str) -> None: ...


async def lead(
    stage: Stage, say: Callable[[str], None], pause: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> None:
    """Tell the story once: begin when somebody sees the page, or after a while."""
    looked = asyncio.create_task(stage.looked.wait())
    waited = asyncio.ensure_future(pause(PATIENCE))
    await asyncio.wait({looked, waited}, return_when=asyncio.FIRST_COMPLETED)
    looked.cancel()
    waited.cancel()
    for number, step in enumerate(TOUR, 1):
        if step.stop is not None:
            stage.stop(*step.stop)
        if step.start is not None:
            stage.start(*step.start)
        say(f"{number}/{len(TOUR)}  {step.says}")
        stage.tell(f"{number}/{len(TOUR)}  {step.says}")
        if step.storm:
            await stage.over(step.storm)
        await pause(step.seconds)
    stage.tell("")
