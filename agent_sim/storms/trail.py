"""What a storm leaves behind for the laws of jobs: jobs that it took off the schedule, and jobs that it had made.

A file of its own beside the result, because it names every job; a run writes it into its journal.
"""

from dataclasses import dataclass
from typing import Final

from pydantic import TypeAdapter, ValidationError


@dataclass(frozen=True, slots=True)
class Trail:
    """Jobs by id. Of `maybe_unscheduled` nobody knows; `posted` are pairs of an orchestrator and the job that it got;
    they are of `job_type`."""

    job_type: str = ""
    unscheduled: tuple[str, ...] = ()
    maybe_unscheduled: tuple[str, ...] = ()
    posted: tuple[tuple[str, str], ...] = ()

    @property
    def is_empty(self) -> bool:
        """True if there is nothing to tell."""
        return not (self.unscheduled or self.maybe_unscheduled or self.posted)


NO_TRAIL: Final = Trail()

_ADAPTER: Final = TypeAdapter(Trail)


def to_json(trail: Trail) -> str:
    """The trail as one JSON object."""
    return _ADAPTER.dump_json(trail).decode()


def from_json(text: str | bytes) -> Trail:
    """A trail from its file; an empty one if that holds none."""
    try:
        return _ADAPTER.validate_json(text)
    except ValidationError:
        return NO_TRAIL
