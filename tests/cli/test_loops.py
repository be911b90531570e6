"""The event loop of a live fleet and its collector of garbage."""

import asyncio
import gc
import sys
from collections.abc import Iterator

import pytest

from agent_sim.cli import loops


async def loop_in_use() -> str:
    return type(asyncio.get_running_loop()).__module__.partition(".")[0]


@pytest.mark.parametrize(("hidden", "module"), [((), "uvloop"), (("uvloop",), "asyncio")])
def test_a_fleet_runs_on_uvloop_and_without_it_on_the_loop_that_python_has(monkeypatch, hidden, module):
    for name in hidden:
        monkeypatch.setitem(sys.modules, name, None)  # as if it were not installed

    assert loops.run_fast(loop_in_use()) == module


def test_what_goes_wrong_in_the_loop_comes_out_of_it_either_way(monkeypatch):
    async def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        loops.run_fast(fail())
    monkeypatch.setitem(sys.modules, "uvloop", None)
    with pytest.raises(ZeroDivisionError):
        loops.run_fast(fail())


@pytest.fixture
def collector() -> Iterator[None]:
    thresholds = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*thresholds)


@pytest.mark.usefixtures("collector")
def test_a_frozen_fleet_is_not_looked_through_and_a_thawed_one_is_given_back():
    class Agent:
        pass

    gc.unfreeze()
    agent = Agent()
    agent.itself = agent
    loops.freeze()
    frozen, young = gc.get_freeze_count(), gc.get_threshold()[0]
    seen = any(each is agent for each in gc.get_objects())
    loops.thaw()

    assert frozen > 10_000  # all that pytest has, and the agent
    assert young >= 2_000  # as is usual: 700
    assert not seen  # get_objects does not tell of what is frozen
    assert any(each is agent for each in gc.get_objects())
    assert gc.get_freeze_count() == 0


def test_a_fleet_is_frozen_again_when_its_sessions_have_come(monkeypatch):
    now, frozen = [0.0], []

    async def sleep(seconds: float) -> None:
        now[0] += seconds

    monkeypatch.setattr(loops.asyncio, "sleep", sleep)
    monkeypatch.setattr(loops, "freeze", lambda: frozen.append(now[0]))
    with asyncio.Runner() as runner:
        runner.run(loops.keep_frozen())

    assert frozen == [10, 60, 300]
