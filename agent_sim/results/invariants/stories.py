"""A job's story, read: what the server did with it, in order, as its feed of transitions tells.

queued ── configured ── completed | timed_out ──┬── queued (a retry) ── configured ...
                                                └── rescheduled ────── configured ...
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from agent_sim.results.journal import Step, Steps

CAUSES: Final = frozenset({"queued", "rescheduled"})
"""What a run needs before it: acceptance or a retry, or somebody's wish."""

ENDS: Final = frozenset({"completed", "timed_out"})


@dataclass(frozen=True, slots=True)
class Chapter:
    """A cause and what followed it, up to the next cause."""

    cause: Step
    then: Steps

    def of(self, *kinds: str) -> Steps:
        """The steps of these kinds in it."""
        return tuple(step for step in self.then if step[0] in kinds)


def is_whole(story: Steps) -> bool:
    """True if it begins with the job's own beginning: an older job's story began before the run did."""
    return bool(story) and story[0][0] == "queued"


def chapters(story: Steps) -> Iterator[Chapter]:
    """The story from its first cause on."""
    places = [place for place, step in enumerate(story) if step[0] in CAUSES]
    for place, following in pairwise([*places, len(story)]):
        yield Chapter(story[place], story[place + 1 : following])


def timeouts(stories: Iterable[Steps]) -> dict[int | None, float]:
    """When the server gave up on each run that it timed out."""
    return {audit: at for story in stories for kind, at, audit in story if kind == "timed_out"}


def ends_of(story: Steps) -> Iterator[Step]:
    """Each end of a run in it."""
    return (step for step in story if step[0] in ENDS)
