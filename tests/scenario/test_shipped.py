"""The scenarios that come with agent-sim: all load, plan, and say what they show."""

from collections import Counter
from pathlib import Path

import pytest

from agent_sim.agent.behaviour import Occasion, decide
from agent_sim.cli.library import folder, scenario_files
from agent_sim.cli.schema import MODELINE
from agent_sim.instants import SECOND
from agent_sim.protocol.enums import STORE_JOBS, Category, Result
from agent_sim.protocol.schedule import Weekly
from agent_sim.results.judge import INVARIANTS
from agent_sim.scenario.load import Overrides, dump, load
from agent_sim.scenario.plan import Plan, plan
from tests.scenario.files import written

ALL = scenario_files()


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_each_is_right_and_resolves_to_itself(path: Path, tmp_path: Path):
    scenario = load(path, seed=1)

    assert scenario.name == path.stem
    assert load(written(dump(scenario), tmp_path)) == scenario


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_each_opens_with_what_it_shows_and_what_to_look_for(path: Path):
    opening = path.read_text(encoding="utf-8").split("version:")[0]

    assert opening.startswith(MODELINE)
    assert all(line.startswith("#") for line in opening.splitlines())
    assert "# Look for:" in opening


def demo(**params: str) -> Plan:
    return plan(load(folder("scenarios") / "demo.yaml", Overrides(params=params)), 0)


@pytest.mark.parametrize(
    ("agents", "seconds"), [("300", "60s"), ("500", "20s"), ("200", "60s"), ("20", "20s"), ("5000", "1h")]
)
def test_the_demo_takes_any_number_of_agents_and_any_length(agents: str, seconds: str):
    found = demo(**{"agents": agents, "for": seconds})

    assert len(found.members) == int(agents)
    assert found.storms[0].start < found.storms[1].start < found.stop
    # the second storm begins after the first has ended
    assert found.storms[0].start + found.storms[0].span <= found.storms[1].start


def test_the_demo_has_two_storms_of_at_most_twenty_requests_a_second():
    found = demo()

    assert [storm.operation for storm in found.storms] == ["reschedule", "acknowledge"]
    assert [storm.start / SECOND for storm in found.storms] == [27, 39]
    assert all(stage.rate <= 20 for storm in found.storms for stage in storm.stages)
    assert found.server.retries == 0
    assert not [threshold for threshold in found.checks.thresholds if threshold.metric == "latency"]
    assert [check.name for check in found.checks.invariants] == [
        name for name in INVARIANTS if not name.startswith("oig_")
    ]


def test_enough_management_jobs_of_the_demo_fail_before_the_first_storm():
    found = demo()
    [renewals] = [posting for posting in found.operator.postings if posting.type == "Management"]
    assert renewals.every is not None
    rounds = len(range(renewals.start, min(renewals.until, found.storms[0].start), renewals.every))
    job = STORE_JOBS["PEM", Category.MANAGEMENT]
    members = {member.identity.machine: member for member in found.members}

    results = Counter(
        decide(
            members[machine].behaviour,
            members[machine].identity.key,
            Occasion(job, "/opt/pem/store-1.pem", occurrence, 1),
        ).ending.result
        for machine in renewals.machines
        for occurrence in range(1, rounds + 1)
    )
    assert results[Result.FAILURE] >= 300


def test_the_reschedule_storm_has_weekly_jobs_and_management_without_retries():
    found = plan(load(folder("scenarios") / "reschedule-storm.yaml"), 0)

    assert found.server.retries == 0
    handed_over = {posting.type: posting.handed_over for posting in found.operator.postings}
    assert isinstance(handed_over["custom:PatchReport"], Weekly)
    assert handed_over["Management"] is None
    # the wire has no seconds: the weekly jobs are due within a minute of the phase work, and before the storm
    assert found.phases[1].end - found.phases[1].start >= 60 * SECOND
