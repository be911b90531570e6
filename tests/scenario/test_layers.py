"""Layers over each other: parents, profiles, `--set`, and behaviours that extend each other."""

from pathlib import Path

import pytest

from agent_sim.errors import ScenarioError, UsageError
from agent_sim.instants import MINUTE, SECOND
from agent_sim.scenario.layers import merge, setting
from agent_sim.scenario.load import Overrides, load, overrides
from agent_sim.scenario.tree import parse, plain
from tests.scenario.files import LAB, loaded, problems, written

TWO = """\
version: 1
name: s
params: {agents: {type: int, default: 10, max: 50}}
fleets:
  - {name: lab, count: "${agents}", labels: {site: fra, ring: stable}, capabilities: [PEM, LOGS]}
  - {name: yard, count: 5}
stop: {after: 2m, drain: 5s}
profiles:
  ci: {params: {agents: 20}, stop: {drain: 1s}, fleets: [{name: yard, count: 7}, {name: shed, count: 1}]}
  long: {stop: ~}
"""


def merged(below: str, above: str) -> object:
    return plain(merge(parse(below, "a"), parse(above, "b")))


def test_maps_merge_deeply_and_other_values_are_replaced():
    assert merged("{a: {b: 1, c: [1, 2]}, d: 4}", "{a: {c: [3], e: 5}}") == {"a": {"b": 1, "c": [3], "e": 5}, "d": 4}


def test_lists_of_named_items_merge_by_name():
    assert merged("{l: [{name: a, n: 1}, {name: b, n: 2}]}", "{l: [{name: b, m: 3}, {name: c}]}") == {
        "l": [{"name": "a", "n": 1}, {"name": "b", "n": 2, "m": 3}, {"name": "c"}]
    }


def test_an_empty_list_empties_a_list_of_named_items(tmp_path: Path):
    assert merged("{l: [{name: a}, {name: b}], m: 1}", "{l: []}") == {"l": [], "m": 1}
    assert merged("{l: []}", "{l: [{name: a}]}") == {"l": [{"name": "a"}]}

    faulty = LAB + "faults: [{name: bad, at: 1s, do: {drop: response}}]\n"
    assert len(loaded(faulty, tmp_path).faults) == 1
    assert loaded(faulty, tmp_path, overrides(settings=["faults=[]"])).faults == ()


def test_nothing_in_an_upper_layer_takes_a_key_back():
    assert merged("{a: 1, b: {c: 2, d: 3}}", "{a: ~, b: {c: }}") == {"b": {"d": 3}}


def test_a_distribution_is_replaced_whole_unless_only_its_figures_change():
    below = "{duration: {dist: lognormal, median: 1s, p95: 2s}}"

    assert merged(below, "{duration: {dist: uniform, min: 1s, max: 2s}}") == {
        "duration": {"dist": "uniform", "min": "1s", "max": "2s"}
    }
    assert merged(below, "{duration: {p95: 9s}}") == {"duration": {"dist": "lognormal", "median": "1s", "p95": "9s"}}


def test_a_profile_lies_over_the_file(tmp_path: Path):
    scenario = loaded(TWO, tmp_path, Overrides(profile="ci"))

    assert [(fleet.name, fleet.count) for fleet in scenario.fleets] == [("lab", 20), ("yard", 7), ("shed", 1)]
    assert (scenario.stop.after, scenario.stop.drain) == (2 * MINUTE, SECOND)
    assert scenario.params["agents"].max == 50


def test_a_profile_can_take_a_block_back_to_its_defaults(tmp_path: Path):
    assert loaded(TWO, tmp_path, Overrides(profile="long")).stop.after == 5 * MINUTE


def test_settings_lie_over_the_profile_and_parameters_over_both(tmp_path: Path):
    given = overrides("ci", ["agents=30"], ["fleets.yard.count=8", "stop.drain=3s", "params.agents=25"])
    scenario = loaded(TWO, tmp_path, given)

    assert [fleet.count for fleet in scenario.fleets] == [30, 8, 1]
    assert scenario.stop.drain == 3 * SECOND


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("fleets.lab.count=3", 3),
        ("fleets[0].count=3", 3),
        ('fleets.lab.count="${agents * 2}"', 20),
        ("fleets.lab.count=${agents * 2}", 20),
        ("fleets.lab={count: 3}", 3),
    ],
)
def test_a_setting_finds_its_place_by_name_or_number(option: str, value: int, tmp_path: Path):
    assert loaded(TWO, tmp_path, overrides(settings=[option])).fleets[0].count == value


def test_a_setting_can_make_what_is_not_there(tmp_path: Path):
    scenario = loaded(LAB, tmp_path, overrides(settings=["transport.connections.limit=7", "server.retries=0"]))

    assert (scenario.transport.connections.limit, scenario.server.retries) == (7, 0)


def test_a_setting_without_a_value_takes_a_key_back_to_its_default(tmp_path: Path):
    assert loaded(TWO, tmp_path, overrides(settings=["stop.drain="])).stop.drain == MINUTE


