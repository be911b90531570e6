"""The ledger against what the target did: every accepted id must have changed exactly once, no other at all.

Rules and names are load-testing 3.4's. An unknown outcome widens what is allowed and is never itself a failure.
Nothing here reads anything: the ledger and the observation are given.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from agent_sim.storms.ledger import Account, Entry, Ledger
from agent_sim.storms.observe import Observed
from agent_sim.storms.plan import Kind
from agent_sim.storms.pool import Token
from agent_sim.storms.taxonomy import ErrorKind, Outcome, Violation

MAX_EXAMPLES: Final = 10


@dataclass(frozen=True, slots=True)
class Example:
    """One broken rule on one id (0: on all together), in words; an id that is no audit id is text."""

    audit_id: int | str
    rule: Violation
    detail: str


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """How many ids were compared, how many accepted ones rightly changed nothing, and what was broken.

    Conservation counts by how many transitions the sum is off.
    """

    checked: int
    no_op: int
    violations: Mapping[Violation, int]
    examples: tuple[Example, ...]
    not_checkable: tuple[str, ...]

    @property
    def is_clean(self) -> bool:
        """True if no rule is broken."""
        return not any(self.violations.values())


NOTHING: Final = Reconciliation(0, 0, dict.fromkeys(Violation, 0), (), ())


def unread(reason: str) -> Reconciliation:
    """Nothing could be compared, because the target could not be read."""
    return Reconciliation(0, 0, dict.fromkeys(Violation, 0), (), tuple(f"{rule}: {reason}" for rule in Violation))


def reconcile(
    tokens: Sequence[Token], ledger: Ledger, observed: Observed, *, again: bool, kind: Kind = "plain"
) -> Reconciliation:
    """Compare id by id, then batch by batch. `again`: several accepted requests may each have changed a subject."""
    found = _Findings(tokens, observed, kind)
    torn = _judge_batches(ledger, found)
    partly = _partly_refused(ledger)
    least = most = seen = no_op = 0
    for position in range(len(tokens)):
        account = ledger.account(position)
        times = observed.transitions[position]
        low, high = bounds(account, again=again)
        if position in partly:
            high = high + partly[position] if again else 1
        if times < low and position in observed.no_ops:
            no_op += 1
            low = times
        if position in torn:
            low, high = min(low, times), max(high, times)
        least, most, seen = least + low, most + high, seen + times
        rule = broken_rule(account, times, low, high)
        if rule is None and position in observed.doubled:
            rule = Violation.DOUBLE_TRANSITION
        if rule is not None:
            found.add(rule, position, _detail(account, times, low, high))
        elif position in observed.illegal:
            found.add(Violation.ILLEGAL_STATE, position, "it changed, and its state in the end is another")
    surplus = 0 if Violation.PHANTOM_TRANSITION in observed.not_checkable else max(seen - most, 0)
    found.violations[Violation.CONSERVATION] = max(least - seen, 0) + surplus
    if found.violations[Violation.CONSERVATION]:
        detail = f"{seen} transitions in all, expected {_between(least, most)}"
        found.examples.insert(0, Example(0, Violation.CONSERVATION, detail))
    return Reconciliation(len(tokens), no_op, found.violations, _some_of_each(found.examples), found.notes())


def merged(several: Sequence[Reconciliation]) -> Reconciliation:
    """What several books of one storm come to together."""
    violations = Counter(dict.fromkeys(Violation, 0))
    for one in several:
        violations.update(one.violations)
    return Reconciliation(
        sum(one.checked for one in several),
        sum(one.no_op for one in several),
        violations,
        _some_of_each(example for one in several for example in one.examples),
        tuple(dict.fromkeys(note for one in several for note in one.not_checkable)),
    )


class _Findings:
    """What is broken so far, and what the target cannot show of it."""

    def __init__(self, tokens: Sequence[Token], observed: Observed, kind: Kind) -> None:
        self.violations = Counter(dict.fromkeys(Violation, 0))
        self.examples: list[Example] = []
        self.observed = observed
        self.is_contended = kind == "contended"
        self._tokens = tokens
        self._not_checkable = dict(observed.not_checkable)
        if self.is_contended and Violation.DOUBLE_TRANSITION in self._not_checkable:
            why = self._not_checkable[Violation.DOUBLE_TRANSITION]
            self._not_checkable |= dict.fromkeys((Violation.TWO_WINNERS, Violation.NO_WINNER), why)

    def can_judge(self, rule: Violation, needs: Violation) -> bool:
        """False, and said so, if the rule needs another that the target cannot show."""
        if needs in self._not_checkable:
            self._not_checkable[rule] = self._not_checkable[needs]
        return rule not in self._not_checkable

    def add(self, rule: Violation, position: int, detail: str) -> None:
        """One more, unless the target cannot show it."""
        if rule is Violation.DOUBLE_TRANSITION and self.is_contended:
            rule = Violation.TWO_WINNERS
        if rule not in self._not_checkable:
            self.violations[rule] += 1
            self.examples.append(Example(self._tokens[position].shown, rule, detail))

    def notes(self) -> tuple[str, ...]:
        return tuple(f"{rule}: {reason}" for rule, reason in self._not_checkable.items())


# --- batches ----------------------------------------------------------------------------------


def _judge_batches(ledger: Ledger, found: _Findings) -> frozenset[int]:
    """Whether each batch was taken as a whole; returns the positions about which that says all there is to say."""
    settled: set[int] = set()
    for entry in ledger.entries:
        if entry.batch is None or any(ledger.account(i).sent > 1 for i in entry.positions):
            continue  # what others asked of the same ids cannot be told from it
        done = sum(found.observed.transitions[i] > 0 for i in entry.positions)
        already = sum(i in found.observed.no_ops and not found.observed.transitions[i] for i in entry.positions)
        if not done:
            continue
        good = _may_be_done(entry)
        if good is None or not found.can_judge(Violation.TORN_BATCH, Violation.PHANTOM_TRANSITION):
            continue
        settled.update(entry.positions)
        # Whether one that needed nothing done counts among the refused is the target's to say.
        if not done <= good <= done + already:
            said = f"{done} of {good} ids done, expected all or none"
            found.add(Violation.TORN_BATCH, entry.batch.first, f"{entry.outcome and entry.outcome.value}; {said}")
    if found.is_contended and found.can_judge(Violation.NO_WINNER, Violation.DOUBLE_TRANSITION):
        _judge_winners(ledger, found)
    return frozenset(settled)


def _partly_refused(ledger: Ledger) -> Mapping[int, int]:
    """Of ids that several requests were about: how many of these refused some of what they named, and may have done
    the rest."""
    return Counter(
        position
        for entry in ledger.entries
        if entry.outcome is Outcome.REFUSED and 0 < entry.failed < entry.named
        for position in entry.positions
        if ledger.account(position).sent > 1
    )


def _may_be_done(entry: Entry) -> int | None:
    """How many ids of a batch that had an effect must have had it; None if that is for each id to say.

    A target that refuses some ids of a batch does nothing at all, or all but those (command-api 2.10).
    """
    if entry.outcome is Outcome.REFUSED:
        return entry.named - entry.failed if 0 < entry.failed < entry.named else None
    if entry.outcome is Outcome.UNKNOWN and len(entry.positions) > 1:
        return len(entry.positions)
    return len(entry.positions) if entry.named > len(entry.positions) else None


def _judge_winners(ledger: Ledger, found: _Findings) -> None:
    """Of several requests for the same ids at once, one must have had its way, if the ids were to be had."""
    rivals: dict[int, list[Entry]] = {}
    for entry in ledger.entries:
        if entry.batch is not None:
            rivals.setdefault(entry.batch.first, []).append(entry)
    for first, entries in rivals.items():
        untouched = not any(found.observed.transitions[i] or i in found.observed.no_ops for i in entries[0].positions)
        all_refused = all(entry.error is ErrorKind.HTTP_4XX_CONTRACT for entry in entries)
        if len(entries) > 1 and untouched and all_refused:
            found.add(Violation.NO_WINNER, first, f"{len(entries)} requests, all refused; 0 transitions, expected 1")


# --- one id -----------------------------------------------------------------------------------


def bounds(account: Account, *, again: bool) -> tuple[int, int]:
    """The fewest and the most transitions that an id's account allows."""
    most = account.accepted + account.unknown
    return min(account.accepted, 1), most if again else min(most, 1)


