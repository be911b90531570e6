"""When which machine is due to be posted what: postings unrolled into one stream in time's order.

Nothing is stored: a day of a large fleet is millions of posts, so they are produced one by one.
"""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass

from agent_sim.instants import Instant
from agent_sim.scenario.duties import Posting


@dataclass(frozen=True, slots=True)
class Due:
    """One machine is to be posted one piece of work at `at`."""

    at: Instant
    posting: Posting
    machine: str


def rounds(postings: tuple[Posting, ...]) -> Iterator[Due]:
    """Every post of every round, earliest first; within a round in index order."""
    # The posting's number breaks ties, so the order never depends on how postings compare.
    streams = [_numbered(number, posting) for number, posting in enumerate(postings)]
    for _, _, due in heapq.merge(*streams, key=lambda item: item[:2]):
        yield due


def _numbered(number: int, posting: Posting) -> Iterator[tuple[Instant, int, Due]]:
    for due in _of(posting):
        yield due.at, number, due


def _of(posting: Posting) -> Iterator[Due]:
    start = posting.start
    number = 0
    while start < posting.until:
        machines = posting.machines if posting.lottery is None else posting.lottery.drawn(number)
        for index, machine in enumerate(machines):
            at = start + posting.spread * index // len(machines)
            yield Due(at, posting, machine)
        number += 1
        if posting.every is None or posting.handed_over is not None:
            return
        start += posting.every
