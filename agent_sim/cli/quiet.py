"""How much of this machine others used while something was measured: the counters, and the arithmetic of two readings.

Time stolen from a virtual machine counts as others'. A child that outlives its parent is no longer ours: whoever
measures waits for what it starts. A server under test on this machine is `also` ours, wherever it came from.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

import psutil

from agent_sim.storms.guard import host_of, is_loopback


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


def read(also: Iterable[psutil.Process] = ()) -> Reading:
    """The counters now."""
    machine = psutil.cpu_times()
    busy = machine.user + machine.nice + machine.system + getattr(machine, "steal", 0.0)
    ours = {each for process in (psutil.Process(), *also) for each in _tree(process)}
    return Reading(time.monotonic(), busy, sum(map(_used, ours)))


def serving(url: str) -> list[psutil.Process]:
    """The processes of this machine that listen where a URL points to, as far as we may see them."""
    if not is_loopback(host_of(url)):
        return []
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        sockets = psutil.net_connections("tcp")
    except psutil.AccessDenied:
        return []
    listening = (each for each in sockets if each.status == psutil.CONN_LISTEN)
    found = {each.pid for each in listening if getattr(each.laddr, "port", None) == port}
    return [psutil.Process(pid) for pid in found if pid and psutil.pid_exists(pid)]


def _tree(process: psutil.Process) -> list[psutil.Process]:
    try:
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _used(process: psutil.Process) -> float:
    """By a process and by those of its children that are over."""
    try:
        return float(sum(process.cpu_times()[:4]))  # user, system, children's user, children's system
    except psutil.NoSuchProcess:
        return 0.0  # it ended just now: its parent's count has it
