"""Whether this machine can hold the connections that a fleet wants, before the first one is opened.

Arithmetic on a few numbers, and one function that reads those of the system. Running out half-way would look like a
fault of the server: files run out as ConnectFailed, local ports as connects that take ever longer.
"""

import math
import resource
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agent_sim.errors import UsageError
from agent_sim.transports.base import ConnectionMode, Connections

_PORT_RANGE: Final = Path("/proc/sys/net/ipv4/ip_local_port_range")  # IPv6 uses it too
_REUSE: Final = Path("/proc/sys/net/ipv4/tcp_tw_reuse")
_SYSCTL: Final = "net.ipv4.tcp_tw_reuse"
_HELD_SECONDS: Final = 60
"""How long Linux keeps the local port of a connection that we closed (TIME_WAIT), unless it may be used again."""
_SPARE_FILES: Final = 128
"""Open files for everything but agents' connections: journal, report, operator, pipes (our choice)."""
_SPARE_PORTS: Final = 1_000
"""Local ports for storms, the operator and everybody else on the machine (our choice)."""
LOOPBACK_SOURCES: Final = 8
"""Addresses of 127.0.0.0/8 that many connections to this machine are made from: each has all local ports once more."""
MOST_PROCESSES: Final = 64
"""That a fleet can be shared out to."""
_WIDEN: Final = 'widen it, as with `sysctl -w net.ipv4.ip_local_port_range="1024 65535"`'
_WAY_OUT: Final[Mapping[ConnectionMode, str]] = {
    "per_agent": "or use fewer agents, or connections: {mode: shared}",
    "shared": "or lower the connections' limit",
    "per_request": "or lower the connections' limit",
}


@dataclass(frozen=True, slots=True)
class Machine:
    """What the system allows one process: open files now and at most, how many local ports there are, and for how many
    seconds it keeps one whose connection we closed."""

    open_files: int
    most_open_files: int
    local_ports: int
    held_seconds: int = _HELD_SECONDS


