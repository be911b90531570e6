import json

import jsonschema
import pytest

from agent_sim.results.judge import judge
from agent_sim.results.render.json import render_json
from agent_sim.results.render.result_schema import result_schema
from agent_sim.results.summary import summarise
from tests.results.demo import demo_journal
from tests.results.journals import done_job, ended, started, storm
from tests.results.test_judge import ALL

SCHEMA = result_schema()
CHECKER = jsonschema.Draft202012Validator(SCHEMA)


def result(lines):
    summary = summarise(lines)
    return json.loads(render_json(summary, judge(summary, ALL), environment={"python": "3.11"}, replay="again"))


JOURNALS = {
    "the demo": demo_journal(),
    "nothing": [],
    "a storm that left nothing": [started(), storm()[0], ended()],
    "one job": [started(), *done_job(), *storm(), ended()],
}


def test_it_is_a_schema():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("lines", JOURNALS.values(), ids=JOURNALS)
def test_what_is_written_fits_it(lines):
    CHECKER.validate(result(lines))


def test_every_member_that_is_written_is_in_it():
    made = result(JOURNALS["the demo"])

    assert set(made) == set(SCHEMA["properties"])
    assert set(made["verdicts"][0]) == set(SCHEMA["properties"]["verdicts"]["items"]["properties"])
    assert set(made["storms"][0]["result"]) == set(
        SCHEMA["properties"]["storms"]["items"]["properties"]["result"]["anyOf"][0]["properties"]
    )


WRONG = [
    ("verdict", "MAYBE"),
    ("exit_code", 2),
    ("outcome_digest", "abc"),
    ("seconds", "60"),
    ("verdicts", [{"name": "x"}]),
    ("whole", {}),
]


@pytest.mark.parametrize(("member", "value"), WRONG)
def test_what_is_wrong_does_not_fit_it(member, value):
    assert not CHECKER.is_valid({**result(JOURNALS["one job"]), member: value})


@pytest.mark.parametrize("member", sorted(SCHEMA["required"]))
def test_no_member_may_be_missing(member):
    made = result(JOURNALS["one job"])
    del made[member]

    assert not CHECKER.is_valid(made)


def test_members_may_be_added():
    CHECKER.validate({**result(JOURNALS["one job"]), "more": 1})
