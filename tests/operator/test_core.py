"""The operator against a hand-played management API: answers as values."""

import pytest

from agent_sim.errors import ReplyTimeout
from agent_sim.instants import MINUTE, NEVER, SECOND
from agent_sim.operator.core import Operator
from agent_sim.operator.events import (
    AgentApproved,
    Answered,
    JobPosted,
    JobTypeKnown,
    PostFailed,
    SendFailed,
    SetupFailed,
    StopRequested,
    Woken,
)
from agent_sim.protocol import command
from agent_sim.protocol.enums import AgentStatus, custom
from agent_sim.protocol.schedule import Daily, Immediate
from agent_sim.scenario.duties import FleetNeed, OperatorPlan, Posting

START = 1_000 * SECOND
PREFIX = "agentsim-test-"


class World:
    """A management API that answers at once; `refuse` maps an operation's type to a reply instead."""

    def __init__(self, machines, *, auto_approve=True):
        self.agents = dict.fromkeys(machines, AgentStatus.APPROVED if auto_approve else AgentStatus.NEW)
        self.types, self.stores, self.seen, self.refuse = [], [], [], {}

    def answer(self, operation):
        self.seen.append(operation)
        if type(operation) in self.refuse:
            return self.refuse[type(operation)]
        match operation:
            case command.ListJobTypes():
                return ok(*self.types)
            case command.CreateJobType(name):
                self.types.append(command.JobTypeRecord(f"guid-{name}", name))
                return command.CommandReply(200, self.types[-1])
            case command.ListAgents():
                return ok(
                    *(
                        command.AgentRecord(f"id-{name}", name, "u", 7, "25.4.1.0", status)
                        for name, status in self.agents.items()
                    )
                )
            case command.ApproveAgents(ids):
                self.agents |= {agent_id.removeprefix("id-"): AgentStatus.APPROVED for agent_id in ids}
                return command.CommandReply(204)
            case command.ListStores():
                return ok(*self.stores)
            case command.CreateStore(machine, path, kind, agent_id):
                self.stores.append(command.StoreRecord(f"store-{machine}-{path}", machine, path, kind, agent_id))
                return command.CommandReply(200, self.stores[-1])
            case command.ScheduleJob(agent_id, name, schedule):
                return command.CommandReply(
                    200, command.ScheduledJob(f"job-{len(self.seen)}", agent_id, name, schedule, (), START)
                )
            case command.RemoveCertificate(stores):
                return ok(*(f"job-{store.certificate_store_id}" for store in stores))
            case command.ScheduleInventory():
                return command.CommandReply(204)


def ok(*records):
    return command.CommandReply(200, records, len(records))


def plan(*postings, machines=2, capabilities=("LOGS",), stores=0):
    names = tuple(f"{PREFIX}lab-{n:05d}" for n in range(machines))
    return OperatorPlan(PREFIX, (FleetNeed("lab", names, capabilities, (stores,) * machines),), postings)


def names(of):
    return tuple(name for fleet in of.fleets for name in fleet.machines)


def posting(kind, of, *, at=START, until=START + MINUTE, **more):
    return Posting("work", kind, names(of), at, until, **more)


def play(operator, world, until):
    """Drive operator and world to `until`; returns the facts in order."""
    facts, now = [], START
    while now <= until:
        orders = operator.handle(Woken(), now)
        while orders:
            order = orders.pop(0)
            orders += operator.handle(Answered(order, world.answer(order.operation)), now)
        facts += operator.take_facts()
        now = max(operator.next_wake(), now + 1)
    return facts


def test_work_is_posted_to_each_machine_once_it_is_known():
    needed = plan()
    operator = Operator(plan(posting("LOGS", needed)), START)
    world = World(names(needed))

    facts = play(operator, world, START + MINUTE)

    assert [(fact.machine, fact.type) for fact in facts] == [(name, "LOGS") for name in names(needed)]
    assert all(isinstance(fact, JobPosted) and fact.job_id for fact in facts)


def test_machines_that_appear_late_get_their_work_late():
    needed = plan()
    operator = Operator(plan(posting("LOGS", needed)), START)
    world = World(names(needed)[:1])

    early = play(operator, world, START + 3 * SECOND)
    world.agents[names(needed)[1]] = AgentStatus.APPROVED
    late = play(operator, world, START + 6 * SECOND)

    assert [fact.machine for fact in early] == [names(needed)[0]]
    assert [fact.machine for fact in late] == [names(needed)[1]]


def test_new_orchestrators_are_approved_and_only_those_in_scope():
    needed = plan()
    world = World((*names(needed), "somebody-elses-machine"), auto_approve=False)

    facts = play(Operator(needed, START), world, START + 3 * SECOND)

    approvals = [operation for operation in world.seen if isinstance(operation, command.ApproveAgents)]
    assert approvals == [command.ApproveAgents(tuple(f"id-{name}" for name in names(needed)))]
    assert facts == [AgentApproved(name) for name in names(needed)]
    assert world.agents["somebody-elses-machine"] is AgentStatus.NEW
    assert all(PREFIX in operation.page.query for operation in world.seen if isinstance(operation, command.ListAgents))


