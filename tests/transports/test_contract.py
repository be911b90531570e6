"""One suite for every transport: what `transports.base` promises, whatever carries it."""

import asyncio
import contextlib
from collections import Counter
from functools import partial

import pytest

from agent_sim.errors import ReplyTimeout, TransportError
from agent_sim.instants import from_iso
from agent_sim.protocol import command
from agent_sim.protocol.agent import (
    HEARTBEAT,
    NO_TENANT,
    OK,
    REGISTER,
    Acknowledged,
    AgentReply,
    AgentRequest,
    Complete,
    CompletionReply,
    Configuration,
    Configure,
    Enroll,
    Heartbeat,
    HeartbeatReply,
    InventoryItem,
    InventoryJob,
    KnownItem,
    Register,
    Session,
    SessionJob,
    SessionReply,
    UpdateInventory,
    UpdateLocations,
    refusal,
)
from agent_sim.protocol.command import ApiError, CommandReply, FailedOperation
from agent_sim.protocol.enums import AgentStatus, Result, Status
from agent_sim.protocol.schedule import Daily, ExactlyOnce, Interval
from tests.transports.brokers import amqtt_at, mosquitto_3_at, mosquitto_at
from tests.transports.openings import (
    FarEnd,
    Odd,
    direct_agents,
    direct_command,
    http_agents,
    http_command,
    mqtt_agents,
)
from tests.transports.peers import QUICK

AGENTS = [
    pytest.param(direct_agents, id="direct"),
    pytest.param(partial(http_agents, mode="shared"), id="http-shared", marks=pytest.mark.slow),
    pytest.param(partial(http_agents, mode="per_agent"), id="http-per_agent", marks=pytest.mark.slow),
    pytest.param(partial(http_agents, mode="per_request"), id="http-per_request", marks=pytest.mark.slow),
    pytest.param(partial(http_agents, mode="shared", client="fast"), id="fast-shared", marks=pytest.mark.slow),
    pytest.param(partial(http_agents, mode="per_agent", client="fast"), id="fast-per_agent", marks=pytest.mark.slow),
    pytest.param(
        partial(http_agents, mode="per_request", client="fast"), id="fast-per_request", marks=pytest.mark.slow
    ),
    pytest.param(
        partial(mqtt_agents, at=mosquitto_at, mode="shared"), id="mqtt-mosquitto-shared", marks=pytest.mark.slow
    ),
    pytest.param(
        partial(mqtt_agents, at=mosquitto_at, mode="per_agent"), id="mqtt-mosquitto-per_agent", marks=pytest.mark.slow
    ),
    pytest.param(
        partial(mqtt_agents, at=mosquitto_3_at, mode="shared"), id="mqtt-mosquitto-3.1.1", marks=pytest.mark.slow
    ),
    pytest.param(partial(mqtt_agents, at=amqtt_at, mode="shared"), id="mqtt-amqtt-shared", marks=pytest.mark.slow),
]
COMMANDS = [
    pytest.param(direct_command, id="direct"),
    pytest.param(partial(http_command, mode="shared"), id="http-shared", marks=pytest.mark.slow),
    pytest.param(partial(http_command, mode="per_agent"), id="http-per_agent", marks=pytest.mark.slow),
    pytest.param(partial(http_command, mode="per_request"), id="http-per_request", marks=pytest.mark.slow),
]

agents = pytest.mark.parametrize("opening", AGENTS)
commands = pytest.mark.parametrize("opening", COMMANDS)


def beat(token: str) -> AgentRequest:
    return AgentRequest(HEARTBEAT, Heartbeat(5, NO_TENANT, "agentsim-lab-00000", token))


def registration(machine: str) -> AgentRequest:
    return AgentRequest(REGISTER, Register(5, 1, NO_TENANT, machine, None, "", ("Custom.FetchLogs",)))


def session(token: str) -> AgentReply:
    return AgentReply(200, SessionReply(Session(token, "agent-id"), OK))


EXCHANGES = [
    (
        registration("agentsim-lab-00000"),
        SessionReply(
            Session(
                "token-1",
                "agent-id",
                "agentsim-lab-00000",
                0.1,
                None,
                (SessionJob("job-1", "guid", "I_60", "KeyfactorAgents/X/Configure", "/X/Complete"),),
                {"naïve": "日本"},
            ),
            OK,
        ),
    ),
    (registration("agentsim-lab-00001"), SessionReply(None, refusal("A0100004", "not approved"))),
    (beat("token-1"), HeartbeatReply(2.5, True, OK)),
    (
        AgentRequest("KeyfactorAgents/X/Configure", Configure("token-1", "job-1")),
        Configuration(
            7,
            False,
            OK,
            InventoryJob("m", "/etc/pki", (KnownItem("a", True, ("AB",)),)),
            inventory_endpoint="/X/Update",
        ),
    ),
    (
        AgentRequest("/X/Update", UpdateInventory("token-1", "job-1", (InventoryItem("a", ("MII",)),))),
        Acknowledged(OK),
    ),
    (AgentRequest("/X/Enroll", Enroll("token-1", "job-1", "MIIC")), Acknowledged(OK, "MIID")),
    (AgentRequest("/X/Locations", UpdateLocations("token-1", "job-1", ("/a", "/b"))), Acknowledged(OK)),
    (AgentRequest("/X/Complete", Complete(Result.SUCCESS, 7, "job-1", "", "token-1")), CompletionReply(OK, "job-2")),
]


