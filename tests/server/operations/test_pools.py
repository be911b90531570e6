import pytest

from agent_sim.protocol.agent_commands import (
    AgentPool,
    CreateAgentPool,
    DeleteAgentPool,
    GetAgentPool,
    ListAgentPools,
    ListPoolAgents,
    PoolAgent,
    ResetAgents,
    UpdateAgentPool,
)
from agent_sim.protocol.command import Page
from tests.server.bench import Bench

NOBODY = "ffffffff-0000-4000-8000-000000000000"


def test_a_pool_is_made_read_changed_listed_and_deleted():
    bench = Bench()
    bench.register(abilities=("SSL", "Custom.FetchLogs"))
    agent = PoolAgent(bench.agent_id(), True, False, "25.4.1.0", True, True, "m1")

    made = bench.ask(CreateAgentPool("East", (PoolAgent(bench.agent_id().upper(), True),))).body

    assert made == AgentPool(made.agent_pool_id, "East", 1, 0, (agent,))
    assert bench.ask(GetAgentPool(made.agent_pool_id)).body == made
    changed = bench.ask(UpdateAgentPool(made.agent_pool_id, "West")).body
    assert changed == AgentPool(made.agent_pool_id, "West", 0, 0)
    found = bench.ask(ListAgentPools(Page('Name -eq "west"')))
    assert (found.body, found.total) == ((changed,), 1)
    assert bench.ask(DeleteAgentPool(made.agent_pool_id)).status == 204
    assert bench.ask(ListAgentPools()).body == ()


def test_the_default_pool_has_who_is_in_no_other():
    bench = Bench()
    for machine in "ab":
        bench.register(machine)
    pool = bench.ask(CreateAgentPool("East", (PoolAgent(bench.agent_id("a")),))).body

    [left] = bench.ask(ListPoolAgents()).body
    assert (left.client_machine, left.allows_discover) == ("b", False)
    bench.ask(DeleteAgentPool(pool.agent_pool_id))
    assert bench.ask(ListPoolAgents(Page('ClientMachine -eq "a"'))).total == 1


@pytest.mark.parametrize(
    ("operation", "status", "code"),
    [
        (CreateAgentPool(""), 400, "0xA011000C"),
        (CreateAgentPool("EAST"), 400, "0xA011000B"),
        (CreateAgentPool("x", (PoolAgent(NOBODY),)), 400, "0xA0110006"),
        (CreateAgentPool("x", (PoolAgent("nonsense"),)), 400, "0xA0110006"),
        (CreateAgentPool("x", tuple(PoolAgent(name) for name in "abc")), 400, "0xA011000A"),
        (UpdateAgentPool(NOBODY, "x"), 400, "0xA0110006"),
        (GetAgentPool("nonsense"), 404, "0xA0110002"),
        (DeleteAgentPool(NOBODY), 404, "0xA0110002"),
    ],
)
def test_what_cannot_be_is_refused(operation, status, code):
    bench = Bench(max_ids=2)
    bench.ask(CreateAgentPool("East"))

    refused, error = bench.refused(operation)
    assert (refused, error.error_code) == (status, code)


def test_an_orchestrator_is_in_one_pool():
    bench = Bench()
    bench.register()
    member = PoolAgent(bench.agent_id(), True)
    pool = bench.ask(CreateAgentPool("East", (member, member))).body
    assert len(pool.agents) == 1

    assert "is in pool East already" in bench.refused(CreateAgentPool("West", (member,)))[1].message
    bench.ask(ResetAgents((bench.agent_id(),)))
    assert bench.ask(UpdateAgentPool(pool.agent_pool_id, "East", (member,))).status == 200
