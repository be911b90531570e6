"""Storms on two targets in turn, each a Locust process of its own, and beside each what the machine could do just then.

A run's folder holds what the storm's own `--report` leaves, its log, and `beside.json`: what a request took against a
null server just before it, and how much of the machine others used meanwhile. Nothing here judges.
"""

import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

from agent_sim.cli.compare import read_document
from agent_sim.cli.library import storm_file
from agent_sim.cli.null_command import NO_CONTENT
from agent_sim.cli.quiet import others, read, serving
from agent_sim.errors import TargetError, UsageError
from agent_sim.results.storm_pairs import StormRun, read_run, turns

BESIDE: Final = "beside.json"

_AT_ONCE: Final = 64
_CALIBRATED_FOR: Final = 0.3
_PATIENCE: Final = 60.0
_POST: Final = (
    b"POST /KeyfactorAPI/OrchestratorJobs/Acknowledge HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    b'Content-Type: application/json\r\nContent-Length: 22\r\n\r\n{"JobAuditIds":[1001]}'
)


class NothingMeasured(Exception):
    """A storm came to nothing: no ids, interrupted. What it said."""


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two targets; `owned` is the host that the person named as theirs, if it is this one."""

    letter: str
    url: str
    owned: str | None = None
    credentials: Path | None = None


def made_in_turn(
    sides: Mapping[str, Side], options: Sequence[str], pairs: int, seed: int, folder: Path, say: Callable[[str], None]
) -> Iterator[StormRun]:
    """Every run as it ends, by the letter in its name; all files are in `folder`. Raises what a storm raises."""
    with null_server() as port:
        for number, first in enumerate(turns(pairs, seed), 1):
            for letter in (first, *(other for other in sides if other != first)):
                run = _run(sides[letter], options, folder / letter / f"{number:03}", port)
                say(f"pair {number} of {pairs}, {letter.upper()}: {_short(run)}")
                yield run


def kept_runs(folder: Path) -> list[StormRun]:
    """The runs in a folder, in the order in which they were made. Raises UsageError."""
    if not folder.is_dir():
        raise UsageError(f"{folder}: not a folder, expected one that holds runs of a storm, each with its result.json")
    found = [path.parent for path in folder.glob("*/result.json")]
    if not found:
        raise UsageError(f"{folder}: holds no runs: expected folders in it, each with the result.json of a storm")
    return sorted(map(_kept, found), key=lambda run: run.storm.started_at)


def _kept(folder: Path) -> StormRun:
    beside = folder / BESIDE
    return read_run(
        read_document(folder / "result.json"), read_document(beside) if beside.exists() else {}, str(folder)
    )


def _run(side: Side, options: Sequence[str], folder: Path, port: int) -> StormRun:
    folder.mkdir(parents=True)
    calibration = calibrated(port)
    targets = serving(side.url)
    before = read(targets)
    code, said = _storm(side, options, folder)
    foreign = others(before, read(targets))
    beside = {"null_server_us": round(calibration, 3), "foreign_cores": round(foreign, 4)}
    (folder / BESIDE).write_text(json.dumps(beside) + "\n", encoding="utf-8")
    if code == 4:
        raise TargetError(said)
    if code == 2:
        raise UsageError(said)
    if not (folder / "result.json").exists():
        raise NothingMeasured(said)
    run = _kept(folder)
    if run.storm.stopped == "interrupted":
        raise NothingMeasured("interrupted")
    return run


def _storm(side: Side, options: Sequence[str], folder: Path) -> tuple[int, str]:
    """The storm's exit code, and the last line that it said."""
    command = [sys.executable, "-m", "locust", "-f", str(storm_file()), "--headless", "--only-summary"]
    command += ["--host", side.url, "--report", str(folder), *options]
    command += [] if side.owned is None else ["--i-own-this-target", side.owned]
    command += [] if side.credentials is None else ["--credentials", str(side.credentials)]
    log = folder / "storm.log"
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT)
        try:
            code = process.wait()
        except KeyboardInterrupt:
            process.send_signal(signal.SIGINT)  # once more, to whom the terminal did not: two at once are one wish
            code = _ended(process)
            raise NothingMeasured("interrupted") from None
        finally:
            _ended(process)
    lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
    said = [line.removeprefix("storm: ") for line in lines if line.startswith("storm: ")] or [*filter(None, lines)]
    last = said[-1] if said else f"the storm ended with {code}"
    return code, f"{last if side.url in last else f'{side.url}: {last}'} (see {log})"


def _ended(process: "subprocess.Popen[bytes]") -> int:
    try:
        return process.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def _short(run: StormRun) -> str:
    storm = run.storm
    p50 = f"p50 {storm.response.percentile(0.5) / 1000:.2f} ms" if storm.response.supports(0.5) else "no p50"
    beside = f"null server {run.calibration or 0:.1f} µs, others {100 * (run.foreign or 0):.0f} % of a core"
    return f"{storm.achieved_rate:.1f}/s, {p50}, {storm.failed} errors; {beside}"


def _gone() -> NoReturn:
    raise ConnectionResetError("the null server closed its connection")


# --- what the machine can do --------------------------------------------------------------------


@contextmanager
def null_server() -> Iterator[int]:
    """The port of a server that does nothing."""
    process = subprocess.Popen(
        [sys.executable, "-m", "agent_sim.cli.null_command"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.wait()


def calibrated(port: int, seconds: float = _CALIBRATED_FOR) -> float:
    """Microseconds that a request takes this process and the null server: the median over many at once."""
    taken: list[float] = []
    ends = time.monotonic() + seconds
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        while not taken or time.monotonic() < ends:
            began = time.perf_counter_ns()
            connection.sendall(_POST * _AT_ONCE)
            left = _AT_ONCE * len(NO_CONTENT)
            while left > 0:
                left -= len(connection.recv(left)) or _gone()
            taken.append((time.perf_counter_ns() - began) / _AT_ONCE / 1000)
    return statistics.median(taken)
