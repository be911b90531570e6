"""The ledger against what the target did: every accepted id must have changed exactly once, no other at all.

Rules and names are load-testing 3.4's. An unknown outcome widens what is allowed and is never itself a failure.
Nothing here reads anything: the ledger and the observation are given.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from agent_sim.storms.ledger import Account, Ledger
from agent_sim.storms.observe import Observed
from agent_sim.storms.pool import Token
from agent_sim.storms.taxonomy import Violation

MAX_EXAMPLES: Final = 10


@dataclass(frozen=True, slots=True)
class Example:
    """One broken rule on one id (0: on all together), in words."""

    audit_id: int
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


def reconcile(tokens: Sequence[Token], ledger: Ledger, observed: Observed, *, again: bool) -> Reconciliation:
    """Compare id by id. `again`: several accepted requests by query may each have changed the same subject."""
    violations = Counter(dict.fromkeys(Violation, 0))
    examples: list[Example] = []
    least = most = seen = no_op = 0
    for position, token in enumerate(tokens):
        account = ledger.account(position)
        times = observed.transitions[position]
        low, high = bounds(account, again=again)
        if times < low and position in observed.no_ops:
            no_op += 1
            low = times
        least, most, seen = least + low, most + high, seen + times
        rule = broken_rule(account, times, low, high)
        if rule is not None and rule not in observed.not_checkable:
            violations[rule] += 1
            examples.append(Example(token.audit_id, rule, _detail(account, times, low, high)))
    surplus = 0 if Violation.PHANTOM_TRANSITION in observed.not_checkable else max(seen - most, 0)
    violations[Violation.CONSERVATION] = max(least - seen, 0) + surplus
    if violations[Violation.CONSERVATION]:
        detail = f"{seen} transitions in all, expected {_between(least, most)}"
        examples.insert(0, Example(0, Violation.CONSERVATION, detail))
    notes = tuple(f"{rule}: {reason}" for rule, reason in observed.not_checkable.items())
    return Reconciliation(len(tokens), no_op, violations, _some_of_each(examples), notes)


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
