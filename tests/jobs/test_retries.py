import pytest

from agent_sim.jobs.retries import RETRIED, will_retry
from agent_sim.protocol.enums import Category, Result
from agent_sim.states import JobState


@pytest.mark.parametrize(
    ("failures", "limit", "expected"),
    [
        (0, 0, False),  # no retries at all: the first failure is the last
        (0, 1, True),
        (1, 1, False),  # the second of two runs
        (4, 5, True),
        (5, 5, False),  # the sixth of six
    ],
)
def test_a_limit_of_r_allows_r_further_runs(failures, limit, expected):
    assert will_retry(Category.MANAGEMENT, JobState.RUNNING, failures, Result.FAILURE, limit) is expected


@pytest.mark.parametrize("result", [Result.SUCCESS, Result.WARNING])
def test_success_and_warning_are_final_at_once(result):
    assert not will_retry(Category.MANAGEMENT, JobState.RUNNING, 0, result, 5)


def test_inventory_waits_for_its_next_occurrence_instead():
    assert not will_retry(Category.INVENTORY, JobState.RUNNING, 0, Result.FAILURE, 5)


@pytest.mark.parametrize("category", sorted(RETRIED))
def test_these_categories_are_retried(category):
    assert will_retry(category, JobState.RUNNING, 0, Result.FAILURE, 5)


def test_a_job_that_was_unscheduled_while_it_ran_is_not_retried():
    assert not will_retry(Category.MANAGEMENT, JobState.GONE, 0, Result.FAILURE, 5)
