"""garbage: answers are nonsense of some length instead of JSON."""

from dataclasses import dataclass

from agent_sim.faults.effects import Garbage as Nonsense
from agent_sim.faults.kinds import Struck


@dataclass(frozen=True, slots=True)
class Garbage:
    """`size` in bytes, 1 or more."""

    size: int

    def strike(self, struck: Struck) -> tuple[Nonsense, ...]:
        """Each answer draws its own; no text in UTF-8 begins like this, so no JSON does."""
        pieces = (int(struck.draw(f"garbage {n}") * 2**48).to_bytes(6, "big") for n in range(self.size // 6 + 1))
        return (Nonsense((b"\xff" + b"".join(pieces))[: self.size]),)