@agents
async def test_a_reply_comes_back_equal_for_every_kind_of_request(opening):
    replies = {type(request.body).__name__ + request.body.__repr__(): reply for request, reply in EXCHANGES}
    far = FarEnd(lambda request: AgentReply(200, replies[type(request.body).__name__ + request.body.__repr__()]))

    async with opening(far) as agent:
        answers = [await agent(0).send(request) for request, _ in EXCHANGES]

    assert answers == [AgentReply(200, reply) for _, reply in EXCHANGES]


@agents
async def test_a_request_arrives_equal_and_once(opening):
    far = FarEnd(lambda request: AgentReply(200, None))

    async with opening(far) as agent:
        for request, _ in EXCHANGES:
            await agent(0).send(request)

    assert [request.body for request in far.seen] == [request.body for request, _ in EXCHANGES]


@agents
@pytest.mark.parametrize("status", [302, 400, 401, 403, 404, 500, 503])
async def test_an_answer_outside_2xx_is_a_reply_without_a_body(opening, status):
    far = FarEnd(lambda request: AgentReply(status, HeartbeatReply(5, True, OK)))

    async with opening(far) as agent:
        assert await agent(0).send(beat("token-1")) == AgentReply(status, None)


@agents
@pytest.mark.parametrize("odd", [Odd.UNREADABLE, Odd.EMPTY])
async def test_an_unreadable_or_empty_body_counts_as_none(opening, odd):
    async with opening(FarEnd(lambda request: odd)) as agent:
        assert await agent(0).send(registration("agentsim-lab-00000")) == AgentReply(200, None)


@agents
async def test_a_body_meant_for_another_request_is_read_as_what_was_asked_for(opening):
    far = FarEnd(lambda request: AgentReply(200, CompletionReply(OK, "job-2")))

    async with opening(far) as agent:
        assert await agent(0).send(registration("agentsim-lab-00000")) == AgentReply(200, SessionReply(None, OK))


@agents
async def test_many_requests_at_once_are_each_answered_to_their_own_caller(opening):
    machines = [f"agentsim-lab-{number:05}" for number in range(200)]
    far = FarEnd(lambda request: session(f"token of {request.body.client_machine}"))

    async with opening(far) as agent:
        answers = await asyncio.gather(
            *(agent(number % 50).send(registration(machine)) for number, machine in enumerate(machines))
        )

    assert answers == [session(f"token of {machine}") for machine in machines]
    assert Counter(request.body.client_machine for request in far.seen) == Counter(machines)


def mixed(request: AgentRequest) -> AgentReply | Odd:
    """A third of the agents is answered, a third refused, a third left waiting."""
    rest = int(request.body.client_machine[-5:]) % 3
    return (session("token-1"), AgentReply(503, None), Odd.SILENCE)[rest]


@agents
async def test_every_request_ends_in_time_and_none_is_sent_twice(opening):
    machines = [f"agentsim-lab-{number:05}" for number in range(30)]
    far = FarEnd(mixed)

    async with opening(far, QUICK) as agent, asyncio.timeout(30):
        ends = await asyncio.gather(
            *(agent(number).send(registration(machine)) for number, machine in enumerate(machines)),
            return_exceptions=True,
        )

    assert [type(end) if isinstance(end, TransportError) else end for end in ends] == [
        session("token-1"),
        AgentReply(503, None),
        ReplyTimeout,
    ] * 10
    assert Counter(request.body.client_machine for request in far.seen) == Counter(machines)


@agents
async def test_a_call_that_failed_does_not_spoil_the_next_one(opening):
    answers = {"silent": Odd.SILENCE, "token-1": AgentReply(200, HeartbeatReply(1, True, OK))}

    async with opening(FarEnd(lambda request: answers[request.body.session_token]), QUICK) as agent:
        with pytest.raises(ReplyTimeout):
            await agent(0).send(beat("silent"))
        assert await agent(0).send(beat("token-1")) == answers["token-1"]


@agents
async def test_a_caller_that_gives_up_leaves_the_others_alone(opening):
    answers = {"silent": Odd.SILENCE, "token-1": AgentReply(200, HeartbeatReply(1, True, OK))}

    async with opening(FarEnd(lambda request: answers[request.body.session_token])) as agent:
        given_up = asyncio.create_task(agent(0).send(beat("silent")))
        await asyncio.sleep(0.05)
        given_up.cancel()
        with contextlib.suppress(asyncio.CancelledError, ReplyTimeout):
            await given_up
        assert await agent(0).send(beat("token-1")) == answers["token-1"]


