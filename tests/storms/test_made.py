"""Which of the new jobs a storm made, told out among its requests."""

import pytest

from agent_sim.instants import MINUTE, SECOND
from agent_sim.protocol.command import ScheduledJobRecord
from agent_sim.protocol.schedule import Immediate
from agent_sim.storms.ledger import Ledger
from agent_sim.storms.made import mark, observe
from agent_sim.storms.observe import Mark
from agent_sim.storms.pool import Batch, Token
from agent_sim.storms.reconcile import reconcile
from agent_sim.storms.taxonomy import Outcome, Violation
from tests.storms.examples import FakeReader, event, run

OK, NO, UNKNOWN = Outcome.ACCEPTED, Outcome.REFUSED, Outcome.UNKNOWN
TURNS = tuple(Token(number, f"agent-{number % 2}", f"m{number % 2}", by_guid=True) for number in range(4))
"""Two orchestrators, each with two turns."""


def waiting(job, machine, at=0, kind="Patch"):
    return ScheduledJobRecord(job, machine, at, kind, None, Immediate())


def compared(outcomes, jobs=(), runs=(), claims=None, before=None, events=None, alone=True):
    ledger = Ledger(len(TURNS))
    for position, outcome in enumerate(outcomes):
        if outcome is not None:
            ledger.settle(ledger.send(Batch((position,)), 0), outcome, 1)
    ledger.claims.update(claims or {})
    reader = FakeReader(events=events, runs=list(runs), jobs=list(jobs))
    observed = observe(TURNS, ledger, before or Mark(None, 0), reader, "Patch", alone=alone)
    found = reconcile(TURNS, ledger, observed, again=False)
    return {rule.value: count for rule, count in found.violations.items() if count}, found.not_checkable


def test_as_many_new_jobs_as_accepted_requests_is_clean():
    jobs = [waiting("a", "m0"), waiting("b", "M1")]

    assert compared([OK, OK], jobs, [run(9, job_id="c", job_type="Patch", agent_machine="m0")]) == (
        {"double_transition": 1, "conservation": 1},
        (),
    )
    assert compared([OK, OK, OK], jobs, [run(9, job_id="c", job_type="Patch", agent_machine="m0")]) == ({}, ())


def test_a_job_that_an_answer_named_and_that_is_not_there_is_lost_even_if_another_one_is():
    assert compared([OK], [waiting("b", "m0")], claims={0: "a"})[0] == {"lost_update": 1, "phantom_transition": 1}
    assert compared([OK, None, OK], [waiting("b", "m0")], claims={0: "a", 2: "c"})[0]["lost_update"] == 2
    assert compared([OK], [], claims={0: "a"})[0] == {"lost_update": 1, "conservation": 1}


def test_a_job_that_two_answers_named_is_one_job():
    assert compared([OK, OK, OK], [waiting("a", "m0")], claims={0: "a", 2: "a"})[0]["lost_update"] == 2


@pytest.mark.parametrize(("outcome", "rule"), [(NO, "phantom_transition"), (None, "phantom_transition"), (OK, "")])
def test_a_new_job_of_whom_nobody_asked_or_was_refused_is_a_phantom(outcome, rule):
    found, _ = compared([outcome], [waiting("a", "m0")])

    assert found == ({rule: 1, "conservation": 1} if rule else {})


def test_what_is_unknown_may_be_there_or_not():
    assert compared([UNKNOWN], [])[0] == compared([UNKNOWN], [waiting("a", "m0")])[0] == {}
    assert compared([UNKNOWN], [waiting("a", "m0"), waiting("b", "m0")])[0]["out_of_bounds"] == 1


def test_jobs_of_other_types_and_from_before_do_not_count():
    before = Mark(None, 0, known=frozenset({"old"}))

    assert compared([None], [waiting("old", "m0"), waiting("x", "m0", kind="Other")], before=before)[0] == {}


def test_a_job_that_was_made_and_unscheduled_since_is_not_lost():
    events = [event(2, "queued", 7, audit=None), event(3, "unscheduled", 7, audit=None)]

    assert compared([OK], [], before=Mark(1, 0), events=events)[0] == {}


def test_where_others_make_such_jobs_too_nothing_can_be_too_many_and_that_is_said():
    found, said = compared([OK], [waiting("a", "m0"), waiting("b", "m0")], alone=False)

    assert found == {}
    assert {words.split(":")[0] for words in said} == {
        *(rule.value for rule in (Violation.DOUBLE_TRANSITION, Violation.PHANTOM_TRANSITION, Violation.OUT_OF_BOUNDS)),
        Violation.LOST_UPDATE.value,
    }


@pytest.mark.parametrize(("age", "expected"), [(SECOND, True), (11 * MINUTE, False)])
def test_who_made_such_jobs_of_late_is_taken_to_go_on(age, expected):
    now = 100 * MINUTE
    reader = FakeReader(jobs=[waiting("old", "m0", at=now - age)])

    found = mark(reader, "patch", now)
    assert (found.known, found.others) == (frozenset({"old"}), expected)
