"""One storm out of what many processes report: counts, ids and seconds merged, and each process accounted for.

A report is what came to pass since the one before, and carries a number: one that comes twice is not counted twice, one
that is missing is noticed. A process that is lost leaves unknown ids behind and a verdict that says so; what still
arrives from it is not counted any more, for its ids are settled.
"""

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypedDict

from agent_sim.instants import SECOND, Instant, Span
from agent_sim.storms.campaign import Campaign
from agent_sim.storms.leases import Lessor, Settled
from agent_sim.storms.ledger import Totals
from agent_sim.storms.meter import Meter, PartJson, Second, SeriesEntry
from agent_sim.storms.steps import Step
from agent_sim.storms.taxonomy import ErrorKind, Outcome

_ROW: Final = struct.Struct("<bqqqbbHH")
_NONE: Final = -1
_OUTCOMES: Final = tuple(Outcome)
_ERRORS: Final = tuple(ErrorKind)


class EndJson(TypedDict):
    """How a process's share of the storm ended; instants as spans since the storm began."""

    seconds: Span
    exhausted_at: Span | None
    stopped: str | None


class SettledJson(TypedDict):
    """What came of requests: rows of `_ROW`, the names of their shelves, and what few rows have: `[row, refused,
    claims]`.
    """

    shelves: list[str]
    rows: bytes
    more: list[tuple[int, list[int], list[tuple[int, str]]]]


class ReportJson(TypedDict):
    """A report. `end` is there in the last one only."""

    number: int
    part: PartJson
    settled: SettledJson
    used: int
    starved: int
    cpu_percent: float
    said: dict[str, str]
    end: EndJson | None


def pack(settled: Sequence[Settled]) -> SettledJson:
    """31 bytes a request, and more only where an answer said more."""
    shelves = sorted({each.shelf for each in settled})
    return SettledJson(
        shelves=shelves,
        rows=b"".join(_packed(each, shelves) for each in settled),
        more=[
            (row, list(each.refused), list(each.claims))
            for row, each in enumerate(settled)
            if each.refused or each.claims
        ],
    )


def _packed(each: Settled, shelves: list[str]) -> bytes:
    return _ROW.pack(
        shelves.index(each.shelf),
        _NONE if each.number is None else each.number,
        each.began,
        each.ended,
        _OUTCOMES.index(each.outcome),
        _NONE if each.error is None else _ERRORS.index(each.error),
        each.named,
        each.failed,
    )


def unpack(data: SettledJson) -> Iterator[Settled]:
    """The inverse of `pack`."""
    more = {row: (refused, claims) for row, refused, claims in data["more"]}
    for row, (shelf, number, began, ended, outcome, error, named, failed) in enumerate(_ROW.iter_unpack(data["rows"])):
        refused, claims = more.get(row, ((), ()))
        yield Settled(
            data["shelves"][shelf],
            None if number == _NONE else number,
            began,
            ended,
            _OUTCOMES[outcome],
            None if error == _NONE else _ERRORS[error],
            named,
            failed,
            tuple(refused),
            tuple((place, claim) for place, claim in claims) if claims else (),
        )


def book(campaign: Campaign, lessor: Lessor) -> None:
    """Book into a storm what was sent elsewhere."""
    for batch, each in lessor.book():
        ledger = campaign.books[each.shelf].ledger
        entry = ledger.send(batch, each.began)
        entry.named, entry.failed = each.named, each.failed
        ledger.claims.update(each.claims)
        ledger.settle(entry, each.outcome, each.ended, each.error, each.refused)


@dataclass(slots=True)
class Process:
    """What is known of one process."""

    meter: Meter
    number: int = 0  # of its last report
    seconds: int = 0  # its last one that was reported
    used: int = 0
    starved: int = 0
    cpu_percent: float = 0.0
    said: dict[str, str] = field(default_factory=dict)
    end: EndJson | None = None
    is_lost: bool = False
    has_gap: bool = False

    @property
    def is_over(self) -> bool:
        """True if nothing more is waited for."""
        return self.is_lost or self.end is not None


