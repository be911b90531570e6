import pytest

from agent_sim.agent.behaviour import Occasion
from agent_sim.agent.events import (
    Answered,
    JobCancelled,
    JobCompleted,
    JobConfigured,
    JobRefused,
    Notified,
    Registered,
    RegistrationRefused,
    SendFailed,
    SessionLost,
    StopRequested,
    Woken,
)
from agent_sim.draws import key, unit
from agent_sim.errors import ConnectFailed, ReplyTimeout
from agent_sim.instants import MINUTE, NEVER, SECOND
from agent_sim.protocol.agent import (
    HEARTBEAT,
    REGISTER,
    SESSION_UNKNOWN,
    Acknowledged,
    AgentReply,
    Complete,
    Configure,
    Heartbeat,
    InventoryJob,
    KnownItem,
    Register,
    UpdateInventory,
    refusal,
)
from agent_sim.protocol.enums import ItemStatus, ReplyStatus, Result

from .worlds import (
    INVENTORY,
    LOGS,
    MANAGEMENT,
    START,
    always,
    beat,
    by_itself,
    completed,
    configured,
    listed,
    new_agent,
    online_agent,
    refused,
    session,
    working_agent,
)


def bodies(requests):
    return [type(request.body) for request in requests]


# --- sessions ---------------------------------------------------------------------------------


def test_a_new_agent_registers_at_its_start_and_not_before():
    agent = new_agent()

    assert agent.next_wake() == START
    assert agent.handle(Woken(), START - 1) == []
    [request] = agent.handle(Woken(), START)
    assert request.endpoint == REGISTER
    assert request.body.agent_id == ""


def test_a_second_registration_carries_the_agent_id_of_the_first():
    agent, _ = online_agent()
    [heartbeat], at = by_itself(agent)

    [register] = agent.handle(Answered(heartbeat, beat(valid=False)), at)

    assert register.body.agent_id == "agent-id"
    assert agent.take_facts() == [Registered(True, 0), SessionLost()]


def test_the_first_heartbeat_is_spread_over_the_interval():
    agent, _ = online_agent()

    assert agent.next_wake() == START + round(MINUTE * unit(key("test", 0), "first heartbeat"))


def test_heartbeats_come_at_the_interval_told_last_and_never_sooner():
    agent, _ = online_agent()
    [heartbeat], at = by_itself(agent)

    agent.handle(Answered(heartbeat, beat(minutes=2)), at)

    assert at + 2 * MINUTE <= agent.next_wake() <= at + 2 * MINUTE * 1.1


def test_only_one_heartbeat_is_on_its_way():
    agent, _ = online_agent()
    [heartbeat], at = by_itself(agent)

    assert heartbeat.endpoint == HEARTBEAT
    assert agent.next_wake() == NEVER
    assert agent.handle(Woken(), at + 5 * MINUTE) == []


def test_a_lost_heartbeat_keeps_the_session():
    agent, _ = online_agent()
    [heartbeat], at = by_itself(agent)

    agent.handle(SendFailed(heartbeat, ReplyTimeout()), at)
    [again], _ = by_itself(agent)

    assert again == heartbeat


def test_a_heartbeat_with_an_error_result_keeps_the_session():
    agent, _ = online_agent()
    [heartbeat], at = by_itself(agent)

    agent.handle(Answered(heartbeat, AgentReply(500, None)), at)

    assert agent.token == "token-1"
    assert at < agent.next_wake() < NEVER


@pytest.mark.parametrize(
    "answer",
    [refused(), session(result=refusal("A0100001", "no")), session(token=None)],
    ids=["no session", "token and error", "no token"],
)
def test_an_agent_that_gets_no_session_waits_and_registers_again(answer):
    agent = new_agent()
    [register] = agent.handle(Woken(), START)

    assert agent.handle(Answered(register, answer), START) == []
    assert agent.next_wake() == START + MINUTE
    [again], _ = by_itself(agent)
    assert again == register
    assert isinstance(agent.take_facts()[0], RegistrationRefused)


