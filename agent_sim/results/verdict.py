"""What became of one check, what that makes of the run, and the exit code.

A check is kept (a threshold: held), broken, or open: unknown, or not measured. One broken check fails the run; else
one open check leaves it inconclusive. Checks that only warn, and what the scenario itself declares to be undecidable,
are shown and count for neither.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

Kind: TypeAlias = Literal["threshold", "invariant", "storm", "generator", "run"]
Answer: TypeAlias = Literal["kept", "held", "broken", "unknown", "not_measured"]
Overall: TypeAlias = Literal["PASS", "FAIL", "INCONCLUSIVE"]

OFFENDERS: Final = 10
"""How many ids a verdict names at most."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """One check's answer. `detail` is a sentence without its full stop; `offenders` are ids, ten at the most."""

    kind: Kind
    name: str
    answer: Answer
    detail: str
    offenders: tuple[str, ...] = ()
    warn_only: bool = False
    is_declared: bool = False

    @property
    def counts(self) -> bool:
        """True if the exit code depends on it."""
        return not (self.warn_only or self.is_declared)


_WEIGHT: Final[Mapping[Answer, Overall]] = {
    "kept": "PASS",
    "held": "PASS",
    "broken": "FAIL",
    "unknown": "INCONCLUSIVE",
    "not_measured": "INCONCLUSIVE",
}

IfOpen: TypeAlias = Literal["pass", "fail"] | None
"""What the user wants a check to count as that could not be decided; None leaves it open."""

EXIT_CODES: Final[Mapping[Overall, int]] = {"PASS": 0, "FAIL": 1, "INCONCLUSIVE": 3}
"""As in scenario-format, "Exit codes"; 2 and 4 are the command line's to say."""


def overall(verdicts: Iterable[Verdict]) -> Overall:
    """What the run comes to: the worst answer of those that count."""
    weights = {_WEIGHT[verdict.answer] for verdict in verdicts if verdict.counts}
    if "FAIL" in weights:
        return "FAIL"
    return "INCONCLUSIVE" if "INCONCLUSIVE" in weights else "PASS"


def exit_code(verdicts: Iterable[Verdict], inconclusive: IfOpen = None) -> int:
    """0 if all checks hold, 1 if one is broken, 3 if none is but one is open and nobody settled that."""
    found = overall(verdicts)
    if found == "INCONCLUSIVE" and inconclusive is not None:
        found = "PASS" if inconclusive == "pass" else "FAIL"
    return EXIT_CODES[found]


def headline_of(verdicts: Iterable[Verdict], inconclusive: IfOpen = None) -> str:
    """What the run comes to, in words: an open run that the user settled says as what."""
    found = overall(verdicts)
    return f"{found}, settled as {inconclusive}" if found == "INCONCLUSIVE" and inconclusive is not None else found


def weight(verdict: Verdict, inconclusive: IfOpen = None) -> Overall | None:
    """What one verdict makes of the run; None if it counts for nothing."""
    if not verdict.counts:
        return None
    found = _WEIGHT[verdict.answer]
    if found == "INCONCLUSIVE" and inconclusive is not None:
        return "PASS" if inconclusive == "pass" else "FAIL"
    return found


def is_good(verdict: Verdict) -> bool:
    """True if there is nothing to tell but that it holds."""
    return _WEIGHT[verdict.answer] == "PASS"
