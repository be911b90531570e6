from agent_sim.draws import key
from agent_sim.errors import ReplyTimeout
from agent_sim.instants import NEVER, SECOND
from agent_sim.operator.events import StopRequested, Woken
from agent_sim.operator.oig import Answered, Asked, OigOperator, Order, SendFailed
from agent_sim.protocol import oig
from agent_sim.protocol.oig import Failure, JobDetails, Reply, Success
from agent_sim.scenario.oig_plan import Duty, OigPlan, TaskBehaviours

CREATE_A, CREATE_B = oig.CreateJob(JobDetails("A", "T", 0)), oig.CreateJob(JobDetails("B", "T", 0))
RUN_A = oig.RunJob("A")
DONE, REFUSED = Reply(200, Success("A", "done")), Reply(400, Failure("no"))


def operator(*lines: tuple[Duty, ...]) -> OigOperator:
    return OigOperator(OigPlan("", lines, TaskBehaviours(key(1), {})))


def test_jobs_do_not_wait_for_each_other_but_each_for_its_own_answers():
    core = operator((Duty(0, CREATE_A), Duty(0, RUN_A)), (Duty(0, CREATE_B),))

    assert core.handle(Woken(), 0) == [Order(CREATE_A, 0), Order(CREATE_B, 1)]
    assert core.next_wake() == NEVER
    assert core.handle(Answered(Order(CREATE_A, 0), DONE), 5) == [Order(RUN_A, 0)]
    assert core.take_facts() == [Asked(CREATE_A, 200, "")]


def test_what_is_not_due_yet_waits():
    core = operator((Duty(0, CREATE_A), Duty(9 * SECOND, RUN_A)))
    core.handle(Woken(), 0)

    assert core.handle(Answered(Order(CREATE_A, 0), DONE), SECOND) == []
    assert core.next_wake() == 9 * SECOND
    assert core.handle(Woken(), 9 * SECOND) == [Order(RUN_A, 0)]


def test_a_job_that_could_not_be_created_is_left_alone():
    core = operator((Duty(0, CREATE_A), Duty(0, RUN_A)))
    core.handle(Woken(), 0)

    assert core.handle(Answered(Order(CREATE_A, 0), REFUSED), 5) == []
    assert (core.next_wake(), core.take_facts()) == (NEVER, [Asked(CREATE_A, 400, "no")])


def test_what_was_refused_or_not_answered_is_told_and_the_rest_goes_on():
    core = operator((Duty(0, CREATE_A), Duty(0, RUN_A), Duty(0, oig.StopJob("A"))))
    core.handle(Woken(), 0)
    core.handle(SendFailed(Order(CREATE_A, 0), ReplyTimeout("late")), 5)

    assert core.handle(Answered(Order(RUN_A, 0), REFUSED), 6) == [Order(oig.StopJob("A"), 0)]
    assert core.take_facts() == [Asked(CREATE_A, 0, "late"), Asked(RUN_A, 400, "no")]


def test_told_to_stop_it_asks_for_nothing_more():
    core = operator((Duty(0, CREATE_A), Duty(9, RUN_A)))
    core.handle(Woken(), 0)
    core.handle(StopRequested(), 1)

    assert core.handle(Answered(Order(CREATE_A, 0), DONE), 20) == []
    assert core.next_wake() == NEVER
