"""What a storm asks next, and what it books."""

from agent_sim.errors import MalformedMessage
from agent_sim.instants import MINUTE
from agent_sim.protocol import command, job_commands
from agent_sim.protocol.command import AgentRecord
from agent_sim.protocol.enums import AgentStatus
from agent_sim.storms.campaign import Campaign, Found, herd, look, understands
from agent_sim.storms.ledger import Totals
from agent_sim.storms.observe import Mark
from agent_sim.storms.pool import Harvest, Token
from agent_sim.storms.taxonomy import ErrorKind
from tests.storms.examples import FakeReader, plan, run, tokens

AGENTS = tuple(Token(number, f"agent-{number}", f"m{number}", by_guid=True) for number in range(3))


def agent(number, status=AgentStatus.APPROVED, **more):
    return AgentRecord(f"agent-{number}", f"agentsim-{number}", "u", 7, "1", status, **more)


def campaign(found=(), turns=10, **changed):
    asked = plan(**changed)
    return Campaign(asked, Found({asked.operation: Harvest(tuple(found), 0, 0)}, Mark(0, 0)), "q", turns)


def test_orchestrators_are_asked_one_after_the_other_and_again_and_each_once_in_a_batch():
    storm = campaign(AGENTS, operation="custom_bulk", job_type="Patch", batch=50)
    asked = [storm.take(0).operation.orchestrator_ids for _ in range(3)]

    assert asked == [("agent-0", "agent-1", "agent-2")] * 3


def test_what_an_answer_refuses_is_refused_though_the_request_was_accepted():
    storm = campaign(AGENTS, operation="custom_bulk", job_type="Patch", batch=3)
    reply = job_commands.BulkJobs((job_commands.JobPair("job", "AGENT-1"),), ("agent-0",), "Patch", None, (), 0)

    assert storm.settle(storm.take(0), None, reply, 1) == 2
    assert storm.totals() == Totals(sent=3, accepted=2, refused=1, unknown=0)
    assert storm.trail().posted == (("m1", "job"),)


def test_an_answer_that_should_name_a_job_and_does_not_is_not_understood():
    asked = command.ScheduleJob("a", "Patch")

    assert not understands(asked, None)
    assert not understands(asked, MalformedMessage("x"))
    assert understands(asked, command.ScheduledJob("job", "a", "Patch", None, (), 0))
    assert understands(command.Reschedule(job_audit_ids=(1,)), None)


def test_an_answer_that_comes_after_the_storm_gave_up_books_nothing():
    storm = campaign(tokens(4), batch=2)
    asking = storm.take(0)

    assert (storm.in_flight, storm.abandon(9), storm.in_flight) == (1, 1, 0)
    assert storm.settle(asking, None, None, 10) is None
    assert storm.totals() == Totals(sent=2, accepted=0, refused=0, unknown=2)


def test_a_mixed_storm_falls_back_on_what_it_mostly_asks_for_and_ends_with_it():
    asked = plan(kind="mixed", batch=1)
    found = Found({"reschedule": Harvest(tokens(20), 0, 0), "acknowledge": Harvest(tokens(1), 0, 0)}, Mark(0, 0))
    storm = Campaign(asked, found, "q")
    kinds = []
    while not storm.is_exhausted and (asking := storm.take(0)) is not None:
        kinds.append((type(asking.operation).__name__, asking.entry.batch is None))
        storm.settle(asking, ErrorKind.HTTP_4XX_CONTRACT, None, 1)

    assert kinds.count(("Acknowledge", False)) == 1
    assert kinds.count(("Reschedule", False)) == 20
    assert kinds.count(("Reschedule", True)) > 0


def test_each_operation_looks_where_its_candidates_are_listed():
    reader = FakeReader(events=[], runs=[run(1)], orchestrators=[agent(1), agent(2, AgentStatus.NEW)])

    assert [token.audit_id for token in look(plan(), reader, 0).all.tokens] == [1]
    assert [token.job_id for token in look(plan(operation="approve"), reader, 0).all.tokens] == ["agent-2"]
    assert look(plan(kind="mixed"), reader, 0).harvests.keys() == {"reschedule", "acknowledge"}


def test_a_herd_is_who_was_seen_of_late():
    now = 100 * MINUTE
    seen = [agent(1, last_seen=now - MINUTE), agent(2, last_seen=now - 6 * MINUTE), agent(3)]

    assert herd(FakeReader(orchestrators=seen), now) == 1
