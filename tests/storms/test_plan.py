"""A storm plan as a file, and what makes one impossible."""

import json

import pytest

from agent_sim.errors import UsageError
from agent_sim.instants import SECOND
from agent_sim.storms.plan import Stage, check, from_json, to_json
from tests.storms.examples import PLAN, plan


def test_a_plan_survives_its_file():
    assert from_json(to_json(PLAN)) == PLAN


def test_a_plan_lasts_as_long_as_its_stages():
    assert plan(stages=(Stage(5, 2 * SECOND), Stage(9, 0), Stage(9, SECOND))).span == 3 * SECOND


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"operation": "reshedule"}, "no operation 'reshedule'"),
        ({"batch": 0}, "batch must be 1 to 10000, is 0"),
        ({"batch": 10_001}, "batch must be"),
        ({"max_in_flight": 0}, "max_in_flight must be 1"),
        ({"stages": (Stage(20, 0),)}, "lasts no time"),
        ({"stages": ()}, "lasts no time"),
        ({"stages": (Stage(-1, SECOND),)}, "must not be negative"),
        ({"stages": (Stage(float("inf"), SECOND),)}, "must not be negative"),
    ],
)
def test_an_impossible_plan_is_refused_by_name(changed, named):
    with pytest.raises(UsageError, match=named):
        check(plan(**changed))


def test_all_that_is_wrong_is_said_at_once():
    with pytest.raises(UsageError) as caught:
        check(plan(batch=0, max_in_flight=0))

    assert "batch" in str(caught.value)
    assert "max_in_flight" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("{", "the file"),
        (json.dumps(json.loads(to_json(PLAN)) | {"rates": 1}), "rates"),  # an unknown key
        (json.dumps(json.loads(to_json(PLAN)) | {"by": "name"}), "by"),
        (json.dumps(json.loads(to_json(PLAN)) | {"batch": 0}), "batch"),
        (json.dumps(json.loads(to_json(PLAN)) | {"stages": [{"rate": 1}]}), "stages.0.span"),
    ],
)
def test_a_file_that_is_no_plan_is_refused_with_the_place(text, named):
    with pytest.raises(UsageError, match=named):
        from_json(text)