def test_setbacks_are_waited_out_longer_and_longer_up_to_a_minute():
    agent, waits, now = new_agent(), [], START
    for _ in range(12):
        [register] = agent.handle(Woken(), now)
        agent.handle(SendFailed(register, ConnectFailed()), now)
        waits.append(agent.next_wake() - now)
        now = agent.next_wake()

    assert all(SECOND << n >= wait >= SECOND << n >> 1 for n, wait in enumerate(waits[:6]))
    assert all(MINUTE >= wait >= MINUTE / 2 for wait in waits[6:])


def test_an_unreadable_answer_to_a_registration_is_a_setback():
    agent = new_agent()
    [register] = agent.handle(Woken(), START)

    agent.handle(Answered(register, AgentReply(200, None)), START)

    assert START < agent.next_wake() <= START + SECOND


def test_a_notified_agent_beats_at_once():
    agent, _ = online_agent()

    [request] = agent.handle(Notified(), START + 1)

    assert isinstance(request.body, Heartbeat)


def test_a_notified_agent_without_a_session_registers_at_once():
    agent = new_agent()
    [register] = agent.handle(Woken(), START)
    agent.handle(Answered(register, refused()), START)

    [request] = agent.handle(Notified(), START + 1)

    assert isinstance(request.body, Register)


def test_a_notification_while_a_heartbeat_is_on_its_way_sends_nothing():
    agent, _ = online_agent()
    _, at = by_itself(agent)

    assert agent.handle(Notified(), at) == []


# --- one job ----------------------------------------------------------------------------------


def test_a_job_is_configured_worked_on_and_completed():
    agent, [configure] = online_agent(listed("job-1"))
    assert configure.endpoint == "KeyfactorAgents/job-1/Configure"
    assert configure.body == Configure("token-1", "job-1")

    assert agent.handle(Answered(configure, configured(7)), START + 1) == []
    assert agent.next_wake() == START + 1 + 2 * SECOND
    [completion], at = by_itself(agent)
    assert completion.endpoint == "/job-1/Complete"
    assert completion.body == Complete(Result.SUCCESS, 7, "job-1", "", "token-1", log=completion.body.log)
    assert len(completion.body.log) == 10
    assert agent.handle(Answered(completion, completed()), at) == []
    occasion = Occasion(LOGS, "", 1, 1)
    assert agent.take_facts() == [
        Registered(True, 1),
        JobConfigured("job-1", 7, occasion),
        JobCompleted("job-1", 7, occasion, Result.SUCCESS, True, 2 * SECOND),
    ]
    assert agent.is_idle


def test_a_lost_completion_is_sent_again():
    agent = working_agent()
    [completion], at = by_itself(agent)

    agent.handle(SendFailed(completion, ReplyTimeout()), at)
    again, later = by_itself(agent)

    assert again == [completion]
    assert later > at


@pytest.mark.parametrize("status", [200, 401, 429, 500, 503])
def test_a_completion_that_is_not_answered_properly_is_sent_again(status):
    agent = working_agent()
    [completion], at = by_itself(agent)

    agent.handle(Answered(completion, AgentReply(status, None)), at)

    assert by_itself(agent)[0] == [completion]


def test_a_completion_that_is_refused_for_good_is_given_up():
    agent = working_agent()
    [completion], at = by_itself(agent)

    agent.handle(Answered(completion, AgentReply(413, None)), at)

    assert agent.is_idle
    assert agent.take_facts()[-1] == JobCompleted(
        "job-1", 7, Occasion(LOGS, "", 1, 1), Result.SUCCESS, False, 2 * SECOND
    )


def test_a_late_completion_that_the_server_refuses_is_reported_as_not_accepted():
    agent = working_agent()
    [completion], at = by_itself(agent)

    agent.handle(Answered(completion, completed(refusal("A0100011", "timed out"))), at)

    assert agent.take_facts()[-1].accepted is False


