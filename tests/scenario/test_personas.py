"""A fleet's composition: exact, and the same whatever else there is."""

from collections import Counter
from pathlib import Path

import pytest

from agent_sim.instants import SECOND
from agent_sim.scenario.personas import personas
from agent_sim.scenario.plan import plan
from tests.scenario.files import loaded

MIXED = """\
version: 1
name: s
seed: 5
fleets:
  - name: a
    count: COUNT
    labels: {site: fra, ring: stable}
    behaviour: calm
    personas:
      - {name: well, share: 85%}
      - {name: sick, share: 10.5%, behaviour: flaky}
      - {name: canary, share: 4.5%, labels: {ring: canary}}
behaviours:
  - {name: calm, jobs: [{type: LOGS, duration: 1s}]}
  - {name: flaky, jobs: [{type: LOGS, outcomes: [{result: failure}]}]}
"""


@pytest.mark.parametrize(
    ("count", "shares"), [(1, [1, 0, 0]), (10, [9, 1, 0]), (333, [283, 35, 15]), (2000, [1700, 210, 90])]
)
def test_a_declared_composition_is_exact(count: int, shares: list[int], tmp_path: Path):
    scenario = loaded(MIXED.replace("COUNT", str(count)), tmp_path)

    found = Counter(persona.name for persona in personas(scenario.seed, scenario.fleets[0]))
    assert [found[name] for name in ("well", "sick", "canary")] == shares


def test_a_persona_brings_its_labels_and_its_behaviour(tmp_path: Path):
    members = plan(loaded(MIXED.replace("COUNT", "200"), tmp_path), 1000 * SECOND).members

    of = {member.identity.labels["persona"]: member for member in members}
    assert {name: member.behaviour.name for name, member in of.items()} == {
        "well": "calm",
        "sick": "flaky",
        "canary": "calm",
    }
    assert dict(of["canary"].identity.labels) == {"site": "fra", "ring": "canary", "persona": "canary"}


def test_who_is_what_does_not_depend_on_other_fleets(tmp_path: Path):
    alone = loaded(MIXED.replace("COUNT", "50"), tmp_path)
    beside = loaded(MIXED.replace("COUNT", "50") + "\n", tmp_path)
    more = loaded(MIXED.replace("COUNT", "50").replace("fleets:", "fleets:\n  - {name: b, count: 7}"), tmp_path)

    assert personas(5, alone.fleets[0]) == personas(5, beside.fleets[0]) == personas(5, more.fleets[1])
