"""Do the laws bite? A server with a bug breaks the law that is about it; the one without keeps them all."""

import pytest

from agent_sim.results import journal
from agent_sim.results.judge import INVARIANTS
from agent_sim.results.verdict import OFFENDERS
from tests.mutations.bugs import BUGS
from tests.mutations.stage import RECURRING, RESCHEDULED, UNSCHEDULED, Bug, played


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_the_law_that_a_bug_breaks_says_so_and_names_who_suffered(bug, tmp_path):
    found = played(tmp_path, bug)

    broken = {name: verdict for name, verdict in laws(found).items() if verdict.answer != "kept"}
    assert set(broken) == {bug.law, *bug.others}
    assert broken[bug.law].answer == "broken"
    assert 1 <= len(broken[bug.law].offenders) <= OFFENDERS


def laws(found):
    return {verdict.name: verdict for verdict in found.verdicts if verdict.kind == "invariant"}


@pytest.mark.parametrize("seed", range(5))
def test_without_a_bug_they_are_all_kept_whatever_is_done_to_the_server(seed, tmp_path):
    found = played(tmp_path, seed=seed)

    assert found.kept, [verdict for verdict in found.verdicts if verdict.answer not in ("kept", "held")]


@pytest.mark.parametrize(
    ("scenario", "runs"),
    [(RECURRING, 40), (RESCHEDULED, 16), (UNSCHEDULED, 150)],
    ids=["by themselves", "when asked", "until unscheduled"],
)
def test_they_are_all_kept_by_jobs_that_come_round(scenario, runs, tmp_path):
    found = played(tmp_path, Bug(lambda server: None, "", scenario=scenario))

    assert found.kept, [verdict for verdict in found.verdicts if verdict.answer not in ("kept", "held")]
    assert len(found.of(journal.ServerRun)) > runs


def test_there_is_a_bug_for_each_law_of_the_jobs_of_agents():
    assert {bug.law for bug in BUGS} == {law for law in INVARIANTS if not law.startswith("oig_")}


def test_everything_that_the_bugs_are_about_happens_without_them_too(tmp_path):
    found = played(tmp_path)

    kinds = {kind for line in found.of(journal.ServerStory) for kind, _, _ in line.steps}
    assert kinds == {
        *("queued", "configured", "completed", "timed_out", "rescheduled", "acknowledged", "unscheduled"),
        "unschedule_asked",
        *("approved", "disapproved"),
    }
    assert any(not line.accepted for line in found.of(journal.JobCompleted))
    assert len(found.of(journal.AgentRefused)) > 0