def test_a_completion_in_an_unknown_session_is_sent_again_in_a_new_one():
    agent = working_agent()
    [completion], at = by_itself(agent)

    [register] = agent.handle(Answered(completion, completed(refusal(SESSION_UNKNOWN, "who?"))), at)
    [again] = agent.handle(Answered(register, session(token="token-2")), at)

    assert again.body.session_token == "token-2"
    assert again.body.audit_id == 7


def test_a_lost_configure_is_repeated_for_the_same_job():
    agent, [configure] = online_agent(listed("job-1"))

    agent.handle(SendFailed(configure, ReplyTimeout()), START)

    assert by_itself(agent)[0] == [configure]


def test_a_cancelled_job_is_never_completed_and_the_agent_registers_again():
    agent, [configure] = online_agent(listed("job-1"))

    [register] = agent.handle(Answered(configure, configured(job_cancelled=True)), START)

    assert isinstance(register.body, Register)
    assert agent.is_idle
    assert JobCancelled("job-1") in agent.take_facts()


def test_a_job_whose_configuration_is_refused_is_never_completed():
    agent, [configure] = online_agent(listed("job-1"))
    answer = AgentReply(200, configured().body.__class__(result=refusal("A0100001", "no")))

    assert agent.handle(Answered(configure, answer), START) == []
    assert agent.is_idle
    assert agent.take_facts()[-1] == JobRefused("job-1", "no")


def test_jobs_run_one_by_one_in_the_order_of_the_list():
    agent, [first] = online_agent(listed("a"), listed("b"))
    agent.handle(Answered(first, configured()), START)
    [completion], at = by_itself(agent)

    [second] = agent.handle(Answered(completion, completed()), at)

    assert second.body == Configure("token-1", "b")


def test_unknown_job_types_are_skipped_silently():
    agent = new_agent(catalogue={})
    [register] = agent.handle(Woken(), START)

    assert agent.handle(Answered(register, session(listed("a"))), START) == []


def test_a_job_type_learned_later_is_known_at_the_next_registration():
    catalogue = {}
    agent = new_agent(catalogue=catalogue)
    catalogue[LOGS.guid] = LOGS
    [register] = agent.handle(Woken(), START)

    assert bodies(agent.handle(Answered(register, session(listed("a"))), START)) == [Configure]


def test_a_message_names_what_the_scenario_asked_for():
    agent = working_agent(
        listed("job-1", MANAGEMENT),
        always(Result.FAILURE, message="{agent}: {type} of {store} failed, try {attempt}"),
        configured(job=InventoryJob("m", "/opt/a.pem", ())),
    )

    [completion], _ = by_itself(agent)

    assert completion.body.message == "agentsim-lab-00000: Management of /opt/a.pem failed, try 1"
    assert completion.body.status is Result.FAILURE


def test_a_log_is_no_longer_than_the_server_takes():
    agent = working_agent(configuration=configured(max_characters_to_return=4))

    [completion], _ = by_itself(agent)

    assert len(completion.body.log) == 4


# --- counting ---------------------------------------------------------------------------------


def run_once(agent, request, at, audit):
    agent.handle(Answered(request, configured(audit)), at)
    [completion], at = by_itself(agent)
    return agent.handle(Answered(completion, completed()), at), at


def occasions(agent):
    return [
        (fact.occasion.occurrence, fact.occasion.attempt)
        for fact in agent.take_facts()
        if isinstance(fact, JobConfigured)
    ]


def test_a_failed_job_that_comes_back_is_the_next_attempt_and_a_new_job_the_next_occurrence():
    agent, [configure] = online_agent(listed("a"), behaviour=always(Result.FAILURE))
    _, at = run_once(agent, configure, START, 1)
    for number, jobs in enumerate([(listed("a"),), (listed("b"),), (listed("a"),)], start=2):
        [register] = agent.handle(Notified(), at)
        [register] = agent.handle(Answered(register, beat(valid=False)), at)
        [configure] = agent.handle(Answered(register, session(*jobs)), at)
        _, at = run_once(agent, configure, at, number)

    assert occasions(agent) == [(1, 1), (1, 2), (2, 1), (1, 3)]


