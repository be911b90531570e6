"""Names that refer to each other, also in files that are wrong in other ways."""

from pathlib import Path

import pytest

from tests.scenario.files import LAB, loaded, problems

BROKEN = [
    (
        LAB.replace("[PEM, LOGS]", "[PEM, LOGS, PEM]"),
        ['4:54: fleets[0].capabilities[2]: found "PEM" again, first on line 4'],
    ),
    (LAB + "  - {name: LAB, count: 1}\n", ['5:12: fleets[1].name: found "LAB" again, first on line 4']),
    (
        LAB + "phases: [{name: a, duration: 1s}, {name: a, duration: 1s}]\n",
        ['5:42: phases[1].name: found "a" again, first on line 5'],
    ),
    (
        LAB + "behaviours:\n  - {name: default, jobs: [{type: LOGS}, {type: LOGS}]}\n",
        ['6:49: behaviours[0].jobs[1].type: found "LOGS" again, first on line 6'],
    ),
    (
        LAB.replace("count: 10,", "count: 10, behaviour: flaky,"),
        ['4:39: fleets[0].behaviour: found "flaky", but there are no behaviours'],
    ),
    (
        LAB.replace("count: 10,", "count: 10, behaviour: flaky,") + "behaviours: [{name: flakey}]\n",
        ['4:39: fleets[0].behaviour: found "flaky", but there is no behaviour of that name; did you mean flakey?'],
    ),
    (
        LAB + "schedules:\n  - {name: a, type: LOGS, at: 1s, select: {fleets: [lab, yard]}}\n",
        ['6:58: schedules[0].select.fleets[1]: found "yard", but there is no fleet of that name; expected one of lab'],
    ),
    (
        LAB + "schedules:\n  - {name: a, type: LOGS, at: outage+30s}\n",
        ['6:31: schedules[0].at: found "outage+30s", but there are no phases'],
    ),
    (
        LAB + "phases: [{name: steady, duration: 1m}]\nschedules:\n  - {name: a, type: LOGS, every: 5s, from: stedy}\n",
        ['7:44: schedules[0].from: found "stedy", but there is no phase of that name; did you mean steady?'],
    ),
    (
        LAB + "schedules:\n  - {name: a, type: LOGS, schedule: {weekly: {time: noon}}}\n",
        ['6:53: schedules[0].schedule.weekly.time: found "noon", but there are no phases'],
    ),
    (
        LAB + "storms:\n  - {name: a, at: later, op: reschedule, load: {rate: 1/s}, for: 1s}\n",
        ['6:19: storms[0].at: found "later", but there are no phases'],
    ),
    (
        LAB + "checks:\n  thresholds: [{metric: error_rate, max: 1%, during: [work]}]\n",
        ['6:55: checks.thresholds[0].during[0]: found "work", but there are no phases'],
    ),
    (
        LAB + "checks:\n  invariants: {at_most_once: {allow_after: [cut]}}\n",
        ['6:45: checks.invariants.at_most_once.allow_after[0]: found "cut", but there are no faults'],
    ),
    (
        LAB + 'checks:\n  thresholds: [{metric: "error_rate{storm=big}", max: 1%}]\n',
        ['6:25: checks.thresholds[0].metric: found "error_rate{storm=big}", but there are no storms'],
    ),
    (
        LAB + "behaviours: [{name: a, extends: b}, {name: b, extends: c}, {name: c, extends: b}]\n",
        [
            "5:79: behaviours[2].extends: goes in a circle: b → c → b",
        ],
    ),
    (
        LAB + "behaviours: [{name: a, extends: standrd}, {name: standard}]\n",
        [
            (
                '5:33: behaviours[0].extends: found "standrd", but there is no behaviour of that name; '
                "did you mean standard?"
            )
        ],
    ),
]


@pytest.mark.parametrize(("text", "said"), BROKEN, ids=[said[0] for _, said in BROKEN])
def test_a_name_that_does_not_fit_is_told_with_its_place(text: str, said: list[str], tmp_path: Path):
    assert problems(text, tmp_path) == said


def test_a_wrong_name_is_told_beside_a_wrong_value(tmp_path: Path):
    text = LAB + "schedules:\n  - {name: a, type: LOGS, every: 5, select: {fleets: [yard]}}\n"

    assert [problem.split(" ")[1] for problem in problems(text, tmp_path)] == [
        "schedules[0].every:",
        "schedules[0].select.fleets[0]:",
    ]


def test_the_behaviour_named_default_need_not_be_there(tmp_path: Path):
    assert loaded(LAB, tmp_path).fleets[0].behaviour == "default"
