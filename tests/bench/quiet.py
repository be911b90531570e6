"""Whether the machine was ours while something was measured: a bench shows its figures anyway, but judges none if not.

`Watch` reads the counters around what is measured; `others` is the arithmetic, and pure. Time stolen from a virtual
machine counts as others'. A child that outlives its parent is no longer ours: benches wait for what they start.
"""

import time
from dataclasses import dataclass
from types import TracebackType
from typing import Final

import psutil

MOST: Final = 0.10
"""What other processes may take of one core before a figure says nothing."""


@dataclass(frozen=True, slots=True)
class Reading:
    """Seconds so far: on the clock, of CPU by the whole machine, and of these by us and all that we started."""

    wall: float
    busy: float
    own: float


def others(before: Reading, after: Reading) -> float:
    """How many cores other processes kept busy between two readings; 0.1 is a tenth of one."""
    elapsed = after.wall - before.wall
    if elapsed <= 0:
        raise ValueError("no time passed between the two readings")
    theirs = (after.busy - before.busy) - (after.own - before.own)
    return max(theirs, 0.0) / elapsed  # the two are counted in ticks, so that it can come out just below nothing


def is_quiet(share: float) -> bool:
    """True if figures taken beside others with this share of a core may be judged."""
    return share <= MOST


class Watch:
    """What others took while the block ran: `with Watch() as watch: ...`, then `watch.share`."""

    def __init__(self) -> None:
        self.share = 0.0

    def __enter__(self) -> "Watch":
        self._before = read()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.share = others(self._before, read())


def read() -> Reading:
    """The counters now."""
    machine = psutil.cpu_times()
    busy = machine.user + machine.nice + machine.system + getattr(machine, "steal", 0.0)
    me = psutil.Process()
    return Reading(time.monotonic(), busy, sum(map(_used, (me, *me.children(recursive=True)))))


def _used(process: psutil.Process) -> float:
    """By a process and by those of its children that are over."""
    try:
        return float(sum(process.cpu_times()[:4]))  # user, system, children's user, children's system
    except psutil.NoSuchProcess:
        return 0.0  # it ended just now: its parent's count has it
