"""The declared faults of a run, from its journal: when each was armed, how much it met.

Windows that follow each other at once are one stretch: a report draws stretches.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from agent_sim.results.figures import Fault, Storm
from agent_sim.results.journal import FaultArmed, FaultOver, Line


@dataclass(slots=True)
class _Seen:
    stretches: list[tuple[float, float]] = field(default_factory=list)
    open_since: float | None = None
    window: int = 0  # the number of the last that began
    windows: int = 0
    requests: int = 0
    agents: set[str] = field(default_factory=set)

    def close(self, end: float) -> None:
        if self.open_since is None:
            return
        begin, self.open_since = self.open_since, None
        if self.stretches and self.stretches[-1][1] >= begin:
            begin, _ = self.stretches.pop()
        self.stretches.append((begin, max(end, begin)))


class FaultsFold:
    """Gathers them, one line at a time; lines of other events do not count."""

    def __init__(self) -> None:
        self._seen: dict[str, _Seen] = {}

    def add(self, line: Line) -> None:
        """Take one line in."""
        match line:
            case FaultArmed():
                seen = self._seen.setdefault(line.fault, _Seen())
                seen.close(line.t)
                seen.open_since, seen.window, seen.windows = line.t, line.window, seen.windows + 1
            case FaultOver():
                seen = self._seen.setdefault(line.fault, _Seen())
                if line.window == seen.window:  # else it is another process's, late
                    seen.close(line.t)
                seen.requests += line.requests
                seen.agents.update(line.agents)
            case _:
                pass

    def finish(self, seconds: float, storms: Iterable[Storm] = ()) -> tuple[Fault, ...]:
        """What has been gathered in a run of so many seconds with these storms, in order of their beginning."""
        for seen in self._seen.values():
            seen.close(seconds)
        for storm in storms:
            for name, met in storm.result.faults.items() if storm.result is not None else ():
                self._seen.setdefault(name, _Seen()).requests += met
        made = [
            Fault(name, seen.windows, tuple(seen.stretches), seen.requests, len(seen.agents))
            for name, seen in self._seen.items()
        ]
        return tuple(sorted(made, key=lambda fault: (fault.stretches[:1], fault.name)))
