"""What an invariant found, made into its verdict: the part that all of them share.

A finding that came after a fault which the scenario says makes it undecidable (`allow_after`) breaks nothing: if
there is no other, the answer is unknown, and declared.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from agent_sim.results.checks import InvariantCheck
from agent_sim.results.facts import Facts
from agent_sim.results.verdict import OFFENDERS, Verdict

NO_FEED: Final = "not checkable: the target shows no transitions"
"""What is said where only our own server's view can tell."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One id that breaks the law; `what` is a noun and how ("run|completed twice"), `t` when, if that is known."""

    id: str
    what: str
    t: float | None = None


def judged(facts: Facts, check: InvariantCheck, findings: Iterable[Finding], kept: str, unknown: str = "") -> Verdict:
    """Broken by any finding that no declared fault excuses, else unknown for the reason given, else kept."""
    broken: list[Finding] = []
    excused: list[Finding] = []
    for each in findings:
        (excused if is_excused(facts, check, each.t) else broken).append(each)
    if broken:
        return Verdict("invariant", check.name, "broken", _said(broken), _ids(broken))
    if excused and not unknown:  # what is unknown for another reason stays so, and counts
        said = f"{_said(excused)}, {allowance(facts, check)}"
        return Verdict("invariant", check.name, "unknown", said, _ids(excused), is_declared=True)
    if unknown:
        return Verdict("invariant", check.name, "unknown", unknown)
    return Verdict("invariant", check.name, "kept", kept)


def is_excused(facts: Facts, check: InvariantCheck, t: float | None) -> bool:
    """True for what came after a fault that the scenario says makes it undecidable, or may have."""
    began = min((facts.faults[name] for name in check.allow_after if name in facts.faults), default=None)
    return began is not None and (t is None or t >= began)


def allowance(facts: Facts, check: InvariantCheck) -> str:
    """Which faults excuse what breaks the law, in words; "" if none began."""
    names = [name for name in check.allow_after if name in facts.faults]
    return f"after fault{'s' * (len(names) > 1)} {', '.join(names)}, as the scenario allows" if names else ""


def _ids(findings: list[Finding]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(each.id for each in findings))[:OFFENDERS]


def _said(findings: list[Finding]) -> str:
    counts = Counter(each.what for each in findings)
    return ", ".join(_counted(count, what) for what, count in counts.items())


def _counted(count: int, what: str) -> str:
    noun, _, how = what.partition("|")
    return f"{count:,} {noun}{'s' * (count != 1)} {how}"
