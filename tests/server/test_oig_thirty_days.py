"""Thirty days of virtual time, from Thursday 2026-01-01 00:00 to Saturday 2026-01-31 00:00 (exclusive).

The counts are worked out by hand, on a calendar:

    January 2026  Mo Tu We Th Fr Sa Su
                            1  2  3  4
                   5  6  7  8  9 10 11
                  12 13 14 15 16 17 18
                  19 20 21 22 23 24 25
                  26 27 28 29 30 31
"""

from agent_sim.instants import DAY, from_iso
from agent_sim.protocol.oig import Trigger, TriggerType
from tests.server.oig_bench import START, OigBench

CRON, PERIODIC = TriggerType.CRON, TriggerType.PERIODIC

TRIGGERS = {
    # The vendor's own example. January's Mondays are 5, 12, 19, 26: the fourth is the 26th. Once.
    "fourth monday": (Trigger(CRON, "MONTHLYWEEKDAYS", ("Fourth Monday",), from_iso("2021-11-24T17:44:00Z")), 1),
    # At half past every hour: 24 a day, 30 days.
    "hourly": (Trigger(PERIODIC, "HOURS", ("1",), from_iso("2026-01-01T00:30:00Z")), 720),
    # Mondays 5, 12, 19, 26 and Thursdays 1, 8, 15, 22, 29: 4 + 5.
    "mondays and thursdays": (Trigger(CRON, "WEEKLY", ("Monday", "Thursday"), from_iso("2026-01-01T06:00:00Z")), 9),
    # The 1st and the 15th; the last day is the 31st, just outside.
    "dates": (Trigger(CRON, "MONTHLYDATES", ("1", "15", "Last"), from_iso("2026-01-01T02:00:00Z")), 2),
    # Every seven days from the 3rd: 3, 10, 17; the 24th is after its end.
    "until the 20th": (
        Trigger(PERIODIC, "DAYS", ("7",), from_iso("2026-01-03T00:00:00Z"), from_iso("2026-01-20T00:00:00Z")),
        3,
    ),
    # Once, at noon on the 15th.
    "single": (Trigger(TriggerType.SINGLE, start_time=from_iso("2026-01-15T12:00:00Z")), 1),
}


def test_six_triggers_fire_as_often_in_thirty_days_as_a_calendar_says():
    bench = OigBench()
    for name, (trigger, _) in TRIGGERS.items():
        bench.create(name)
        bench.trigger(name, trigger)
    bench.create("never")
    bench.trigger("never", Trigger(TriggerType.NONE))

    bench.run_until(START + 30 * DAY - 1)

    counts = {name: len(bench.history(name)) for name in (*TRIGGERS, "never")}
    assert counts == {name: count for name, (_, count) in TRIGGERS.items()} | {"never": 0}
    assert [run.start for run in bench.history("fourth monday")] == [from_iso("2026-01-26T17:44:00Z")]
    assert all(run.end is not None for name in TRIGGERS for run in bench.history(name))
