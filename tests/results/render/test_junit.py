from pathlib import Path
from xml.etree import ElementTree

import pytest
import xmlschema

from agent_sim.results.checks import Checks, InvariantCheck, Threshold
from agent_sim.results.judge import INVARIANTS, judge
from agent_sim.results.render.junit import render_junit
from agent_sim.results.summary import summarise
from agent_sim.results.verdict import Verdict
from tests.results.demo import demo_journal
from tests.results.journals import done_job, ended, posted, started

SCHEMA = xmlschema.XMLSchema(Path(__file__).with_name("junit.xsd"))
SUMMARY = summarise([started(), *done_job(), ended(86_400.0)])
REPLAY = "agent-sim replay runs/x/scenario.resolved.yaml --seed 42"

ANSWERS = [
    Verdict("threshold", "error_rate <= 1%", "held", "0 % of 9 requests"),
    Verdict("invariant", "at_most_once", "broken", "2 jobs run again without a reason", ("job-1", "job-2")),
    Verdict("invariant", "no_lost_jobs", "unknown", "not read back"),
    Verdict("threshold", "latency p95 <= 1s", "broken", "p95 2 s", warn_only=True),
    Verdict("invariant", "status_agrees", "unknown", "after fault cut, as the scenario allows", is_declared=True),
]


def rendered(verdicts, inconclusive=None, summary=SUMMARY):
    text = render_junit(summary, verdicts, replay=REPLAY, inconclusive=inconclusive)
    SCHEMA.validate(text)
    return ElementTree.fromstring(text)


def outcomes(suite):
    return [[each.tag for each in case] for case in suite.iter("testcase")]


def test_each_verdict_is_a_case_and_its_answer_decides_what_readers_count():
    suite = rendered(ANSWERS)

    assert outcomes(suite) == [[], ["failure"], ["error"], ["skipped"], ["skipped"]]
    counts = {name: suite.get(name) for name in ("tests", "failures", "errors", "skipped", "time")}
    assert counts == {"tests": "5", "failures": "1", "errors": "1", "skipped": "2", "time": "86400.0"}
    assert [case.get("classname") for case in suite.iter("testcase")][:2] == [
        "agent-sim.small.threshold",
        "agent-sim.small.invariant",
    ]


def test_a_failure_names_the_offenders_the_seed_and_the_command_that_replays_them():
    [failure] = rendered(ANSWERS).iter("failure")

    assert failure.get("message") == "2 jobs run again without a reason"
    assert failure.text == f"2 jobs run again without a reason\n- job-1\n- job-2\nseed 42; replay it: {REPLAY}"


@pytest.mark.parametrize(("settled", "tag"), [("pass", ["skipped"]), ("fail", ["failure"])])
def test_what_could_not_be_decided_counts_as_the_user_says(settled, tag):
    assert outcomes(rendered(ANSWERS, settled))[2] == tag


def test_hostile_names_become_text_that_xml_can_carry():
    hostile = '</testcase><x a="\x00\x1b[31m\ud800">&\n]]>'
    suite = rendered([Verdict("invariant", hostile, "broken", hostile, (hostile,))])

    [case] = suite.iter("testcase")
    assert "</testcase><x a=" in case.get("name")
    assert "\x1b" not in case.get("name")


def test_whole_runs_are_valid_as_well():
    every = Checks(
        (Threshold("error_rate", maximum=0.0), Threshold("latency", {"op": "heartbeat"}, "p99", maximum=0.1)),
        tuple(InvariantCheck(name) for name in INVARIANTS),
    )
    for lines in (demo_journal(), [], [started(), posted(), ended()]):
        summary = summarise(lines)
        verdicts = judge(summary, every)
        assert len(outcomes(rendered(verdicts, summary=summary))) == len(verdicts)
