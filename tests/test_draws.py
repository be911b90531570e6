from itertools import pairwise

import pytest

from agent_sim.draws import guid, key, seed, sub, swift, unit


def test_the_same_key_always_draws_the_same_number():
    assert unit(key("seed", 42), "duration") == unit(key("seed", 42), "duration")


def test_a_draw_is_fixed_for_all_versions_and_machines():
    # A changed hash would silently change every replay: this literal is a promise.
    assert unit(key(42, "emea", 7), "ending") == 0.1981696975511077


def test_parts_never_run_together():
    draws = {
        unit(key("ab", "c"), "x"),
        unit(key("a", "bc"), "x"),
        unit(key("a", "b", "c"), "x"),
        unit(key(1), "x"),
        unit(key("1"), "x"),
        unit(sub(key("a"), "b"), "c"),
    }

    assert len(draws) == 6


def test_draws_are_evenly_spread():
    draws = [unit(key(n), "spread") for n in range(20_000)]

    assert all(0 <= draw < 1 for draw in draws)
    for tenth in range(10):
        share = sum(tenth / 10 <= draw < (tenth + 1) / 10 for draw in draws) / len(draws)
        assert abs(share - 0.1) < 0.01


def test_a_swift_draw_is_fixed_for_all_versions_and_machines():
    assert swift(seed(key(42, "emea"), "heartbeat"), 7, 1_700_000_000_000_000_000) == 0.07101020079348208


@pytest.mark.parametrize("step", [1, 5_000_000, 60 * 10**9])
@pytest.mark.parametrize("agents", [1, 3, 20_000])
def test_swift_draws_are_evenly_spread_and_neighbours_know_nothing_of_each_other(agents, step):
    by = seed(key(42, "emea"), "heartbeat")
    draws = [swift(by, n % agents, 1_700_000_000_000_000_000 + n // agents * step) for n in range(20_000)]

    assert all(0 <= draw < 1 for draw in draws)
    assert len(set(draws)) == len(draws)
    for tenth in range(10):
        share = sum(tenth / 10 <= draw < (tenth + 1) / 10 for draw in draws) / len(draws)
        assert abs(share - 0.1) < 0.01
    together = sum((one - 0.5) * (next_ - 0.5) for one, next_ in pairwise(draws)) / len(draws)
    assert abs(12 * together) < 0.03  # the correlation: of 20,000 pairs within four deviations


def test_other_seeds_draw_otherwise():
    assert len({swift(seed(key(42, "emea"), word), 7, 0) for word in ("a", "b", "c")}) == 3
    assert len({swift(seed(key(n), "a"), 7, 0) for n in range(1000)}) == 1000


def test_a_guid_has_the_shape_of_version_4():
    made = guid(key("x"), "job", 1)

    assert len(made) == 36
    assert made[14] == "4"
    assert made[19] in "89ab"