def test_a_job_that_succeeded_and_comes_back_is_a_new_occurrence():
    agent, [configure] = online_agent(listed("a", schedule="I_1"), listed("b"))
    assert configure.body.job_id == "b"
    _, at = run_once(agent, configure, START, 1)
    for audit in (2, 3):
        [request], at = by_itself(agent)
        while isinstance(request.body, Heartbeat):
            agent.handle(Answered(request, beat()), at)
            [request], at = by_itself(agent)
        configure = request
        _, at = run_once(agent, configure, at, audit)

    assert occasions(agent) == [(1, 1), (2, 1), (3, 1)]


# --- schedules --------------------------------------------------------------------------------


def test_a_recurring_job_first_runs_one_interval_after_registration():
    agent, sent = online_agent(listed("a", schedule="I_1"))

    assert sent == []
    assert agent.worker.listed.items["a"].due == START + MINUTE


def test_registering_again_does_not_push_a_recurring_job_away():
    agent, _ = online_agent(listed("a", schedule="I_1"))
    [heartbeat], at = by_itself(agent)
    [register] = agent.handle(Answered(heartbeat, beat(valid=False)), at)

    agent.handle(Answered(register, session(listed("a", schedule="I_1"))), at)

    assert agent.worker.listed.items["a"].due == START + MINUTE


def test_a_changed_schedule_counts_from_now():
    agent, _ = online_agent(listed("a", schedule="I_1"))
    [heartbeat], at = by_itself(agent)
    [register] = agent.handle(Answered(heartbeat, beat(valid=False)), at)

    agent.handle(Answered(register, session(listed("a", schedule="I_2"))), at)

    assert agent.worker.listed.items["a"].due == at + 2 * MINUTE


def test_a_one_time_job_listed_anew_while_it_runs_is_run_again_afterwards():
    agent = working_agent(listed("a"))
    [register] = agent.handle(Answered(agent.handle(Notified(), START)[0], beat(valid=False)), START)
    agent.handle(Answered(register, session(listed("a"), token="token-2")), START)
    [completion], at = by_itself(agent)

    [configure] = agent.handle(Answered(completion, completed()), at)

    assert configure.body == Configure("token-2", "a")


# --- inventory --------------------------------------------------------------------------------


def inventory_agent(known=(), configuration=None):
    job = InventoryJob("m", "/opt/a.pem", tuple(KnownItem(alias) for alias in known))
    return working_agent(
        listed("a", INVENTORY),
        configuration=configuration or configured(job=job, inventory_endpoint="/Inventory/Update"),
    )


def test_an_inventory_is_uploaded_before_it_is_completed():
    agent = inventory_agent()

    [update], at = by_itself(agent)
    [completion] = agent.handle(Answered(update, AgentReply(200, Acknowledged(completed().body.result))), at)

    assert update.endpoint == "/Inventory/Update"
    assert isinstance(update.body, UpdateInventory)
    assert [item.item_status for item in update.body.inventory] == [ItemStatus.ADDED] * 3
    assert completion.body.status is Result.SUCCESS


def test_an_inventory_marks_what_the_server_knew_and_what_is_gone():
    [first], _ = by_itself(inventory_agent())
    aliases = [item.alias for item in first.body.inventory]

    [update], _ = by_itself(inventory_agent(known=[aliases[0].upper(), "dead"]))

    assert [(item.alias, item.item_status.name, bool(item.certificates)) for item in update.body.inventory] == [
        (aliases[0].upper(), "UNCHANGED", False),
        (aliases[1], "ADDED", True),
        (aliases[2], "ADDED", True),
        ("dead", "REMOVED", False),
    ]


