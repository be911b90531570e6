"""The tour of the showroom: what it says and presses, and that the showroom has all of it."""

import asyncio

from agent_sim.cli.library import scenario_file
from agent_sim.cli.tour import PATIENCE, TOUR, lead
from agent_sim.scenario.load import load


class Stage:
    """Writes down what is done."""

    def __init__(self, *, is_looked_at):
        self.done = []
        self.looked = asyncio.Event()
        if is_looked_at:
            self.looked.set()

    def tell(self, story):
        self.done.append(("tell", story[:3]))

    def start(self, kind, name):
        self.done.append(("start", kind, name))

    def stop(self, kind, name):
        self.done.append(("stop", kind, name))

    async def over(self, name):
        self.done.append(("over", name))


def led(*, is_looked_at=True):
    """What is done, said and waited for."""
    said, waited = [], []

    async def pause(seconds):
        waited.append(seconds)
        if seconds == PATIENCE and is_looked_at:
            await asyncio.Event().wait()

    async def lead_whole():
        stage = Stage(is_looked_at=is_looked_at)
        await lead(stage, said.append, pause)
        return stage.done

    return asyncio.run(lead_whole()), said, waited


def test_failures_appear_the_site_breaks_and_returns_operators_reschedule_and_acknowledge():
    done, said, _ = led()

    assert [each for each in done if each[0] != "tell"] == [
        ("start", "fault", "shz-down"),
        ("stop", "fault", "shz-down"),
        ("start", "storm", "mass-reschedule"),
        ("over", "mass-reschedule"),
        ("start", "storm", "mass-acknowledge"),
        ("over", "mass-acknowledge"),
    ]
    assert len(said) == len(TOUR)
    assert done[-1] == ("tell", "")


def test_it_begins_without_anybody_after_a_while():
    _, said, waited = led(is_looked_at=False)

    assert len(said) == len(TOUR)
    assert waited[0] == PATIENCE


def test_the_showroom_has_all_that_it_presses():
    scenario = load(scenario_file("showroom"))
    there = {("fault", fault.name) for fault in scenario.faults} | {("storm", storm.name) for storm in scenario.storms}

    assert {step.start for step in TOUR if step.start} | {step.stop for step in TOUR if step.stop} <= there
