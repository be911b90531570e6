"""How often the same scenario and seed came to the same journal and the same outcome digest, and in how many ways.

    python -m tests.bench.digests --seeds 5

Each seed is replayed as a process of its own under several surroundings, and run live over HTTP at several time
scales; counted is how many of them agree with the first replay, to the byte and by digest. Not a matter of speed: it is
judged beside whatever else runs, and ends with 1 if one of them does not.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.bench.figures import Bound, Figure, exit_code, tell
from tests.end_to_end.test_replay import BUSY, FINITE, digest_of, only_run

SURROUNDINGS = [
    {"PYTHONHASHSEED": "0"},
    {"PYTHONHASHSEED": "1", "TZ": "Asia/Kolkata", "LC_ALL": "C"},
    {"PYTHONHASHSEED": "31337", "TZ": "America/St_Johns", "LC_ALL": "C.UTF-8"},
    {"PYTHONHASHSEED": "random", "PYTHONOPTIMIZE": "1"},
]


def ran(verb: str, text: str, seed: int, folder: Path, *words: str, **environment: str) -> Path:
    """The folder of one run, in a directory of its own."""
    folder.mkdir(parents=True)
    file = folder / "scenario.yaml"
    file.write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "agent_sim.cli.main", verb, file.name, "--seed", str(seed), *words]
    paths = os.pathsep.join(filter(None, [str(Path.cwd()), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        command, cwd=folder, env=os.environ | {"PYTHONPATH": paths} | environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return only_run(folder / "runs")


def main() -> int:
    """Count, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--scales", default="1,2,4", help="time scales of the live runs")
    arguments = parser.parse_args()
    scales = arguments.scales.split(",")
    same: list[float] = []
    alike: list[float] = []
    with tempfile.TemporaryDirectory() as name:
        for seed in range(arguments.seeds):
            place = Path(name) / str(seed)
            replays = [ran("replay", BUSY, seed, place / f"busy-{n}", **each) for n, each in enumerate(SURROUNDINGS)]
            same.append(len({(run / "journal.jsonl").read_bytes() for run in replays}) == 1)
            finite = digest_of(ran("replay", FINITE, seed, place / "finite"))
            lives = [ran("run", FINITE, seed, place / f"live-{scale}", *words_for(scale)) for scale in scales]
            alike.append(sum(digest_of(run) == finite for run in lives) / len(lives))
    figures = [
        Figure(f"seeds with the same journal in {len(SURROUNDINGS)} surroundings", same, "", Bound(1, 1)),
        Figure(f"live runs with the replay's digest, time scales {arguments.scales}", alike, "", Bound(1, 1)),
    ]
    tell("digests", figures, None)
    return exit_code(figures)


def words_for(scale: str) -> tuple[str, ...]:
    return ("--time-scale", scale, "--set", "stop.drain=5m")


if __name__ == "__main__":
    sys.exit(main())
