"""How many ids a storm needs, beside how many there are: computed and shown before the first request.

An id is used once, so a storm that outruns its pool would measure the error path (load-testing 3.1); the pool
running out is a result, not a surprise.
"""

import math
from dataclasses import dataclass
from typing import Final

from agent_sim.instants import SECOND, Span
from agent_sim.storms.arrivals import due_offsets, expected_arrivals
from agent_sim.storms.plan import StormPlan


@dataclass(frozen=True, slots=True)
class Budget:
    """Ids needed for the planned arrivals, ids held back for requests in flight, ids there are.

    `lasts` is the offset at which the pool runs out, or None if it does not.
    """

    needed: int
    reserve: int
    available: int
    lasts: Span | None

    def sentence(self) -> str:
        """One line for people."""
        said = f"ids: {self.needed:,} needed (and {self.reserve:,} for requests in flight), {self.available:,} eligible"
        if self.lasts is None:
            return said
        return f"{said}: the pool runs out after about {self.lasts / SECOND:.1f} s, and the measurement ends there"


MOST_CREATED: Final = 100_000
"""Names that a closed loop, whose rate nobody knows before, may use up (our choice)."""


def most_requests(plan: StormPlan) -> int:
    """How many requests a storm makes at most; a Poisson process may bring more than is expected."""
    if not any(stage.rate for stage in plan.stages):
        return MOST_CREATED
    return math.ceil(expected_arrivals(plan) * 1.2) + 10


def budget(plan: StormPlan, available: int) -> Budget:
    """The budget of an open storm by ids: the sum of rate times batch, and a reserve (load-testing 3.1).

    The reserve is a second's worth at the highest rate (our choice), as far as so many may be in flight.
    """
    # Contenders are about the same ids, so that ids last as much longer.
    arrivals = math.ceil(expected_arrivals(plan) / (plan.copies if plan.kind == "contended" else 1))
    batches = math.ceil(available / plan.batch)
    lasts = None
    if batches < arrivals:
        lasts = next((due for number, due in enumerate(due_offsets(plan)) if number == batches), None)
    reserve = min(plan.max_in_flight, math.ceil(max(stage.rate for stage in plan.stages)), arrivals) * plan.batch
    return Budget(arrivals * plan.batch, reserve, available, lasts)