@dataclass(frozen=True, slots=True)
class Wants:
    """The connections that a fleet wants.

    `limit` is that of each process; `besides` counts connections of other agents, through a broker; `sources` the
    addresses that they are made from. `is_shareable` is true if each process holds only its own, false if one has all
    in the end, as our own server has. `per_second` are those to other machines that we close, about, and `seconds` for
    how long.
    """

    agents: int
    mode: ConnectionMode
    limit: int = Connections().limit
    besides: int = 0
    sources: int = 1
    processes: int = 1
    is_shareable: bool = False
    per_second: float = 0.0
    seconds: float = math.inf

    @property
    def at_once(self) -> int:
        """By all processes together."""
        return self._of(self.agents, self.processes) + self.besides

    @property
    def in_one_process(self) -> int:
        """By that which has most."""
        if not self.is_shareable:
            return self.at_once
        return self._of(-(-self.agents // self.processes), 1) + self.besides

    def _of(self, agents: int, processes: int) -> int:
        return agents if self.mode == "per_agent" else min(agents, self.limit * processes)

    def __str__(self) -> str:
        also = f" and {self.besides} connections to a broker" if self.besides else ""
        return f"{self.agents} agents with connections {self.mode}{also} need"


def check_limits(wants: Wants) -> list[str]:
    """What there may be too little of here, a sentence each.

    Raises UsageError, with the numbers and the mend, if these connections cannot be had.
    """
    machine = this_machine()
    problems = shortages(wants, machine)
    if problems:
        raise UsageError("\n".join(problems))
    return doubts(wants, machine)


def sources(host: str, how: Connections) -> int:
    """From how many addresses of this machine connections to `host` are made; many only over loopback.

    A shared pool needs few ports, and aiohttp leaves the choice to the system.
    """
    is_loopback = sys.platform == "linux" and host.startswith("127.") and host.replace(".", "").isdecimal()
    return LOOPBACK_SOURCES if is_loopback and how.mode != "shared" and how.client == "fast" else 1


def shortages(wants: Wants, machine: Machine) -> list[str]:
    """What `machine` has too little of, one sentence each."""
    return [*_too_few_files(wants, machine), *_too_few_ports(wants, machine)]


def _too_few_files(wants: Wants, machine: Machine) -> Iterator[str]:
    files = wants.in_one_process + _SPARE_FILES
    if files <= machine.open_files:
        return
    each = f" in each of {wants.processes} processes" if wants.is_shareable and wants.processes > 1 else ""
    yield (
        f"{wants} {files} open files{each} and this process may have {machine.open_files}: "
        f"{_raise_files(files, machine)}, {_share_out(wants, machine)}{_way_out(wants)}"
    )


def _raise_files(files: int, machine: Machine) -> str:
    if files <= machine.most_open_files:
        return f"run `ulimit -n {files}` first"
    return f"raise the hard limit (now {machine.most_open_files}; LimitNOFILE= or limits.conf)"


def _share_out(wants: Wants, machine: Machine) -> str:
    """A limit of connections is each process's own; of agents with one each, every process has only its part."""
    room = machine.open_files - _SPARE_FILES
    if wants.mode != "per_agent" or not wants.is_shareable or room * MOST_PROCESSES < wants.agents:
        return ""
    return f"or run with --processes {-(-wants.agents // room)}, "


def _too_few_ports(wants: Wants, machine: Machine) -> Iterator[str]:
    ports = _ports_at_once(wants)
    if ports <= machine.local_ports:
        return
    each = f" at each of {wants.sources} addresses" if wants.sources > 1 else ""
    yield f"{wants} {ports} local ports{each} and {_PORT_RANGE} has {machine.local_ports}: {_WIDEN}, {_way_out(wants)}"


def _ports_at_once(wants: Wants) -> int:
    return wants.at_once // wants.sources + _SPARE_PORTS


def doubts(wants: Wants, machine: Machine) -> list[str]:
    """What `machine` may have too little of, if the server has agents beat as often as the scenario says."""
    held = math.ceil(wants.per_second * min(machine.held_seconds, wants.seconds))
    ports = _ports_at_once(wants) + held
    if not held or ports <= machine.local_ports:
        return []
    return [
        (
            f"{wants} {ports} local ports, if the server has them beat as often as the scenario says: for that they "
            f"close {wants.per_second:.0f} connections a second, the system keeps the port of each for "
            f"{machine.held_seconds} s, and {_PORT_RANGE} has {machine.local_ports}. Without enough, connects take "
            f"ever longer: {_WIDEN}, or use connections: {{mode: shared}}, fewer agents or a longer heartbeat, "
            f"or have ports used again: `sysctl -w {_SYSCTL}=1`"
        )
    ]


def _way_out(wants: Wants) -> str:
    own = f", which each of {wants.processes} processes has" if wants.processes > 1 else ""
    return _WAY_OUT[wants.mode] + (own if wants.mode != "per_agent" else "")


def this_machine() -> Machine:
    """The limits of this process and system; what the system does not tell counts as plenty."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return Machine(_finite(soft), _finite(hard), ports_in(_read(_PORT_RANGE)), seconds_held(_read(_REUSE)))


def seconds_held(text: str) -> int:
    """How long the port of a closed connection to another machine is kept: a second if it may be used again (1)."""
    return 1 if text.strip() == "1" else _HELD_SECONDS  # 2, as is usual, is for loopback only


def ports_in(text: str) -> int:
    """How many ports a range such as `32768 60999` has, both ends included."""
    bounds = text.split()
    return int(bounds[1]) - int(bounds[0]) + 1 if len(bounds) == 2 else sys.maxsize


def _finite(value: int) -> int:
    return sys.maxsize if value == resource.RLIM_INFINITY else value


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except OSError:
        return ""  # not Linux
