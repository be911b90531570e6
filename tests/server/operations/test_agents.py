import pytest

from agent_sim.protocol import command
from agent_sim.protocol.command import APPROVED_LOGS_QUERY, AgentJobType, AgentRecord, Page
from agent_sim.protocol.enums import AgentStatus
from tests.server.bench import Bench

LOGS = AgentJobType("Orchestrator Log Retrieval", "", "", "0d8cf0c8-56ca-4b8a-b16a-c062018e170d")


def test_an_orchestrator_is_shown_with_what_it_said_and_can_do():
    bench = Bench()
    rotate = bench.new_type("Rotate")
    names = ("CertStores.PEM.Management", "Custom.FetchLogs", "Custom.Rotate", "Custom.Unknown", "Magic")
    bench.register(abilities=names)
    seen = bench.now

    [agent] = bench.ask(command.ListAgents()).body

    assert agent == AgentRecord(
        agent_id=agent.agent_id,
        client_machine="m1",
        username="agent",
        agent_platform=7,
        version="25.4.1.0",
        status=AgentStatus.APPROVED,
        capabilities=("PEM", "LOGS", "Rotate", "Unknown", "Magic"),
        last_seen=seen,
        job_types=(
            AgentJobType("PEM Management", "", "Management", "1d411b36-ae72-433f-9f3f-8593e836a1af"),
            LOGS,
            AgentJobType("Rotate", "", "", rotate.id),
        ),
    )
    assert bench.ask(command.GetAgent(agent.agent_id.upper())).body == agent


@pytest.mark.parametrize("agent_id", ["ffffffff-0000-4000-8000-000000000000", "nonsense"])
def test_an_orchestrator_that_is_not_there_is_not_found(agent_id):
    assert Bench().ask(command.GetAgent(agent_id)).status == 404


def test_the_seeds_query_finds_approved_orchestrators_that_can_fetch_logs():
    bench = Bench()
    bench.register("with")
    bench.register("without", abilities=("Custom.Rotate",))
    bench.register("out")
    bench.ask(command.DisapproveAgents((bench.agent_id("out"),)))

    found = bench.ask(command.ListAgents(Page(APPROVED_LOGS_QUERY)))
    assert ([agent.client_machine for agent in found.body], found.total) == (["with"], 1)


def test_orchestrators_are_listed_by_id():
    bench = Bench()
    for machine in "cab":
        bench.register(machine)

    ids = [agent.agent_id for agent in bench.ask(command.ListAgents()).body]
    assert ids == sorted(ids)
    by_name = bench.ask(command.ListAgents(Page(sort_field="ClientMachine"))).body
    assert [agent.client_machine for agent in by_name] == ["a", "b", "c"]


def test_a_bad_query_does_not_lose_when_agents_were_seen():
    bench = Bench()
    bench.register()
    seen = bench.now
    bench.refused(command.ListAgents(Page("Colour -eq red")))

    assert bench.ask(command.ListAgents()).body[0].last_seen == seen


def test_approving_and_disapproving_are_all_or_nothing():
    bench = Bench(auto_approve=False)
    bench.registration()

    status, error = bench.refused(command.ApproveAgents((bench.agent_id(), "nobody")))
    assert (status, error.error_code) == (400, "0xA0110006")
    assert [item.reason for item in error.failed_operations] == ["Orchestrator 'nobody' does not exist"]


def test_approving_again_changes_nothing():
    bench = Bench()
    session = bench.register()

    assert bench.ask(command.ApproveAgents((bench.agent_id().upper(), bench.agent_id()))).status == 204
    assert bench.holds(session)


def test_approving_nobody_is_done():
    assert Bench().ask(command.ApproveAgents(())).status == 204
