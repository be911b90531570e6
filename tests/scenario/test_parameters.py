"""Parameters: declared, given, put in place of expressions, and typed by the place they stand in."""

from pathlib import Path

import pytest

from agent_sim.instants import MILLISECOND, SECOND
from agent_sim.scenario.load import Overrides
from agent_sim.scenario.spreads import Constant
from tests.scenario.files import loaded, problems

TEXT = """\
version: 1
name: s
params:
  for: {type: duration, default: 60s, min: 10s, max: 1h}
  agents: {type: int, default: 300, min: 20, max: 5000, help: how many}
  failing: {type: share, default: 60%}
  speed: {type: float, default: 1.5}
  site: {type: string, default: fra}
stop: {after: "${for}", drain: "${for / 3}"}
fleets:
  - {name: big, count: "${agents * 0.6}", labels: {site: "${site}", text: "at ${site}: ${agents} of ${for}"}}
  - {name: small, count: "${agents * 0.4}", capabilities: [PEM], stores: {certificates: "${agents / 7}"}}
behaviours:
  - name: default
    jobs:
      - type: LOGS
        size: "${agents}B"
        duration: "${1s * speed}"
        outcomes: [{result: success, weight: "${1 - failing}"}, {result: failure, weight: "${failing}"}]
phases: [{name: work, duration: "${for}"}]
schedules: [{name: logs, type: LOGS, at: "work+${for * 0.25}"}]
storms:
  - name: a
    at: "${for * 0.5}"
    op: reschedule
    target: {batch: "${agents / 7}"}
    load: {rate: "${agents / 60}/s"}
    for: 1s
"""


def given(**params: str) -> Overrides:
    return Overrides(params=params)


def test_every_place_gets_its_own_kind_of_value(tmp_path: Path):
    scenario = loaded(TEXT, tmp_path)

    assert [fleet.count for fleet in scenario.fleets] == [180, 120]
    assert scenario.fleets[0].labels == {"site": "fra", "text": "at fra: 300 of 1m"}
    assert scenario.stop.drain == 20 * SECOND
    assert scenario.storms[0].target.batch == 42  # rounded down
    assert scenario.storms[0].load.rate == 5.0
    assert scenario.storms[0].at.offset == 30 * SECOND
    assert scenario.schedules[0].at is not None
    assert (scenario.schedules[0].at.phase, scenario.schedules[0].at.offset) == ("work", 15 * SECOND)
    job = scenario.behaviours[0].jobs[0]
    assert [outcome.weight for outcome in job.outcomes] == [0.4, 0.6]
    assert job.duration == Constant(value=1500 * MILLISECOND)
    assert job.size == Constant(value=300)


@pytest.mark.parametrize("agents", [20, 21, 22, 301, 303, 4999])
def test_counts_of_fleets_total_what_was_asked_for(agents: int, tmp_path: Path):
    scenario = loaded(TEXT, tmp_path, given(agents=str(agents)))

    assert sum(fleet.count for fleet in scenario.fleets) == agents


def test_the_command_line_gives_other_values(tmp_path: Path):
    scenario = loaded(TEXT, tmp_path, given(**{"for": "20s", "agents": "500", "failing": "10%", "site": "30s"}))

    assert scenario.stop.after == 20 * SECOND
    assert scenario.fleets[0].count == 300
    assert scenario.behaviours[0].jobs[0].outcomes[1].weight == 0.1
    assert scenario.fleets[0].labels["site"] == "30s"


def test_the_values_in_use_are_the_defaults_of_the_resolved_scenario(tmp_path: Path):
    scenario = loaded(TEXT, tmp_path, given(**{"for": "2m", "failing": "12.5%"}))

    assert {name: parameter.default for name, parameter in scenario.params.items()} == {
        "for": "2m",
        "agents": 300,
        "failing": "12.5%",
        "speed": 1.5,
        "site": "fra",
    }


