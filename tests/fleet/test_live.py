"""The live shell with hand-made cores: real time, no sockets."""

import asyncio
import time
from types import SimpleNamespace

import pytest

from agent_sim.errors import ReplyTimeout, TransportError
from agent_sim.fleet import live
from agent_sim.fleet.live import Kind, Scheduler, WallClock
from agent_sim.instants import MILLISECOND, NEVER, SECOND


class Beater:
    """A core that sends one request every 10 ms and remembers its events."""

    def __init__(self, start):
        self.at, self.events = start, []

    def handle(self, event, now):
        self.events.append(event)
        if event == "woken" and self.at <= now:
            self.at = now + 10 * MILLISECOND
            return ["beat"]
        return []

    def next_wake(self):
        return self.at


def kind(send, *, limit=10, ended=lambda *_: None):
    return Kind(
        send=send,
        woken="woken",
        answered=lambda request, reply: ("answered", reply),
        failed=lambda request, error: ("failed", type(error)),
        ended=ended,
        limit=asyncio.Semaphore(limit),
    )


async def run_for(scheduler, seconds):
    task = asyncio.create_task(scheduler.run())
    await asyncio.sleep(seconds)
    scheduler.stop()
    await asyncio.wait_for(task, 5)


async def test_cores_are_woken_when_they_asked_and_told_how_requests_ended():
    async def send(request):
        return f"{request} heard"

    clock = WallClock()
    core, scheduler = Beater(clock()), Scheduler(clock)
    scheduler.add(core, kind(send), settle=lambda core: None)

    await run_for(scheduler, 0.2)

    assert core.events.count("woken") >= 5
    assert ("answered", "beat heard") in core.events


async def test_a_failed_send_is_an_event_in_the_same_inbox():
    async def send(request):
        raise ReplyTimeout("lost")

    ends = []
    clock = WallClock()
    core, scheduler = Beater(clock()), Scheduler(clock)
    scheduler.add(core, kind(send, ended=lambda *end: ends.append(end)), settle=lambda core: None)

    await run_for(scheduler, 0.1)

    assert ("failed", ReplyTimeout) in core.events
    assert isinstance(ends[0][2], TransportError)


async def test_no_more_requests_are_on_the_wire_than_there_are_connections_and_the_wait_is_told_apart():
    on_the_wire, most, waits = 0, 0, []

    async def send(request):
        nonlocal on_the_wire, most
        on_the_wire += 1
        most = max(most, on_the_wire)
        await asyncio.sleep(0.03)
        on_the_wire -= 1

    clock = WallClock()
    scheduler = Scheduler(clock)
    shared = kind(
        send, limit=2, ended=lambda _core, _request, _reply, wire, waited, _faults: waits.append((wire, waited))
    )
    for _ in range(6):
        scheduler.add(Beater(clock()), shared, settle=lambda core: None)

    await run_for(scheduler, 0.25)

    assert most == 2
    assert all(wire >= 25 * MILLISECOND for wire, _ in waits)
    assert max(waited for _, waited in waits) > 20 * MILLISECOND


async def test_an_event_from_outside_is_handled_at_once():
    async def send(request):
        return None

    core = Beater(NEVER)
    scheduler = Scheduler(WallClock())
    number = scheduler.add(core, kind(send), settle=lambda core: None)

    scheduler.tell(number, "notified")

    assert core.events == ["notified"]


async def test_stopping_cancels_what_is_on_its_way():
    async def send(request):
        await asyncio.sleep(3600)

    clock = WallClock()
    scheduler = Scheduler(clock)
    scheduler.add(Beater(clock()), kind(send), settle=lambda core: None)

    await run_for(scheduler, 0.05)

    assert scheduler.in_flight == 0


async def test_a_bug_in_a_core_is_not_swallowed():
    class Broken(Beater):
        def handle(self, event, now):
            raise ZeroDivisionError

    async def send(request):
        return None

    clock = WallClock()
    scheduler = Scheduler(clock)
    scheduler.add(Broken(clock()), kind(send), settle=lambda core: None)

    with pytest.raises((ZeroDivisionError, ExceptionGroup)):
        await asyncio.wait_for(scheduler.run(), 5)


def test_the_clock_follows_the_wall():
    import time

    assert abs(WallClock()() - time.time_ns()) < SECOND


def test_a_scaled_clock_runs_as_many_times_as_fast_and_knows_what_other_clocks_show():
    clock, wall = WallClock(scale=50.0), WallClock()
    began = clock()

    time.sleep(0.02)

    assert clock() - began >= 50 * 20 * MILLISECOND
    assert clock.on_the_wall(began + 50 * SECOND) - clock.on_the_wall(began) == pytest.approx(SECOND, abs=2)
    assert abs(clock.on_the_wall(clock()) - wall()) < SECOND


async def test_cores_are_woken_by_a_scaled_clock_no_sooner_than_they_asked():
    async def send(request):
        return f"{request} heard"

    clock = WallClock(scale=0.1)
    began = clock()
    core, scheduler = Beater(began), Scheduler(clock, clock.scale)
    scheduler.add(core, kind(send), settle=lambda core: None)

    await run_for(scheduler, 0.5)

    assert 2 <= core.events.count("woken") <= 1 + (clock() - began) // (10 * MILLISECOND)


@pytest.mark.parametrize(("wakes", "milliseconds"), [(0, 25), (1999, 25), (2000, 15)])
def test_only_a_fleet_that_wakes_seldom_waits_for_more_than_what_is_due(monkeypatch, wakes, milliseconds):
    naps, now = [], [0]
    loop = SimpleNamespace(call_later=lambda seconds, turn: naps.append(seconds))
    monkeypatch.setattr(live.asyncio, "get_running_loop", lambda: loop)
    scheduler = Scheduler(lambda: now[0])
    scheduler._wheel.put("core", SECOND + 15 * MILLISECOND)
    scheduler._wakes = wakes  # in the second that is over now

    now[0] = SECOND
    scheduler._wheel.due(SECOND)  # nothing yet
    scheduler._set_timer()

    assert naps == [pytest.approx(milliseconds / 1000)]


async def test_who_waits_for_others_that_wake_in_the_same_turn_is_late_as_well():
    now = [SECOND]

    class Slow:
        """It takes 100 µs of the clock to wake it, once."""

        def __init__(self):
            self.at = SECOND

        def handle(self, event, at):
            self.at = NEVER
            now[0] += MILLISECOND // 10
            return []

        def next_wake(self):
            return self.at

    scheduler, slow = Scheduler(lambda: now[0]), kind(send=None)
    for _ in range(1000):
        scheduler.add(Slow(), slow, settle=lambda core: None)

    await run_for(scheduler, 0.01)

    assert scheduler.late.count == 1000
    assert scheduler.late.percentile(0.5) == pytest.approx(50_000, rel=0.1)
    assert scheduler.late.percentile(0.99) == pytest.approx(99_000, rel=0.1)


async def test_who_thought_better_of_it_is_not_late():
    now = [SECOND]

    class Sleeper(Beater):
        def handle(self, event, at):
            self.at = NEVER  # told from outside, long before
            return super().handle(event, at)

    scheduler = Scheduler(lambda: now[0])
    actor = scheduler.add(Sleeper(SECOND), kind(send=None), settle=lambda core: None)
    scheduler.tell(actor, "stay")
    now[0] += SECOND

    await run_for(scheduler, 0.01)

    assert scheduler.late.count == 0
