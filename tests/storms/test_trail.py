"""What a storm leaves for the laws of jobs."""

from agent_sim.storms.campaign import Campaign, Found
from agent_sim.storms.observe import Mark
from agent_sim.storms.pool import Harvest, Token
from agent_sim.storms.taxonomy import ErrorKind
from agent_sim.storms.trail import NO_TRAIL, Trail, from_json, to_json
from tests.storms.examples import plan


def test_a_trail_survives_its_file_and_another_file_is_no_trail():
    trail = Trail("Patch", ("a",), ("b",), (("m", "c"),))

    assert from_json(to_json(trail)) == trail
    assert from_json("[1, 2]") is from_json("{") is NO_TRAIL


def test_jobs_off_the_schedule_are_those_accepted_and_perhaps_those_without_an_answer():
    found = Found(
        {"unschedule": Harvest(tuple(Token(n, f"job-{n}", by_guid=True) for n in range(4)), 0, 0)}, Mark(0, 0)
    )
    campaign = Campaign(plan(operation="unschedule", batch=1), found, "")
    for error in (None, ErrorKind.READ_TIMEOUT, ErrorKind.HTTP_4XX_CONTRACT):
        asking = campaign.take(0)
        assert asking is not None
        campaign.settle(asking, error, None, 1)

    assert campaign.trail() == Trail("", ("job-0",), ("job-1",), ())
