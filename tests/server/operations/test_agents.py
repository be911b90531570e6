import pytest

from agent_sim.instants import SECOND
from agent_sim.protocol import command, store_commands
from agent_sim.protocol.agent_commands import FetchLogs, Reenrollment, ResetAgent, ResetAgents, SetReenrollment
from agent_sim.protocol.command import APPROVED_LOGS_QUERY, AgentJobType, AgentRecord, Page
from agent_sim.protocol.enums import AgentStatus, Result, Status
from agent_sim.protocol.schedule import Interval
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


def test_who_is_approved_and_disapproved_and_when_is_in_the_feed():
    bench = Bench()
    bench.register("m")
    agent = bench.agent_id("m")

    bench.ask(command.DisapproveAgents((agent,)))
    bench.ask(command.DisapproveAgents((agent,)))  # nothing changes
    bench.ask(command.ApproveAgents((agent,)))

    assert [(row.kind, row.job_id, row.audit_id) for row in bench.transitions()] == [
        ("disapproved", agent, None),
        ("approved", agent, None),
    ]


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


# --- reset ------------------------------------------------------------------------------------


@pytest.mark.parametrize("reset", [lambda id_: ResetAgents((id_, id_)), ResetAgent], ids=["list", "one"])
def test_a_reset_orchestrator_is_new_without_jobs_stores_or_session(reset):
    bench = Bench()
    session = bench.register()
    store = bench.new_store(inventory_schedule=Interval(5))
    bench.schedule()
    bench.run(session, bench.schedule())
    bench.ask(SetReenrollment(2, (bench.agent_id(),)))

    assert bench.ask(reset(bench.agent_id())).status == 204

    agent = bench.ask(command.GetAgent(bench.agent_id())).body
    assert (agent.status, agent.thumbprint, agent.auth_certificate_reenrollment) == (AgentStatus.NEW, "", "None")
    assert bench.scheduled() == []
    assert bench.ask(store_commands.GetStore(store.id)).status == 404
    assert not bench.holds(session)
    assert len(bench.history()) == 1
    assert bench.registration().session is None  # it must be approved again
    bench.ask(command.ApproveAgents((agent.agent_id,)))
    assert bench.register().jobs == ()


def test_a_run_that_a_reset_cut_off_ends_by_the_timeout():
    bench = Bench(job_timeout=60 * SECOND)
    session = bench.register()
    bench.configure(session, bench.schedule())

    bench.ask(ResetAgent(bench.agent_id()))
    bench.server.sweep(bench.now + 61 * SECOND)

    assert [(run.result, run.status) for run in bench.history()] == [(Result.FAILURE, Status.COMPLETED)]


@pytest.mark.parametrize("operation", [ResetAgents(("nobody",)), ResetAgent("nobody")])
def test_an_unknown_orchestrator_cannot_be_reset(operation):
    bench = Bench()
    bench.register()

    status, error = bench.refused(operation)
    assert (status, error.error_code) == (400, "0xA0110006")
    assert Bench().ask(ResetAgents(())).status == 204


def test_too_many_orchestrators_are_refused_at_once():
    assert Bench(max_ids=1).refused(ResetAgents(("a", "b")))[1].error_code == "0xA011000A"


# --- certificates of their own, logs ----------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "number", "name"), [(1, 1, "Requested"), ("required", 2, "Required"), ("0", 0, "None")]
)
def test_a_new_certificate_is_asked_for_by_number_or_name(given, number, name):
    bench = Bench()
    bench.register()
    nobody = "ffffffff-0000-4000-8000-000000000000"

    reply = bench.ask(SetReenrollment(given, (bench.agent_id().upper(), nobody)))

    assert (reply.status, reply.body) == (200, Reenrollment((nobody,), number))
    assert bench.ask(command.GetAgent(bench.agent_id())).body.auth_certificate_reenrollment == name


@pytest.mark.parametrize("status", [3, -1, "Perhaps", ""])
def test_no_other_status_is_taken(status):
    assert Bench().refused(SetReenrollment(status))[1].error_code == "0xA011000C"


def test_logs_are_fetched_at_once():
    bench = Bench()
    session = bench.register()

    assert bench.ask(FetchLogs(bench.agent_id())).status == 204
    [job] = bench.scheduled()
    assert (job.job_type, job.schedule) == ("FetchLogs", None)
    bench.run(session, job.id, log="the log")
    assert bench.ask(command.GetJobData(1)).body.data == "the log"


def test_logs_of_who_is_not_there_or_has_none_are_not_fetched():
    bench = Bench()
    bench.register(abilities=())

    assert bench.refused(FetchLogs("nonsense"))[0] == 404
    status, error = bench.refused(FetchLogs(bench.agent_id()))
    assert (status, error.error_code) == (400, "0xA0110005")
    bench.ask(command.DisapproveAgents((bench.agent_id(),)))
    assert "has status Disapproved" in bench.refused(FetchLogs(bench.agent_id()))[1].message
