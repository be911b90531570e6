"""When phases begin and agents come online, as spans from the start."""

from pathlib import Path

import pytest

from agent_sim.instants import SECOND, Span
from agent_sim.scenario.fields import TimePoint
from agent_sim.scenario.timeline import (
    arrivals,
    ever_online,
    is_online,
    offset,
    phase_starts,
    presence,
    restarts,
)
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


def turns(given: list[str], tmp_path: Path) -> list[list[float]]:
    scenario = loaded(phases(*given), tmp_path)
    return [seconds(one) for one in presence(scenario, scenario.fleets[0])]


def test_who_came_last_goes_first_and_who_went_last_comes_back_first(tmp_path: Path):
    given = ["name: a, duration: 10s", "name: b, duration: 4s, online: 60%", "name: c, duration: 2s, online: 80%"]

    times = turns(["name: z, duration: 10s, online: 100%, shape: step", *given], tmp_path)
    assert times[:6] == [[0.0]] * 6
    assert times[6:] == [[0, 23, 24], [0, 22, 25], [0, 21], [0, 20]]


def test_a_whole_fleet_goes_dark_and_comes_back_all_at_once(tmp_path: Path):
    dark = "name: b, duration: 4s, online: 0%, shape: step"

    times = turns(["name: a, duration: 10s", dark, "name: c, duration: 2s, online: 100%, shape: step"], tmp_path)
    assert times == [[0, 10, 14]] * 10


def test_the_shares_online_are_exact_at_the_end_of_each_phase(tmp_path: Path):
    given = [f"name: p{n}, duration: 10s, online: {share}%, shape: poisson" for n, share in enumerate((73, 8, 91, 40))]
    scenario = loaded(phases(*given).replace("count: 10", "count: 333"), tmp_path)

    times = presence(scenario, scenario.fleets[0])
    for end, share in zip((10, 20, 30, 40), (73, 8, 91, 40), strict=True):
        online = sum(is_online(one, end * SECOND) for one in times)
        assert online == round(333 * share / 100)


def test_restarts_come_at_their_rate_while_an_agent_is_online(tmp_path: Path):
    given = ["name: a, duration: 10m", "name: b, duration: 100m, churn: {restart: 2%/min, down: 1s}"]
    text = phases(*given, "name: c, duration: 10m, online: 50%").replace("count: 10", "count: 400")
    scenario = loaded(text, tmp_path)

    times = presence(scenario, scenario.fleets[0])
    found = [at for n, turn in enumerate(times) for at, _ in restarts(scenario, scenario.fleets[0], n, turn)]
    assert all(600 * SECOND <= at < 6600 * SECOND for at in found)
    assert 400 * 2 - 4 * 28 < len(found) < 400 * 2 + 4 * 28  # Poisson: the standard deviation is the square root


def test_nobody_is_restarted_while_offline(tmp_path: Path):
    given = ["name: a, duration: 1s, online: 100%, shape: step", "name: b, duration: 1s, online: 0%, shape: step"]
    scenario = loaded(phases(*given, "name: c, duration: 1h, churn: {restart: 50%/min}"), tmp_path)

    times = presence(scenario, scenario.fleets[0])
    assert [list(restarts(scenario, scenario.fleets[0], n, turn)) for n, turn in enumerate(times)] == [[]] * 10
