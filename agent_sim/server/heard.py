"""When agents were last heard of, in memory until it is stored: all of it for whoever asks, else some at a time.

A heartbeat only notes its instant here. Those taken together stand together in the database as well, as far as agents
registered in the order in which their records were added: some hundred neighbours are on a few of its pages, others may
be on as many pages as they are.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Final

from agent_sim.instants import Instant

_LOOKED_AT: Final = 10
"""Agents that are looked at for each that is wanted, as most may have said nothing lately."""


class Heard:
    """Who was heard of since that was last taken. Heartbeats may come in while another thread takes."""

    def __init__(self) -> None:
        self._when: dict[str, Instant] = {}
        self._met: dict[str, None] = {}  # in order; for good
        self._round: Iterator[str] = iter(())

    def meet(self, agent_id: str, now: Instant) -> None:
        """An agent registers."""
        self._met[agent_id] = None
        self.hear(agent_id, now)

    def hear(self, agent_id: str, now: Instant) -> None:
        """An agent that has registered says something else."""
        self._when[agent_id] = now

    def take(self) -> dict[str, Instant]:
        """All of them."""
        return self._taken(list(self._when))

    def take_one(self, agent_id: str) -> dict[str, Instant]:
        """This one, if it is among them."""
        return self._taken([agent_id])

    def begin_round(self) -> None:
        """Let `take_some` go through all agents that are known by now."""
        self._round = iter(list(self._met))

    def take_some(self, most: int) -> dict[str, Instant] | None:
        """The next of this round, so many at most; None if it is over."""
        is_over, taken = True, dict[str, Instant]()
        for agent_id in islice(self._round, _LOOKED_AT * most):
            is_over = False
            at = self._when.pop(agent_id, None)
            if at is not None:
                taken[agent_id] = at
                if len(taken) == most:
                    break
        return None if is_over else taken

    def _taken(self, agent_ids: list[str]) -> dict[str, Instant]:
        taken = {agent_id: self._when.pop(agent_id, None) for agent_id in agent_ids}
        return {agent_id: at for agent_id, at in taken.items() if at is not None}
