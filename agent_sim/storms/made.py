"""Which jobs a storm made: custom jobs and log fetches of the orchestrators that it asked, each exactly once.

An answer to Custom names the job it made, and that job must be there; an answer to FetchLogs names none, so the new
jobs of an orchestrator are told out among its requests: to accepted ones first, then to unknown ones, and what is left
over is one too many. Only where nobody else makes such jobs meanwhile can anything be too many: otherwise it is said
that this could not be checked.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from agent_sim.instants import MINUTE, Instant, Span
from agent_sim.protocol.command import JobHistoryRecord, ScheduledJobRecord
from agent_sim.protocol.enums import FETCH_LOGS
from agent_sim.storms.ledger import Ledger
from agent_sim.storms.observe import Mark, Observed, Reader
from agent_sim.storms.observe import mark as marked
from agent_sim.storms.pool import Token
from agent_sim.storms.taxonomy import Violation

OF_LATE: Final[Span] = 10 * MINUTE
"""Who made such jobs within this time is taken to go on (our choice)."""


@dataclass(frozen=True, slots=True)
class Found:
    """A job of the storm's type: its id and its orchestrator, both in lower case."""

    job: str
    machine: str


def mark(reader: Reader, job_type: str, now: Instant) -> Mark:
    """The mark of a storm that makes jobs of this type."""
    place = marked(reader)
    runs, jobs = _of_type(reader, job_type)
    late = [job.requested for job in jobs] + [run.operation_start or 0 for run in runs]
    known = frozenset(one.job for one in _found(jobs, runs))
    return Mark(place.seq, place.newest_run, known, others=any(at > now - OF_LATE for at in late))


def observe(
    tokens: Sequence[Token], ledger: Ledger, before: Mark, reader: Reader, job_type: str, *, alone: bool | None
) -> Observed:
    """T of each turn that an orchestrator had."""
    runs, jobs = _of_type(reader, job_type)
    new = {one.job: one for one in _found(jobs, runs) if one.job not in before.known}
    named = {claim.casefold() for claim in ledger.claims.values()}
    unlisted = _unlisted(reader, before, new)
    shown = new.keys() | unlisted
    counts = tell_out(tokens, ledger, [*new.values()], shown)
    _fill(counts, ledger, len(unlisted - named))
    is_alone = not before.others if alone is None else alone
    return Observed(counts, frozenset(), {} if is_alone else _unsaid(ledger))


def tell_out(tokens: Sequence[Token], ledger: Ledger, new: Sequence[Found], shown: Iterable[str]) -> list[int]:
    """How many of the new jobs fall to each position; `shown` are all jobs that there are, whoever's."""
    counts = [0] * len(tokens)
    there = set(shown)
    for position, claim in ledger.claims.items():
        if claim.casefold() in there:
            there.discard(claim.casefold())  # a job is one answer's, not two's
            counts[position] = 1
    claimed = {claim.casefold() for claim in ledger.claims.values()}
    left = Counter(one.machine for one in new if one.job not in claimed)
    if not left:
        return counts
    turns = _turns(tokens, ledger, left)
    for machine, count in left.items():
        waiting = [turn for turn in turns.get(machine, ()) if not counts[turn]]
        order = [turn for turn in waiting if ledger.account(turn).accepted and turn not in ledger.claims]
        order += [turn for turn in waiting if ledger.account(turn).unknown]
        for turn in order[:count]:
            counts[turn] = 1
        surplus = count - len(order[:count])
        blamed = _blamed(turns.get(machine, ()), counts, ledger) if surplus else None
        if blamed is not None:
            counts[blamed] += surplus
    return counts


def _turns(tokens: Sequence[Token], ledger: Ledger, machines: Iterable[str]) -> dict[str, list[int]]:
    wanted, turns = set(machines), dict[str, list[int]]()
    for position, token in enumerate(tokens):
        machine = token.machine.casefold()
        if machine in wanted:
            turns.setdefault(machine, []).append(position)
    return turns


def _blamed(turns: Sequence[int], counts: Sequence[int], ledger: Ledger) -> int | None:
    """Where a job too many is booked: with an accepted request that has its own, else with one that was not accepted.

    If all that were accepted still lack theirs, it makes up for none of them: their answers named other jobs.
    """
    done = [turn for turn in turns if counts[turn] and ledger.account(turn).accepted]
    asked = [turn for turn in turns if ledger.account(turn).sent and not ledger.account(turn).accepted]
    others = [turn for turn in turns if not ledger.account(turn).accepted]
    return next(iter([*done, *asked, *others]), None)


def _fill(counts: list[int], ledger: Ledger, unlisted: int) -> None:
    """Jobs that were made and unscheduled since are nobody's to see: they stand for some that are missing."""
    for entry in ledger.entries if unlisted else ():
        for position in entry.positions:
            account = ledger.account(position)
            if unlisted and not counts[position] and account.accepted and position not in ledger.claims:
                counts[position] = 1
                unlisted -= 1


def _unlisted(reader: Reader, before: Mark, new: Iterable[str]) -> frozenset[str]:
    """Jobs that were queued since, if the target shows that, and have been unscheduled."""
    if before.seq is None:
        return frozenset()
    first: dict[str, str] = {}
    gone: set[str] = set()
    for event in reader.transitions(before.seq):
        job = event.job_id.casefold()
        first.setdefault(job, event.kind)
        if event.kind == "unscheduled":
            gone.add(job)
    return frozenset(job for job in gone if first[job] == "queued") - frozenset(new)


def _of_type(reader: Reader, job_type: str) -> tuple[list[JobHistoryRecord], list[ScheduledJobRecord]]:
    """Runs and scheduled jobs of the type; scheduled ones are read first, so that one that moves on is not missed."""
    query = f'JobType -eq "{job_type}"'  # a name without quotes: `plan.check` sees to that
    jobs = [job for job in reader.scheduled(query) if job.job_type.casefold() == job_type.casefold()]
    runs = [run for run in reader.history(query) if run.job_type.casefold() == job_type.casefold()]
    return runs, jobs


def _found(jobs: Iterable[ScheduledJobRecord], runs: Iterable[JobHistoryRecord]) -> Iterable[Found]:
    yield from (Found(job.id.casefold(), job.client_machine.casefold()) for job in jobs)
    yield from (Found(run.job_id.casefold(), run.agent_machine.casefold()) for run in runs)


def type_of(operation: str, job_type: str) -> str:
    """The job type that a storm makes jobs of, as listings have it."""
    return FETCH_LOGS.history if operation == "fetch_logs" else job_type


def _unsaid(ledger: Ledger) -> dict[Violation, str]:
    why = "somebody else makes such jobs for these orchestrators as well"
    rules = [Violation.DOUBLE_TRANSITION, Violation.PHANTOM_TRANSITION, Violation.OUT_OF_BOUNDS]
    if not ledger.claims:
        rules.append(Violation.LOST_UPDATE)  # a job of theirs looks like the one that is missing
    return dict.fromkeys(rules, why)
