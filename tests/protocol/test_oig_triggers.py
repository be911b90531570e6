import pytest

from agent_sim.instants import DAY, HOUR, SECOND, from_iso, to_iso
from agent_sim.protocol.oig import Trigger, TriggerType
from agent_sim.protocol.oig_triggers import INTERVALS, checked, following

NOW = from_iso("2026-01-01T00:00:00Z")  # a Thursday
CRON, PERIODIC = TriggerType.CRON, TriggerType.PERIODIC


def times(trigger: Trigger, count: int, now: int = NOW) -> list[str]:
    kept = checked(trigger, now)
    found, at = [], kept.next_fire
    while at is not None and len(found) < count:
        found.append(to_iso(at).removesuffix(":00Z"))
        at = following(kept, at)
    return found


@pytest.mark.parametrize(
    ("kind", "interval", "values", "start", "expected"),
    [
        # The vendor's own example; it began years ago.
        (CRON, "MONTHLYWEEKDAYS", ("Fourth Monday",), "2021-11-24T17:44:00Z", ["2026-01-26T17:44", "2026-02-23T17:44"]),
        (CRON, "MONTHLYWEEKDAYS", ("Last Friday", "First Friday"), "2026-01-01T00:00:00Z",
         ["2026-01-02T00:00", "2026-01-30T00:00", "2026-02-06T00:00"]),
        # January 2026 has a fifth Thursday to Saturday; the next fifth Thursday is in April.
        (CRON, "monthlyweekdays", ("fifth thursday",), "2026-01-01T00:00:00Z",
         ["2026-01-29T00:00", "2026-04-30T00:00"]),
        (CRON, "MONTHLYDATES", ("31",), "2026-01-01T12:00:00Z", ["2026-01-31T12:00", "2026-03-31T12:00"]),
        (CRON, "MONTHLYDATES", ("Last",), "2026-01-01T12:00:00Z", ["2026-01-31T12:00", "2026-02-28T12:00"]),
        (CRON, "WEEKLY", (), "2025-12-30T08:00:00Z", ["2026-01-06T08:00", "2026-01-13T08:00"]),  # Tuesdays
        (CRON, "WEEKLY", ("Sunday", "Friday"), "2026-01-01T00:00:00Z", ["2026-01-02T00:00", "2026-01-04T00:00"]),
        (CRON, "DAILY", (), "2020-02-29T23:59:00Z", ["2026-01-01T23:59", "2026-01-02T23:59"]),
        (CRON, "DAILY", ("2",), "2025-12-30T01:00:00Z", ["2026-01-01T01:00", "2026-01-03T01:00"]),
        (CRON, "YEARLY", (), "2024-02-29T00:00:00Z", ["2028-02-29T00:00", "2032-02-29T00:00"]),
        (PERIODIC, "HOURS", ("1",), "2026-01-01T00:00:00Z", ["2026-01-01T00:00", "2026-01-01T01:00"]),
        (PERIODIC, "MINUTES", ("90",), "2025-12-31T23:00:00Z", ["2026-01-01T00:30", "2026-01-01T02:00"]),
        (PERIODIC, "WEEKS", ("2",), "2025-12-31T00:00:00Z", ["2026-01-14T00:00", "2026-01-28T00:00"]),
        (PERIODIC, "SECONDS", ("60",), "1990-01-01T00:00:00Z", ["2026-01-01T00:00", "2026-01-01T00:01"]),
    ],
)  # fmt: skip
def test_interval_types_mean_what_they_say(kind, interval, values, start, expected):
    assert times(Trigger(kind, interval, values, from_iso(start)), len(expected)) == expected


def test_a_trigger_without_a_start_begins_an_interval_from_now():
    assert times(Trigger(PERIODIC, "HOURS", ("2",)), 2) == ["2026-01-01T02:00", "2026-01-01T04:00"]


def test_a_trigger_ends_with_its_last_time_inclusive():
    trigger = Trigger(PERIODIC, "HOURS", ("1",), NOW, NOW + 2 * HOUR)

    assert times(trigger, 9) == ["2026-01-01T00:00", "2026-01-01T01:00", "2026-01-01T02:00"]


def test_a_single_trigger_that_is_past_fires_at_once_and_never_again():
    kept = checked(Trigger(TriggerType.SINGLE, start_time=NOW - DAY), NOW)

    assert (kept.next_fire, following(kept, NOW)) == (NOW - DAY, None)


def test_an_old_rule_of_seconds_is_entered_where_we_are_and_not_counted_up_to():
    trigger = checked(Trigger(PERIODIC, "SECONDS", ("7",), 0), NOW)

    assert trigger.next_fire is not None
    assert trigger.next_fire % (7 * SECOND) == 0
    assert NOW <= trigger.next_fire < NOW + 7 * SECOND


def test_only_what_is_attested_is_marked_so():
    assert [name for name, row in INTERVALS.items() if row.is_attested] == ["HOURS", "MONTHLYWEEKDAYS"]
