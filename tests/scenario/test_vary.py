"""Variations of a scenario: each number gives one, all of them are scenarios, and each kind of change occurs."""

import pytest

from agent_sim.scenario.load import as_tree, load
from agent_sim.scenario.models import Scenario
from agent_sim.scenario.sense import findings
from agent_sim.scenario.vary import varied
from tests.cli.test_fuzz import RACE


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    file = tmp_path_factory.mktemp("vary") / "race.yaml"
    file.write_text(RACE)
    return as_tree(load(file))


def test_number_nought_is_the_scenario_with_another_seed(tree):
    assert varied(tree, 1, 0) | {"seed": tree["seed"]} == tree


def test_a_number_gives_one_variation(tree):
    assert varied(tree, 1, 5) == varied(tree, 1, 5)
    assert varied(tree, 1, 5) != varied(tree, 1, 6)
    assert varied(tree, 1, 5) != varied(tree, 2, 5)


def test_every_variation_is_a_scenario_that_makes_sense(tree):
    for number in range(150):
        assert list(findings(Scenario.model_validate(varied(tree, 3, number)))) == []


def test_everything_that_may_change_does_in_some(tree):
    made = [varied(tree, 3, number) for number in range(150)]

    assert len({variation["seed"] for variation in made}) == len(made)
    for name in ("retries", "job_timeout", "session_length", "partial_policy"):
        assert len({variation["server"][name] for variation in made}) > 1
    assert {storm["op"] for variation in made for storm in variation["storms"]} == {"reschedule", "acknowledge"}
    assert len({fleet["heartbeat"]["every"] for variation in made for fleet in variation["fleets"]}) > 50
    kinds = {kind for variation in made for fault in variation["faults"] for kind in fault["do"]}
    assert kinds == {"drop", "duplicate", "latency", "reset", "status", "crash"}
