"""From observed runs to a scenario: names, fleets, schedules, durations, outcomes."""

from dataclasses import replace

import pytest

from agent_sim.instants import DAY, HOUR, MINUTE, SECOND
from agent_sim.protocol import command
from agent_sim.protocol.enums import AgentStatus, Result, Status
from agent_sim.protocol.schedule import Daily, Immediate, Interval
from agent_sim.scenario.fit import fit, quantile, retries, targets
from agent_sim.scenario.observed import observe

POSTABLE = ("Inventory", "Management", "LOGS")


def record(number, machine="web-1", kind="FetchLogs", **changed):
    run = command.JobHistoryRecord(
        job_history_id=number,
        agent_machine=machine,
        job_id=f"job-{number}",
        job_type=kind,
        result=Result.SUCCESS,
        status=Status.COMPLETED,
        operation_start=number * MINUTE,
        operation_end=number * MINUTE + 2 * SECOND,
    )
    return replace(run, **changed)


def agent(machine, *capabilities):
    return command.AgentRecord(machine, machine, "u", 1, "1", AgentStatus.APPROVED, capabilities)


def fitted(records, agents=(), *, keep_names=False):
    return fit(observe(records, agents, POSTABLE, keep_names=keep_names), "recorded", keep_names=keep_names)


def test_names_are_replaced_unless_they_are_to_be_kept():
    runs = [
        record(1, "secret-machine", "Secret Patch", result=Result.FAILURE, message="secret {text}"),
        record(2, "secret-machine", "SecretStoreInventory", store_path="/secret/store"),
    ]
    agents = [agent("secret-machine", "SecretStore", "Secret Patch", "LOGS")]

    hidden, kept = fitted(runs, agents), fitted(runs, agents, keep_names=True)

    assert "secret" not in str(hidden).lower()
    assert hidden["fleets"][0]["capabilities"] == ["LOGS", "PEM", "custom:Type1"]
    assert kept["fleets"][0]["capabilities"] == ["LOGS", "PEM", "custom:Secret-Patch"]
    assert "secret (text)" in str(kept)
    assert "secret-machine" not in str(kept)


def test_what_a_scenario_cannot_say_is_left_out_and_told():
    runs = [
        record(1),
        record(2, kind="SslDiscovery", store_path="network"),
        record(3, operation_end=None, result=Result.UNKNOWN),
        record(4, kind="WinCertInventory", store_path="My"),
    ]
    seen = observe(runs, (), POSTABLE, keep_names=True)

    assert [run.word for run in seen.runs] == ["LOGS", "Inventory"]
    assert seen.remarks == (
        "left out: 1 SslDiscovery runs, which agent-sim cannot post",
        "left out: 1 runs that had not ended",
        "PEM stands for WinCert, which agent-sim does not know",
    )


def test_machines_that_can_do_the_same_are_a_fleet():
    runs = [
        *(record(n, f"web-{n % 3}") for n in range(1, 7)),
        *(record(n, "pem-1", "PEMInventory", store_path=f"/store-{n % 2}") for n in range(7, 11)),
        record(11, "pem-2", "PEMInventory", store_path="/store"),
    ]
    fleets = fitted(runs, [agent("idle", "LOGS"), agent("web-0", "LOGS")])["fleets"]

    assert [(fleet["name"], fleet["count"], fleet["capabilities"]) for fleet in fleets] == [
        ("fleet-1", 4, ["LOGS"]),
        ("fleet-2", 2, ["PEM"]),
    ]
    assert fleets[1]["stores"] == {"per_agent": {"dist": "discrete", "values": {"1": "50%", "2": "50%"}}}


def test_outcomes_and_durations_are_those_of_the_runs():
    seconds = [1] * 10 + [3] * 80 + [30] * 10
    ends = [Result.SUCCESS] * 90 + [Result.WARNING] * 3 + [Result.FAILURE] * 7
    runs = [
        record(n, result=result, operation_end=n * MINUTE + took * SECOND)
        for n, (took, result) in enumerate(zip(seconds, ends, strict=True), 1)
    ]
    [job] = fitted(runs)["behaviours"][0]["jobs"]

    assert job == {
        "type": "LOGS",
        "duration": {"dist": "lognormal", "median": "3s", "p95": "30s", "max": "30s"},
        "outcomes": [
            {"result": "success", "weight": "90%"},
            {"result": "warning", "weight": "3%"},
            {"result": "failure", "weight": "7%"},
        ],
    }