@agents
async def test_requests_of_one_agent_that_follow_each_other_arrive_in_order(opening):
    far = FarEnd(lambda request: AgentReply(200, HeartbeatReply(1, True, OK)))

    async with opening(far) as agent:
        for number in range(40):
            await agent(0).send(beat(f"token-{number}"))

    assert [request.body.session_token for request in far.seen] == [f"token-{number}" for number in range(40)]


@agents
async def test_bodies_of_megabytes_travel_whole_both_ways(opening):
    log = "line of a log, with ünïcode\n" * 80_000
    complete = AgentRequest("/X/Complete", Complete(Result.SUCCESS, 7, "job-1", "", "token-1", log))
    told = AgentReply(200, CompletionReply(OK, "j" * 1_000_000))
    far = FarEnd(lambda request: told)

    async with opening(far) as agent:
        assert await agent(0).send(complete) == told

    assert [request.body for request in far.seen] == [complete.body]


@agents
async def test_after_a_connection_is_lost_the_next_request_finds_its_way(opening):
    answers = {"break": Odd.BREAK, "token-1": AgentReply(200, HeartbeatReply(1, True, OK))}

    async with opening(FarEnd(lambda request: answers[request.body.session_token])) as agent:
        for _ in range(2):
            with pytest.raises(ReplyTimeout):
                await agent(0).send(beat("break"))
            assert await agent(0).send(beat("token-1")) == answers["token-1"]


# --- the management API -----------------------------------------------------------------------

AT = from_iso("2026-01-02T23:30:00.125Z") + 456_789  # finer than the wire's milliseconds
CUT = from_iso("2026-01-02T23:30:00.125Z")


def run(at: int) -> command.JobHistoryRecord:
    return command.JobHistoryRecord(
        7, "agentsim-lab-00000", "job-1", "FetchLogs", Result.FAILURE, Status.COMPLETED, at, at, Daily(at), "no: ü"
    )


def agent_record(at: int | None) -> command.AgentRecord:
    return command.AgentRecord("id", "agentsim-lab-00000", "D\\a", 5, "25.4", AgentStatus.APPROVED, ("LOGS",), at)


ANSWERS = [
    (command.ListJobHistory(), (run(AT), run(AT)), (run(CUT), run(CUT)), 2000),
    (
        command.ListScheduledJobs(),
        (command.ScheduledJobRecord("job-1", "m", AT, "FetchLogs", schedule=ExactlyOnce(AT)),),
        (command.ScheduledJobRecord("job-1", "m", CUT, "FetchLogs", schedule=ExactlyOnce(CUT)),),
        1,
    ),
    (command.GetJobData(7), command.JobData(7, "log"), command.JobData(7, "log"), None),
    (
        command.ScheduleJob("id", "FetchLogs"),
        command.ScheduledJob("job-1", "id", "FetchLogs", None, (command.JobField("a", "b"),), AT),
        command.ScheduledJob("job-1", "id", "FetchLogs", None, (command.JobField("a", "b"),), CUT),
        None,
    ),
    (command.ListAgents(), (agent_record(AT), agent_record(None)), (agent_record(CUT), agent_record(None)), 2),
    (command.ListAgents(), (), (), 0),
    (
        command.ListStores(),
        (command.StoreRecord("s", "m", "/p", 2, "id", inventory_schedule=Interval(5)),),
        (command.StoreRecord("s", "m", "/p", 2, "id", inventory_schedule=Interval(5)),),
        None,
    ),
    (command.GetEndpoints(), ("GET /Agents", "POST /Agents/Approve"), ("GET /Agents", "POST /Agents/Approve"), None),
    (
        command.ListTransitions(),
        command.Transitions(9, (command.Transition(9, AT, "completed", "job-1", 7),)),
        command.Transitions(9, (command.Transition(9, CUT, "completed", "job-1", 7),)),
        None,
    ),
]


@commands
@pytest.mark.parametrize(("operation", "told", "read", "total"), ANSWERS)
async def test_records_come_back_equal_to_the_millisecond(opening, operation, told, read, total):
    async with opening(CommandReply(200, told, total)) as api:
        assert await api.call(operation) == CommandReply(200, read, total)


@commands
async def test_an_answer_without_content_is_just_a_success(opening):
    async with opening(CommandReply(204)) as api:
        assert await api.call(command.Acknowledge((1, 2))) == CommandReply(204)


@commands
@pytest.mark.parametrize("status", [400, 403, 404, 500])
async def test_an_error_keeps_its_status_and_its_reasons(opening, status):
    told = CommandReply(status, ApiError("0xA0110002", "no such job", (FailedOperation("7 is unknown"),)))

    async with opening(told) as api:
        assert await api.call(command.Reschedule((7,))) == told


@commands
async def test_an_error_without_an_error_object_is_only_a_status(opening):
    async with opening(CommandReply(503, None, 7)) as api:
        assert await api.call(command.ListAgents()) == CommandReply(503)


@commands
async def test_many_operations_at_once_are_all_answered(opening):
    told = CommandReply(200, command.JobData(7, "log"))

    async with opening(told) as api:
        answers = await asyncio.gather(*(api.call(command.GetJobData(7)) for _ in range(50)))

    assert answers == [told] * 50
