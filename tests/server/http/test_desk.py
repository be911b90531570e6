"""What takes long is handled apart, and heartbeats do not wait for it."""

import asyncio
import gc
import threading

import pytest

from agent_sim.protocol import agent, command
from agent_sim.protocol.agent import AgentReply, AgentRequest
from agent_sim.protocol.command import CommandReply, Page
from agent_sim.server.callers import Caller
from agent_sim.server.http.command import may_take_long
from agent_sim.server.http.committer import CommitFailed, Committer
from agent_sim.server.http.desk import Desk
from agent_sim.settings import DEFAULT_SETTINGS
from tests.server.http.desks import ACCOUNTS, NOW, FakeStore

WHO = Caller("x", frozenset())
STORM = command.Reschedule((1,))
BEAT = AgentRequest("/Session/Heartbeat", agent.Heartbeat(5, agent.NO_TENANT, "m", "t"))
TAKE = AgentRequest("/Custom/Configure", agent.Configure("t", "j"))


class SlowCore:
    """Handles a storm for as long as the test wants, and notes what it did in order."""

    def __init__(self, store: FakeStore) -> None:
        self.store, self.done = store, []
        self.begun, self.may_end = threading.Event(), threading.Event()

    def handle(self, request, caller, now):
        is_storm = request is STORM
        if is_storm:
            self.begun.set()
            assert self.may_end.wait(60)
        self.store.dirty = self.store.dirty or request is not BEAT
        self.done.append("storm" if is_storm else type(request.body).__name__)
        return CommandReply(204) if is_storm else AgentReply(200, None)

    def with_certificate(self, der, account, now):
        return account

    def sweep(self, now, at_once):
        self.done.append("sweep")
        return now

    def store_all_seen(self):
        self.done.append("all seen")


def slow_desk() -> tuple[Desk, SlowCore, FakeStore]:
    store = FakeStore()
    core = SlowCore(store)
    return Desk(core, ACCOUNTS, DEFAULT_SETTINGS, lambda: NOW, Committer(store)), core, store


async def test_heartbeats_go_on_while_a_storm_is_handled_and_all_else_waits():
    desk, core, store = slow_desk()
    storm = asyncio.create_task(desk.ask_at_length(STORM, WHO))
    await asyncio.to_thread(core.begun.wait, 60)
    assert not gc.isenabled()  # a collection would look through all its rows, and everybody would wait
    take, sweep = asyncio.create_task(desk.ask(TAKE, WHO)), asyncio.create_task(desk.sweep())

    for _ in range(20):
        assert (await desk.ask(BEAT, WHO)).status == 200
    before = list(core.done)
    core.may_end.set()
    await asyncio.gather(storm, take, sweep)
    await desk.close()

    assert gc.isenabled()
    assert before == ["Heartbeat"] * 20
    assert core.done[20:] == ["storm", "Configure", "sweep", "all seen"]
    assert not store.dirty


async def test_what_was_answered_before_a_storm_does_not_wait_for_it():
    desk, core, store = slow_desk()
    take = asyncio.create_task(desk.ask(TAKE, WHO))
    storm = asyncio.create_task(desk.ask_at_length(STORM, WHO))

    await take
    commits = store.commits
    core.may_end.set()
    await storm
    await desk.close()

    assert (commits, store.commits) == (1, 2)


@pytest.mark.parametrize(("put_off", "left"), [(0, -1), (3, -1), (1000, 992)])
async def test_what_was_put_off_is_done_bit_by_bit_before_a_sweep_that_comes_however_much_it_is(put_off, left):
    desk, core, store = slow_desk()
    store.put_off = put_off
    between = asyncio.create_task(desk.ask(TAKE, WHO))

    await desk.sweep()
    await between
    assert (core.done, store.put_off) == (["Configure", "sweep"] if put_off else ["sweep", "Configure"], left)
    await desk.close()


async def test_a_storm_that_nobody_waits_for_any_more_ends_before_anything_else():
    desk, core, store = slow_desk()
    storm = asyncio.create_task(desk.ask_at_length(STORM, WHO))
    await asyncio.to_thread(core.begun.wait, 60)
    storm.cancel()
    with pytest.raises(asyncio.CancelledError):
        await storm

    core.may_end.set()
    await desk.ask(TAKE, WHO)
    await desk.close()

    assert core.done == ["storm", "Configure", "all seen"]
    assert not store.dirty


async def test_a_storm_that_cannot_be_committed_says_so():
    desk, core, store = slow_desk()
    store.failure = OSError("disk full")
    core.may_end.set()

    with pytest.raises(CommitFailed, match="disk full"):
        await desk.ask_at_length(STORM, WHO)
    store.failure = None
    await desk.close()


@pytest.mark.parametrize(
    ("operation", "long"),
    [
        (command.Reschedule(query="Result -eq 4"), True),
        (command.Reschedule((1, 2)), False),  # a long list of ids is told by the length of its body
        (command.ListJobHistory(), False),
        (command.ListJobHistory(Page(number=20_000)), False),
        (command.ListJobHistory(Page(limit=5000)), True),
        (command.ListAgents(Page("Status -eq 2")), True),
        (command.ListAgents(), True),
        (command.ListScheduledJobs(), True),
        (command.ListTransitions(), True),
        (command.ListTransitions(limit=100), False),
        (command.GetAgent("x"), False),
    ],
)
def test_what_may_take_long(operation, long):
    assert may_take_long(operation) is long
