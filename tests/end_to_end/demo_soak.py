"""What a demo that runs for days takes: `agent-sim demo`, so many times as fast, watched from outside.

`python -m tests.end_to_end.demo_soak --minutes 10 --speed 10`. Resident memory of the fleet's and the server's process
is read every second; the first half is left out, while pools fill. History is kept to as many runs as a third makes, so
that what follows is the state of a demo after days: each run makes an older one give way. Fails if both
together exceed 300 MB, or would after 72 h at the rate at which they grew.
"""

import argparse
import os
import re
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from agent_sim.credentials import OPERATOR_NAMES
from tests.end_to_end.by_hand import Operator

HOURS = 72
MOST_MB = 300
RUNS_A_MINUTE = 210
MEGA = 1024 * 1024


@dataclass(frozen=True)
class Sample:
    """So many minutes of the scenario into the soak: megabytes of each process, and of the database."""

    minute: float
    fleet: float
    server: float
    disk: float

    @property
    def both(self) -> float:
        return self.fleet + self.server


def main() -> None:
    asked = argparse.ArgumentParser()
    asked.add_argument("--minutes", type=float, default=10, help="of the wall")
    asked.add_argument("--speed", type=float, default=10, help="minutes of the scenario in one of the wall")
    asked.add_argument("--agents", type=int, default=150)
    options = asked.parse_args()
    kept = max(round(options.minutes / 3 * options.speed * RUNS_A_MINUTE * options.agents / 150), 100)
    command = [sys.executable, "-m", "agent_sim.cli.main", "demo", "--time-scale", str(options.speed)]
    command += ["--param", f"agents={options.agents}", "--param", f"kept={kept}", "--exit-with-parent"]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        samples, audit = watched(process, options.minutes * 60, options.speed)
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    sys.exit(0 if told(samples, audit, kept) else 1)


def watched(process: "subprocess.Popen[str]", seconds: float, speed: float) -> tuple[list[Sample], int]:
    """A sample every second, and the last audit id given."""
    said = ""
    while "Ctrl-C" not in said:
        line = process.stdout.readline()
        assert line, process.communicate()
        said += line
    for stream in (process.stdout, process.stderr):
        threading.Thread(target=stream.read, daemon=True).start()
    [folder] = re.findall(r"credentials +(\S+)/credentials", said)
    [url] = re.findall(r"management API +(\S+)/KeyfactorAPI", said)
    api = Operator(url, *account(Path(folder) / "credentials"))
    fleet = psutil.Process(process.pid)
    [server] = [child for child in fleet.children() if "agent_sim.cli.serve" in child.cmdline()]
    began = time.monotonic()
    samples = []
    while (passed := time.monotonic() - began) < seconds:
        sizes = [one.memory_info().rss / MEGA for one in (fleet, server)]
        disk = sum(file.stat().st_size for file in Path(folder).glob("server.db*")) / MEGA
        samples.append(Sample(passed / 60 * speed, *sizes, disk))
        time.sleep(1)
    query = "/OrchestratorJobs/JobHistory?ReturnLimit=1&SortField=JobHistoryId&SortAscending=1"
    [newest] = api.get(query).json
    return samples, newest["JobHistoryId"]


def account(file: Path) -> tuple[str, str]:
    pairs = dict(line.split("=", 1) for line in file.read_text().splitlines())
    return pairs[OPERATOR_NAMES[0]], pairs[OPERATOR_NAMES[1]]


def told(samples: list[Sample], audit: int, kept: int) -> bool:
    """Print what it took; true if days of it would stay below the most allowed."""
    settled = samples[len(samples) // 2 :]
    hours = (settled[-1].minute - settled[0].minute) / 60
    growth = slope(settled) * 60
    most = max(one.both for one in samples)
    after = settled[-1].both + growth * max(HOURS - settled[-1].minute / 60, 0)
    print(f"{samples[-1].minute / 60:.1f} h of a demo in {len(samples)} s; the last audit id {audit:,}, kept {kept:,}")
    for one in [*samples[:: max(len(samples) // 10, 1)], samples[-1]]:
        print(
            f"{one.minute / 60:5.2f} h  fleet {one.fleet:6.1f} MB  server {one.server:6.1f} MB  both {one.both:6.1f} MB"
            f"  database {one.disk:6.1f} MB"
        )
    print(f"the most      {most:.1f} MB; growth once settled {growth:+.2f} MB/h over {hours:.1f} h")
    print(f"after {HOURS} h    {after:.0f} MB at that rate, of {MOST_MB} MB allowed")
    return max(most, after) < MOST_MB


def slope(samples: list[Sample]) -> float:
    """Megabytes a minute, by least squares."""
    count = len(samples)
    mean_x = sum(one.minute for one in samples) / count
    mean_y = sum(one.both for one in samples) / count
    spread = sum((one.minute - mean_x) ** 2 for one in samples)
    return sum((one.minute - mean_x) * (one.both - mean_y) for one in samples) / spread if spread else 0.0


if __name__ == "__main__":
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    main()
