"""What a process has used of the CPU so far, finer than in ticks of a hundredth of a second where the system tells."""

import sys
import time

from agent_sim.cli.embedded import cpu_seconds


def cpu_of(pid: int) -> float:
    """User and system seconds of a process, its threads that are over included."""
    if sys.platform != "linux":
        return cpu_seconds(pid)
    return time.clock_gettime(~pid << 3 | 2)  # clock_getcpuclockid(3): the clock of what a process's threads ran
