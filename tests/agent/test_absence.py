"""Crashes, being cut off, and being told to look: what an agent forgets, what waits, and what ends a wait."""

from agent_sim.agent.behaviour import Occasion
from agent_sim.agent.events import (
    AgentCrashed,
    AgentOffline,
    AgentOnline,
    Answered,
    CameOnline,
    Crashed,
    JobConfigured,
    JobLeft,
    Notified,
    SendFailed,
    StopRequested,
    WentOffline,
    Woken,
)
from agent_sim.errors import ConnectFailed
from agent_sim.instants import MINUTE, NEVER, SECOND
from agent_sim.protocol.agent import Complete, Configure, Heartbeat, Register
from tests.agent.worlds import (
    LOGS,
    START,
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

LATER = START + 10 * SECOND


# --- crashes ----------------------------------------------------------------------------------


def test_a_crashed_agent_sends_nothing_until_it_is_started_again_and_then_registers():
    agent, _ = online_agent()

    assert agent.handle(Crashed(LATER), START) == []
    assert agent.next_wake() == LATER
    assert agent.handle(Woken(), LATER - 1) == []
    [register] = agent.handle(Woken(), LATER)
    assert register.body.agent_id == "agent-id"


def test_an_agent_that_loses_its_identity_registers_as_one_that_never_had_any():
    agent, _ = online_agent()
    agent.handle(Crashed(LATER, keeps_identity=False), START)

    [register], at = by_itself(agent)

    assert (register.body.agent_id, at) == ("", LATER)


def test_a_crash_forgets_session_list_and_run_and_says_so():
    agent = working_agent()
    agent.take_facts()
    agent.handle(Crashed(LATER), START + SECOND)

    assert (agent.token, agent.worker.listed.items, agent.is_idle) == (None, {}, True)
    assert agent.take_facts() == [
        JobLeft("job-1", 7, Occasion(LOGS, "", 1, 1), "crash"),
        AgentCrashed(LATER, True),
    ]


def test_answers_to_what_was_asked_before_a_crash_reach_nobody():
    agent, [configure] = online_agent(listed("job-1"))
    agent.handle(Crashed(LATER), START)

    assert agent.handle(Answered(configure, configured()), START + SECOND) == []
    [register], at = by_itself(agent)
    [again] = agent.handle(Answered(register, session(listed("job-1"), token="token-2")), at)
    assert agent.handle(Answered(configure, configured(audit=1)), at) == []
    agent.handle(Answered(again, configured(audit=2)), at)

    [complete], _ = by_itself(agent)
    assert complete.body.audit_id == 2


def test_a_registration_from_before_a_crash_opens_no_session():
    agent = new_agent()
    [register] = agent.handle(Woken(), START)
    agent.handle(Crashed(START), START)

    agent.handle(Answered(register, session()), START)

    assert agent.token is None


def test_a_run_that_a_crash_cut_short_comes_back_as_the_next_attempt():
    agent = working_agent()
    agent.handle(Crashed(LATER), START + SECOND)
    [register], at = by_itself(agent)
    [configure] = agent.handle(Answered(register, session(listed("job-1"), token="token-2")), at)
    agent.take_facts()

    agent.handle(Answered(configure, configured(audit=8)), at)

    assert agent.take_facts() == [JobConfigured("job-1", 8, Occasion(LOGS, "", 1, 2))]


def test_occurrences_are_counted_on_over_a_crash():
    agent = working_agent()
    [complete], at = by_itself(agent)
    agent.handle(Answered(complete, completed()), at)
    agent.handle(Crashed(LATER), at)
    [register], at = by_itself(agent)
    [configure] = agent.handle(Answered(register, session(listed("job-2"), token="token-2")), at)
    agent.take_facts()

    agent.handle(Answered(configure, configured(audit=8)), at)

    assert agent.take_facts() == [JobConfigured("job-2", 8, Occasion(LOGS, "", 2, 1))]


def test_a_dead_process_hears_no_notice():
    agent, _ = online_agent()
    agent.handle(Crashed(LATER), START)

    assert agent.handle(Notified(), START + SECOND) == []
    assert agent.next_wake() == LATER


def test_an_agent_that_was_told_to_stop_is_not_started_again():
    agent, _ = online_agent()
    agent.handle(StopRequested(), START)
    agent.handle(Crashed(LATER), START)

    assert agent.next_wake() == NEVER


# --- offline ----------------------------------------------------------------------------------


def test_an_agent_that_is_offline_asks_for_nothing():
    agent, _ = online_agent()
    agent.take_facts()

    assert agent.handle(WentOffline(), START) == []
    assert agent.next_wake() == NEVER
    assert agent.handle(Woken(), START + MINUTE) == []
    assert agent.handle(Notified(), START + MINUTE) == []
    assert agent.take_facts() == [AgentOffline()]


def test_what_fell_due_while_offline_leaves_at_once():
    agent = working_agent()
    agent.take_facts()
    agent.handle(WentOffline(), START + SECOND)

    sent = agent.handle(CameOnline(), START + 5 * MINUTE)

    assert [type(request.body) for request in sent] == [Heartbeat, Complete]
    assert agent.take_facts() == [AgentOffline(), AgentOnline()]


def test_an_answer_that_comes_while_offline_is_lost_and_its_request_sent_again():
    agent = working_agent()
    [complete], at = by_itself(agent)
    agent.handle(WentOffline(), at)

    assert agent.handle(Answered(complete, completed()), at) == []
    [again] = [request for request in agent.handle(CameOnline(), at + MINUTE) if isinstance(request.body, Complete)]
    assert again == complete


def test_an_agent_that_never_got_through_registers_when_it_comes_online():
    agent = new_agent()
    agent.handle(WentOffline(), START - SECOND)

    assert agent.handle(Woken(), START) == []
    [register] = agent.handle(CameOnline(), START + MINUTE)
    assert isinstance(register.body, Register)


def test_going_offline_twice_is_told_once():
    agent, _ = online_agent()
    agent.take_facts()
    for event in (WentOffline(), WentOffline(), CameOnline(), CameOnline()):
        agent.handle(event, START)

    assert agent.take_facts() == [AgentOffline(), AgentOnline()]


# --- notices ----------------------------------------------------------------------------------


def test_a_notice_ends_the_wait_after_a_refused_registration():
    agent = new_agent()
    [register] = agent.handle(Woken(), START)
    agent.handle(Answered(register, refused()), START)

    [again] = agent.handle(Notified(), START + SECOND)

    assert again == register


def test_a_notice_ends_the_back_off_after_failed_registrations():
    agent = new_agent()
    [register], at = by_itself(agent)
    for _ in range(6):
        agent.handle(SendFailed(register, ConnectFailed()), at)
        [register], at = by_itself(agent)
    agent.handle(SendFailed(register, ConnectFailed()), at)
    assert agent.next_wake() > at + 16 * SECOND

    [again] = agent.handle(Notified(), at)
    agent.handle(SendFailed(again, ConnectFailed()), at)

    assert agent.next_wake() <= at + SECOND  # and the next back-off begins anew


def test_a_notice_while_registering_makes_the_agent_ask_again_after_a_refusal():
    agent = new_agent()
    [register] = agent.handle(Woken(), START)
    assert agent.handle(Notified(), START) == []

    [again] = agent.handle(Answered(register, refused()), START)

    assert again == register


def test_a_notice_while_a_heartbeat_is_on_its_way_brings_one_more():
    agent, _ = online_agent()
    [heartbeat], at = by_itself(agent)
    assert agent.handle(Notified(), at) == []

    [again] = agent.handle(Answered(heartbeat, beat()), at)

    assert again == heartbeat
    assert agent.handle(Answered(again, beat()), at) == []


def test_a_notice_that_the_agent_asked_after_already_is_done_with():
    agent, _ = online_agent()
    [heartbeat], at = by_itself(agent)
    agent.handle(Notified(), at)
    [register] = agent.handle(Answered(heartbeat, beat(valid=False)), at)

    assert agent.handle(Answered(register, session(token="token-2")), at) == []
    assert agent.handle(Woken(), at) == []
    assert isinstance(by_itself(agent)[0][0].body, Heartbeat)


def test_a_configure_that_was_never_answered_is_no_run_that_was_left():
    agent, [configure] = online_agent(listed("job-1"))
    assert isinstance(configure.body, Configure)
    agent.take_facts()

    agent.handle(Crashed(LATER), START)

    assert agent.take_facts() == [AgentCrashed(LATER, True)]