def test_a_behaviour_extends_another_and_changes_single_jobs(tmp_path: Path):
    text = LAB + (
        "behaviours:\n"
        "  - {name: standard, jobs: [{type: LOGS, duration: 9s, size: 2KB}, {type: Inventory, duration: 4s}]}\n"
        "  - {name: flaky, extends: standard, jobs: [{type: LOGS, outcomes: [{result: failure}]}, {type: custom}]}\n"
    )
    [standard, flaky] = loaded(text, tmp_path).behaviours

    assert [job.type for job in flaky.jobs] == ["LOGS", "Inventory", "custom"]
    assert flaky.jobs[0].duration == standard.jobs[0].duration
    assert flaky.jobs[0].outcomes[0].result == "failure"
    assert flaky.extends is None


def test_a_file_extends_another_beside_it(tmp_path: Path):
    written(TWO, tmp_path, "base.yaml")
    child = "version: 1\nname: child\nextends: base.yaml\nfleets: [{name: lab, count: 2}]\nstop: {after: 1m}\n"

    scenario = load(written(child, tmp_path), Overrides(profile="ci"))

    assert (scenario.name, scenario.extends) == ("child", None)
    assert [(fleet.name, fleet.count) for fleet in scenario.fleets] == [("lab", 2), ("yard", 7), ("shed", 1)]


def test_what_is_wrong_in_a_parent_is_told_in_the_parent(tmp_path: Path):
    base = written(LAB.replace("count: 10", "count: 0"), tmp_path, "base.yaml")

    with pytest.raises(ScenarioError) as caught:
        load(written("version: 1\nname: child\nextends: base.yaml\n", tmp_path))

    assert str(caught.value) == f"{base}:4:24: fleets[0].count: found 0, expected at least 1"


def test_files_that_extend_each_other_go_in_a_circle(tmp_path: Path):
    written("version: 1\nname: b\nextends: s.yaml\n", tmp_path, "b.yaml")

    with pytest.raises(ScenarioError) as caught:
        load(written("version: 1\nname: s\nextends: b.yaml\n", tmp_path))

    assert str(caught.value) == f"{tmp_path}/b.yaml:3:10: extends: goes in a circle: s.yaml → b.yaml → s.yaml"


BROKEN = [
    (
        "extends: none.yaml\n",
        '5:10: extends: found "none.yaml", but there is no such file; expected one beside this file',
    ),
    ("extends: [a, b]\n", "5:10: extends: expected the name of one scenario file, such as base.yaml"),
    ("profiles: [ci]\n", "5:11: profiles: expected a map of profiles by name"),
]


@pytest.mark.parametrize(("text", "said"), BROKEN, ids=[said for _, said in BROKEN])
def test_a_wrong_layer_is_told_with_its_place(text: str, said: str, tmp_path: Path):
    assert problems(LAB + text, tmp_path) == [said]


OPTIONS = [
    (["fleets.lb.count=3"], '--set fleets.lb.count=3: found no item named "lb", did you mean lab?'),
    (["fleets[2].count=3"], "--set fleets[2].count=3: found [2], expected at most [1]"),
    (["fleets.lab.count.x=3"], "--set fleets.lab.count.x=3: expected the path of a value, and there is none at x"),
    (["fleets.=3"], "--set fleets.=3: expected PATH=VALUE, such as fleets.lab.count=5 or stop.after=1m"),
    (["stop.after=[1"], "--set stop.after=[1: expected a value as YAML writes it"),
    (["fleets.lab.count=0"], "--set fleets.lab.count=0: fleets[0].count: found 0, expected at least 1"),
    (["stop.aftr=1m"], "--set stop.aftr=1m: stop.aftr: unknown key, did you mean after?"),
]


@pytest.mark.parametrize(("settings", "said"), OPTIONS, ids=[said for _, said in OPTIONS])
def test_a_wrong_setting_is_told_as_it_was_typed(settings: list[str], said: str, tmp_path: Path):
    assert problems(TWO, tmp_path, overrides(settings=settings)) == [said]


def test_every_wrong_setting_is_told(tmp_path: Path):
    given = overrides(settings=["fleets.a.count=1", "fleets.b.count=2"])

    assert len(problems(TWO, tmp_path, given)) == 2


def test_an_unknown_profile_is_told_with_those_there_are(tmp_path: Path):
    assert problems(TWO, tmp_path, Overrides(profile="lon")) == ["--profile lon: no such profile, did you mean long?"]
    assert problems(LAB, tmp_path, Overrides(profile="ci")) == ["--profile ci: no such profile, the file has none"]


@pytest.mark.parametrize("text", ["agents", "=5", ""])
def test_an_option_without_name_or_value_is_refused(text: str):
    with pytest.raises(UsageError, match="expected NAME=VALUE"):
        setting(text, "--param")


def test_behaviours_do_not_extend_each_other_for_ever(tmp_path: Path):
    line = "".join(f"  - {{name: b{n}, extends: b{n - 1}}}\n" for n in range(1, 1500))

    assert problems(LAB + "behaviours:\n  - {name: b0}\n" + line, tmp_path)[0] == (
        "7:25: behaviours[1].extends: goes on for more than 20 parents, expected fewer"
    )


def test_files_do_not_extend_each_other_for_ever(tmp_path: Path):
    for n in range(30):
        written(f"version: 1\nname: s{n}\nextends: f{n + 1}.yaml\n", tmp_path, f"f{n}.yaml")

    with pytest.raises(ScenarioError) as caught:
        load(tmp_path / "f0.yaml")
    assert str(caught.value) == f"{tmp_path}/f19.yaml:3:10: extends: goes on for more than 20 parents, expected fewer"
