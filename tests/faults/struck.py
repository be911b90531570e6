"""Something for a fault to meet, with draws that a test sets."""

from agent_sim.faults.kinds import Struck


def struck(draw=0.5, operation="complete"):
    """A request of one agent; every draw is `draw`, or what it says for the purpose."""
    return Struck("agent-1", operation, draw if callable(draw) else lambda purpose: draw)
