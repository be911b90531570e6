import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_sim.errors import ConnectFailed
from agent_sim.instants import DAY, MINUTE, SECOND
from agent_sim.protocol import agent, codec, command, schedule
from agent_sim.protocol.agent import HEARTBEAT, NO_TENANT, OK, AgentReply, AgentRequest, Heartbeat, HeartbeatReply
from agent_sim.protocol.command import CommandReply
from agent_sim.protocol.enums import AgentStatus, Result, Status
from agent_sim.transports.direct import DirectAgents, DirectCommand
from tests.transports.openings import read_back

BEAT = AgentRequest(HEARTBEAT, Heartbeat(5, NO_TENANT, "agentsim-lab-00000", "token-1"))


def result_of(call):
    """What a coroutine that never waits returns."""
    try:
        call.send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError("it waited for something")


def test_the_function_is_asked_at_the_clocks_time_and_its_reply_is_handed_on():
    asked = []
    reply = AgentReply(200, HeartbeatReply(1, True, OK))

    def handle(request, now):
        asked.append((request, now))
        return reply

    agents = DirectAgents(handle, iter([5 * SECOND, 9 * SECOND]).__next__)

    assert [result_of(agents.send(BEAT)), result_of(agents.send(BEAT))] == [reply, reply]
    assert asked == [(BEAT, 5 * SECOND), (BEAT, 9 * SECOND)]


def test_a_reply_is_passed_on_as_the_very_same_value():
    reply = AgentReply(200, HeartbeatReply(1, True, OK))

    assert result_of(DirectAgents(lambda request, now: reply, lambda: 0).send(BEAT)) is reply


def test_an_operation_is_asked_at_the_clocks_time():
    asked = []

    def handle(operation, now):
        asked.append((operation, now))
        return CommandReply(204)

    assert result_of(DirectCommand(handle, lambda: 7).call(command.Acknowledge((1,)))) == CommandReply(204)
    assert asked == [(command.Acknowledge((1,)), 7)]


def dark(request, now):
    raise ConnectFailed("the site is dark")


@pytest.mark.parametrize(
    "call",
    [
        lambda: DirectAgents(dark, lambda: 0).send(BEAT),
        lambda: DirectCommand(dark, lambda: 0).call(command.GetEndpoints()),
    ],
)
def test_a_call_fails_as_the_function_lets_it_fail(call):
    with pytest.raises(ConnectFailed, match="the site is dark"):
        result_of(call())


# --- laws: by value is as by bytes ------------------------------------------------------------

texts = st.text(max_size=8)
maybe_texts = st.none() | texts
finite = st.floats(0, 1e6)
integers = st.integers(-(2**53), 2**53)
outcomes = st.from_type(agent.Outcome)
mappings = st.dictionaries(texts, texts, max_size=2)  # from_type would make kinds that no JSON library takes
configured_jobs = st.one_of(
    st.none(),
    st.from_type(agent.InventoryJob),
    st.from_type(agent.ManagementJob),
    st.from_type(agent.DiscoveryJob),
    st.builds(agent.CustomJob, mappings),
)
sessions = st.builds(
    agent.Session,
    token=maybe_texts,
    agent_id=maybe_texts,
    client_machine=maybe_texts,
    heartbeat_interval=finite,
    certificate=maybe_texts,
    jobs=st.none() | st.lists(st.from_type(agent.SessionJob), max_size=2).map(tuple),
    client_parameters=st.none() | mappings,
)
bodies = {
    agent.Register: st.builds(agent.SessionReply, session=st.none() | sessions, result=outcomes),
    agent.Heartbeat: st.builds(
        agent.HeartbeatReply, heartbeat_interval=finite, session_valid=st.booleans(), result=outcomes
    ),
    agent.Configure: st.builds(
        agent.Configuration, integers, st.booleans(), outcomes, configured_jobs, *[maybe_texts] * 2, integers
    ),
    agent.UpdateInventory: st.builds(agent.Acknowledged, outcomes, maybe_texts),
    agent.Enroll: st.builds(agent.Acknowledged, outcomes, maybe_texts),
    agent.UpdateLocations: st.builds(agent.Acknowledged, outcomes, maybe_texts),
    agent.Complete: st.builds(agent.CompletionReply, outcomes, maybe_texts),
}
requests = {
    agent.Register: agent.Register(5, 1, NO_TENANT, "m", None, "", ()),
    agent.Heartbeat: BEAT.body,
    agent.Configure: agent.Configure("t", "j"),
    agent.UpdateInventory: agent.UpdateInventory("t", "j", ()),
    agent.Enroll: agent.Enroll("t", "j", "c"),
    agent.UpdateLocations: agent.UpdateLocations("t", "j", ()),
    agent.Complete: agent.Complete(Result.SUCCESS, 1, "j", "", "t"),
}


