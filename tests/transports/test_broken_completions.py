"""Completions whose bytes matter, through the real server: what HTTP does to them, direct calls do as well."""

from contextlib import asynccontextmanager

import pytest
from aiohttp.test_utils import TestServer

from agent_sim.credentials import Credentials
from agent_sim.protocol import codec
from agent_sim.protocol.agent import REGISTER, AgentReply, AgentRequest, Complete, Configure, Garbled, Register
from agent_sim.protocol.enums import Result
from agent_sim.server.auth import Accounts
from agent_sim.server.http.app import make_app
from agent_sim.transports.aiohttp_pool import HttpPool
from agent_sim.transports.base import Connections, Target
from agent_sim.transports.direct import DirectAgents
from tests.server.bench import ABILITIES, AGENT, Bench

LOGIN = Credentials("agent", "secret-2")


@asynccontextmanager
async def directly(bench):
    yield DirectAgents(lambda request, now: bench.server.handle(request, AGENT, now), lambda: bench.now)


@asynccontextmanager
async def over_http(bench):
    accounts = Accounts(Credentials("operator", "secret-1"), LOGIN)
    app = make_app(bench.server, bench.store, accounts, bench.settings, lambda: bench.now)
    async with (
        TestServer(app) as server,
        HttpPool(Target.at(str(server.make_url("/"))), LOGIN, Connections()) as pool,
    ):
        yield pool.agent(0)


ways = pytest.mark.parametrize(
    "way", [pytest.param(directly, id="direct"), pytest.param(over_http, id="http", marks=pytest.mark.slow)]
)


async def taken(transport, bench):
    """A log fetch under way; gives its completion."""
    opening = AgentRequest(REGISTER, Register(5, 1, "t", "m1", None, "", ABILITIES))
    await transport.send(opening)
    bench.schedule()
    session = (await transport.send(opening)).body.session
    [job] = session.jobs
    configured = await transport.send(AgentRequest(job.configuration_endpoint, Configure(session.token, job.job_id)))
    complete = Complete(Result.SUCCESS, configured.body.audit_id, job.job_id, "", session.token, log="x")
    return AgentRequest(job.completion_endpoint, complete)


@ways
async def test_a_completion_that_does_not_parse_is_refused_with_an_empty_400_and_ends_nothing(way):
    bench = Bench()
    async with way(bench) as transport:
        good = await taken(transport, bench)

        reply = await transport.send(AgentRequest(good.endpoint, Garbled(good.body)))

        assert reply == AgentReply(400, None)
        assert [run.result for run in bench.history()] == [Result.UNKNOWN]


@ways
async def test_a_log_beyond_the_limit_is_refused_with_an_empty_413_and_ends_nothing(way):
    bench = Bench(max_data_bytes=5000)
    async with way(bench) as transport:
        good = await taken(transport, bench)
        large = Complete(*(getattr(good.body, name) for name in good.body.__slots__[:5]), log="x" * 5001)

        reply = await transport.send(AgentRequest(good.endpoint, large))

        assert reply == AgentReply(413, None)
        assert [run.result for run in bench.history()] == [Result.UNKNOWN]
        assert (await transport.send(good)).status == 200


def test_what_is_sent_for_a_malformed_completion_is_the_beginning_of_one():
    complete = Complete(Result.SUCCESS, 7, "job-1", "", "token")
    garbled = codec.agent_body(Garbled(complete))

    assert codec.agent_body(complete).startswith(garbled)
    with pytest.raises(codec.MalformedMessage):
        codec.read_agent_request("/x/Complete", garbled)
