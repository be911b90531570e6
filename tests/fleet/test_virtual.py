"""The virtual shell with a real agent and a hand-played server."""

from agent_sim.agent.events import Answered, JobCompleted, Woken
from agent_sim.fleet.virtual import ROUND_TRIP, Kind, VirtualScheduler
from agent_sim.instants import MINUTE, NEVER, SECOND
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
    scheduler.add(agent, played(requests), settle=lambda core: None)

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
            scheduler.add(new_agent(), played(requests), settle=lambda core: None)
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


def test_a_pause_ends_the_run_where_it_is_and_the_next_one_goes_on():
    scheduler, happened = VirtualScheduler(START), []
    scheduler.at(START + SECOND, lambda now: scheduler.pause())
    scheduler.at(START + 2 * SECOND, happened.append)

    scheduler.run(START + MINUTE)
    assert (scheduler.now, happened) == (START + SECOND, [])
    scheduler.run(START + MINUTE)

    assert (scheduler.now, happened) == (START + MINUTE, [START + 2 * SECOND])


def test_answers_come_a_round_trip_after_their_requests_and_are_in_flight_until_then():
    requests, scheduler = [], VirtualScheduler(START)
    scheduler.add(new_agent(), played(requests), settle=lambda core: None)

    scheduler.run(START)
    assert scheduler.in_flight == 1
    scheduler.run(START + ROUND_TRIP - 1)
    assert (scheduler.in_flight, len(requests)) == (1, 1)
    scheduler.run(START + ROUND_TRIP)

    assert [kind for _, kind in requests] == [Register, Configure]


def test_an_answer_and_a_wake_up_at_the_same_moment_keep_the_order_in_which_they_were_planned():
    class Core:
        """Asks at once, and wants to be woken just when the answer comes."""

        def __init__(self):
            self.wake, self.seen = START, []

        def handle(self, event, now):
            self.seen.append((event, now - START))
            self.wake = START + ROUND_TRIP if len(self.seen) == 1 else NEVER
            return ["question"] if len(self.seen) == 1 else []

        def next_wake(self):
            return self.wake

    core, scheduler = Core(), VirtualScheduler(START)
    scheduler.add(core, Kind(lambda request, now: "answer", "woken"), settle=lambda core: None)

    scheduler.run(START + SECOND)

    assert core.seen == [("woken", 0), ("answer", ROUND_TRIP)]  # the answer was planned first, and left nothing to do


def test_a_deadline_that_is_overwritten_wakes_nobody():
    class Core:
        def __init__(self):
            self.wake, self.woken_at = START + SECOND, []

        def handle(self, event, now):
            if event == "woken":
                self.woken_at.append(now - START)
            self.wake = START + 2 * SECOND if event == "later" else NEVER
            return []

        def next_wake(self):
            return self.wake

    core, scheduler = Core(), VirtualScheduler(START)
    actor = scheduler.add(core, Kind(lambda request, now: None, "woken"), settle=lambda core: None)
    scheduler.tell(actor, "later")

    scheduler.run(START + MINUTE)

    assert core.woken_at == [2 * SECOND]
