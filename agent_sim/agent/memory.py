"""What is kept of an agent's jobs: which doing is the present one, and what jobs changed in stores.

The wire shows neither occurrence nor attempt, so the agent counts (architecture, determinism). The counts index chance
and nothing else: they are the simulator's book-keeping and survive a crash; see `core`. So does what is in the stores,
which is on disk.
"""

from functools import lru_cache

from agent_sim.agent.behaviour import Occasion
from agent_sim.agent.inventory import NO_ALTERATIONS, Alterations
from agent_sim.protocol.enums import JobType

_ANYWHERE = "*"  # no store has this path


@lru_cache(maxsize=4096)
def _place(word: str, store: str) -> tuple[str, str]:
    """The same for all agents: there are few paths, and many agents."""
    return word, store


class Memory:
    """An agent's counts; made with its first job."""

    __slots__ = ("_altered", "_doings", "_occurrences", "_unfinished")

    def __init__(self) -> None:
        self._occurrences: dict[tuple[str, str], int] = {}
        self._unfinished: dict[str, tuple[int, int]] | None = None
        self._doings: dict[tuple[str, str], int] | None = None
        self._altered: dict[str, dict[str, str | None]] | None = None

    def begin(self, job: JobType, job_id: str, store: str) -> Occasion:
        """A run begins. A job whose last run here did not end well comes back as the next attempt."""
        again = self._again(job_id)
        if again is None:
            place = _place(job.word, store)
            self._occurrences[place] = self._occurrences.get(place, 0) + 1
            occasion = Occasion(job, store, self._occurrences[place], 1)
        else:
            occasion = Occasion(job, store, again[0], again[1] + 1)
        if self._unfinished is None:
            self._unfinished = {}
        self._unfinished[job_id] = (occasion.occurrence, occasion.attempt)
        return occasion

    def _again(self, job_id: str) -> tuple[int, int] | None:
        return None if self._unfinished is None else self._unfinished.get(job_id)

    def ahead(self, job: JobType, job_id: str) -> Occasion:
        """The occasion that a job would be if it were begun now, as far as one can tell without its store."""
        again = self._again(job_id)
        if again is None:
            return Occasion(job, "", self._occurrences.get((job.word, ""), 0) + 1, 1)
        return Occasion(job, "", again[0], again[1] + 1)

    def ended_well(self, job_id: str, occasion: Occasion) -> None:
        """The run came to success or warning: if its job comes back, it does so as something new."""
        if self._unfinished is not None and self._again(job_id) == (occasion.occurrence, occasion.attempt):
            del self._unfinished[job_id]
            self._unfinished = self._unfinished or None  # an empty dictionary takes more than an idle agent

    def doings(self, job: JobType, store: str = _ANYWHERE) -> int:
        """How many jobs of the type were begun or left, in all or on one store."""
        return 0 if self._doings is None else self._doings.get((job.word, store), 0)

    def count(self, job: JobType, store: str = _ANYWHERE) -> None:
        """One more."""
        if self._doings is None:
            self._doings = {}
        for place in {store, _ANYWHERE}:
            self._doings[job.word, place] = self.doings(job, place) + 1

    def altered(self, store: str) -> Alterations:
        """What jobs did to a store."""
        return NO_ALTERATIONS if self._altered is None else self._altered.get(store, NO_ALTERATIONS)

    def alter(self, store: str, alias: str, contents: str | None) -> None:
        """A job put a certificate into a store, or took one out (None)."""
        if self._altered is None:
            self._altered = {}
        self._altered.setdefault(store, {})[alias] = contents
