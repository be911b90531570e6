"""What an agent costs that has a session and nothing to do: most of a large fleet, most of the time."""

import sys

import pytest

from agent_sim.agent.affairs import CALM, UNBORN
from agent_sim.agent.core import Agent
from agent_sim.agent.events import Answered, Notified, SendFailed, StopRequested, WentOffline, Woken
from agent_sim.errors import ReplyTimeout
from agent_sim.protocol.agent import AgentReply, HeartbeatReply, refusal
from tests.agent.worlds import START, beat, listed, new_agent, refused, session

GUID = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"


def test_it_has_nothing_of_its_own_but_its_session_and_an_instant():
    agent = new_agent()
    assert agent.affairs is UNBORN
    [register] = agent.handle(Woken(), START)
    agent.handle(Answered(register, session(token=GUID)), START)
    agent.take_facts()

    assert (agent.affairs is CALM, agent.worker, agent.facts, agent.beat) == (True, None, None, None)
    assert sys.getsizeof(agent) <= 112  # with what the collector of garbage adds


def test_what_disturbs_it_is_forgotten_with_the_next_heartbeat_that_goes_well():
    agent = new_agent()
    [register] = agent.handle(Woken(), START)
    agent.handle(Answered(register, session(token=GUID)), START)
    at = agent.next_wake()
    [first] = agent.handle(Notified(), at - 1)
    assert agent.handle(Notified(), at) == []  # while asking: it asks again
    [second] = agent.handle(SendFailed(first, ReplyTimeout()), at)
    assert agent.affairs is not CALM

    agent.handle(Answered(second, beat()), at)

    assert agent.affairs is CALM
    assert (CALM.setbacks, CALM.look_again, UNBORN.registered_before) == (0, False, False)


@pytest.mark.parametrize("jobs", [(), (listed("job-1", schedule="I_60"),)])
@pytest.mark.parametrize("disturbed", [None, Notified(), StopRequested(), WentOffline()])
@pytest.mark.parametrize(
    "reply",
    [
        beat(),
        beat(minutes=0),  # the least that there is
        beat(valid=False),
        AgentReply(500, None),
        AgentReply(500, beat().body),
        AgentReply(200, HeartbeatReply(7, False, refusal("A1", "no"))),
        refused(),  # no answer to a heartbeat
    ],
)
def test_a_reply_that_is_heard_is_a_reply_that_is_handled(reply, disturbed, jobs):
    def told(hear):
        agent = new_agent()
        [register] = agent.handle(Woken(), START)
        agent.handle(Answered(register, session(*jobs, token=GUID)), START)
        at = agent.next_wake()
        [asked, *_] = agent.handle(Woken(), at)
        also = [] if disturbed is None else agent.handle(disturbed, at)
        said = [hear(agent, request, reply, at + 1) for request in (asked, asked, register)]
        return said, also, agent.next_wake(), agent.take_facts(), agent.interval, agent.token

    assert told(Agent.heard) == told(lambda agent, request, reply, now: agent.handle(Answered(request, reply), now))
