"""Rounds of `kill -9`: a real server under load, killed at a random point, started again, and held to its word.

`python -m tests.end_to_end.kills.rounds --rounds 200` is the long version of the test. One database lives under every
durability in turn, unless `--durability` names one. When to kill comes from one seed, but threads and processes keep
their own time: what failed is told by the database, which then is kept.
"""

import argparse
import json
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Protocol

from tests.end_to_end.conftest import ACCOUNTS, COMMAND, PATIENCE, environment
from tests.end_to_end.kills.check import Account, check
from tests.end_to_end.kills.ledger import Ledger
from tests.end_to_end.kills.line import Killed, Line
from tests.end_to_end.kills.load import Agent, Api, Newcomers, Poster, Stormer, Wire, enrol

SETTINGS = {"retries": 1, "auto_approve": False, "sim_api": True}
DURABILITIES = ("normal", "full")  # full: an answer may wait for company, and every commit for the disk
OPERATOR = (ACCOUNTS["AGENT_SIM_USERNAME"], ACCOUNTS["AGENT_SIM_PASSWORD"])
AGENT = (ACCOUNTS["AGENT_SIM_AGENT_USERNAME"], ACCOUNTS["AGENT_SIM_AGENT_PASSWORD"])
MACHINES = ("m-1", "m-2", "m-3")
ROUNDS_PER_DATABASE = 20  # its history grows, and all of it is read in every round
ANSWERS = (20, 250)  # between which the server is killed
ENOUGH_SECONDS = 120.0


class Worker(Protocol):
    def work(self, wire: Wire, api: Api) -> None: ...


class Rounds:
    """The lives of one database."""

    def __init__(self, folder: Path, seed: str, durabilities: Sequence[str] = DURABILITIES) -> None:
        self.ledger = Ledger()
        self.survived: Counter[str] = Counter()  # rounds by durability
        self._durabilities, self._settings = durabilities, folder / "settings.json"
        self._chance = random.Random(seed)
        self._options = ["--port", "0", "--db", str(folder / "sim.db"), "--settings", str(self._settings)]
        self._write_settings(durabilities[0])
        with self._server() as (_, url), self._lines(url) as (wire, api):
            stores = self._furnish(wire, api)
        ledger = self.ledger
        self._workers: list[Worker] = [Agent(machine, ledger, f"{seed} {machine}") for machine in MACHINES]
        self._workers += [Newcomers(ledger), *(Poster(stores, ledger, f"{seed} {number}") for number in range(2))]
        self._workers += [Stormer(verb, ledger, seed) for verb in ("Reschedule", "Acknowledge", "Unschedule")]

    def _write_settings(self, durability: str) -> None:
        self._settings.write_text(json.dumps({**SETTINGS, "durability": durability}))

    def _furnish(self, wire: Wire, api: Api) -> dict[str, str]:
        """A custom type, and each agent with a store of its own."""
        api.post("/JobTypes/Custom", {"JobTypeName": "Rotate"})
        stores = {}
        for machine in MACHINES:
            agent_id = enrol(wire, api, machine, "", self.ledger)["AgentId"]
            place = {"ClientMachine": machine, "Storepath": "/a.pem", "CertStoreType": 2, "AgentId": agent_id}
            stores[agent_id] = api.post("/CertificateStores", place)["Id"]
        return stores

    def survive(self, rounds: int) -> None:
        """Start, compare, load, kill at a random point; and in the end start and compare once more."""
        for number in range(rounds):
            durability = self._durabilities[number % len(self._durabilities)]
            self._write_settings(durability)
            if self._chance.random() < 0.25:
                self._kill_at_the_start()
            with self._server() as (process, url):
                self._compare(url)
                self._load(process, url)
            self.survived[durability] += 1
        with self._server() as (_, url):
            self.account = self._compare(url)

    def _compare(self, url: str) -> Account:
        with self._lines(url) as (_, api):
            account = Account.of(api)
        check(account, self.ledger)
        return account

    # --- processes ----------------------------------------------------------------------------

    def _start(self) -> subprocess.Popen[str]:
        command = [*COMMAND, *self._options]
        return subprocess.Popen(command, env=environment(**ACCOUNTS), stdout=subprocess.PIPE, text=True)

    @contextmanager
    def _server(self) -> Iterator[tuple[subprocess.Popen[str], str]]:
        """A server that is ready, and at the end killed if it is not dead yet."""
        process = self._start()
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line, "the server did not start again"
            yield process, line.split()[-1]
        finally:
            process.kill()
            process.communicate(timeout=PATIENCE)

    def _kill_at_the_start(self) -> None:
        process = self._start()
        time.sleep(self._chance.uniform(0.0, 2.0))
        process.kill()
        process.communicate(timeout=PATIENCE)

    @contextmanager
    def _lines(self, url: str) -> Iterator[tuple[Wire, Api]]:
        with closing(Line(url, AGENT)) as wire, closing(Line(url, OPERATOR)) as api:
            yield Wire(wire), Api(api)

    # --- one life -----------------------------------------------------------------------------

    def _load(self, process: subprocess.Popen[str], url: str) -> None:
        failures: list[BaseException] = []
        with ExitStack() as lines:
            pairs = [lines.enter_context(self._lines(url)) for _ in self._workers]
            threads = [
                threading.Thread(target=_work, args=(worker, *pair, failures))
                for worker, pair in zip(self._workers, pairs, strict=True)
            ]
            for thread in threads:
                thread.start()
            self._await_work(self.ledger.answers + self._chance.randint(*ANSWERS), failures)
            time.sleep(self._chance.uniform(0.0, 0.02))
            process.kill()
            for thread in threads:
                thread.join()
        if failures:
            raise failures[0]

    def _await_work(self, wanted: int, failures: list[BaseException]) -> None:
        deadline = time.monotonic() + ENOUGH_SECONDS
        while self.ledger.answers < wanted and not failures:
            assert time.monotonic() < deadline, "the server answers too little"
            time.sleep(0.001)


def _work(worker: Worker, wire: Wire, api: Api, failures: list[BaseException]) -> None:
    try:
        worker.work(wire, api)
    except Killed:
        pass
    except BaseException as error:  # noqa: BLE001  raised again by the thread that waits
        failures.append(error)


# --- by hand ----------------------------------------------------------------------------------


def main() -> None:
    parser = argparse.ArgumentParser(description="Kill the server in rounds; ends with 1 at the first finding.")
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--seed", default="soak")
    parser.add_argument("--durability", choices=DURABILITIES, action="append", help="default: each in turn")
    given = parser.parse_args()
    survived, by_durability, found_again = 0, Counter[str](), Counter[str]()
    while survived < given.rounds:
        folder = Path(tempfile.mkdtemp(prefix="agent-sim-kills-"))
        lives = Rounds(folder, f"{given.seed} {survived}", given.durability or DURABILITIES)
        rounds = min(ROUNDS_PER_DATABASE, given.rounds - survived)
        try:
            lives.survive(rounds)
        except BaseException:
            print(f"failed after {survived} rounds or more; the database is in {folder}", file=sys.stderr)
            raise
        shutil.rmtree(folder)
        survived += rounds
        by_durability += lives.survived
        found_again.update(lives.ledger.acknowledged)
        print(f"{survived} rounds survived", flush=True)
    told = " · ".join(f"{number:,} {kind}" for kind, number in found_again.items())
    modes = ", ".join(f"{number} {durability}" for durability, number in by_durability.items())
    print(f"kill -9: {survived} rounds survived ({modes}); acknowledged and found again: {told}")


if __name__ == "__main__":
    main()
