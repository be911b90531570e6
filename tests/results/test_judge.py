import pytest

from agent_sim.results.checks import Checks, InvariantCheck, Threshold
from agent_sim.results.judge import INVARIANTS, judge
from agent_sim.results.summary import summarise
from agent_sim.results.verdict import overall
from tests.results.journals import (
    census,
    done_job,
    ended,
    fleet,
    registered,
    server_agent,
    started,
    storm,
    traffic,
)

ALL = Checks(
    thresholds=(Threshold("error_rate", maximum=0.0, text="error_rate <= 0"),),
    invariants=tuple(InvariantCheck(name) for name in INVARIANTS),
)


WHOLE = [fleet(), registered(), *done_job(), server_agent(), census()]
"""One job of one agent, with all that a server tells in the end."""


def judged(*lines, checks: Checks = ALL):
    return judge(summarise([started(), *lines]), checks)


def test_a_good_run_passes_every_check():
    verdicts = judged(*WHOLE, traffic(), *storm(), ended())

    assert [(verdict.kind, verdict.answer) for verdict in verdicts] == [
        ("threshold", "held"),
        *[("invariant", "kept")] * len(INVARIANTS),
        ("storm", "kept"),
    ]
    assert overall(verdicts) == "PASS"


def test_a_storms_ledger_is_judged_even_if_nobody_asked():
    [verdict] = judged(*storm(reconciliation__violations={"lost_update": 1}), ended(), checks=Checks())

    assert (verdict.kind, verdict.answer) == ("storm", "broken")


def test_a_saturated_generator_warns_without_failing_a_run_that_asked_nothing_of_it():
    saturated = {"cpu_percent_max": 99.0, "late_p99_ms": 90.0, "saturated": True}

    verdicts = judged(*WHOLE, traffic(), *storm(generator=saturated), ended())

    assert verdicts[-1].kind == "generator"
    assert overall(verdicts) == "PASS"


def test_a_saturated_generator_leaves_a_threshold_on_its_storm_open():
    saturated = {"cpu_percent_max": 99.0, "late_p99_ms": 90.0, "saturated": True}
    checks = Checks((Threshold("latency", {"storm": "again"}, "p50", maximum=1.0),), ())

    assert overall(judged(*storm(generator=saturated), ended(), checks=checks)) == "INCONCLUSIVE"


ENDINGS = [
    (ended(), []),
    (ended(drained=False), [("the drain ended before the work in flight did", True)]),
    (ended(reason="interrupted"), [("interrupted", True)]),
    (
        ended(reason="aborted: the target refuses our credentials"),
        [("aborted: the target refuses our credentials", False)],
    ),
    (traffic(), [("its journal has no end", False)]),
]


@pytest.mark.parametrize(("last", "said"), ENDINGS)
def test_a_run_that_did_not_come_to_its_own_end_is_told(last, said):
    verdicts = judged(*done_job(), last, checks=Checks())

    assert [(verdict.detail, verdict.warn_only) for verdict in verdicts] == said


def test_an_invariant_that_does_not_exist_is_a_bug_of_the_caller():
    with pytest.raises(KeyError):
        judged(ended(), checks=Checks((), (InvariantCheck("world_peace"),)))
