"""Whether the machine was ours while something was measured: a bench shows its figures anyway, but judges none if not.

`Watch` reads the counters around what is measured; the counters are `agent_sim.cli.quiet`.
"""

from types import TracebackType

from agent_sim.cli.quiet import Reading, others, read
from agent_sim.results.paired import FOREIGN

__all__ = ["MOST", "Reading", "Watch", "is_quiet", "others", "read"]

MOST = FOREIGN
"""What other processes may take of one core before a figure says nothing."""


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
