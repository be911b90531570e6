"""What an occasion comes to: rules before sequences before weights, and who never starts."""

import math
from collections import Counter
from statistics import NormalDist

import pytest

from agent_sim.agent.behaviour import (
    Behaviour,
    Clock,
    Ending,
    JobBehaviour,
    Occasion,
    Rule,
    Sequence,
    Surroundings,
    decide,
    is_started,
)
from agent_sim.agent.conditions import Compare, Literal, Name
from agent_sim.agent.paths import Hang, NeverStart
from agent_sim.draws import key
from agent_sim.instants import MINUTE, SECOND
from agent_sim.protocol.enums import FETCH_LOGS, STORE_JOBS, Category, Result

INVENTORY = STORE_JOBS["PEM", Category.INVENTORY]
SUCCESS, WARNING, FAILURE = Ending(Result.SUCCESS), Ending(Result.WARNING), Ending(Result.FAILURE)
HANG = Ending(Result.SUCCESS, path=Hang())
NEVER = Ending(Result.SUCCESS, path=NeverStart())
AGENT = key("test")


def occasion(occurrence=1, attempt=1, job=FETCH_LOGS, store=""):
    return Occasion(job, store, occurrence, attempt)


def following(per, then="weights"):
    return Behaviour(
        otherwise=JobBehaviour(endings=((WARNING, 1.0),), sequence=Sequence(per, (FAILURE, FAILURE, SUCCESS), then))
    )


def test_a_sequence_per_agent_counts_the_agents_jobs_whatever_occurrence_they_are():
    endings = [
        decide(following("agent"), AGENT, occasion(occurrence=9), Surroundings(doing=n)).ending for n in range(1, 5)
    ]

    assert endings == [FAILURE, FAILURE, SUCCESS, WARNING]


def test_a_sequence_per_store_counts_the_jobs_on_the_store():
    around = Surroundings(doing=7, doing_at_store=3)

    assert decide(following("store"), AGENT, occasion(job=INVENTORY, store="/a"), around).ending == SUCCESS


def test_a_sequence_per_job_counts_its_attempts():
    endings = [decide(following("job"), AGENT, occasion(5, attempt)).ending for attempt in range(1, 5)]

    assert endings == [FAILURE, FAILURE, SUCCESS, WARNING]


@pytest.mark.parametrize(("then", "after"), [("last", [SUCCESS, SUCCESS]), ("repeat", [FAILURE, FAILURE])])
def test_after_a_sequence_the_last_stays_or_all_begins_again(then, after):
    endings = [decide(following("agent", then), AGENT, occasion(), Surroundings(doing=n)).ending for n in (4, 5)]

    assert endings == after


def test_the_first_rule_that_holds_wins_over_sequence_and_weights():
    cured = Compare(Name("time"), ">=", Literal(10 * MINUTE))
    rules = (Rule(cured, SUCCESS), Rule(Compare(Name("phase"), "==", Literal("ill")), HANG))
    ill = Behaviour(
        otherwise=following("agent").otherwise,
        rules=rules,
        clock=Clock(100 * SECOND, (("ill", 100 * SECOND, 100 * SECOND + 20 * MINUTE),)),
    )

    def ending(since_start):
        return decide(ill, AGENT, occasion(), Surroundings(now=100 * SECOND + since_start)).ending

    assert [ending(0), ending(10 * MINUTE - 1), ending(10 * MINUTE)] == [HANG, HANG, SUCCESS]
    assert ending(30 * MINUTE) == SUCCESS
    assert decide(ill, AGENT, occasion(), Surroundings(now=0)).ending == FAILURE


@pytest.mark.parametrize(
    ("condition", "true"),
    [
        (Compare(Name("agent.labels.ring"), "==", Literal("canary")), True),
        (Compare(Name("agent.labels.none"), "==", Literal("")), True),
        (Compare(Name("agent.index"), "<", Literal(7)), False),
        (Compare(Name("agent.fleet"), "!=", Literal("lab")), False),
        (Compare(Name("agent.name"), "==", Literal("lab-7")), True),
        (Compare(Name("job.capability"), "==", Literal("PEM")), True),
        (Compare(Name("job.type"), "==", Literal("Inventory")), True),
        (Compare(Name("store"), "==", Literal("/a")), True),
        (Compare(Name("job.occurrence"), ">=", Literal(3)), True),
        (Compare(Name("job.attempt"), ">", Literal(2)), False),
    ],
)
def test_a_rule_looks_at_job_and_agent(condition, true):
    around = Surroundings(0, "lab-7", "lab", 7, {"ring": "canary"})
    ruled = Behaviour(rules=(Rule(condition, HANG),))

    assert (decide(ruled, AGENT, occasion(3, 2, INVENTORY, "/a"), around).ending == HANG) is true


def test_who_never_starts_is_drawn_per_job_of_the_type_and_keeps_its_share():
    some = Behaviour(otherwise=JobBehaviour(never_starts=0.25))
    left = sum(not is_started(some, AGENT, occasion(), Surroundings(doing=n)) for n in range(4000))

    assert left / 4000 == pytest.approx(0.25, abs=0.03)


def test_a_rule_or_a_sequence_may_say_that_a_job_is_never_started_and_so_that_it_is():
    ruled = Behaviour(
        rules=(Rule(Compare(Name("job.attempt"), "==", Literal(1)), NEVER),), otherwise=following("job").otherwise
    )
    sequenced = Behaviour(otherwise=JobBehaviour(sequence=Sequence("agent", (NEVER, SUCCESS)), never_starts=1.0))

    assert [is_started(ruled, AGENT, occasion(1, attempt), Surroundings()) for attempt in (1, 2)] == [False, True]
    assert [is_started(sequenced, AGENT, occasion(), Surroundings(doing=n)) for n in (1, 2, 3)] == [False, True, False]


def test_a_hundred_thousand_outcomes_keep_their_weights_within_the_999_interval():
    weights = {SUCCESS: 0.9, WARNING: 0.045, FAILURE: 0.05, HANG: 0.005}
    mixed = Behaviour(otherwise=JobBehaviour(endings=tuple(weights.items())))
    jobs = 100_000
    seen = Counter(
        decide(mixed, key(42, "lab", agent), occasion(occurrence)).ending
        for agent in range(1000)
        for occurrence in range(jobs // 1000)
    )

    wide = NormalDist().inv_cdf(1 - 0.001 / 2 / len(weights))  # for all of them at once
    for ending, weight in weights.items():
        assert abs(seen[ending] - weight * jobs) <= wide * math.sqrt(jobs * weight * (1 - weight))
