from agent_sim.draws import guid, key, sub, unit


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


def test_a_guid_has_the_shape_of_version_4():
    made = guid(key("x"), "job", 1)

    assert len(made) == 36
    assert made[14] == "4"
    assert made[19] in "89ab"
