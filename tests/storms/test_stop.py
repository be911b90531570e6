"""When a storm stops itself."""

import pytest

from agent_sim.instants import MILLISECOND, SECOND
from agent_sim.storms.stop import INTERRUPTED, REFUSED, SUFFERS, StopRule, broke_a_rule
from agent_sim.storms.taxonomy import ErrorKind

GOOD, BAD = None, ErrorKind.HTTP_5XX


def seen(answers, step=100 * MILLISECOND):
    """What the rule said to each answer, one every `step`."""
    rule = StopRule()
    return [rule.see(answer, number * step) for number, answer in enumerate(answers)]


def test_the_first_401_or_403_is_enough():
    assert seen([GOOD, ErrorKind.HTTP_401_403])[-1] == REFUSED


@pytest.mark.parametrize(
    ("answers", "verdict"),
    [
        ([BAD] * 9, None),  # too few to prove anything
        ([BAD] * 10, SUFFERS),
        ([GOOD] * 8 + [BAD] * 2, SUFFERS),  # exactly a fifth
        ([GOOD] * 9 + [BAD] * 2, None),  # 2 of 11 is less
        ([GOOD] * 8 + [ErrorKind.READ_TIMEOUT] * 2, SUFFERS),
        ([GOOD] * 8 + [ErrorKind.CONNECT_REFUSED] * 2, SUFFERS),  # no answer at all counts like a timeout
        ([ErrorKind.HTTP_4XX_CONTRACT] * 50, None),  # our fault, not its suffering
        ([ErrorKind.HTTP_429] * 50, None),
    ],
)
def test_a_fifth_of_bad_answers_is_enough(answers, verdict):
    said = seen(answers)

    assert said[-1] == verdict
    assert set(said[:-1]) == {None}


def test_only_the_last_ten_seconds_count():
    # Nine bad answers, then silence for longer than the window, then one more.
    rule = StopRule()
    early = [rule.see(BAD, number) for number in range(9)]

    assert early == [None] * 9
    assert rule.see(BAD, 10 * SECOND) is None  # the first one has just left the window


def test_only_the_two_rules_break_a_storm():
    assert [broke_a_rule(why) for why in (REFUSED, SUFFERS, INTERRUPTED, None)] == [True, True, False, False]