@pytest.mark.parametrize(
    ("took", "duration"),
    [
        ([2, 2, 2], "2s"),  # always the same
        ([0, 0, 0], "0s"),
        ([0, 0, 60], "0s"),  # a median of nothing has no logarithm
    ],
)
def test_durations_without_a_spread_are_constant(took, duration):
    runs = [record(n, operation_end=n * MINUTE + span * SECOND) for n, span in enumerate(took, 1)]

    assert fitted(runs)["behaviours"][0]["jobs"][0]["duration"] == duration


def test_shares_total_all_of_it_whatever_the_counts():
    runs = [record(n, result=(Result.SUCCESS, Result.WARNING, Result.FAILURE)[n % 3]) for n in range(1, 8)]
    [job] = fitted(runs)["behaviours"][0]["jobs"]

    weights = [outcome["weight"].removesuffix("%") for outcome in job["outcomes"]]
    assert sum(round(float(weight) * 10_000) for weight in weights) == 1_000_000


def test_work_is_posted_as_often_as_it_ran():
    runs = [record(n, f"web-{n % 4}", operation_start=n * MINUTE, operation_end=n * MINUTE + SECOND) for n in range(42)]
    schedules = fitted(runs)["schedules"]

    assert [(one["name"], one["select"].get("count")) for one in schedules] == [
        ("fleet-1-logs", None),
        ("fleet-1-logs-rest", 2),
    ]
    assert schedules[0]["every"] == schedules[0]["spread"] == "4m24s"  # ten rounds of four in 44 minutes
    assert schedules[1]["at"] == "0s"


def test_a_short_history_is_not_stretched():
    runs = [record(n, operation_start=n * SECOND, operation_end=(n + 1) * SECOND) for n in range(20)]

    assert fitted(runs)["stop"]["after"] == "20s"
    assert fitted(runs[:1])["stop"]["after"] == "1m"  # one run tells no rate


def test_what_the_server_repeats_keeps_its_schedule_if_that_explains_the_runs():
    hourly = [
        record(n, f"m{n % 5}", "PEMInventory", store_path="/s", job_id=f"j{n % 5}", schedule=Interval(60))
        for n in range(5 * 24)
    ]
    spaced = [
        replace(run, operation_start=n // 5 * HOUR, operation_end=n // 5 * HOUR + SECOND)
        for n, run in enumerate(hourly)
    ]

    assert fitted(spaced)["schedules"] == [
        {
            "name": "fleet-1-inventory-interval",
            "type": "Inventory",
            "select": {"fleets": ["fleet-1"]},
            "schedule": {"interval": "1h"},
        }
    ]
    # It ran every few minutes, whatever its schedule says.
    assert "schedule" not in fitted(hourly)["schedules"][0]


def test_a_daily_job_is_daily():
    runs = [
        record(
            n,
            f"m{n % 3}",
            schedule=Daily(2 * HOUR),
            operation_start=n // 3 * DAY + 2 * HOUR,
            operation_end=n // 3 * DAY + 2 * HOUR + SECOND,
        )
        for n in range(3 * 7)
    ]

    assert fitted(runs)["schedules"][0]["schedule"] == {"daily": "02:00"}


def test_retries_are_counted_by_what_the_server_says():
    again = Status.COMPLETED_WILL_RETRY
    statuses = [again, again, Status.COMPLETED, again, Status.COMPLETED]
    runs = [
        record(n, kind="Patch", job_id="same", result=Result.FAILURE, status=status)
        for n, status in enumerate(statuses, 1)
    ]
    seen = observe(runs, (), POSTABLE, keep_names=False)

    assert retries(seen.runs) == 2
    assert fitted(runs)["server"]["retries"] == 2
    # Every run fails, so a job comes to three runs: five runs are two jobs.
    assert targets(seen.runs)["custom:Type1"].runs == 5
    assert "every" in fitted(runs)["schedules"][0]
    assert len(fitted(runs)["schedules"]) == 1


def test_immediate_is_no_recurrence():
    [run] = observe([record(1, schedule=Immediate())], (), POSTABLE, keep_names=False).runs

    assert run.recurrence is None


def test_quantiles_are_values_that_occurred():
    assert [quantile([1, 2, 3, 4], q) for q in (0.0, 0.5, 0.75, 0.95, 1.0)] == [1, 2, 3, 4, 4]
