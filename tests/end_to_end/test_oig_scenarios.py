"""The two scenarios of the second target: replayed byte for byte, and run live with processes and sockets."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

SCENARIOS = ("oig-certification-purge", "oig-retry-exhaustion")
LAWS = ("oig_no_lost_runs", "oig_no_run_twice", "oig_retries_obeyed")


def agent_sim(*words: str, folder: Path, codes: tuple[int, ...] = (0,)) -> tuple[str, list[dict]]:
    """Run a command that must end so; what it printed, and its journal."""
    command = [sys.executable, "-m", "agent_sim.cli.main", *words, "--runs", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode in codes, done.stdout + done.stderr
    [run] = folder.iterdir()
    return done.stdout, [json.loads(line) for line in (run / "journal.jsonl").read_text().splitlines()]


def failures(journal: list[dict]) -> dict[str, int]:
    prefix = journal[0]["prefix"]
    failed = (line["job"].removeprefix(prefix) for line in journal if line["event"] == "oig_run"
              and line["status"] in ("FAILED", "INTERRUPTED"))  # fmt: skip
    return dict(Counter(failed))


def disabled(journal: list[dict]) -> set[str]:
    prefix = journal[0]["prefix"]
    return {line["job"].removeprefix(prefix) for line in journal if line["event"] == "oig_job" and not line["enabled"]}


# How often each job of the exhaustion scenario fails or is interrupted: once more than its retries, Healed twice
# before it goes on, Hanging once when it is stopped, Enabled Again once before and once after.
EXHAUSTED = {
    "Never Again": 1, "Enabled Again": 2, "Twice": 2, "Four Times": 4, "Healed": 2, "Hanging": 1, "Crashing": 2,
    "Fails By Trigger": 3,
}  # fmt: skip
DISABLED = {"Never Again", "Enabled Again", "Twice", "Four Times", "Crashing", "Fails By Trigger"}


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_replay_keeps_the_laws_and_its_journal_is_the_same_to_the_byte(name, tmp_path):
    said, journal = agent_sim("replay", name, folder=tmp_path / "a")
    _, again = agent_sim("replay", name, folder=tmp_path / "b")

    assert journal == again
    assert all(f"kept {law}" in " ".join(said.split()) for law in LAWS)


def test_retries_are_exhausted_in_a_replay_as_the_scenario_tells(tmp_path):
    _, journal = agent_sim("replay", "oig-retry-exhaustion", folder=tmp_path)

    assert (failures(journal), disabled(journal)) == (EXHAUSTED, DISABLED)


def test_a_month_of_triggers_is_replayed(tmp_path):
    words = ("replay", "oig-certification-purge", "--param", "for=30d", "--param", "every=86400")
    _, journal = agent_sim(*words, folder=tmp_path)

    asked_for = Counter(line["job"] for line in journal if line["event"] == "oig_run")
    monthly = [count for job, count in asked_for.items() if job.endswith("Monthly Purge")]
    assert sum(monthly) >= 1  # the fourth Monday of January 2026 is the 26th


def test_retries_are_exhausted_live_as_the_scenario_tells(tmp_path):
    said, journal = agent_sim("run", "oig-retry-exhaustion", "--param", "for=14s", folder=tmp_path)

    assert all(f"kept {law}" in " ".join(said.split()) for law in LAWS)
    assert (failures(journal), disabled(journal)) == (EXHAUSTED, DISABLED)


def test_the_purge_runs_live(tmp_path):
    said, journal = agent_sim("run", "oig-certification-purge", "--param", "for=10s", folder=tmp_path)

    assert all(f"kept {law}" in " ".join(said.split()) for law in LAWS)
    assert Counter(line["event"] for line in journal)["oig_job"] == 4
    assert {line["what"] for line in journal if line["event"] == "oig_asked"} == {"create", "trigger", "run"}
