import asyncio

import pytest

from agent_sim.server.http.committer import CommitFailed, Committer
from tests.server.http.desks import FakeStore


async def test_an_answer_that_tells_nothing_new_goes_at_once():
    store = FakeStore(dirty=False)

    await Committer(store).settled()

    assert store.commits == 0


async def test_one_commit_lets_all_answers_go():
    store = FakeStore(dirty=True)
    committer = Committer(store)

    await asyncio.gather(*(committer.settled() for _ in range(50)))

    assert (store.commits, store.dirty) == (1, False)


async def test_an_answer_waits_until_the_commit():
    store = FakeStore(dirty=True)
    waiting = asyncio.create_task(Committer(store).settled())
    await asyncio.sleep(0)
    before = (waiting.done(), store.commits)
    await waiting

    assert (before, store.commits) == ((False, 0), 1)


async def test_a_commit_that_fails_fails_everybody_who_waited_and_nobody_after(caplog):
    store = FakeStore(dirty=True, failure=OSError("disk full"))
    committer = Committer(store)

    ends = await asyncio.gather(*(committer.settled() for _ in range(3)), return_exceptions=True)
    store.failure, store.dirty = None, True
    await committer.settled()

    assert [type(end) for end in ends] == [CommitFailed] * 3
    assert store.commits == 1
    assert "disk full" in caplog.text


async def test_one_that_gives_up_does_not_hold_up_the_others():
    store = FakeStore(dirty=True)
    committer = Committer(store)
    impatient, patient = (asyncio.create_task(committer.settled()) for _ in range(2))
    await asyncio.sleep(0)

    impatient.cancel()
    await patient

    assert store.commits == 1
    with pytest.raises(asyncio.CancelledError):
        await impatient


async def test_a_flush_commits_what_nobody_waits_for():
    store = FakeStore(dirty=True)

    Committer(store).flush()

    assert (store.commits, store.dirty) == (1, False)


async def test_where_commits_are_dear_one_lingers_for_company_only_after_one_that_had_some(monkeypatch):
    store = FakeStore(dirty=True)
    committer = Committer(store, linger=0.01)
    loop = asyncio.get_running_loop()
    lingered: list[float] = []
    later = loop.call_later
    monkeypatch.setattr(loop, "call_later", lambda delay, *what: (lingered.append(delay), later(delay, *what))[1])

    for company in (1, 4, 2, 1):
        store.dirty = True
        await asyncio.gather(*(committer.settled() for _ in range(company)))

    assert (lingered, store.commits) == ([0.01], 4)
