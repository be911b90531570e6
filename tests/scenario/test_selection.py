"""Who gets the work of a schedule: by fleet, label, capability and share; the same for everybody else."""

from pathlib import Path

import pytest

from agent_sim.scenario.models import Scenario
from agent_sim.scenario.selection import chosen
from agent_sim.scenario.timeline import ever_online
from tests.scenario.files import loaded

FLEETS = """\
version: 1
name: s
seed: 5
fleets:
  - {name: a, count: 40, labels: {site: fra, ring: stable}, capabilities: [PEM, LOGS]}
  - {name: b, count: 11, labels: {site: fra, ring: canary}, capabilities: [LOGS, "custom:Patch"]}
  - {name: c, count: 20, labels: {site: shz}, capabilities: [JKS]}
"""


def who(select: str, tmp_path: Path, kind: str = "LOGS", fleets: str = FLEETS) -> dict[str, tuple[int, ...]]:
    text = fleets + f"schedules: [{{name: it, type: '{kind}', at: 1s, select: {select}}}]\n"
    return chosen_of(loaded(text, tmp_path))


def chosen_of(scenario: Scenario) -> dict[str, tuple[int, ...]]:
    found = chosen(scenario, scenario.schedules[0], ever_online(scenario))
    return {one.fleet.name: one.indices for one in found}


@pytest.mark.parametrize(
    ("select", "kind", "sizes"),
    [
        ("{}", "LOGS", {"a": 40, "b": 11}),
        ("{}", "Management", {"a": 40, "c": 20}),
        ("{}", "custom:Patch", {"b": 11}),
        ("{fleets: [b, c]}", "LOGS", {"b": 11}),
        ("{labels: {site: fra}}", "LOGS", {"a": 40, "b": 11}),
        ("{labels: {site: fra, ring: canary}}", "LOGS", {"b": 11}),
        ("{percent: 10%}", "LOGS", {"a": 4, "b": 1}),
        ("{percent: 50%, fleets: [b]}", "LOGS", {"b": 6}),
        ("{percent: 100%}", "LOGS", {"a": 40, "b": 11}),
    ],
)
def test_those_are_chosen_who_can_and_are_asked_for(select: str, kind: str, sizes: dict[str, int], tmp_path: Path):
    assert {fleet: len(indices) for fleet, indices in who(select, tmp_path, kind).items()} == sizes


def test_a_count_is_of_all_together(tmp_path: Path):
    found = who("{count: 7}", tmp_path)

    assert sum(len(indices) for indices in found.values()) == 7


def test_the_chosen_are_in_index_order_and_not_simply_the_first(tmp_path: Path):
    indices = who("{percent: 50%, fleets: [a]}", tmp_path)["a"]

    assert list(indices) == sorted(set(indices))
    assert indices != tuple(range(20))


def test_a_smaller_share_is_part_of_a_larger_one(tmp_path: Path):
    few, many = (set(who(f"{{percent: {share}%}}", tmp_path)["a"]) for share in (10, 30))

    assert few < many


def test_another_schedule_chooses_others(tmp_path: Path):
    text = FLEETS + "schedules: [{name: other, type: LOGS, at: 1s, select: {percent: 50%}}]\n"

    assert chosen_of(loaded(text, tmp_path)) != who("{percent: 50%}", tmp_path)


def test_another_fleet_changes_nobody_of_these(tmp_path: Path):
    more = FLEETS.replace("fleets:\n", "fleets:\n  - {name: new, count: 33}\n")

    before, after = who("{percent: 25%}", tmp_path), who("{percent: 25%}", tmp_path, fleets=more)
    assert {name: after[name] for name in before} == before
    assert len(after["new"]) == 8


def test_agents_are_named_by_fleet_and_index(tmp_path: Path):
    assert who("{ids: [a-3, a-00017, b-10]}", tmp_path) == {"a": (3, 17), "b": (10,)}
    assert who("{ids: [a-3, b-10], fleets: [b]}", tmp_path) == {"b": (10,)}


def test_labels_of_personas_select_single_agents(tmp_path: Path):
    mixed = FLEETS.replace(
        "{site: fra, ring: stable}",
        "{site: fra}, personas: [{name: x, share: 25%, labels: {ring: canary}}, {name: y, share: 75%}]",
    )

    assert [len(indices) for indices in who("{labels: {ring: canary}}", tmp_path, fleets=mixed).values()] == [10, 11]
    assert list(who("{labels: {persona: y}}", tmp_path, fleets=mixed)) == ["a"]
    assert len(who("{labels: {persona: y}, percent: 10%}", tmp_path, fleets=mixed)["a"]) == 3