class Gathering:
    """All processes of one storm, by name."""

    def __init__(self, names: Sequence[str], steps: Sequence[Step], satisfied: Span, lessor: Lessor) -> None:
        self.processes: Mapping[str, Process] = {name: Process(Meter(steps, satisfied)) for name in names}
        self.series: list[SeriesEntry] = []
        self._steps, self._satisfied, self._lessor = steps, satisfied, lessor
        self._seconds: dict[int, Second] = {}

    def report(self, name: str, report: ReportJson) -> bool:
        """Take a report in; False if it does not count: from a stranger, from the dead, or for the second time."""
        process = self.processes.get(name)
        if process is None or process.is_over or report["number"] <= process.number:
            return False
        process.has_gap |= report["number"] != process.number + 1
        process.number = report["number"]
        process.meter.add_part(report["part"])
        for second in report["part"]["seconds"]:
            self._seconds.setdefault(second["number"], Second()).add(second)
            process.seconds = second["number"]
        process.has_gap |= self._lessor.settle(name, unpack(report["settled"])) > 0
        process.used, process.starved = report["used"], report["starved"]
        process.cpu_percent = max(process.cpu_percent, report["cpu_percent"])
        process.said.update(report["said"])
        process.end = report["end"]
        return True

    def conclude(self, name: str, began: Instant, now: Instant) -> None:
        """The process has ended: settle what it holds. After a missing report nobody knows what it sent."""
        process = self.processes[name]
        if process.has_gap:
            self._lessor.lose(name, began, now)
        else:
            self._lessor.give_back(name)

    def lose(self, name: str, began: Instant, now: Instant) -> int:
        """The process is gone without an end; returns how many batches it leaves unknown."""
        process = self.processes[name]
        if process.is_over:
            return 0
        process.is_lost = True
        return self._lessor.lose(name, began, now)

    @property
    def is_over(self) -> bool:
        """True if every process has ended or is lost."""
        return all(process.is_over for process in self.processes.values())

    @property
    def lost(self) -> tuple[str, ...]:
        """Who is gone, or whose reports are missing in part."""
        return tuple(name for name, process in self.processes.items() if process.is_lost or process.has_gap)

    def whole_seconds(self) -> Iterator[SeriesEntry]:
        """The seconds, in order, that all have reported by now and that were not given yet."""
        reached = min((process.seconds for process in self.processes.values() if not process.is_over), default=None)
        while self._seconds and (reached is None or len(self.series) < reached):
            number = len(self.series) + 1
            second = self._seconds.pop(number, None)
            if second is None:
                if reached is None and number < min(self._seconds):
                    second = Second()  # nobody had anything to say about it
                else:
                    return
            entry = second.entry(float(number))
            self.series.append(entry)
            yield entry

    def meter(self) -> Meter:
        """What all of them measured."""
        whole = Meter(self._steps, self._satisfied)
        for process in self.processes.values():
            whole.add_process(process.meter)
        whole.series = self.series
        return whole

    def totals(self) -> Totals:
        """Ids by what has been reported of them so far."""
        sent = accepted = refused = unknown = 0
        for batch, each in self._lessor.book():
            count = 0 if batch is None else len(batch)
            sent += count
            accepted += count * (each.outcome is Outcome.ACCEPTED)
            refused += count * (each.outcome is Outcome.REFUSED)
            unknown += count * (each.outcome is Outcome.UNKNOWN)
        return Totals(sent, accepted, refused, unknown)

    @property
    def used(self) -> int:
        """Different ids that were asked for, as far as reported."""
        # A request by query takes them all, in whichever process.
        return max([self._lessor.used, *(process.used for process in self.processes.values())])

    @property
    def starved(self) -> int:
        """Arrivals that went without ids because their lease came too late."""
        return sum(process.starved for process in self.processes.values())

    @property
    def cpu_percent(self) -> float:
        """Of the busiest process."""
        return max((process.cpu_percent for process in self.processes.values()), default=0.0)

    def stopped(self) -> str | None:
        """Why the storm was stopped before its time, if it was."""
        reasons = [process.end["stopped"] for process in self.processes.values() if process.end is not None]
        return next((reason for reason in reasons if reason), None)

    def exhausted_at(self) -> Span | None:
        """When the first process found nothing left."""
        found = (process.end["exhausted_at"] for process in self.processes.values() if process.end is not None)
        return min((at for at in found if at is not None), default=None)

    def seconds(self, planned: Span) -> Span:
        """How long load was offered: until the first of them stopped, or as planned."""
        if (at := self.exhausted_at()) is not None:
            return at
        return min((process.end["seconds"] for process in self.processes.values() if process.end), default=planned)


def zero(begin: Instant, told_at: Instant, now: Instant) -> Instant:
    """When the storm begins on this process's clock, if the other one said at `told_at` on its own that it begins at
    `begin`. Clocks that agree as far as a message can tell are taken as one; others are set by the message's arrival.
    """
    return begin if 0 <= now - told_at < SECOND else now + (begin - told_at)
