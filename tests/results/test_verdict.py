from dataclasses import replace

import pytest

from agent_sim.results.verdict import Answer, Verdict, exit_code, overall


def verdict(answer: Answer, warn_only: bool = False) -> Verdict:
    return Verdict("threshold", "x", answer, "because", warn_only=warn_only)


CASES = [
    ([], "PASS", 0),  # nothing was asked for
    ([verdict("kept"), verdict("held")], "PASS", 0),
    ([verdict("kept"), verdict("unknown")], "INCONCLUSIVE", 3),
    ([verdict("not_measured")], "INCONCLUSIVE", 3),  # not measured is not held
    ([verdict("unknown"), verdict("broken")], "FAIL", 1),  # the worst counts
    ([verdict("broken", warn_only=True), verdict("held")], "PASS", 0),  # a warning counts for nothing
    ([verdict("unknown", warn_only=True)], "PASS", 0),
    ([replace(verdict("unknown"), is_declared=True), verdict("kept")], "PASS", 0),  # the scenario said so itself
]


@pytest.mark.parametrize(("verdicts", "word", "code"), CASES)
def test_the_worst_answer_that_counts_settles_the_run(verdicts, word, code):
    assert overall(verdicts) == word
    assert exit_code(verdicts) == code


def test_what_is_inconclusive_can_be_told_to_pass_or_fail():
    undecided = [verdict("unknown")]

    assert exit_code(undecided, inconclusive="pass") == 0
    assert exit_code(undecided, inconclusive="fail") == 1


def test_that_choice_changes_no_other_verdict():
    assert exit_code([verdict("broken")], inconclusive="pass") == 1
    assert exit_code([verdict("held")], inconclusive="fail") == 0
