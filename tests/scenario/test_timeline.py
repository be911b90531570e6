"""When phases begin and agents come online, as spans from the start."""

from pathlib import Path

import pytest

from agent_sim.instants import SECOND, Span
from agent_sim.scenario.fields import TimePoint
from agent_sim.scenario.timeline import arrivals, ever_online, offset, phase_starts
from tests.scenario.files import LAB, loaded


def phases(*given: str) -> str:
    return LAB + "phases:\n" + "".join(f"  - {{{phase}}}\n" for phase in given)


def seconds(spans: tuple[Span, ...]) -> list[float]:
    return [span / SECOND for span in spans]


def test_phases_follow_each_other(tmp_path: Path):
    scenario = loaded(phases("name: a, duration: 1m", "name: b, duration: 30s", "name: c, duration: 1s"), tmp_path)

    assert phase_starts(scenario) == {"a": 0, "b": 60 * SECOND, "c": 90 * SECOND}
    assert offset(scenario, TimePoint("b", 5 * SECOND)) == 65 * SECOND
    assert offset(scenario, TimePoint("", 5 * SECOND)) == 5 * SECOND


@pytest.mark.parametrize(
    ("given", "times"),
    [
        # nothing said: all are there from the start
        ([], [0] * 10),
        (["name: a, duration: 10s"], [0] * 10),
        # evenly over the phase
        (["name: a, duration: 10s, online: 100%, shape: linear"], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]),
        (["name: a, duration: 10s, online: 50%"], [0, 2, 4, 6, 8]),
        # all at once
        (["name: a, duration: 10s, online: 100%, shape: step"], [0] * 10),
        # first some, then the others
        (
            ["name: a, duration: 4s, online: 40%", "name: b, duration: 6s", "name: c, duration: 3s, online: 100%"],
            [0, 1, 2, 3, 10, 10.5, 11, 11.5, 12, 12.5],
        ),
        # in ten groups, of one each here
        (["name: a, duration: 20s, online: 100%, shape: burst"], [0, 2, 4, 6, 8, 10, 12, 14, 16, 18]),
    ],
)
def test_agents_come_online_as_the_phases_say(given: list[str], times: list[float], tmp_path: Path):
    scenario = loaded(phases(*given) if given else LAB, tmp_path)

    assert seconds(arrivals(scenario, scenario.fleets[0])) == times
    assert ever_online(scenario) == {"lab": len(times)}


def test_a_burst_comes_in_ten_groups(tmp_path: Path):
    text = phases("name: a, duration: 20s, online: 100%, shape: burst").replace("count: 10", "count: 35")
    scenario = loaded(text, tmp_path)

    times = arrivals(scenario, scenario.fleets[0])
    assert len(set(times)) == 10
    assert {times.count(time) for time in times} == {3, 4}


def test_poisson_arrivals_are_by_chance_within_the_phase_and_the_same_every_time(tmp_path: Path):
    text = phases("name: w, duration: 5s", "name: a, duration: 10s, online: 100%, shape: poisson")
    text = text.replace("name: w,", "name: w, online: 0%,").replace("count: 10", "count: 400")
    scenario = loaded(text, tmp_path)

    times = seconds(arrivals(scenario, scenario.fleets[0]))
    assert len(times) == 400
    assert all(5 <= time < 15 for time in times)
    assert 9.5 < sum(times) / 400 < 10.5  # evenly spread; four standard errors are 0.6
    assert times == seconds(arrivals(scenario, scenario.fleets[0]))
    assert times != sorted(times)
