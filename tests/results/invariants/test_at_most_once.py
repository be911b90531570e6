from typing import Any

import pytest

from agent_sim.protocol.enums import Result, Status
from agent_sim.results.checks import InvariantCheck
from agent_sim.results.invariants.at_most_once import at_most_once
from agent_sim.results.summary import summarise
from agent_sim.results.verdict import Verdict
from tests.results.journals import (
    completed,
    configured,
    done_job,
    ended,
    in_process,
    posted,
    registered,
    run,
    started,
    storm,
    story,
)


def judged(*lines) -> Verdict:
    return at_most_once(summarise([started(), *lines, ended()]), InvariantCheck("at_most_once"))


FAILED: dict[str, Any] = {"result": Result.FAILURE}

KEPT = {
    "each job ran once": [*done_job(1), *done_job(2)],
    "a job failed and ran again after its end": [run(audit=1, start=1.0, end=2.0, **FAILED), run(audit=2, start=5.0)],
    "two runs touch": [run(audit=1, start=1.0, end=2.0, **FAILED), run(audit=2, start=2.0, end=3.0)],
    "a job recurs": [run(audit=1, start=1.0, schedule="I_1"), run(audit=2, start=61.0, end=62.0, schedule="I_1")],
    "runs of different jobs overlap": [run("a", 1, 1.0, 9.0), run("b", 2, 2.0, 8.0)],
    "the last run is still open": [run(audit=1, start=1.0, end=2.0, **FAILED), in_process(audit=2, start=3.0)],
    "a finished run has no end on record": [run(audit=1, start=1.0, end=None, **FAILED), run(audit=2, start=3.0)],
    "a run never started": [run(audit=1, start=None, end=None, **FAILED), run(audit=2, start=3.0, end=4.0)],
    "each run had its reason": [
        story("queued", ("configured", 1), ("completed", 1), ("rescheduled", 1), ("configured", 2), ("completed", 2)),
        *(run(audit=1, start=1.0, end=2.0, **FAILED), run(audit=2, start=5.0, end=6.0)),
    ],
    "a completion was sent again and answered as before": [completed(t=4.0), completed(t=5.0), run()],
    "a run was handed out again to the same agent": [configured(t=2.0), configured(t=3.0), run()],
    "a completion was refused": [completed(), completed(accepted=False), run()],
}


@pytest.mark.parametrize("lines", KEPT.values(), ids=KEPT)
def test_nothing_ran_twice_if(lines):
    verdict = judged(*lines)

    assert (verdict.answer, verdict.offenders) == ("kept", ())


BROKEN = {
    "two runs overlap": (
        [run(audit=1, start=1.0, end=5.0), run(audit=2, start=4.9, end=6.0)],
        "1 job with two runs in process at once",
        "job-1",
    ),
    "a run began while another was open": (
        [in_process(audit=1, start=1.0), run(audit=2, start=50.0, end=51.0)],
        "1 job with two runs in process at once",
        "job-1",
    ),
    "a long run spans two short ones": (
        [run(audit=1, start=0.0, end=9.0), run(audit=2, start=1.0, end=2.0), run(audit=3, start=8.0, end=8.5)],
        "1 job with two runs in process at once",
        "job-1",
    ),
    "it ran again after it had gone well": (
        [run(audit=1, start=1.0, end=2.0), run(audit=2, start=5.0, end=6.0)],
        "1 job run again without a reason",
        "job-1",
    ),
    "it ran more often than the server's feed explains": (
        [
            story("queued", ("configured", 1), ("completed", 1)),
            run(audit=1, **FAILED),
            run(audit=2, start=5.0, end=6.0),
        ],
        "1 job run again without a reason",
        "job-1",
    ),
    "it was completed twice, differently": (
        [completed(), completed(outcome=Result.FAILURE), run()],
        "1 run completed twice",
        "job-1 (run 1)",
    ),
    "two agents were handed the same run": (
        [configured(agent="a"), configured(agent="b"), run()],
        "1 run handed to two agents",
        "job-1 (run 1)",
    ),
}


@pytest.mark.parametrize(("lines", "said", "who"), BROKEN.values(), ids=BROKEN)
def test_something_ran_twice_if(lines, said, who):
    verdict = judged(*lines)

    assert (verdict.answer, verdict.detail, verdict.offenders) == ("broken", said, (who,))


def test_a_storm_that_changed_an_id_twice_broke_it():
    twice: dict[str, Any] = {
        "reconciliation__violations": {"double_transition": 3},
        "reconciliation__examples": [{"id": 17, "rule": "double_transition", "detail": "changed twice"}],
    }

    verdict = judged(*done_job(), *storm(**twice))

    assert (verdict.answer, verdict.offenders) == ("broken", ("audit id 17", "one more of storm again"))
    assert verdict.detail == "3 ids of storm again done twice"


def test_nothing_is_known_without_the_servers_history():
    assert judged(posted(), completed()).answer == "unknown"


def test_what_agents_saw_breaks_it_even_without_the_servers_history():
    assert judged(completed(t=4.0), completed(t=5.0, agent="b")).answer == "broken"


def test_nothing_ran_twice_if_nothing_was_asked_for():
    assert judged(registered()).answer == "kept"


def test_an_open_end_is_for_ever_only_while_the_run_is_in_process():
    still_open = run(audit=1, start=1.0, end=None, status=Status.IN_PROCESS)

    assert judged(still_open, run(audit=2, start=3.0, end=4.0)).answer == "broken"
