"""The scheduler's three laws, each with what keeps and what breaks it."""

import pytest

from agent_sim.results.checks import InvariantCheck
from agent_sim.results.invariants.oig import oig_no_lost_runs, oig_no_run_twice, oig_retries_obeyed
from agent_sim.results.journal import Line, OigAsked, OigJob, OigRun, RunEnded
from agent_sim.results.summary import summarise

LOST, TWICE, RETRIES = oig_no_lost_runs, oig_no_run_twice, oig_retries_obeyed


def asked(what: str, t: float = 1.0, status: int = 200, job: str = "A") -> OigAsked:
    return OigAsked(t, what, job, status, "" if status == 200 else "no")


def job(name: str = "A", retries: int = 0, enabled: bool = True, status: str = "STOPPED", **more: object) -> OigJob:
    told = {"concurrent": False, "trigger": "None", "next_fire": None} | more
    return OigJob(60.0, name, "T", retries, enabled=enabled, status=status, **told)


def run(number: int, status: str = "STOPPED", start: float = 0.0, end: float | None = 1.0, name: str = "A") -> OigRun:
    return OigRun(60.0, number, name, status, start, end, "")


def failures(count: int, first: int = 1) -> list[OigRun]:
    return [run(first + n, "FAILED", 10.0 * n, 10.0 * n + 1) for n in range(count)]


CREATED, RAN = asked("create"), asked("run")

CASES = [
    # no run lost
    (LOST, [], "kept", "nothing was asked of the scheduler"),
    (LOST, [CREATED], "unknown", "the scheduler's jobs could not be read back, or it has none"),
    (LOST, [CREATED, RAN, job(), run(1)], "kept", "1 run of 1 job"),
    (LOST, [CREATED, asked("run", status=400), job()], "kept", "0 runs of 1 job"),  # refused: nothing was granted
    (LOST, [CREATED, asked("run", status=0), job()], "kept", "0 runs of 1 job"),  # no answer: nobody knows
    (LOST, [CREATED, RAN, job()], "broken", "0 runs of 1 job: 1 runs were granted, the history has 0 (A)"),
    (LOST, [CREATED, RAN, RAN, job(), run(1)], "broken", "1 run of 1 job: 2 runs were granted, the history has 1 (A)"),
    (LOST, [CREATED, job("B")], "broken", "0 runs of 1 job: the job is gone (A)"),
    (LOST, [CREATED, asked("delete"), job("B")], "kept", "0 runs of 1 job"),
    (LOST, [CREATED, RAN, job(status="RUNNING"), run(1, "RUNNING", end=None)], "kept",
     "1 run of 1 job, 1 still running"),
    (LOST, [CREATED, RAN, job(), run(1, "RUNNING", end=None)], "broken",
     "1 run of 1 job: a run is open though the job is STOPPED (A)"),
    (LOST, [CREATED, job(trigger="Cron", next_fire=61.0)], "kept", "0 runs of 1 job"),
    (LOST, [CREATED, job(trigger="Cron", next_fire=30.0)], "broken",
     "0 runs of 1 job: its trigger is overdue by 30 s (A)"),
    (LOST, [CREATED, job(trigger="Cron", next_fire=30.0, enabled=False)], "kept", "0 runs of 1 job"),
    # none twice
    (TWICE, [CREATED, RAN, job(), run(1)], "kept", "1 run of 1 job"),
    (TWICE, [CREATED, RAN, job(), run(1), run(2, start=1.0, end=2.0)], "broken",
     "2 runs of 1 job: 2 runs, requests and retries explain 1 (A)"),
    (TWICE, [CREATED, RAN, job(), run(1, "FAILED"), run(2, start=1.0, end=2.0)], "kept", "2 runs of 1 job"),
    (TWICE, [CREATED, RAN, asked("run", status=0), job(), run(1), run(2, start=1.0, end=2.0)], "kept",
     "2 runs of 1 job"),
    (TWICE, [CREATED, RAN, RAN, job(), run(1, end=5.0), run(2, start=4.0, end=6.0)], "broken",
     "2 runs of 1 job: two runs at once of a job that is not concurrent (A)"),
    (TWICE, [CREATED, RAN, RAN, job(concurrent=True), run(1, end=5.0), run(2, start=4.0, end=6.0)], "kept",
     "2 runs of 1 job"),
    (TWICE, [CREATED, asked("trigger"), job(trigger="Periodic"), run(1), run(2, start=1.0, end=2.0)], "kept",
     "2 runs of 1 job"),
    # retries
    (RETRIES, [CREATED, RAN, job(retries=2, enabled=False), *failures(3)], "kept", "3 runs of 1 job"),
    (RETRIES, [CREATED, RAN, job(retries=2, enabled=False), *failures(4)], "broken",
     "4 runs of 1 job: 4 failures in a row with 2 retries (A)"),
    (RETRIES, [CREATED, RAN, job(retries=2), *failures(3)], "broken",
     "3 runs of 1 job: still enabled after 3 failures in a row (A)"),
    (RETRIES, [CREATED, RAN, job(retries=5, enabled=False), *failures(2)], "broken",
     "2 runs of 1 job: disabled after 2 failures with 5 retries (A)"),
    (RETRIES, [CREATED, RAN, asked("disable"), job(retries=5, enabled=False), *failures(2)], "kept", "2 runs of 1 job"),
    (RETRIES, [CREATED, asked("enable", 15.0), job(retries=0, enabled=False), run(1, "FAILED"),
               run(2, "FAILED", 20.0, 21.0)], "kept", "2 runs of 1 job"),
    (RETRIES, [CREATED, RAN, job(retries=1), run(1, "FAILED"), run(2, start=2.0, end=3.0),
               run(3, "FAILED", 4.0, 5.0)], "kept", "3 runs of 1 job"),
]  # fmt: skip


@pytest.mark.parametrize(("law", "lines", "answer", "detail"), CASES)
def test_a_law_of_the_scheduler(law, lines: list[Line], answer: str, detail: str):
    summary = summarise([*lines, RunEnded(61.0, "finished", True, ())])

    verdict = law(summary, InvariantCheck(law.__name__))

    assert (verdict.answer, verdict.detail) == (answer, detail)
    assert verdict.offenders == (("A",) if answer == "broken" else ())
