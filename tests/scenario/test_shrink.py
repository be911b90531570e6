"""Delta debugging on scenarios: the smallest that fails is found, and only what fails is kept."""

from agent_sim.scenario.shrink import shrink

TREE = {
    "version": 1,
    "name": "big",
    "seed": 5,
    "stop": {"after": "10m"},
    "server": {"retries": 2, "job_timeout": "30s"},
    "fleets": [
        {"name": "a", "count": 40, "capabilities": ["PEM", "LOGS"], "stores": {"per_agent": 3}},
        {"name": "b", "count": 9, "capabilities": ["LOGS"]},
        {"name": "c", "count": 1, "capabilities": ["LOGS"]},
    ],
    "behaviours": [{"name": "default", "jobs": [{"type": "LOGS"}, {"type": "Management"}]}],
    "phases": [],
    "schedules": [
        {"name": "one", "every": "10s", "select": {"fleets": ["a", "b"], "count": 3}},
        {"name": "two", "every": "20s", "select": {"fleets": ["c"]}},
    ],
    "storms": [{"name": f"storm-{n}", "target": {"batch": 8}, "for": "9s"} for n in range(5)],
    "faults": [{"name": f"fault-{n}", "select": {}} for n in range(7)],
}


def names(tree, key):
    return [item["name"] for item in tree[key]]


def test_only_what_the_failure_needs_is_left():
    def fails(tree):
        agents = sum(fleet["count"] for fleet in tree["fleets"])
        return agents >= 2 and {"fault-2", "fault-5"} <= set(names(tree, "faults")) and "b" in names(tree, "fleets")

    small = shrink(TREE, fails).tree

    assert names(small, "faults") == ["fault-2", "fault-5"]
    assert [(fleet["name"], fleet["count"]) for fleet in small["fleets"]] == [("b", 2)]
    assert (small["storms"], small["schedules"], small["server"], small["behaviours"]) == ([], [], {}, [])
    assert small["stop"] == {"after": "1s"}


def test_schedules_lose_fleets_that_are_gone_and_go_with_their_last():
    def fails(tree):
        return "one" in names(tree, "schedules") and tree["schedules"][0].get("every") == "10s"

    small = shrink(TREE, fails).tree

    assert len(small["fleets"]) == 1
    assert small["schedules"] == [{"name": "one", "every": "10s", "select": {"fleets": names(small, "fleets")}}]


def test_what_never_fails_again_stays_as_it_is():
    assert shrink(TREE, lambda tree: False).tree == TREE


def test_nothing_is_tried_twice_and_no_more_than_is_allowed():
    tried = []

    def fails(tree):
        tried.append(repr(tree))
        return len(tree["storms"]) >= 2

    shrunk = shrink(TREE, fails, most=60)

    assert len(tried) == len(set(tried)) == shrunk.tried <= 60


def test_the_original_is_not_changed():
    before = repr(TREE)
    shrink(TREE, lambda tree: True)

    assert repr(TREE) == before
