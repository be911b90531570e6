import pytest

from agent_sim.instants import HOUR, MINUTE, SECOND
from agent_sim.protocol import oig
from agent_sim.protocol.oig import Reply, Success, Trigger, TriggerType
from agent_sim.server.oig_tasks import Course, Outcome
from agent_sim.storms.catalogue import CATALOGUE
from agent_sim.storms.ledger import Ledger
from agent_sim.storms.oig import OIG_OPERATIONS, OigStorm
from agent_sim.storms.plan import Stage, StormPlan, check
from agent_sim.storms.pool import Pool
from agent_sim.storms.reconcile import Reconciliation, reconcile
from agent_sim.storms.taxonomy import Outcome as Of
from agent_sim.storms.taxonomy import Violation
from tests.server.oig_bench import START, OigBench, failing

CREATE, RUN, STOP = (OIG_OPERATIONS[name] for name in ("oig_create", "oig_run", "oig_stop"))
HANG = Course(Outcome.HANG)


def planned(operation: OigStorm, **more: object) -> StormPlan:
    told = {"batch": 1, "by": "ids", "query": "", "prefix": "sim-"} | more
    return StormPlan(
        name="s", operation=operation.name, stages=(Stage(10, 0), Stage(10, SECOND)), arrivals="uniform",
        max_in_flight=10, seed=1, start=0, **told,
    )  # fmt: skip


def drive(reading, ask):
    reply = None
    while True:
        try:
            operation = next(reading) if reply is None else reading.send(reply)
        except StopIteration as end:
            return end.value
        reply = ask(operation)


def storm(operation: OigStorm, bench: OigBench, ask=None, wait: int = MINUTE) -> Reconciliation:
    """The whole of one storm, each job asked once, as `ask` answers."""
    ask = ask or bench.ask
    plan = planned(operation)
    found = drive(operation.pool(plan, bench.now, 5), bench.ask)
    before = drive(operation.mark(plan), bench.ask)
    pool, ledger = Pool(found.tokens), Ledger(len(found.tokens))
    while (batch := pool.take(1)) is not None:
        entry = ledger.send(batch, bench.now)
        reply = ask(operation.request(found.tokens, batch))
        ledger.settle(entry, Of.ACCEPTED if reply.is_success else Of.REFUSED, bench.now)
    bench.wait(wait)
    observed = drive(operation.observe(plan, found.tokens, before), bench.ask)
    return reconcile(found.tokens, ledger, observed, again=operation.again)


def jobs(bench: OigBench, *names: str, **more: object) -> OigBench:
    for name in names:
        bench.create(name, **more)
    return bench


def test_a_clean_storm_of_each_kind_breaks_no_rule():
    created = storm(CREATE, OigBench())
    run = storm(RUN, jobs(OigBench(), "sim-1", "sim-2"))
    bench = jobs(OigBench(HANG, HANG), "sim-1", "sim-2")
    for name in ("sim-1", "sim-2"):
        bench.done(oig.RunJob(name))
    stopped = storm(STOP, bench)

    assert (created.checked, run.checked, stopped.checked) == (5, 2, 2)
    assert created.is_clean
    assert run.is_clean
    assert stopped.is_clean


def lying(operation):
    """Says yes and does nothing."""
    return Reply(200, Success("", ""))


@pytest.mark.parametrize("row", OIG_OPERATIONS.values(), ids=lambda row: row.name)
def test_a_scheduler_that_says_yes_and_does_nothing_is_found_out(row):
    bench = jobs(OigBench(HANG, HANG), "sim-1", "sim-2")
    if row is STOP:
        bench.done(oig.RunJob("sim-1"))
        bench.done(oig.RunJob("sim-2"))

    found = storm(row, bench, lying)

    assert found.violations[Violation.LOST_UPDATE] == found.checked > 0


def test_a_scheduler_that_runs_twice_is_found_out():
    bench = jobs(OigBench(), "sim-1", concurrent=True)

    def twice(operation):
        bench.ask(operation)
        return bench.ask(operation)

    assert storm(RUN, bench, twice).violations[Violation.DOUBLE_TRANSITION] == 1


def test_a_scheduler_that_runs_what_it_refused_is_found_out():
    bench = jobs(OigBench(), "sim-1")

    def refusing(operation):
        bench.ask(operation)
        return Reply(400, oig.Failure("no"))

    assert storm(RUN, bench, refusing).violations[Violation.PHANTOM_TRANSITION] == 1


def test_retries_of_a_run_are_not_a_second_run():
    bench = jobs(OigBench(*failing(2)), "sim-1", retry_count=3)

    assert storm(RUN, bench, wait=HOUR).is_clean
    assert len(bench.history("sim-1")) == 3


def test_only_jobs_in_scope_and_in_the_right_state_are_tokens():
    bench = jobs(OigBench(HANG), "sim-running", "sim-idle", "foreign", "SIM-loud")
    bench.create("sim-disabled", is_enabled=False)
    bench.create("sim-triggered")
    bench.trigger("sim-triggered", Trigger(TriggerType.PERIODIC, "HOURS", ("1",), START + HOUR))
    bench.done(oig.RunJob("sim-running"))

    run = drive(RUN.pool(planned(RUN), 0, 5), bench.ask)
    stop = drive(STOP.pool(planned(STOP), 0, 5), bench.ask)

    assert [token.job_id for token in run.tokens] == ["sim-idle"]
    assert run.ineligible == 3
    assert [token.job_id for token in stop.tokens] == ["sim-running"]


def test_names_to_create_carry_the_prefix_and_differ_between_storms():
    now = drive(CREATE.pool(planned(CREATE), START, 3), None)
    later = drive(CREATE.pool(planned(CREATE), START + SECOND, 3), None)

    names = {token.job_id for token in (*now.tokens, *later.tokens)}
    assert len(names) == 6
    assert all(name.startswith("sim-s ") for name in names)


def test_plans_of_these_storms_ask_for_one_job_a_request():
    check(planned(RUN))
    for more in ({"batch": 2}, {"by": "query"}, {"query": "x"}):
        with pytest.raises(Exception, match="oig_run asks for one job a request: batch must be 1, without a query"):
            check(planned(RUN, **more))


def test_every_storm_has_one_name_among_those_of_both_targets():
    assert {"reschedule", "acknowledge", "oig_create", "oig_run", "oig_stop"} <= set(CATALOGUE)
