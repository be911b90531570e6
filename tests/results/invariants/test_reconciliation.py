import pytest

from agent_sim.results.figures import Storm
from agent_sim.results.invariants.reconciliation import judge_generator, judge_rules, judge_stop, judge_storm
from agent_sim.results.storm import read_storm
from agent_sim.results.verdict import Verdict
from tests.results.journals import storm_result


def storm(**changes) -> Storm:
    return Storm("again", "reschedule", 30.0, read_storm(storm_result(**changes)))


def test_a_storm_whose_ids_all_changed_once_kept_its_promise():
    assert judge_storm(storm(reconciliation__no_op=12)) == Verdict(
        "storm",
        "storm again: every accepted id changed state exactly once",
        "kept",
        "15,000 ids sent, 15,000 accepted (12 of them already waiting), 0 refused, 0 unknown, 15,000 checked",
    )


def test_any_violation_breaks_it_and_examples_are_named():
    verdict = judge_storm(
        storm(
            reconciliation__violations={"phantom_transition": 2, "lost_update": 0},
            reconciliation__examples=[{"id": 17, "rule": "phantom_transition", "detail": "refused, changed once"}],
        )
    )

    assert (verdict.answer, verdict.offenders) == ("broken", ("audit id 17: refused, changed once",))
    assert verdict.detail.startswith("2 phantom_transition; ")


def test_a_storm_without_an_answer_proves_nothing():
    verdict = judge_storm(storm(ledger={"sent": 50, "accepted": 0, "refused": 0, "unknown": 50}))

    assert verdict.answer == "unknown"
    assert verdict.detail.startswith("no id was accepted; ")


def test_a_few_unanswered_ids_do_not_hide_the_others():
    ledger = {"sent": 50, "accepted": 40, "refused": 0, "unknown": 10}

    assert judge_storm(storm(ledger=ledger)).answer == "kept"


def test_a_storm_that_found_no_eligible_id_proves_nothing():
    nothing = {"sent": 0, "accepted": 0, "refused": 0, "unknown": 0}

    verdict = judge_storm(storm(ledger=nothing, pool__eligible=0))

    assert verdict.answer == "unknown"
    assert verdict.detail.startswith("it sent no id (0 ids eligible)")


def test_a_storm_that_could_not_be_checked_proves_nothing_and_says_why():
    verdict = judge_storm(storm(reconciliation__checked=0, reconciliation__not_checkable=["lost_update: no counts"]))

    assert verdict.answer == "unknown"
    assert "not checkable: lost_update: no counts" in verdict.detail


def test_one_rule_that_could_not_be_checked_is_told():
    verdict = judge_storm(storm(reconciliation__not_checkable=["conservation: history is paged"]))

    assert verdict.answer == "kept"
    assert verdict.detail.endswith("; not checkable: conservation: history is paged")


def test_a_storm_that_had_to_stop_itself_is_broken():
    verdict = judge_stop(storm(stopped="first 401/403"))

    assert verdict is not None
    assert (verdict.answer, verdict.detail) == ("broken", "it stopped itself: first 401/403")


@pytest.mark.parametrize("stopped", [None, "interrupted"])
def test_a_storm_that_ended_by_its_plan_or_a_person_is_not(stopped):
    assert judge_stop(storm(stopped=stopped)) is None


@pytest.mark.parametrize(
    ("problem", "said"),
    [("", "it left no result"), ("ledger: must be an object", "its result cannot be read: ledger: must be an object")],
)
def test_a_storm_without_a_result_is_unknown(problem, said):
    verdict = judge_storm(Storm("again", "reschedule", 30.0, None, problem))

    assert (verdict.answer, verdict.detail) == ("unknown", said)


def test_a_saturated_generator_is_a_warning():
    verdict = judge_generator(storm(generator={"cpu_percent_max": 97.2, "late_p99_ms": 84.4, "saturated": True}))

    assert verdict is not None
    assert (verdict.kind, verdict.answer, verdict.warn_only) == ("generator", "unknown", True)
    assert verdict.detail.startswith("saturated (CPU up to 97 %, requests sent 84 ms late at p99)")


def test_a_generator_that_kept_up_is_not_mentioned():
    assert judge_generator(storm()) is None


def test_each_rule_has_a_verdict_of_its_own():
    found = judge_rules(
        storm(
            reconciliation__violations={"lost_update": 2, "double_transition": 0, "torn_batch": 0},
            reconciliation__not_checkable=["torn_batch: no feed"],
        )
    )

    assert [(each.name, each.answer, each.detail, each.counts) for each in found] == [
        ("storm again: no lost_update", "broken", "2 found", True),
        ("storm again: no double_transition", "kept", "15,000 ids compared", True),
        ("storm again: no torn_batch", "unknown", "torn_batch: no feed", False),
    ]
    assert list(judge_rules(Storm("again", "reschedule", 30.0, None))) == []
