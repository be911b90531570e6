"""The JSON Schema: takes what we take, refuses what an editor should mark, and explains every key."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from agent_sim.cli.library import scenario_files
from agent_sim.scenario.load import dump
from agent_sim.scenario.schema import schema
from tests.scenario.files import LAB, loaded
from tests.scenario.test_layers import TWO
from tests.scenario.test_load import FULL

SCHEMA = schema()
VALIDATOR = Draft202012Validator(SCHEMA)


def data(text: str) -> Any:
    """A YAML text as JSON would carry it."""
    return json.loads(json.dumps(YAML(typ="safe", pure=True).load(text)))


def marked(text: str) -> list[str]:
    """Where an editor would draw a red line."""
    return sorted({error.json_path for error in VALIDATOR.iter_errors(data(text))})


def test_it_is_a_schema_of_2020_12():
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("path", scenario_files(), ids=lambda path: path.stem)
def test_the_scenarios_that_come_with_agent_sim_fit(path: Path):
    assert marked(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("text", [LAB, FULL, TWO], ids=["small", "full", "profiles"])
def test_what_we_take_fits(text: str):
    assert marked(text) == []


def test_a_resolved_scenario_fits(tmp_path: Path):
    assert marked(dump(loaded(FULL, tmp_path))) == []


def test_a_file_that_extends_another_need_not_be_whole():
    child = "version: 1\nname: child\nextends: base.yaml\nfleets: [{name: lab, count: 2}, {name: old}]\nstop: ~\n"

    assert marked(child) == []
    assert marked(child.replace("count: 2", "cuont: 2")) == ["$.fleets[0]"]


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("version: 1\nname: s\n", "$"),
        (LAB.replace("version: 1", "version: 2"), "$.version"),
        (LAB + "flets: []\n", "$"),
        (LAB + "faults: {}\n", "$.faults"),
        (LAB + "stop: {after: 30}\n", "$.stop.after"),
        (LAB + "stop: {after: 30 s}\n", "$.stop.after"),
        (LAB + "server: {enum_style: names}\n", "$.server.enum_style"),
        (LAB.replace("count: 10", "count: 0"), "$.fleets[0].count"),
        (LAB.replace("count: 10", "count: ten"), "$.fleets[0].count"),
        (LAB.replace("[PEM, LOGS]", "[LOG]"), "$.fleets[0].capabilities[0]"),
        (LAB.replace("name: lab", "name: my lab"), "$.fleets[0].name"),
        (LAB + "behaviours: [{name: a, jobs: [{type: LOGS, duration: 2}]}]\n", "$.behaviours[0].jobs[0].duration"),
        (LAB + "behaviours: [{name: a, jobs: [{duration: 2s}]}]\n", "$.behaviours[0].jobs[0]"),
        (
            LAB + "behaviours: [{name: a, jobs: [{type: LOGS, outcomes: [{result: hangs}]}]}]\n",
            "$.behaviours[0].jobs[0].outcomes[0].result",
        ),
        (LAB + "storms: [{name: a, at: 1s, op: reschedule}]\n", "$.storms[0]"),
        (LAB + "storms: [{name: a, at: 1s, op: reschedule, load: {rate: 5}}]\n", "$.storms[0].load.rate"),
        (LAB + "checks: {invariants: {no_lost_jobs: 5}}\n", "$.checks.invariants.no_lost_jobs"),
        (LAB + "profiles: {ci: {stop: {after: 5}}}\n", "$.profiles.ci.stop.after"),
        (LAB + "profiles: {ci: {fleet: []}}\n", "$.profiles.ci"),
        (LAB + "params: {my-n: {type: int, default: 1}}\n", "$.params"),
    ],
)
def test_what_we_refuse_is_marked(text: str, path: str):
    assert marked(text) == [path]


def test_an_expression_may_stand_for_any_single_value():
    assert marked(LAB.replace("count: 10", 'count: "${agents * 0.5}"') + 'stop: {after: "${for}"}\n') == []


def test_every_key_has_a_description_an_example_and_a_default_or_words_about_it():
    assert holes(SCHEMA) == []


def test_a_hole_in_the_schema_would_be_found():
    block: Any = {
        "required": ["a"],
        "properties": {"a": {"description": "A."}, "b": {"description": "B.", "default": 1}},
    }

    assert holes({"$defs": {"Block": block, "BlockLayer": block}}) == ["Block.a*: no example", "Block.b: no example"]
    assert holes({"$defs": {"Block": {"properties": {"c": {"examples": [1]}}}}}) == [
        "Block.c: no description",
        "Block.c: no default",
    ]


def test_every_example_of_a_key_is_one_that_an_editor_would_not_mark():
    wrong = [
        f"{where}: {example!r}"
        for where, value in keys(SCHEMA)
        for example in value["examples"]
        if not VALIDATOR.evolve(schema={**value, "$defs": SCHEMA["$defs"]}).is_valid(example)
    ]

    assert wrong == []


def holes(schema: Any) -> list[str]:
    """What an editor could not tell about some key."""
    return [
        f"{where}: no {missing}"
        for where, value in keys(schema)
        for missing, is_there in (
            ("description", bool(value.get("description"))),
            ("example", bool(value.get("examples"))),
            ("default", where.endswith("*") or "default" in value or "unless given" in value.get("description", "")),
        )
        if not is_there
    ]


def keys(schema: Any) -> Iterator[tuple[str, Any]]:
    """Every key of every block with what is said about it; a needed one ends in `*`. Layers say the same again."""
    for name, block in schema["$defs"].items():
        if name.endswith("Layer"):
            continue
        for key, value in block.get("properties", {}).items():
            # What the block itself says, an editor shows for the key as well.
            value = {**schema["$defs"].get(str(value.get("$ref", "")).rpartition("/")[2], {}), **value}
            yield f"{name}.{key}" + ("*" if key in block.get("required", []) else ""), value


def test_defaults_are_written_as_a_scenario_writes_them():
    definitions: Any = SCHEMA["$defs"]

    assert definitions["Heartbeat"]["properties"]["every"]["default"] == "5m"
    assert definitions["Server"]["properties"]["retries"]["default"] == 5
    assert definitions["Job"]["properties"]["duration"]["default"] == "1s"
    assert "default" not in definitions["Scenario"]["properties"]["seed"]
