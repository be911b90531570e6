from dataclasses import replace

from agent_sim.results.checks import InvariantCheck
from agent_sim.results.invariants.findings import Finding, judged
from agent_sim.results.summary import summarise
from agent_sim.results.verdict import Verdict, exit_code
from tests.results.journals import armed

FACTS = summarise([armed("slow", 5.0), armed("cut", 10.0), armed("cut", 20.0)]).facts
LAW = InvariantCheck("at_most_once", allow_after=("cut",))


def test_findings_are_counted_by_kind_and_ten_are_named():
    findings = [Finding(f"job-{n:02d}", "job|lost") for n in range(11)] + [Finding("job-00", "run|done twice")]

    assert judged(FACTS, InvariantCheck("x"), findings, "all well") == Verdict(
        "invariant", "x", "broken", "11 jobs lost, 1 run done twice", tuple(f"job-{n:02d}" for n in range(10))
    )


def test_without_findings_it_is_kept_unless_it_cannot_be_known():
    assert judged(FACTS, LAW, [], "all well").answer == "kept"
    assert judged(FACTS, LAW, [], "all well", "not read back").answer == "unknown"


def test_what_came_after_a_fault_that_the_scenario_allows_is_unknown_and_does_not_count():
    verdict = judged(FACTS, LAW, [Finding("job-1", "job|lost", 11.0), Finding("job-2", "job|lost")], "all well")

    assert (verdict.answer, verdict.is_declared) == ("unknown", True)
    assert verdict.detail == "2 jobs lost, after fault cut, as the scenario allows"
    assert exit_code([verdict]) == 0


def test_what_came_before_it_is_broken_all_the_same():
    verdict = judged(FACTS, LAW, [Finding("job-1", "job|lost", 9.0), Finding("job-2", "job|lost", 11.0)], "all well")

    assert (verdict.answer, verdict.offenders) == ("broken", ("job-1",))


def test_a_fault_that_never_began_excuses_nothing():
    never = replace(FACTS, faults={"slow": 5.0})

    assert judged(never, LAW, [Finding("job-1", "job|lost", 11.0)], "all well").answer == "broken"