@settings(deadline=None)
@given(
    st.data(), st.sampled_from(list(bodies)), st.sampled_from(list(bodies)), st.sampled_from([200, 201, 299, 300, 500])
)
def test_an_agents_reply_by_value_equals_the_same_reply_as_bytes(data, asked, told, status):
    """Even if the server answers as to another request."""
    request = AgentRequest("/X", requests[asked])
    reply = AgentReply(status, data.draw(st.none() | bodies[told] | bodies[asked]))
    as_bytes = b"" if reply.body is None else codec.agent_body(reply.body)

    by_value = result_of(DirectAgents(lambda request, now: reply, lambda: 0).send(request))

    assert by_value == AgentReply(status, codec.read_agent_reply(request, as_bytes) if status < 300 else None)


times = st.integers(0, 100 * 365 * DAY)
maybe_times = st.none() | times
schedules = st.none() | st.one_of(
    st.builds(schedule.Immediate),
    st.builds(schedule.Off),
    st.builds(schedule.Interval, st.integers(1, 10_000)),
    st.builds(schedule.Daily, times),
    st.builds(schedule.Weekly, st.lists(st.integers(0, 6), min_size=1, unique=True).map(sorted).map(tuple), times),
    st.builds(schedule.Monthly, st.integers(1, 31), times),
    st.builds(schedule.ExactlyOnce, times),
)
histories = st.builds(
    command.JobHistoryRecord,
    job_history_id=integers,
    result=st.sampled_from(Result),
    status=st.sampled_from(Status),
    operation_start=maybe_times,
    operation_end=maybe_times,
    schedule=schedules,
    store_path=maybe_texts,
)
scheduled = st.builds(command.ScheduledJobRecord, schedule=schedules, requested=times, target=maybe_texts)
agents = st.builds(command.AgentRecord, status=st.sampled_from(AgentStatus), last_seen=maybe_times)
stores = st.builds(command.StoreRecord, inventory_schedule=schedules, properties=maybe_texts)
created = st.builds(
    command.ScheduledJob,
    schedule=schedules,
    job_fields=st.lists(st.from_type(command.JobField), max_size=2).map(tuple),
    request_timestamp=times,
)
transitions = st.builds(
    command.Transitions,
    last_seq=integers,
    transitions=st.lists(st.builds(command.Transition, at=times), max_size=3).map(tuple),
)


def many(records):
    return st.lists(records, max_size=3).map(tuple)


ANSWERED = {
    command.ListJobHistory(): many(histories),
    command.ListScheduledJobs(): many(scheduled),
    command.ListAgents(): many(agents),
    command.GetAgent("id"): agents,
    command.ListStores(): many(stores),
    command.ListTransitions(): transitions,
    command.GetJobData(1): st.from_type(command.JobData),
    command.GetEndpoints(): many(texts),
}
REFUSED = st.none() | st.from_type(command.ApiError)


@settings(deadline=None)
@given(st.data(), st.sampled_from(list(ANSWERED)), st.none() | st.integers(0, 10**9))
def test_a_callers_reply_by_value_equals_the_same_reply_as_bytes(data, operation, total):
    reply = CommandReply(200, data.draw(ANSWERED[operation]), total)

    by_value = result_of(DirectCommand(lambda operation, now: reply, lambda: 0).call(operation))

    assert by_value == read_back(operation, reply)


@settings(deadline=None)
@given(created)
def test_a_scheduled_job_by_value_equals_the_same_as_bytes(job):
    operation, reply = command.ScheduleJob("id", "FetchLogs"), CommandReply(200, job)

    by_value = result_of(DirectCommand(lambda operation, now: reply, lambda: 0).call(operation))

    assert by_value == read_back(operation, reply)


@settings(deadline=None)
@given(st.sampled_from([400, 403, 404, 500]), REFUSED, st.none() | st.integers(0, 9))
def test_a_refusal_by_value_equals_the_same_refusal_as_bytes(status, error, total):
    reply = CommandReply(status, error, total)

    by_value = result_of(DirectCommand(lambda operation, now: reply, lambda: 0).call(command.ListAgents()))

    assert by_value == read_back(command.ListAgents(), reply)


def test_what_is_no_answer_to_an_operation_is_dropped_as_http_would():
    told = CommandReply(200, command.JobData(1, "log"), 9)
    api = DirectCommand(lambda operation, now: told, lambda: 5 * MINUTE)

    assert result_of(api.call(command.Acknowledge((1,)))) == CommandReply(200)
    assert result_of(api.call(command.GetJobData(1))) == CommandReply(200, command.JobData(1, "log"))


@pytest.mark.parametrize("body", [command.JobData(1, "log"), (), ("GET /Agents",)])
def test_a_refusal_with_a_body_that_is_no_error_has_none(body):
    reply = CommandReply(404, body)

    by_value = result_of(DirectCommand(lambda operation, now: reply, lambda: 0).call(command.GetJobData(1)))

    assert by_value == CommandReply(404) == read_back(command.GetJobData(1), reply)
