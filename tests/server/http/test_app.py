import asyncio

import pytest

from agent_sim.credentials import Credentials
from agent_sim.errors import UsageError
from agent_sim.protocol import command
from agent_sim.protocol.command import CommandReply
from agent_sim.server.auth import Accounts, Verdict
from agent_sim.server.http import app
from agent_sim.settings import ServerSettings
from tests.server.http.desks import NOW, OPERATOR, FakeCore, FakeStore, error_of, serving

pytestmark = pytest.mark.slow


async def test_health_needs_no_password():
    async with serving(FakeCore(FakeStore())) as client:
        response = await client.get("/healthz")
        body = await response.json()
        posted = await client.post("/HealthZ")
        below = await client.get("/healthz/x")

    assert (response.status, body) == (200, {"status": "ok"})
    assert (posted.status, below.status) == (405, 404)


class CountingAccounts(Accounts):
    verified = 0

    def verify(self, header: str) -> Verdict:
        self.verified += 1
        return super().verify(header)


async def test_many_first_requests_with_one_password_have_it_checked_once():
    accounts = CountingAccounts(Credentials("operator", "secret-1"), Credentials("agent", "secret-2"))
    core = FakeCore(FakeStore(), CommandReply(200, ()))

    async with serving(core, accounts=accounts) as client:
        responses = await asyncio.gather(*(client.get("/KeyfactorAPI/Agents", headers=OPERATOR) for _ in range(50)))

    assert {response.status for response in responses} == {200}
    assert accounts.verified == 1


async def test_a_base_may_lie_under_another():
    settings = ServerSettings(api_bases=("/Keyfactor", "/Keyfactor/API"), agents_bases=("/Keyfactor/Agents",))
    core = FakeCore(FakeStore(), CommandReply(200, (), total=0))

    async with serving(core, settings) as client:
        paths = ("/Keyfactor/API/Agents", "/Keyfactor/Agents", "/Keyfactor/JobTypes/Custom")
        statuses = [(await client.get(path, headers=OPERATOR)).status for path in paths]

    assert statuses == [200, 405, 200]  # the second is the agents' side, which takes POST only


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (ServerSettings(api_bases=("/",)), "is empty"),
        (ServerSettings(api_bases=()), "one path at least"),
        (ServerSettings(agents_bases=("/KeyfactorAPI/",)), "names /keyfactorapi a second time"),
        (ServerSettings(api_bases=("/healthz",)), "names /healthz a second time"),
    ],
)
async def test_bases_that_cannot_be_are_refused_before_the_start(settings, words):
    with pytest.raises(UsageError, match=words):
        async with serving(FakeCore(FakeStore()), settings):
            pass


async def test_our_own_endpoint_is_served_only_when_asked_for():
    core = FakeCore(FakeStore(), CommandReply(200, command.Transitions(0, ())))

    async with serving(core) as client:
        without = await client.get("/sim/transitions", headers=OPERATOR)
        assert await error_of(without) == (404, "0xA0110002")
    async with serving(core, ServerSettings(sim_api=True)) as client:
        unknown = await client.get("/sim/transitions")
        response = await client.get("/sim/Transitions?after=3", headers=OPERATOR)
        body = await response.json()

    assert (unknown.status, response.status) == (401, 200)
    assert body == {"LastSeq": 0, "Transitions": []}
    assert [request for request, _, _ in core.asked] == [command.ListTransitions(after=3)]


async def test_the_sweep_runs_again_and_again_and_commits(monkeypatch):
    monkeypatch.setattr(app, "SWEEP_AT_LEAST_EVERY", 0.01)
    core = FakeCore(FakeStore(dirty=True))

    async with serving(core), asyncio.timeout(30):
        while len(core.swept) < 3 or core.store.dirty:  # noqa: ASYNC110  # a fake has no event
            await asyncio.sleep(0.01)

    assert len(core.swept) >= 3
    assert set(core.swept) == {NOW}
    assert not core.store.dirty


async def test_a_sweep_that_fails_is_logged_and_tried_again(monkeypatch, caplog):
    monkeypatch.setattr(app, "SWEEP_AT_LEAST_EVERY", 0.01)
    core = FakeCore(FakeStore(), sweeps=ZeroDivisionError("internals"))

    async with serving(core) as client, asyncio.timeout(30):
        while len(core.swept) < 2:  # noqa: ASYNC110  # a fake has no event
            await asyncio.sleep(0.01)
        response = await client.get("/healthz")

    assert response.status == 200
    assert len(core.swept) >= 2
    assert "sweep failed" in caplog.text


async def test_what_is_open_is_committed_at_the_end():
    core = FakeCore(FakeStore())

    async with serving(core):
        await asyncio.sleep(0)
        core.store.dirty = True

    assert not core.store.dirty
