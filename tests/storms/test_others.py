"""What changed by somebody else's doing, and what the target is to blame for."""

import pytest

from agent_sim.instants import MILLISECOND, SECOND
from agent_sim.storms.ledger import Ledger
from agent_sim.storms.observe import Mark, observe
from agent_sim.storms.operations import OPERATIONS
from agent_sim.storms.others import CLOCK_SLACK, FINEST, clock_slack, of_others
from agent_sim.storms.pool import Batch
from agent_sim.storms.reconcile import Reconciliation, reconcile
from agent_sim.storms.taxonomy import ErrorKind, Outcome, Violation
from tests.storms.examples import FakeReader, event, tokens

RESCHEDULE = OPERATIONS["reschedule"]
MS = MILLISECOND


def ledger(*requests: tuple[int, int, int, Outcome], size: int = 6) -> Ledger:
    """One id each: its position, from when to when in milliseconds, and how it ended."""
    made = Ledger(size)
    for position, began, ended, outcome in requests:
        error = None if outcome is Outcome.ACCEPTED else ErrorKind.HTTP_4XX_CONTRACT
        made.settle(made.send(Batch((position,)), began * MS), outcome, ended * MS, error)
    return made


ACCEPTED = [(0, 1000, 1010, Outcome.ACCEPTED)]  # done at 1005: the clocks agree


def judged(*requests: tuple[int, int, int, Outcome], changed: dict[int, int]) -> Reconciliation:
    book = ledger(*ACCEPTED, *requests)
    changes = [
        event(2 + i, "rescheduled", 1 + position, at=at * MS) for i, (position, at) in enumerate(changed.items())
    ]
    reader = FakeReader(events=[event(1, "rescheduled", 1, at=1005 * MS), *changes])
    return reconcile(tokens(6), book, observe(RESCHEDULE, tokens(6), book, Mark(0, 0), reader), again=True)


@pytest.mark.parametrize(
    ("request_of_ours", "changed", "is_theirs"),
    [
        ((1, 2000, 2010, Outcome.REFUSED), 1900, True),  # it had changed before we asked, and so we were refused
        ((1, 2000, 2010, Outcome.REFUSED), 2005, False),  # refused, and done all the same
        ((2, 2000, 2010, Outcome.ACCEPTED), 2500, True),  # never asked for, and nothing of ours was under way
        ((2, 2000, 2600, Outcome.REFUSED), 2500, False),  # never asked for, while something of ours was under way
        ((2, 2000, 2100, Outcome.UNKNOWN), 2500, False),  # what was never answered may be carried out at any time
    ],
)
def test_what_cannot_have_been_an_answer_to_us_is_somebody_elses_doing(request_of_ours, changed, is_theirs):
    found = judged(
        request_of_ours, changed={1: changed, **({2: 2005} if request_of_ours[3] is Outcome.ACCEPTED else {})}
    )

    assert found.violations[Violation.PHANTOM_TRANSITION] == (not is_theirs)
    assert any("another operator was at work: 1 ids" in note for note in found.not_checkable) is is_theirs


def test_once_another_operator_was_seen_what_else_changed_is_not_blamed_on_the_target():
    refused = [(position, 2000, 2010, Outcome.REFUSED) for position in (1, 2)]

    found = judged(*refused, changed={1: 1900, 2: 2005})
    assert found.is_clean
    assert len(found.not_checkable) == 3


def test_what_was_accepted_is_still_judged():
    found = judged((1, 2000, 2010, Outcome.REFUSED), (2, 3000, 3010, Outcome.ACCEPTED), changed={1: 1900})

    assert found.violations[Violation.LOST_UPDATE] == 1


def test_how_far_clocks_are_apart_shows_in_what_we_did_ourselves():
    assert clock_slack(ledger(*ACCEPTED), {0: [1005 * MS]}) == FINEST
    assert clock_slack(ledger(*ACCEPTED), {0: [1210 * MS]}) == 200 * MS + FINEST
    assert clock_slack(ledger(*ACCEPTED), {0: [99 * SECOND]}) == CLOCK_SLACK
    assert clock_slack(ledger(*ACCEPTED), {}) == CLOCK_SLACK
    assert of_others(ledger(), {}, ()) == {}
