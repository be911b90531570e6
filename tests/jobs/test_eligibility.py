from typing import get_args

import pytest

from agent_sim.jobs.eligibility import RULES, why_not_acknowledge, why_not_reschedule, why_not_unschedule
from agent_sim.protocol.enums import Category, Result, Status
from agent_sim.protocol.schedule import Daily, ExactlyOnce, Immediate, Interval, Monthly, Off, Schedule, Weekly

SCHEDULES = (Immediate(), ExactlyOnce(0), Interval(5), Daily(0), Weekly((1,), 0), Monthly(1, 0))


def test_every_category_has_a_row():
    assert set(RULES) == set(Category)


def test_these_cases_name_every_schedule_that_a_job_can_have():
    assert {type(schedule) for schedule in SCHEDULES} | {Off} == set(get_args(Schedule))


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("category", [Category.MANAGEMENT, Category.REENROLLMENT, Category.DISCOVERY])
def test_store_jobs_that_change_something_can_be_rescheduled(category, schedule):
    assert why_not_reschedule(category, schedule, Result.FAILURE, Status.COMPLETED) is None


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_custom_jobs_can_be_rescheduled_if_they_are_weekly_or_monthly(schedule):
    reason = why_not_reschedule(Category.CUSTOM, schedule, Result.FAILURE, Status.COMPLETED)
    assert (reason is None) == isinstance(schedule, Weekly | Monthly)


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize(
    "category",
    [
        Category.INVENTORY,
        Category.FETCH_LOGS,
        Category.SSL_DISCOVERY,
        Category.MONITORING,
        Category.SYNC,
        Category.SSH_SYNC,
    ],
)
def test_the_others_cannot_be_rescheduled_with_any_schedule(category, schedule):
    assert why_not_reschedule(category, schedule, Result.FAILURE, Status.COMPLETED) is not None


@pytest.mark.parametrize("status", list(Status))
@pytest.mark.parametrize("result", list(Result))
def test_rescheduling_needs_failure_and_completed_or_acknowledged(result, status):
    reason = why_not_reschedule(Category.MANAGEMENT, Immediate(), result, status)
    assert (reason is None) == (result == 4 and status in (3, 4))


@pytest.mark.parametrize("status", list(Status))
@pytest.mark.parametrize("result", list(Result))
def test_acknowledging_needs_failure_or_warning_and_completed_or_will_retry(result, status):
    assert (why_not_acknowledge(result, status) is None) == (result in (3, 4) and status in (3, 5))


@pytest.mark.parametrize("category", list(Category))
def test_unscheduling_is_for_the_kinds_that_the_seed_lists(category):
    listed = {
        Category.DISCOVERY,
        Category.MANAGEMENT,
        Category.REENROLLMENT,
        Category.FETCH_LOGS,
        Category.CUSTOM,
    }
    assert (why_not_unschedule(category) is None) == (category in listed)


def test_a_reason_says_what_stands_in_the_way():
    failed_once = (Result.FAILURE, Status.COMPLETED_WILL_RETRY)
    assert why_not_reschedule(Category.MANAGEMENT, Immediate(), *failed_once) == (
        "its result is Failure and its status CompletedWillRetry, "
        "rescheduling needs Failure and Completed or Acknowledged"
    )
    assert why_not_acknowledge(Result.SUCCESS, Status.COMPLETED) == (
        "its result is Success and its status Completed, "
        "acknowledging needs Failure or Warning and Completed or CompletedWillRetry"
    )


@pytest.mark.parametrize(
    ("category", "schedule", "says"),
    [
        (Category.CUSTOM, Interval(1), "it is a custom job that recurs by itself"),
        (Category.CUSTOM, Immediate(), "custom jobs scheduled Immediate cannot be rescheduled, schedule a new one"),
        (Category.FETCH_LOGS, Weekly((1,), 0), "Fetch Logs jobs cannot be rescheduled, schedule a new one"),
        (Category.INVENTORY, Interval(1), "Inventory jobs cannot be rescheduled, use POST /CertificateStores/Schedule"),
    ],
)
def test_a_reason_says_what_to_do_instead(category, schedule, says):
    reason = why_not_reschedule(category, schedule, Result.FAILURE, Status.COMPLETED)
    assert reason is not None
    assert reason.removesuffix(" with POST /OrchestratorJobs/Custom") == says
