"""Who else asks the same of the same ids: what changed that cannot have been the target's answer to us.

A target's feed tells what changed and when, not who asked. But an id that we asked for, that was refused and had
changed before, was changed for somebody else; and so was one that we never asked for, if it changed while nothing of
ours was under way. Where that is seen at all, what else changed without us cannot be blamed on the target.
"""

from bisect import bisect_right
from collections.abc import Collection, Mapping, Sequence
from typing import Final

from agent_sim.instants import MILLISECOND, SECOND, Instant, Span
from agent_sim.storms.ledger import Ledger
from agent_sim.storms.taxonomy import Outcome, Violation

CLOCK_SLACK: Final = SECOND
"""How far our clock and the target's may be apart (our choice)."""

FINEST: Final[Span] = 5 * MILLISECOND
"""Times of a feed are cut to milliseconds, and clocks of one machine differ a little (our choice)."""

OTHERS: Final = "another operator was at work"

_RULES: Final = (Violation.PHANTOM_TRANSITION, Violation.DOUBLE_TRANSITION, Violation.OUT_OF_BOUNDS)

Times = Mapping[int, Sequence[Instant]]
"""When each position changed."""


def of_others(ledger: Ledger, times: Times, refused: Collection[int]) -> Mapping[int, int]:
    """How often each position changed by somebody else's doing; `refused` are those that were only ever refused."""
    slack = clock_slack(ledger, times)
    found = {
        position: sum(at < began - slack for at in times[position])
        for position, (began, _) in ledger.windows(refused).items()
    }
    unasked = [position for position, when in times.items() if when and not ledger.account(position).sent]
    if unasked:
        busy = _Busy(ledger, slack)
        found |= {position: sum(not busy.at(at) for at in times[position]) for position in unasked}
    return {position: count for position, count in found.items() if count}


def unclear(ids: int) -> Mapping[Violation, str]:
    """The rules that cannot be judged if somebody else changed so many ids, and why."""
    if not ids:
        return {}
    why = f"{OTHERS}: {ids:,} ids changed before we asked for them, or while nothing of ours was under way"
    return dict.fromkeys(_RULES, why)


def clock_slack(ledger: Ledger, times: Times) -> Span:
    """How far the clocks may be apart, by what we asked for once and was done once: that was while we asked, unless
    somebody else was first, which may be so for most of it but hardly for nine in ten.
    """
    misfits = [
        max(entry.began - times[position][0], times[position][0] - entry.ended, 0)
        for entry in ledger.entries
        if entry.outcome is Outcome.ACCEPTED and entry.ended is not None
        for position in entry.positions
        if len(times.get(position, ())) == 1 and ledger.account(position).sent == 1
    ]
    return min(sorted(misfits)[len(misfits) // 10] + FINEST, CLOCK_SLACK) if misfits else CLOCK_SLACK


class _Busy:
    """The stretches in which a request of ours was under way; one without an answer may be carried out at any time."""

    def __init__(self, ledger: Ledger, slack: Span) -> None:
        self._begins: list[Instant] = []
        self._ends: list[float] = []
        latest = float("-inf")
        for entry in sorted(ledger.entries, key=lambda entry: entry.began):
            open_end = entry.ended is None or entry.outcome is Outcome.UNKNOWN
            latest = max(latest, float("inf") if open_end or entry.ended is None else entry.ended + slack)
            self._begins.append(entry.began - slack)
            self._ends.append(latest)  # of this request and all that began before it

    def at(self, moment: Instant) -> bool:
        place = bisect_right(self._begins, moment)
        return place > 0 and moment <= self._ends[place - 1]
