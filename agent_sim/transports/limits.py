"""Whether this machine can hold the connections that a fleet wants, before the first one is opened.

Arithmetic on three numbers, and one function that reads them from the system. Running out half-way would look like a
fault of the server: files run out as ConnectFailed, local ports as connects that take ever longer.
"""

import resource
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agent_sim.errors import UsageError
from agent_sim.transports.base import ConnectionMode, Connections

_PORT_RANGE: Final = Path("/proc/sys/net/ipv4/ip_local_port_range")  # IPv6 uses it too
_SPARE_FILES: Final = 128
"""Open files for everything but agents' connections: journal, report, operator, pipes (our choice)."""
_SPARE_PORTS: Final = 1_000
"""Local ports for storms, the operator and everybody else on the machine (our choice)."""
LOOPBACK_SOURCES: Final = 8
"""Addresses of 127.0.0.0/8 that many connections to this machine are made from: each has all local ports once more."""
_WAY_OUT: Final[Mapping[ConnectionMode, str]] = {
    "per_agent": "or use fewer agents, or connections: {mode: shared}",
    "shared": "or lower the connections' limit",
    "per_request": "or lower the connections' limit",
}


@dataclass(frozen=True, slots=True)
class Machine:
    """What the system allows one process: open files now and at most, and how many local ports there are."""

    open_files: int
    most_open_files: int
    local_ports: int


def check_limits(
    agents: int, mode: ConnectionMode, limit: int = Connections().limit, besides: int = 0, sources: int = 1
) -> None:
    """Raise UsageError, with the numbers and the mend, if so many agents cannot have their connections here.

    `besides` counts connections of other agents, through a broker; `sources` the addresses that they are made from.
    """
    problems = shortages(agents, mode, limit, this_machine(), besides, sources)
    if problems:
        raise UsageError("\n".join(problems))


def sources(host: str, how: Connections) -> int:
    """From how many addresses of this machine connections to `host` are made; many only over loopback.

    A shared pool needs few ports, and aiohttp leaves the choice to the system.
    """
    is_loopback = sys.platform == "linux" and host.startswith("127.") and host.replace(".", "").isdecimal()
    return LOOPBACK_SOURCES if is_loopback and how.mode != "shared" and how.client == "fast" else 1


def shortages(
    agents: int, mode: ConnectionMode, limit: int, machine: Machine, besides: int = 0, sources: int = 1
) -> list[str]:
    """What `machine` has too little of, one sentence each."""
    connections = (agents if mode == "per_agent" else min(agents, limit)) + besides
    also = f" and {besides} connections to a broker" if besides else ""
    wanted = f"{agents} agents with connections {mode}{also} need"
    problems = []
    if (files := connections + _SPARE_FILES) > machine.open_files:
        problems.append(
            f"{wanted} {files} open files and this process may have {machine.open_files}: "
            f"{_raise_files(files, machine)}, {_WAY_OUT[mode]}"
        )
    if (ports := connections // sources + _SPARE_PORTS) > machine.local_ports:
        each = f" at each of {sources} addresses" if sources > 1 else ""
        problems.append(
            f"{wanted} {ports} local ports{each} and {_PORT_RANGE} has {machine.local_ports}: "
            f'widen it, as with `sysctl -w net.ipv4.ip_local_port_range="1024 65535"`, {_WAY_OUT[mode]}'
        )
    return problems


def _raise_files(files: int, machine: Machine) -> str:
    if files <= machine.most_open_files:
        return f"run `ulimit -n {files}` first"
    return f"raise the hard limit (now {machine.most_open_files}; LimitNOFILE= or limits.conf)"


def this_machine() -> Machine:
    """The limits of this process and system; what the system does not tell counts as plenty."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return Machine(_finite(soft), _finite(hard), ports_in(_read(_PORT_RANGE)))


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
