import pytest

from agent_sim.agent.conditions import (
    Among,
    Both,
    Compare,
    Either,
    Literal,
    Name,
    Negation,
    Remainder,
    compared_with,
    holds,
    looks_at,
)
from agent_sim.instants import MINUTE, SECOND
from agent_sim.scenario.conditions import MAX_CHARACTERS, condition

VALUES = {
    "time": 90 * SECOND,
    "phase": "steady",
    "job.type": "Inventory",
    "job.attempt": 2,
    "agent.index": 23,
    "agent.labels.ring": "canary",
    "agent.labels.time-zone": "utc",
}

TRUE = [
    "time >= 1m30s",
    "1m30s <= time",
    "time < 10m and job.attempt == 2",
    "phase == 'steady' or nothing == 'x'".replace("nothing", "store"),
    'agent.labels.ring == "canary"',
    "agent.labels.time-zone == 'utc'",
    "agent.labels.none == ''",
    "not phase == 'ramp'",
    "not (time > 1h or job.attempt > 2)",
    "job.type in ['Inventory', 'Management']",
    "job.type not in ['LOGS', 'custom:Patch']",
    "agent.index % 10 == 3",
    "agent.index in [1, 23]",
    "time == 1.5m or time != 1s",
    "job.attempt >= 1.5",
    # `and` binds more tightly than `or`, `not` more tightly than both
    "time < 1s and phase == 'x' or job.attempt == 2",
    "not phase == 'x' and job.attempt == 2",
]


@pytest.mark.parametrize("text", TRUE)
def test_a_condition_holds_when_it_should(text):
    assert holds(condition(text), VALUES)
    assert not holds(condition(f"not ({text})"), VALUES)


def test_a_condition_is_a_plain_value():
    assert condition("time >= 10m and agent.index % 2 == 0 or not job.type in ['LOGS']") == Either(
        Both(
            Compare(Name("time"), ">=", Literal(10 * MINUTE)),
            Compare(Remainder(Name("agent.index"), 2), "==", Literal(0)),
        ),
        Negation(Among(Name("job.type"), ("LOGS",))),
    )


def test_one_can_tell_what_a_condition_looks_at():
    asked = condition("not (time > 1m or store in ['/a']) and agent.index % 2 == 0")

    assert [looks_at(asked, name) for name in ("time", "store", "agent.index", "phase")] == [True, True, True, False]


def test_one_can_tell_what_a_name_is_compared_with():
    asked = condition("phase == 'a' or not ('b' != phase and phase in ['c', 'd']) and store == 'e'")

    assert compared_with(asked, "phase") == ("a", "b", "c", "d")


WRONG = [
    ("", "found an empty condition, expected a condition such as time >= 10m and job.attempt == 1"),
    ("time >=", 'found "time >=", which breaks off, expected a condition such as'),
    ("time >= ten", "found the unknown name ten, "),
    ("tiem >= 10m", "found the unknown name tiem, did you mean time?"),
    ("time >= 10", "found >= between unlike things: time is a duration, 10 is a number"),
    ("phase >= 'a'", "found >= between texts, expected ==, != or in"),
    ("job.type == 'inventory'", 'found "inventory", which job.type never is; did you mean Inventory?'),
    ("job.capability in ['PEN']", 'found "PEN", which job.capability never is; did you mean PEM?'),
    ("job.attempt in ['1']", 'found "1" in the list, expected a number as job.attempt is'),
    ("1 == 1", "found 1 == 1, expected a name such as time on one side"),
    ("3 in [3]", "found 3 before in, expected a name such as job.type"),
    ("phase % 2 == 0", "found % after phase, which is a text, expected it after a number"),
    ("agent.index % 0 == 0", "found % 0, expected a whole number, 1 or more"),
    ("agent.index % 1.5 == 0", "found % 1.5, expected a whole number, 1 or more"),
    ("phase == steady", "found the unknown name steady, "),
    ("__import__('os')", 'found "('),
    ("time >= 10parsecs", 'found "10parsecs", expected a duration'),
    ("time > 1s; time < 2s", 'found "; time < 2s" in'),
    ("(" * 100 + "time > 1s", "which breaks off"),
    ("x" * (MAX_CHARACTERS + 1), "found a condition of 301 characters, expected at most 300"),
]


@pytest.mark.parametrize(("text", "said"), WRONG, ids=[text[:20] for text, _ in WRONG])
def test_what_is_no_condition_is_told_in_a_sentence(text, said):
    with pytest.raises(ValueError) as caught:
        condition(text)

    assert said in str(caught.value)
