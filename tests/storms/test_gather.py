"""Many processes, one storm."""

import json
from typing import Any

from agent_sim.instants import MILLISECOND, SECOND
from agent_sim.storms.campaign import Campaign, Found
from agent_sim.storms.gather import Gathering, book, pack, unpack, zero
from agent_sim.storms.leases import Lessor, Settled, Shelf
from agent_sim.storms.ledger import Totals
from agent_sim.storms.meter import Meter
from agent_sim.storms.observe import Mark
from agent_sim.storms.pool import Harvest, Pool
from agent_sim.storms.taxonomy import ErrorKind, Outcome
from tests.storms.examples import plan, tokens

SHELF = "reschedule"
END = {"seconds": 2 * SECOND, "exhausted_at": None, "stopped": None}


def gathering(ids: int = 100) -> tuple[Gathering, Lessor]:
    lessor = Lessor({SHELF: Shelf(Pool(tokens(ids)), tokens(ids), 10)}, 2)
    return Gathering(["a", "b"], (), 500 * MILLISECOND, lessor), lessor


def report(number: int, *, seconds: int = 0, settled: Any = (), requests: int = 0, end: Any = None) -> Any:
    meter = Meter()
    for _ in range(requests):
        meter.due(0)
        meter.start(0, 0)
        meter.finish(0, 0, 5 * MILLISECOND, None, 10)
    lines = [meter.tick_part(seconds, seconds * SECOND)] if seconds else []
    return {
        "number": number,
        "part": meter.take_part(lines, SECOND),
        "settled": pack(settled),
        "used": 10 * requests,
        "starved": 0,
        "cpu_percent": 10.0 * number,
        "said": {},
        "end": end,
    }


def test_outcomes_are_packed_without_loss():
    rows = [
        Settled(SHELF, 7, 1, 2, Outcome.REFUSED, ErrorKind.HTTP_429, named=50),
        Settled("custom_bulk", 8, 1, 2, Outcome.ACCEPTED, None, 3, 1, refused=(4,), claims=((5, "job"), (6, "other"))),
        Settled(SHELF, None, -5, 3, Outcome.UNKNOWN),
    ]

    assert list(unpack(json.loads(json.dumps(with_text(pack(rows)))) | {"rows": pack(rows)["rows"]})) == rows


def with_text(packed: Any) -> Any:
    return {**packed, "rows": ""}


def test_what_others_sent_is_booked_as_if_sent_here():
    lessor = Lessor({SHELF: Shelf(Pool(tokens(6)), tokens(6), 2)}, 1)
    for _ in range(2):  # two batches and, of what is left, one
        lessor.lease("a", SHELF, 3)
    lessor.settle(
        "a",
        [
            Settled(SHELF, 0, 1, 2, Outcome.ACCEPTED),
            Settled(SHELF, 1, 1, 2, Outcome.REFUSED, ErrorKind.HTTP_4XX_CONTRACT),
        ],
    )
    lessor.lose("a", 1, 9)
    campaign = Campaign(plan(batch=2), Found({SHELF: Harvest(tokens(6), 0, 0)}, Mark(None, 0)), "")
    book(campaign, lessor)

    assert campaign.totals() == Totals(sent=6, accepted=2, refused=2, unknown=2)


def test_reports_add_up_over_time_and_processes():
    whole, _ = gathering()
    whole.report("a", report(1, requests=3))
    whole.report("b", report(1, requests=4))
    whole.report("a", report(2, requests=5))
    measured = whole.meter().measured

    assert (measured.planned, measured.completed, measured.ids, measured.service.count) == (12, 12, 120, 12)
    assert measured.little == 1.0
    assert measured.in_flight_max == 2  # one at a time in each
    assert whole.cpu_percent == 20.0


def test_a_report_counts_once_and_a_missing_one_is_noticed():
    whole, _ = gathering()

    assert whole.report("a", report(1, requests=3))
    assert not whole.report("a", report(1, requests=3))
    assert not whole.report("stranger", report(1, requests=3))
    assert whole.lost == ()
    assert whole.report("a", report(3, requests=1))
    assert whole.lost == ("a",)
    assert whole.meter().measured.planned == 4


def test_a_lost_process_leaves_its_ids_unknown_and_counts_no_more():
    whole, lessor = gathering()
    lessor.lease("a", SHELF, 3)
    whole.report("a", report(1, requests=1, settled=[Settled(SHELF, 0, 0, 1, Outcome.ACCEPTED)]))

    assert whole.lose("a", 0, 9) == 2
    assert not whole.report("a", report(2, requests=1, settled=[Settled(SHELF, 1, 0, 1, Outcome.ACCEPTED)]))
    assert [each.outcome for _, each in lessor.book()] == [Outcome.ACCEPTED, Outcome.UNKNOWN, Outcome.UNKNOWN]
    assert not whole.is_over
    whole.report("b", report(1, end=END))
    assert whole.is_over


def test_after_a_missing_report_what_a_process_holds_is_unknown():
    whole, lessor = gathering()
    lessor.lease("a", SHELF, 1)
    lessor.lease("b", SHELF, 1)
    whole.report("a", report(2, end=END))
    whole.report("b", report(1, end=END))
    for name in "ab":
        whole.conclude(name, 0, 9)

    assert [each.outcome for _, each in lessor.book()] == [Outcome.UNKNOWN]


def test_a_second_is_told_once_all_have_reported_it():
    whole, _ = gathering()
    whole.report("a", report(1, seconds=1, requests=2))
    assert list(whole.whole_seconds()) == []

    whole.report("b", report(1, seconds=1, requests=3))
    [entry] = whole.whole_seconds()
    assert (entry["t"], entry["offered"], entry["completed"], entry["ids"]) == (1.0, 5, 5, 50)
    assert list(whole.whole_seconds()) == []

    whole.report("a", report(2, seconds=2, requests=1))
    whole.lose("b", 0, 9)
    assert [entry["offered"] for entry in whole.whole_seconds()] == [1]


def test_the_first_that_stops_or_runs_dry_ends_it_for_all():
    whole, _ = gathering()
    whole.report("a", report(1, end={"seconds": SECOND, "exhausted_at": None, "stopped": "first 401/403"}))
    whole.report("b", report(1, end=END))

    assert (whole.seconds(9 * SECOND), whole.stopped(), whole.exhausted_at()) == (SECOND, "first 401/403", None)


def test_clocks_that_agree_are_one_and_others_are_set_by_the_message():
    assert zero(begin=10 * SECOND, told_at=9 * SECOND, now=9 * SECOND + 5) == 10 * SECOND
    assert zero(begin=10 * SECOND, told_at=9 * SECOND, now=500 * SECOND) == 501 * SECOND
    assert zero(begin=10 * SECOND, told_at=9 * SECOND, now=2 * SECOND) == 3 * SECOND


def test_errors_and_kinds_survive_the_way():
    meter = Meter()
    meter.start(0, 0)
    meter.finish(0, 0, MILLISECOND, ErrorKind.HTTP_429, 0)
    whole, _ = gathering()
    whole.report("a", {**report(1), "part": meter.take_part([], SECOND)})

    assert whole.meter().measured.errors == {ErrorKind.HTTP_429: 1}
