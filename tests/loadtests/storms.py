"""Starts storms by plain Locust, each a process of its own, and reads what they leave."""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent_sim.storms.plan import to_json
from tests.loadtests.fake_command import PASSWORD, USER, FakeCommand

STORM = Path(__file__).parents[2] / "loadtests" / "storm.py"
CREDENTIALS = {"AGENT_SIM_USERNAME": USER, "AGENT_SIM_PASSWORD": PASSWORD}
OPEN = ("--rate", "20/s", "--batch", "5", "-t", "1s")


@dataclass
class Ended:
    """How a storm's process ended."""

    code: int
    said: str
    complaint: str
    result: dict[str, Any] | None

    @property
    def violations(self) -> dict[str, int]:
        """The broken rules."""
        assert self.result is not None
        return {rule: count for rule, count in self.result["reconciliation"]["violations"].items() if count}

    @property
    def passing(self) -> int:
        """The code of a storm that broke nothing: a machine too busy to measure makes it inconclusive."""
        assert self.result is not None
        return 3 if self.result["generator"]["saturated"] else 0


class Storms:
    """Starts storms that write their results to one folder."""

    def __init__(self, folder: Path) -> None:
        self.result = folder / "storm.json"
        self.folder = folder

    def start(
        self,
        url: str,
        *options: str,
        environment: dict[str, str] | None = None,
        stdin: int = subprocess.DEVNULL,
        new_session: bool = False,
        page: bool = False,
    ) -> subprocess.Popen[str]:
        fixed = ["--host", url, "--result", str(self.result), "--quiet-period", "0.1"]
        fixed += [] if page else ["--headless", "--only-summary"]
        return subprocess.Popen(
            [sys.executable, "-m", "locust", "-f", str(STORM), *fixed, *options],
            env={**os.environ, **(CREDENTIALS if environment is None else environment)},
            cwd=self.folder,  # neither the checkout nor its pyproject.toml is needed
            stdin=stdin,
            start_new_session=new_session,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def end(self, process: subprocess.Popen[str]) -> Ended:
        said, complaint = process.communicate(timeout=150)
        result = json.loads(self.result.read_text()) if self.result.exists() else None
        return Ended(process.returncode, said, complaint, result)

    def run(self, url: str, *options: str, environment: dict[str, str] | None = None) -> Ended:
        return self.end(self.start(url, *options, environment=environment))


def run_plan(storms: Storms, fake: FakeCommand, asked: Any) -> Ended:
    file = storms.folder / "plan.json"
    file.write_text(to_json(asked))
    return storms.run(fake.url, "--plan", str(file))


def wait_for(happened: Any) -> None:
    deadline = time.monotonic() + 120
    while not happened():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.02)