def test_missing_custom_job_types_are_created_and_existing_ones_used():
    needed = plan(capabilities=("custom:Old", "custom:New"))
    world = World(names(needed))
    world.types.append(command.JobTypeRecord("guid-old", "old"))

    facts = play(Operator(needed, START), world, START + SECOND)

    assert [operation for operation in world.seen if isinstance(operation, command.CreateJobType)] == [
        command.CreateJobType("New", "made by agent-sim")
    ]
    assert facts == [JobTypeKnown(custom("Old", "guid-old")), JobTypeKnown(custom("New", "guid-New"))]


def test_stores_are_created_once_and_found_again_by_the_next_run():
    needed = plan(capabilities=("PEM",), stores=2)
    world = World(names(needed))
    play(Operator(needed, START), world, START + SECOND)
    assert len(world.stores) == 4

    play(Operator(needed, START), world, START + SECOND)

    assert len(world.stores) == 4


def test_management_is_posted_for_every_store_and_names_each_job():
    needed = plan(capabilities=("PEM",), stores=2, machines=1)
    operator = Operator(plan(posting("Management", needed), capabilities=("PEM",), stores=2, machines=1), START)

    facts = play(operator, World(names(needed)), START + SECOND)

    assert len(facts) == 2
    assert len({fact.job_id for fact in facts}) == 2


def test_inventory_is_posted_by_schedule_and_names_no_job():
    needed = plan(capabilities=("PEM",), stores=1, machines=1)
    work = posting("Inventory", needed, handed_over=Daily(0))
    world = World(names(needed))

    facts = play(Operator(plan(work, capabilities=("PEM",), stores=1, machines=1), START), world, START + MINUTE)

    assert facts == [JobPosted("work", "Inventory", names(needed)[0], "")]
    [schedule] = [operation for operation in world.seen if isinstance(operation, command.ScheduleInventory)]
    assert schedule.schedule == Daily(0)


def test_rounds_come_at_their_times_and_end():
    needed = plan(machines=1)
    work = posting("LOGS", needed, every=10 * SECOND, until=START + 25 * SECOND)
    operator = Operator(plan(work, machines=1), START)

    world = World(names(needed))

    facts = play(operator, world, START + MINUTE)

    assert len(facts) == 3  # at 0, 10 and 20 s
    assert operator.next_wake() == NEVER
    posts = [operation for operation in world.seen if isinstance(operation, command.ScheduleJob)]
    assert [post.schedule for post in posts] == [Immediate()] * 3


def test_a_post_whose_answer_is_lost_is_never_posted_again():
    needed = plan(machines=1)
    operator = Operator(plan(posting("LOGS", needed), machines=1), START)
    [order] = operator.handle(Woken(), START)
    [order] = operator.handle(Answered(order, World(names(needed)).answer(order.operation)), START)
    assert isinstance(order.operation, command.ScheduleJob)

    assert operator.handle(SendFailed(order, ReplyTimeout("lost")), START) == []
    assert operator.take_facts() == [PostFailed("work", "LOGS", names(needed)[0], 0, "lost")]
    assert operator.next_wake() == NEVER


def test_a_refused_post_is_reported_with_the_servers_words():
    needed = plan(machines=1)
    world = World(names(needed))
    world.refuse[command.ScheduleJob] = command.CommandReply(400, command.ApiError("0xA0110006", "no such type"))

    facts = play(Operator(plan(posting("LOGS", needed), machines=1), START), world, START + SECOND)

    assert facts == [PostFailed("work", "LOGS", names(needed)[0], 400, "no such type")]


@pytest.mark.parametrize("trouble", [command.CommandReply(503), command.CommandReply(429)])
def test_reading_is_tried_again_after_trouble(trouble):
    needed = plan(machines=1)
    world = World(names(needed))
    world.refuse[command.ListAgents] = trouble
    operator = Operator(plan(posting("LOGS", needed), machines=1), START)
    play(operator, world, START + 2 * SECOND)
    world.refuse.clear()

    facts = play(operator, world, START + MINUTE)

    assert [type(fact) for fact in facts] == [JobPosted]


def test_what_cannot_be_made_ready_is_reported():
    needed = plan(capabilities=("custom:New",))
    world = World(names(needed))
    world.refuse[command.CreateJobType] = command.CommandReply(403, command.ApiError("0xA0140002", "not you"))

    assert play(Operator(needed, START), world, START + SECOND) == [SetupFailed("CreateJobType", 403, "not you")]


def test_at_most_a_few_operations_are_on_their_way():
    needed = plan(machines=100)
    operator = Operator(plan(posting("LOGS", needed), machines=100), START)
    world = World(names(needed))
    orders = operator.handle(Woken(), START)
    most = 0
    while orders:
        most = max(most, len(orders))
        order = orders.pop(0)
        orders += operator.handle(Answered(order, world.answer(order.operation)), START)

    assert most == 16
    assert len(operator.take_facts()) == 100


def test_a_stopped_operator_posts_nothing_more():
    needed = plan(machines=1)
    operator = Operator(plan(posting("LOGS", needed, every=SECOND), machines=1), START)
    play(operator, World(names(needed)), START)

    assert operator.handle(StopRequested(), START + SECOND) == []
    assert operator.handle(Woken(), START + MINUTE) == []
    assert operator.next_wake() == NEVER
