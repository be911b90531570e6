from pathlib import Path
from xml.etree import ElementTree

import junitparser
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


def suite(inside="", name="a", **more):
    """A suite with its counts, as text."""
    attributes = {"name": name, "tests": "1", "failures": "0", "errors": "0", **more}
    said = " ".join(f'{key}="{value}"' for key, value in attributes.items())
    return f"<testsuite {said}>{inside}</testsuite>"


VALID = {
    "an empty report": "<testsuites/>",
    "a suite within a suite": suite(suite(name="inner")),
    "cases, properties and output in any order": suite(
        '<system-out>x</system-out><testcase name="a" classname="b" time="any" group="g"/>'
        '<properties><property name="a" value="b"/></properties><system-err/>'
    ),
    "several outcomes in one case": suite('<testcase name="a"><failure/><error type="x"/><skipped/></testcase>'),
    "a case that was tried again": suite(
        '<testcase name="a"><flakyError type="t">x<stackTrace>y</stackTrace></flakyError></testcase>'
    ),
    "thousands with commas": suite(time="1,234.5"),
    "all that a suite may say": suite(
        time="", skipped="", timestamp="t", hostname="h", id="i", package="p", file="f", log="l", url="u", group="g"
    ),
}

INVALID = {
    "a case without a name": suite("<testcase/>"),
    "a case with properties": suite('<testcase name="a"><properties/></testcase>'),
    "a case that says how often it asserted": suite('<testcase name="a" assertions="1"/>'),
    "a suite that says what was disabled": suite(disabled="0"),
    "a suite without its counts": '<testsuite name="a"/>',
    "a report that counts what was skipped": '<testsuites skipped="1"/>',
    "a property without a value": suite('<properties><property name="a"/></properties>'),
    "an outcome with elements in it": suite('<testcase name="a"><failure><b/></failure></testcase>'),
    "an exponent": suite(time="1e-07"),
    "another root": "<testrun/>",
}


@pytest.mark.parametrize("text", VALID.values(), ids=VALID)
def test_the_schema_takes(text):
    SCHEMA.validate(text)


@pytest.mark.parametrize("text", INVALID.values(), ids=INVALID)
def test_the_schema_refuses(text):
    with pytest.raises(xmlschema.XMLSchemaValidationError):
        SCHEMA.validate(text)


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


def test_it_says_no_more_than_its_readers_look_for_and_in_their_order():
    found = rendered(ANSWERS)

    assert found.tag == "testsuite"
    assert [each.tag for each in found] == ["properties", *["testcase"] * len(ANSWERS)]
    assert set(found.keys()) == {"name", "tests", "failures", "errors", "skipped", "time", "timestamp"}
    assert {tuple(sorted(case.keys())) for case in found.iter("testcase")} == {("classname", "name")}
    assert [each.get("name") for each in found.iter("property")] == ["seed", "outcome_digest", "replay"]
    told = [each for case in found.iter("testcase") for each in case]
    assert {tuple(sorted(each.keys())) for each in told} == {("message", "type")}


def test_another_reader_finds_in_it_what_was_put_there():
    [read] = junitparser.JUnitXml.fromstring(render_junit(SUMMARY, ANSWERS, replay=REPLAY).encode())

    assert (read.name, read.tests, read.failures, read.errors, read.skipped) == ("agent-sim small", 5, 1, 1, 2)
    assert (read.time, read.timestamp) == (86_400.0, "2026-01-02T03:04:05Z")
    assert next((case.name, case.classname) for case in read) == ("error_rate <= 1%", "agent-sim.small.threshold")
    assert [(each.type, each.message) for case in read for each in case.result] == [
        (verdict.answer, verdict.detail) for verdict in ANSWERS if verdict.answer != "held"
    ]
    assert {each.name: each.value for each in read.properties()}["replay"] == REPLAY


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
