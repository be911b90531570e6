import pytest

from agent_sim.operator.oig_clearing import JobsCleared, clear_jobs
from agent_sim.protocol import oig
from agent_sim.protocol.oig import Failure, Reply
from agent_sim.server.oig_tasks import Course, Outcome
from tests.server.oig_bench import OigBench, create_all
from tests.storms.test_oig import drive


def test_only_jobs_with_the_prefix_are_deleted_and_running_ones_are_stopped_first():
    bench = OigBench(Course(Outcome.HANG))
    create_all(bench, ["agentsim-a-1", "agentsim-a-2", "AGENTSIM-A-3", "Test Job"])
    bench.done(oig.RunJob("agentsim-a-1"))

    assert drive(clear_jobs("agentsim-a-"), bench.ask) == JobsCleared(deleted=2, stopped=1)
    assert bench.names() == ["AGENTSIM-A-3", "Test Job"]


def test_what_would_not_go_is_told():
    bench = OigBench()
    create_all(bench, ["agentsim-a-1"])

    def stubborn(operation):
        return Reply(400, Failure("no")) if isinstance(operation, oig.DeleteJob) else bench.ask(operation)

    assert drive(clear_jobs("agentsim-a-"), stubborn) == JobsCleared(refused=["job 'agentsim-a-1' was not deleted: no"])


def test_a_prefix_that_would_be_everybodys_is_refused():
    with pytest.raises(ValueError, match="needs a prefix"):
        next(clear_jobs(""))
