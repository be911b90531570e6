"""The virtual shell with a real agent and a hand-played server."""

from agent_sim.agent.events import Answered, JobCompleted, Woken
from agent_sim.fleet.virtual import ROUND_TRIP, Kind, VirtualScheduler
from agent_sim.instants import MINUTE, SECOND
from agent_sim.protocol.agent import Complete, Configure, Heartbeat, Register
from tests.agent.worlds import START, beat, completed, configured, listed, new_agent, session


def played(requests):
    """Answers whatever an agent asks, and notes when."""

    def send(request, now):
        requests.append((now - START, type(request.body)))
        answers = {
            Register: session(listed("job-1")),
            Heartbeat: beat(),
            Configure: configured(),
            Complete: completed(),
        }
        return Answered(request, answers[type(request.body)])

    return Kind(send, Woken())


def test_an_agent_lives_through_an_hour_in_no_time():
    requests, agent = [], new_agent()
    scheduler = VirtualScheduler(START)
    scheduler.add(agent, played(requests), settle=lambda: None)

    scheduler.run(START + 60 * MINUTE)

    assert requests[:3] == [
        (0, Register),
        (ROUND_TRIP, Configure),
        (2 * ROUND_TRIP + 2 * SECOND, Complete),
    ]
    assert 54 <= sum(kind is Heartbeat for _, kind in requests) <= 60
    assert [type(fact) for fact in agent.take_facts()][-1] is JobCompleted
    assert scheduler.now == START + 60 * MINUTE


def test_the_same_cores_give_the_same_run():
    def run():
        requests = []
        scheduler = VirtualScheduler(START)
        for _ in range(20):
            scheduler.add(new_agent(), played(requests), settle=lambda: None)
        scheduler.run(START + 10 * MINUTE)
        return requests

    assert run() == run()


def test_ties_are_broken_by_the_order_of_planning():
    scheduler, order = VirtualScheduler(START), []
    for name in "abc":
        scheduler.at(START + SECOND, lambda now, name=name: order.append((name, now - START)))

    scheduler.run(START + SECOND)

    assert order == [("a", SECOND), ("b", SECOND), ("c", SECOND)]


def test_what_lies_after_the_end_does_not_happen():
    scheduler, happened = VirtualScheduler(START), []
    scheduler.at(START + SECOND + 1, happened.append)

    scheduler.run(START + SECOND)

    assert happened == []
