"""Real server processes on free ports, each with accounts of its own."""

import gc
import io
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from agent_sim.cli.main import main
from tests.end_to_end.by_hand import Operator, Wire

COMMAND = (sys.executable, "-m", "agent_sim.cli.serve")
PATIENCE = 60.0

ACCOUNTS = {
    "AGENT_SIM_USERNAME": "operator",
    "AGENT_SIM_PASSWORD": "operator's secret",
    "AGENT_SIM_AGENT_USERNAME": "DOMAIN\\agent",
    "AGENT_SIM_AGENT_PASSWORD": "agent's secret: ü",
}


def environment(**changes: str) -> dict[str, str]:
    """This process's environment with no account of its own, and `changes`."""
    return {name: value for name, value in os.environ.items() if name not in ACCOUNTS} | changes


@dataclass
class ServerProcess:
    """A server that said it is ready."""

    process: subprocess.Popen[str]
    url: str
    ready_line: str

    @property
    def operator(self) -> Operator:
        """The management API, with the operator's account."""
        return Operator(self.url, ACCOUNTS["AGENT_SIM_USERNAME"], ACCOUNTS["AGENT_SIM_PASSWORD"])

    @property
    def wire(self) -> Wire:
        """The agents' wire, with the agents' account."""
        return Wire(self.url, ACCOUNTS["AGENT_SIM_AGENT_USERNAME"], ACCOUNTS["AGENT_SIM_AGENT_PASSWORD"])

    def close_input(self) -> None:
        """End the server's standard input."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.stdin = None

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, str, str]:
        """Send a signal and wait; returns the exit code and what else it printed."""
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, out, err


Start = Callable[..., ServerProcess]


@contextmanager
def starting() -> Iterator[Start]:
    """A function of options that starts a server, on a free port unless told otherwise; at the end, none is left."""
    started: list[subprocess.Popen[str]] = []

    def start(*options: str, stderr: int = subprocess.PIPE, **changes: str) -> ServerProcess:
        port = () if "--port" in options else ("--port", "0")
        process = subprocess.Popen(
            [*COMMAND, *port, *options],
            env=environment(**ACCOUNTS | changes),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )
        started.append(process)
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, process.communicate(timeout=PATIENCE)
        return ServerProcess(process, line.split()[-1], line)

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=PATIENCE)


@pytest.fixture
def start_server() -> Iterator[Start]:
    """A function of options that starts a server."""
    with starting() as start:
        yield start


Refused = Callable[..., str]


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Refused:
    """A function of options: the one line with which a server that cannot start ends, with exit code 2.

    In this process: a start of its own would cost each of them a second of importing.
    """

    def refused(*options: str, **changes: str) -> str:
        for name in ACCOUNTS:
            monkeypatch.delenv(name, raising=False)
        for name, value in changes.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["agent-sim", "serve", "--port", "0", *options])
        monkeypatch.setattr(sys, "stdin", io.StringIO())
        switching = sys.getswitchinterval()
        try:
            with pytest.raises(SystemExit) as ended:
                main()
        finally:  # what a server does to the process that is its own
            sys.setswitchinterval(switching)
            gc.unfreeze()
        out, err = capsys.readouterr()
        assert (ended.value.code, out) == (2, "")
        [line] = [line for line in err.splitlines() if not line.startswith("CA certificate")]
        assert line.startswith("error: ")
        return line

    return refused


@pytest.fixture
def server_process(start_server: Start) -> ServerProcess:
    """A server of the test's own, with its database in memory."""
    return start_server()


@pytest.fixture(scope="module")
def lasting_server() -> Iterator[ServerProcess]:
    """A server that the tests of a module share and do not stop."""
    with starting() as start:
        yield start()