def broken_rule(account: Account, times: int, low: int, high: int) -> Violation | None:
    """The rule that `times` transitions break, if the account allows `low` to `high`."""
    if low <= times <= high:
        return None
    if account.unknown:
        return Violation.OUT_OF_BOUNDS
    if times < low:
        return Violation.LOST_UPDATE
    return Violation.DOUBLE_TRANSITION if account.accepted else Violation.PHANTOM_TRANSITION


def _detail(account: Account, times: int, low: int, high: int) -> str:
    said = [f"{count} {word}" for word in ("accepted", "refused", "unknown") if (count := getattr(account, word))]
    asked = ", ".join(said) or "never sent"
    return f"{asked}; {times} transition{'s' * (times != 1)}, expected {_between(low, high)}"


def _between(low: int, high: int) -> str:
    return str(low) if low == high else f"{low} to {high}"


def _some_of_each(examples: Iterable[Example]) -> tuple[Example, ...]:
    """At most MAX_EXAMPLES, taken from the rules in turn, so that a frequent one does not hide a rare one."""
    by_rule: dict[Violation, list[Example]] = {}
    for example in examples:
        by_rule.setdefault(example.rule, []).append(example)
    turns = [found[place] for place in range(MAX_EXAMPLES) for found in by_rule.values() if place < len(found)]
    return tuple(turns[:MAX_EXAMPLES])
