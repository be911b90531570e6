import pytest

from agent_sim.errors import TargetError
from agent_sim.instants import HOUR
from agent_sim.protocol import oig, oig_reading
from agent_sim.protocol.oig import Failure, Reply, Trigger, TriggerType
from tests.server.oig_bench import START, OigBench

HOURLY = Trigger(TriggerType.PERIODIC, "HOURS", ("1",), START)


def drive(reading, ask):
    operation = next(reading)
    while True:
        try:
            operation = reading.send(ask(operation))
        except StopIteration as end:
            return end.value


def bench() -> OigBench:
    made = OigBench()
    for name in ("sim-a b", "sim-c", "SIM-other", "foreign"):
        made.create(name)
        made.trigger(name, HOURLY)
    made.create("sim-plain")
    made.wait(2 * HOUR)
    return made


def test_only_jobs_in_scope_are_read_with_their_triggers():
    found = drive(oig_reading.with_triggers("sim-"), bench().ask)

    assert [(each.job.job_name, each.trigger is not None) for each in found] == [
        ("sim-a b", True),
        ("sim-c", True),
        ("sim-plain", False),
    ]


def test_runs_are_the_same_from_all_executions_and_job_by_job():
    made = bench()

    def older(operation):
        return Reply(404, Failure("no")) if isinstance(operation, oig.ListExecutions) else made.ask(operation)

    names = ["sim-a b", "sim-c", "sim-plain"]
    at_once = drive(oig_reading.runs("sim-", names, START), made.ask)

    assert at_once == drive(oig_reading.runs("sim-", names, START), older)
    assert [run.job_name for run in at_once] == ["sim-a b", "sim-c"] * 3


def test_many_pages_are_read_to_their_end(monkeypatch):
    monkeypatch.setattr(oig_reading, "_PAGE", 2)

    assert len(drive(oig_reading.runs("sim-", ["sim-c"], START), bench().ask)) == 6
    assert len(drive(oig_reading.jobs("sim-"), bench().ask)) == 3


def test_a_running_job_is_not_drained():
    made = OigBench()
    made.create("sim-a")
    assert drive(oig_reading.is_drained("sim-"), made.ask)
    made.done(oig.RunJob("sim-a"))

    assert not drive(oig_reading.is_drained("sim-"), made.ask)


def test_a_scheduler_that_will_not_be_read_is_an_error_in_a_sentence():
    with pytest.raises(TargetError, match=r"would not be read back \(status 403\): no"):
        drive(oig_reading.jobs("sim-"), lambda operation: Reply(403, Failure("no")))
