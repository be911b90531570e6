"""Who is eligible for what, and what is sent."""

import pytest

from agent_sim.instants import DAY
from agent_sim.protocol.codec import api_call
from agent_sim.protocol.enums import STORE_JOBS, Category, Result, Status
from agent_sim.protocol.schedule import Daily, ExactlyOnce, Immediate, Interval, Monthly, Weekly
from agent_sim.storms.operations import OPERATIONS, category_of, is_acknowledgeable, is_reschedulable
from agent_sim.storms.pool import Token
from tests.storms.examples import PLAN, run


@pytest.mark.parametrize("result", Result)
@pytest.mark.parametrize("status", Status)
def test_rescheduling_takes_failed_runs_that_are_completed_or_acknowledged(result, status):
    expected = result is Result.FAILURE and status in (Status.COMPLETED, Status.ACKNOWLEDGED)

    assert is_reschedulable(run(1, result=result, status=status)) is expected


@pytest.mark.parametrize("result", Result)
@pytest.mark.parametrize("status", Status)
def test_acknowledging_takes_failures_and_warnings_that_are_completed(result, status):
    expected = result in (Result.FAILURE, Result.WARNING) and status in (
        Status.COMPLETED,
        Status.COMPLETED_WILL_RETRY,
    )

    assert is_acknowledgeable(run(1, result=result, status=status)) is expected


@pytest.mark.parametrize(
    ("job_type", "schedule", "expected"),
    [
        ("PEMManagement", None, True),
        ("PEMManagement", Immediate(), True),
        ("K8STLSSecrReenrollment", None, True),
        ("JKSDiscovery", None, True),
        ("PEMInventory", Interval(60), False),  # CertificateStores/Schedule is for that
        ("SslDiscovery", None, False),  # not Discovery: the longest suffix counts
        ("SSLMonitoring", None, False),
        ("SSHSync", None, False),
        ("FetchLogs", None, False),
        ("Rotate", None, False),  # custom, Immediate
        ("Rotate", ExactlyOnce(DAY), False),
        ("Rotate", Daily(0), False),  # in neither list of the documents: it recurs by itself
        ("Rotate", Weekly((1,), 0), True),
        ("Rotate", Monthly(1, 0), True),
    ],
)
def test_rescheduling_takes_only_some_types_and_schedules(job_type, schedule, expected):
    assert is_reschedulable(run(1, job_type=job_type, schedule=schedule)) is expected


def test_a_category_is_read_off_every_name_that_history_uses():
    assert {job.history: category_of(job.history) for job in STORE_JOBS.values()} == {
        job.history: job.category for job in STORE_JOBS.values()
    }
    assert category_of("FetchLogs") is Category.FETCH_LOGS
    assert category_of("Rotate") is Category.CUSTOM


@pytest.mark.parametrize(("name", "path"), [("reschedule", "Reschedule"), ("acknowledge", "Acknowledge")])
def test_an_operation_asks_by_ids_or_by_query(name, path):
    row = OPERATIONS[name]

    by_ids, by_query = api_call(row.ask([Token(7, "a"), Token(8, "b")], PLAN)), api_call(row.by_query("Result -eq 4"))

    assert (by_ids.method, by_ids.path, by_ids.body) == (
        "POST",
        f"/OrchestratorJobs/{path}",
        b'{"JobAuditIds": [7, 8]}',
    )
    assert by_query.body == b'{"Query": "Result -eq 4"}'
