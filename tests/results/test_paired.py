"""What is said of two ways measured in turn, on runs whose truth is known.

Assumed noise of the synthetic runs: 2.5 % of a run at random (lognormal), a drift of the machine of up to 10 % up and
down over a session that hits neighbours alike, and one run in twenty that something slowed by up to 5 %.
"""

import math

import pytest

from agent_sim.draws import key, unit
from agent_sim.errors import UsageError
from agent_sim.results.paired import Measured, compare

PAIRS = 8
NOISE, DRIFT, DISTURBED, DISTURBANCE = 0.025, 0.1, 0.05, 0.05


def session(seed: int, slowdown: float) -> tuple[list[Measured], list[Measured]]:
    """A session of runs in turn; B takes `slowdown` times what A takes."""
    chance = key(seed, "session")
    phase = unit(chance, "phase")
    made: tuple[list[Measured], list[Measured]] = ([], [])
    for place in range(2 * PAIRS):
        one, other = (unit(chance, place, name) for name in ("u", "v"))
        noise = math.sqrt(-2 * math.log(1 - one)) * math.cos(2 * math.pi * other)
        drift = DRIFT * math.sin(2 * math.pi * (phase + place / (2 * PAIRS)))
        disturbed = unit(chance, place, "disturbed") < DISTURBED
        taken = 100 * math.exp(NOISE * noise) * (1 + drift) * (1 + DISTURBANCE * disturbed * unit(chance, place, "by"))
        made[place % 2].append(Measured(taken * (slowdown if place % 2 else 1)))
    return made


def test_planted_slowdowns_of_a_tenth_are_caught():
    caught = sum(compare(*session(seed, 1.1)).answer == "worse" for seed in range(100))

    assert caught >= 95


def test_equal_pairs_raise_no_alarm():
    alarms = sum(compare(*session(1000 + seed, 1.0)).answer in ("worse", "better") for seed in range(100))

    assert alarms <= 5


def test_an_improvement_is_one():
    assert compare(*session(7, 1 / 1.1)).answer == "better"


def test_the_interval_is_students_over_logarithms():
    a, b = runs(100, 100, 100), runs(110, 121, 133.1)
    found = compare(a, b)

    assert found.ratio == pytest.approx(1.21)
    assert found.high / found.ratio == pytest.approx(math.exp(4.303 * math.log(1.1) / math.sqrt(3)), rel=1e-3)
    assert found.answer == "unsure"
    assert "too noisy" in found.words


def test_a_difference_that_is_certain_and_small_does_not_matter():
    assert compare(runs(100, 100, 100), runs(103, 103, 103)).answer == "same"


def test_sides_are_told_as_times_the_null_server():
    a = [Measured(200, calibration=50), Measured(210, calibration=50), Measured(190, calibration=50)]

    assert (compare(a, a).a_calibrated, compare(a, a).ratio) == (4.0, 1.0)


QUIET = {"cores": "2"}


@pytest.mark.parametrize(
    ("a", "b", "problem"),
    [
        ([1, 1, 1], [1, 1], "3 runs of A and 2 of B"),
        ([1, 1], [1, 1], "at least 3"),
        ([1, 1, 0], [1, 1, 1], "without a figure"),
        ([1, 1, math.nan], [1, 1, 1], "without a figure"),
    ],
)
def test_what_are_no_pairs_is_refused(a, b, problem):
    with pytest.raises(UsageError, match=problem):
        compare(runs(*a), runs(*b))


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"machine": {"cores": "4"}}, "cores: 2 against 4"),
        ({"machine": None}, "cores: 2 against unknown"),
        ({"foreign": 0.4}, "something else used 0.40 cores"),
        ({"calibration": None}, "calibrated and others were not"),
    ],
)
def test_unlike_machines_are_refused(changed, problem):
    alike = {"value": 1.0, "calibration": 10.0, "machine": QUIET, "foreign": 0.0}
    a = [Measured(**alike)] * 3
    b = [*a[:2], Measured(**{**alike, **changed})]

    with pytest.raises(UsageError, match=problem):
        compare(a, b)


def test_a_machine_that_changed_beside_the_two_is_refused():
    with pytest.raises(UsageError, match=r"the null server took 10\.0 beside A and 12\.0 beside B"):
        compare([Measured(1, 10)] * 3, [Measured(1, 12)] * 3)


def runs(*values):
    return [Measured(value) for value in values]