@pytest.mark.parametrize(
    ("answer", "result", "message"),
    [
        (Acknowledged(refusal("A1", "odd", ReplyStatus.WARNING)), Result.WARNING, "Warning: odd (A1)\n"),
        (Acknowledged(refusal("A2", "bad")), Result.FAILURE, "Error: bad (A2)\n"),
    ],
)
def test_a_refused_upload_decides_the_completion(answer, result, message):
    agent = inventory_agent()
    [update], at = by_itself(agent)

    [completion] = agent.handle(Answered(update, AgentReply(200, answer)), at)

    assert (completion.body.status, completion.body.message) == (result, message)


def test_an_upload_that_is_too_large_fails_the_job():
    agent = inventory_agent()
    [update], at = by_itself(agent)

    [completion] = agent.handle(Answered(update, AgentReply(413, None)), at)

    assert completion.body.status is Result.FAILURE


def test_a_lost_upload_is_sent_again():
    agent = inventory_agent()
    [update], at = by_itself(agent)

    agent.handle(SendFailed(update, ReplyTimeout()), at)

    assert by_itself(agent)[0] == [update]


# --- the end ----------------------------------------------------------------------------------


def test_a_stopped_idle_agent_sleeps_for_ever():
    agent, _ = online_agent(listed("a", schedule="I_1"))

    assert agent.handle(StopRequested(), START) == []
    assert agent.next_wake() == NEVER


def test_a_stopped_agent_finishes_the_job_it_has_and_starts_no_other():
    agent, [configure] = online_agent(listed("a"), listed("b"))
    agent.handle(Answered(configure, configured()), START)
    agent.handle(StopRequested(), START)
    [completion], at = by_itself(agent)

    assert agent.handle(Answered(completion, completed()), at) == []
    assert agent.is_idle
    assert agent.next_wake() == NEVER


# --- laws -------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(60))
def test_whatever_happens_an_agent_keeps_one_request_per_purpose_and_always_has_a_next_step(seed):
    """A random walk over answers, losses and nudges: no wake in the past stays, nothing is forgotten."""
    agent, now, on_the_way, stopped = new_agent(always(Result.FAILURE)), START, [], False
    for step in range(120):
        draw = unit(key("walk", seed, step), "what")
        if on_the_way and draw < 0.8:
            request = on_the_way.pop(int(draw * 1e6) % len(on_the_way))
            event = an_answer(request, unit(key("walk", seed, step), "answer"), step)
        elif draw < 0.85:
            event = Notified()
        elif draw > 0.995:
            event, stopped = StopRequested(), True
        else:
            event = Woken()
            now = max(now, min(agent.next_wake(), now + MINUTE))
        on_the_way += agent.handle(event, now)
        now += 1
        purposes = [purpose(request) for request in on_the_way]
        assert len(purposes) == len(set(purposes)), "two requests for one purpose"
        on_the_way += agent.handle(Woken(), now)
        assert agent.next_wake() > now, "a wake that has passed and moves nothing"
        assert on_the_way or stopped or agent.next_wake() < NEVER, "an agent that can never move again"


def purpose(request):
    match request.body:
        case Register():
            return "register"
        case Heartbeat(session_token=token):
            return f"heartbeat {token}"
        case _:
            return "job"


def an_answer(request, draw, step):
    if draw < 0.2:
        return SendFailed(request, ReplyTimeout())
    if draw < 0.3:
        return Answered(request, AgentReply(500, None))
    match request.body:
        case Register():
            jobs = [listed(f"job-{n}", schedule="I_1" if n % 2 else None) for n in range(step % 4)]
            return Answered(request, session(*jobs, token=f"token-{step}") if draw < 0.9 else refused())
        case Heartbeat():
            return Answered(request, beat(valid=draw < 0.7))
        case Configure():
            return Answered(request, configured(step, job_cancelled=draw > 0.9))
        case _:
            return Answered(request, completed() if draw < 0.9 else completed(refusal(SESSION_UNKNOWN, "")))
