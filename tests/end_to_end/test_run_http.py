"""`agent-sim run` over HTTP: by which client its agents go, and what is refused before anything starts."""

import gc
import json
import subprocess
import sys

import pytest

from agent_sim.cli import sign_in
from agent_sim.cli.main import main
from agent_sim.transports import aiohttp_pool
from tests.end_to_end.conftest import environment

pytestmark = pytest.mark.slow

SCENARIO = """\
version: 1
name: small
seed: 3
stop: {after: 1s, drain: 60s}
transport: {timeouts: {connect: 20s, request: 60s}}
fleets: [{name: lab, count: 3, capabilities: [LOGS], heartbeat: {every: 300ms}}]
behaviours: [{name: default, jobs: [{type: LOGS, duration: 20ms, outcomes: [{result: success}]}]}]
schedules: [{name: fetch, type: LOGS, at: 200ms}]
checks: {invariants: {no_lost_jobs: true, at_most_once: true}}
"""


def test_the_compatible_client_carries_the_agents_of_whoever_asks_for_it(tmp_path, monkeypatch, capsys):
    used = []

    class Pool(aiohttp_pool.HttpPool):
        def agent(self, number):
            used.append(number)
            return super().agent(number)

    monkeypatch.setattr(aiohttp_pool, "HttpPool", Pool)
    monkeypatch.setattr(sign_in, "FastPool", None)  # to use it would be an error
    (tmp_path / "small.yaml").write_text(SCENARIO, encoding="utf-8")
    words = ["run", "small.yaml", "--http-client", "aiohttp", "--json", "--quiet"]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["agent-sim", *words])

    thresholds = gc.get_threshold()
    try:
        with pytest.raises(SystemExit) as ended:
            main()
    finally:  # what a fleet does to the process that is its own
        gc.unfreeze()
        gc.set_threshold(*thresholds)

    said = json.loads(capsys.readouterr().out)
    assert (ended.value.code, said["verdict"]) == (0, "PASS"), said
    assert sorted(used) == [0, 1, 2]


def test_a_connection_for_each_agent_is_refused_where_there_are_too_few_files_for_them(tmp_path):
    own = "--set transport.connections.mode=per_agent --set fleets.lab.count=500 --processes 2"
    limited = f"ulimit -n 300 && exec {sys.executable} -m agent_sim.cli.main run hello {own}"
    refused = subprocess.run(
        ["sh", "-c", limited], cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=100
    )

    assert refused.returncode == 2
    assert refused.stderr.startswith("error: 500 agents with connections per_agent need 628 open files and this ")
    assert len(refused.stderr.splitlines()) == 1
    assert not (tmp_path / "runs").exists()
