"""What a storm comes to, and what that means for the process."""

import json
from typing import get_type_hints

import pytest

from agent_sim.instants import MILLISECOND, SECOND
from agent_sim.storms.health import Health
from agent_sim.storms.ledger import Totals
from agent_sim.storms.meter import Meter
from agent_sim.storms.pool import Harvest
from agent_sim.storms.reconcile import NOTHING, Example, Reconciliation
from agent_sim.storms.result import Run, StormResult, exit_code, storm_result, verdict
from agent_sim.storms.stop import INTERRUPTED, REFUSED, SUFFERS
from agent_sim.storms.taxonomy import ErrorKind, Violation
from tests.storms.examples import PLAN, tokens

WELL = Health(40.0, 1.5, saturated=False)
LOST = Reconciliation(
    3, 0, {Violation.LOST_UPDATE: 1}, (Example(2, Violation.LOST_UPDATE, "1 accepted; 0 transitions"),), ("x: why",)
)


def result(*, stopped=None, accepted=100, compared=NOTHING, generator=WELL, found=3) -> StormResult:
    """The result of a storm of two seconds."""
    meter = Meter()
    for _ in range(40):
        meter.due(0)
        meter.finish(0, 0, 5 * MILLISECOND, None, 50)
    meter.finish(0, 0, 5 * MILLISECOND, ErrorKind.HTTP_429, 50)
    run = Run("open", 0, 2 * SECOND, 100, None, stopped)
    totals = Totals(accepted + 1, accepted, 1, 0)
    return storm_result(PLAN, run, Harvest(tokens(found), 7, 1), meter, totals, compared, generator)


def test_the_result_is_plain_json_with_every_key_promised():
    told = result(compared=LOST)

    assert json.loads(json.dumps(told)) == told
    assert set(told) == set(get_type_hints(StormResult))
    assert told["pool"] == {"eligible": 3, "out_of_scope": 7, "used": 100, "exhausted_at": None}
    assert (told["offered_rate"], told["achieved_rate"], told["ids_per_second"]) == (20.0, 20.5, 50.0)
    assert told["errors"] == {"http_429": 1}
    assert told["ledger"] == {"sent": 101, "accepted": 100, "refused": 1, "unknown": 0}
    assert told["reconciliation"]["examples"] == [
        {"id": 2, "rule": "lost_update", "detail": "1 accepted; 0 transitions"}
    ]
    assert told["generator"] == {"cpu_percent_max": 40.0, "late_p99_ms": 1.5, "saturated": False}


@pytest.mark.parametrize(
    ("changed", "could_read", "code", "words"),
    [
        ({}, True, 0, "exactly once"),
        ({"compared": LOST}, True, 1, "1 lost_update"),
        ({"stopped": REFUSED}, True, 1, "first 401/403"),
        ({"stopped": SUFFERS}, False, 1, "20 %"),  # the rule says more than the silence after it
        ({"stopped": INTERRUPTED}, True, 0, "exactly once"),
        ({}, False, 4, "could not be read"),
        ({"generator": Health(99, 1, saturated=True)}, True, 3, "saturated"),
        ({"generator": Health(99, 1, saturated=True), "compared": LOST}, True, 1, "broken"),
        ({"accepted": 0}, True, 3, "no id was accepted"),
        ({"accepted": 0, "found": 0}, True, 3, "nothing to do"),
    ],
)
def test_the_exit_code_and_the_verdict_say_the_same(changed, could_read, code, words):
    told = result(**changed)

    assert exit_code(told, could_read=could_read) == code
    assert words in verdict(told, could_read=could_read)


def test_a_storm_of_no_time_has_no_rates():
    nothing = storm_result(
        PLAN, Run("open", 0, 0, 0, None, None), Harvest((), 0, 0), Meter(), Totals(0, 0, 0, 0), NOTHING, WELL
    )

    assert (nothing["offered_rate"], nothing["ids_per_second"], nothing["seconds"]) == (0.0, 0.0, 0.0)
