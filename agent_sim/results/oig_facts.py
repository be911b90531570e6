"""The scheduler's side of a run, job by job: what the operator asked for, and what the scheduler says in the end.

The material of its invariants, as `facts` is of the agents'.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from agent_sim.results.journal import Line, OigAsked, OigJob, OigRun


@dataclass(frozen=True, slots=True)
class OigFacts:
    """By the names of jobs: what was asked, in order of time; jobs as they were in the end; their runs by id."""

    asked: Mapping[str, tuple[OigAsked, ...]] = field(default_factory=dict)
    jobs: Mapping[str, OigJob] = field(default_factory=dict)
    runs: Mapping[str, tuple[OigRun, ...]] = field(default_factory=dict)

    @property
    def is_idle(self) -> bool:
        """True if nobody asked for anything."""
        return not self.asked

    def accepted(self, job: str, what: str) -> tuple[OigAsked, ...]:
        """What was asked of a job in that word and surely done."""
        return tuple(each for each in self.asked.get(job, ()) if each.what == what and 200 <= each.status < 300)

    def perhaps(self, job: str, what: str) -> int:
        """How often it was asked without an answer."""
        return sum(each.what == what and each.status == 0 for each in self.asked.get(job, ()))


class OigFold:
    """Gathers the facts, one line at a time; lines of other events do not count."""

    def __init__(self) -> None:
        self._asked: dict[str, list[OigAsked]] = {}
        self._jobs: dict[str, OigJob] = {}
        self._runs: dict[str, dict[int, OigRun]] = {}

    def add(self, line: Line) -> None:
        """Take one line in."""
        match line:
            case OigAsked():
                self._asked.setdefault(line.job, []).append(line)
            case OigJob():
                self._jobs[line.job] = line
            case OigRun():
                self._runs.setdefault(line.job, {})[line.id] = line
            case _:
                pass

    def finish(self) -> OigFacts:
        """What has been gathered."""
        return OigFacts(
            {job: tuple(sorted(asked, key=lambda each: each.t)) for job, asked in self._asked.items()},
            self._jobs,
            {job: tuple(runs[number] for number in sorted(runs)) for job, runs in self._runs.items()},
        )
