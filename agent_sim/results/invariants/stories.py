"""A job's story, read: what the server did with it, in order, as its feed of transitions tells.

queued ── configured ── completed | timed_out ──┬── queued (a retry) ── configured ...
                                                └── rescheduled ────── configured ...

Off the schedule it goes by "unscheduled", which the server notes where it does so, and "unschedule_asked" beside it,
noted where requests come in: the one without the other is a server that acts on its own.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from agent_sim.results.journal import Step, Steps

CAUSES: Final = frozenset({"queued", "rescheduled"})
"""What a run needs before it: acceptance or a retry, or somebody's wish."""

ENDS: Final = frozenset({"completed", "timed_out"})


ASKED: Final = "unschedule_asked"


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


def was_asked_off(story: Steps, asked: float | None) -> bool:
    """True if somebody wanted the job off the schedule after it last was to run; `asked` is when one of ours did."""
    begin = next((place for place in reversed(range(len(story))) if story[place][0] in CAUSES), None)
    if begin is None:
        return asked is not None or any(kind == ASKED for kind, _, _ in story)
    is_ours = asked is not None and asked >= story[begin][1]
    return is_ours or any(kind == ASKED for kind, _, _ in story[begin:])


def timeouts(stories: Iterable[Steps]) -> dict[int | None, float]:
    """When the server gave up on each run that it timed out."""
    return {audit: at for story in stories for kind, at, audit in story if kind == "timed_out"}


def ends_of(story: Steps) -> Iterator[Step]:
    """Each end of a run in it."""
    return (step for step in story if step[0] in ENDS)
