"""What was asked of a server over all its lives, and what of it was acknowledged. Threads only ever add."""

from collections import defaultdict
from dataclasses import dataclass, field


@dataclass
class Ledger:
    """Asked before a request is sent, acknowledged when its whole answer has come."""

    registered: dict[str, str] = field(default_factory=dict)  # ClientMachine -> AgentId
    approved: set[str] = field(default_factory=set)  # AgentIds
    posted: set[str] = field(default_factory=set)  # JobIds
    taken: dict[int, str] = field(default_factory=dict)  # audit id -> JobId
    completed: dict[int, tuple[int, str]] = field(default_factory=dict)  # audit id -> result and message
    to_complete: dict[int, tuple[int, str]] = field(default_factory=dict)  # the same, asked for
    bulks: list["Bulk"] = field(default_factory=list)
    claimed: dict[str, set[int | str]] = field(default_factory=lambda: defaultdict(set))  # by verb: ids spoken for

    @property
    def answers(self) -> int:
        """How many requests that change something were answered."""
        return sum(map(len, (self.approved, self.posted, self.taken, self.completed, self.bulks)))

    @property
    def acknowledged(self) -> dict[str, int]:
        """How many changes of each kind must be found again."""
        bulks: dict[str, int] = defaultdict(int)
        for bulk in self.bulks:
            bulks[bulk.verb] += len(bulk.ids) if bulk.status == 204 else 0
        plain = {
            "registrations": len(self.registered),
            "approvals": len(self.approved),
            "jobs posted": len(self.posted),
            "runs begun": len(self.taken),
            "completions": len(self.completed),
        }
        return plain | dict(sorted(bulks.items()))


@dataclass
class Bulk:
    """One Reschedule, Acknowledge or Unschedule; `status` stays None if no answer came."""

    verb: str
    ids: tuple[int | str, ...]
    status: int | None = None