def test_a_text_can_say_dollar_and_brace_itself(tmp_path: Path):
    scenario = loaded(TEXT.replace("at ${site}:", "$${site}"), tmp_path)

    assert scenario.fleets[0].labels["text"] == "${site} 300 of 1m"


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"agents": "5"}, "--param agents=5: found 5, expected at least 20"),
        ({"agents": "5001"}, "--param agents=5001: found 5001, expected at most 5000"),
        ({"agents": "many"}, '--param agents=many: found "many", expected a whole number such as 200'),
        ({"agents": "1.5"}, "--param agents=1.5: found 1.5, expected a whole number such as 200"),
        ({"for": "20"}, "--param for=20: found 20, expected a duration with its unit: write 20s"),
        ({"for": "2h"}, "--param for=2h: found 2h, expected at most 1h"),
        ({"failing": "0.5"}, "--param failing=0.5: found 0.5, expected a share with its unit: write 50%"),
        ({"agnts": "5"}, '--param agnts=5: found the unknown parameter "agnts", did you mean agents?'),
    ],
)
def test_what_does_not_fit_a_parameter_is_refused(params: dict[str, str], said: str, tmp_path: Path):
    assert problems(TEXT, tmp_path, Overrides(params=params)) == [said]


def test_a_parameter_that_nothing_uses_cannot_be_given(tmp_path: Path):
    text = "version: 1\nname: s\nparams: {agents: {type: int, default: 5}}\nfleets: [{name: a, count: 5}]\n"

    assert problems(text, tmp_path, given(agents="6")) == [
        '--param agents=6: nothing in the scenario uses "agents", it would change nothing'
    ]


HEAD = "version: 1\nname: s\nfleets: [{name: a, count: 10}]\nparams:\n"

BROKEN = [
    ("  n: {type: int, default: 5, min: 20}\n", ["5:27: params.n.default: found 5, expected at least 20"]),
    ("  n: {type: int, default: 1.5}\n", ["5:27: params.n.default: found 1.5, expected a whole number such as 200"]),
    ("  n: {type: int, default: [1]}\n", [
                "5:27: params.n.default: found a list, expected a number or a text",
    ]),
    ("  n: {type: int, default: 5, max: lots}\n", [
        '5:35: params.n.max: found "lots", expected a whole number such as 200'
    ]),
    ("  n: {type: integer, default: 5}\n", [
        '5:13: params.n.type: found "integer", expected int, float, duration, share or string; did you mean int?'
    ]),
    ("  n: {type: duration, default: 5}\n", [
        "5:32: params.n.default: found 5, expected a duration with its unit: write 5s"
    ]),
    ("  n: {type: int}\n", ["5:6: params.n.default: found nothing, expected a value"]),
    ("  n: {type: int, default: 5, hlp: x}\n", ["5:30: params.n.hlp: unknown key, did you mean help?"]),
    ("  n: 5\n", ["5:6: params.n: found 5, expected a map"]),
    ("  my-n: {type: int, default: 5}\n", [
        "5:3: params.my-n: found a name that ${...} cannot hold, expected a letter or _, then letters, digits and _"
    ]),
    ('  n: {type: int, default: 5}\ndescription: "${m}"\n', [
        '6:14: description: found the unknown parameter "m", expected one of n'
    ]),
    ('  n: {type: int, default: 5}\ndescription: "${n"\n', [
        '6:14: description: found "${" that is never closed, expected ${expression} (write $${ for ${ itself)'
    ]),
    # a wrong declaration is told once, not again wherever it is used
    ('  n: {type: int, default: x}\nseed: "${n}"\n', [
        '5:27: params.n.default: found "x", expected a whole number such as 200'
    ]),
    # what an expression came to is shown with the expression
    ('  n: {type: int, default: 5}\nseed: "${n - 6}"\n', ['6:7: seed: found -1 from "${n - 6}", expected at least 0']),
    ('  n: {type: int, default: 5}\nstop: {after: "${n}"}\n', [
        '6:15: stop.after: found 5, expected a duration with its unit: write 5s (from "${n}")'
    ]),
    ('  n: {type: int, default: 5}\nstop: {after: "${n * 1s - 6s}"}\n', [
        '6:15: stop.after: found -1 seconds, expected a duration of 0s or more (from "${n * 1s - 6s}")'
    ]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "said"), BROKEN, ids=[said[0] for _, said in BROKEN])
def test_a_wrong_declaration_or_use_is_told_with_its_place(text: str, said: list[str], tmp_path: Path):
    assert problems(HEAD + text, tmp_path) == said
