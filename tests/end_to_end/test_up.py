"""`agent-sim up` as a process: what it says, what it keeps to itself, and that nothing of it stays behind."""

import json
import os
import re
import signal
import stat
import subprocess
import sys
import urllib.error
import urllib.request
from base64 import b64encode

import psutil
import pytest

pytestmark = pytest.mark.slow

COMMAND = (sys.executable, "-m", "agent_sim.cli.main", "up")
PATIENCE = 120

FEW = """
version: 1
name: few
fleets:
  - {name: lab, count: 3, capabilities: [LOGS], heartbeat: {every: 1s}}
schedules: [{name: fetch, type: LOGS, every: 2s}]
storms: [{name: storm, at: 0s, op: acknowledge, load: {rate: 1/s}, for: 1s}]
stop: {after: 1s}
"""


@pytest.fixture
def scenario(tmp_path):
    (tmp_path / "few.yaml").write_text(FEW, encoding="utf-8")
    return str(tmp_path / "few.yaml")


@pytest.fixture
def start():
    started = []

    def run(*options):
        process = subprocess.Popen(
            [*COMMAND, *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        started.append(process)
        return process

    yield run
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=PATIENCE)


def run(*options):
    return subprocess.run([*COMMAND, *options], capture_output=True, text=True, timeout=PATIENCE, check=False)


def asked(url, credentials):
    pairs = dict(line.split("=", 1) for line in credentials.splitlines())
    pair = f"{pairs['AGENT_SIM_USERNAME']}:{pairs['AGENT_SIM_PASSWORD']}".encode()
    request = urllib.request.Request(url, headers={"Authorization": f"Basic {b64encode(pair).decode()}"})
    with urllib.request.urlopen(request, timeout=PATIENCE) as reply:
        return json.load(reply)


def test_it_stays_past_the_scenarios_end_until_told_to_stop(scenario, start, tmp_path):
    process = start(scenario, "--json", "--credentials", str(tmp_path / "secrets.env"))
    facts = json.loads(process.stdout.readline())
    written = (tmp_path / "secrets.env").read_text()

    while len(asked(f"{facts['api_url']}/OrchestratorJobs/JobHistory", written)) < 6:  # two rounds: past its end
        pass
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=PATIENCE)

    assert process.returncode == 0, err
    assert (facts["scenario"], facts["agents"]) == ("few", 3)
    assert facts["credentials"] == str(tmp_path / "secrets.env")
    assert stat.S_IMODE(os.stat(facts["credentials"]).st_mode) == 0o600
    passwords = re.findall(r"PASSWORD=(.+)", written)
    assert len(passwords) == 2
    assert not any(password in text for password in passwords for text in (out, err, json.dumps(facts)))
    with pytest.raises(urllib.error.URLError):
        asked(f"{facts['api_url']}/Status/Endpoints", written)


def test_a_command_finds_everything_in_its_environment_and_its_exit_code_is_the_result(scenario, tmp_path):
    (tmp_path / "mine.env").touch(mode=0o600)
    (tmp_path / "mine.env").write_text("AGENT_SIM_USERNAME=me\nAGENT_SIM_PASSWORD=my own word\n")
    script = "import os; print(*(os.environ['AGENT_SIM_' + name] for name in ('API_URL', 'USERNAME', 'PASSWORD')))"

    ended = run(scenario, "--credentials", str(tmp_path / "mine.env"), "--", sys.executable, "-c", f"{script}; exit(7)")

    assert ended.returncode == 7
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/KeyfactorAPI me my own word\n", ended.stdout)
    assert "my own word" not in ended.stderr
    assert "AGENT_SIM_AGENT_PASSWORD=" in (tmp_path / "mine.env").read_text()  # what it lacked was added


def test_it_ends_with_its_parent(scenario, start):
    process = start(scenario, "--exit-with-parent")
    while not process.stdout.readline().startswith("Ctrl-C"):
        pass

    process.stdin.close()
    process.stdin = None

    assert process.wait(PATIENCE) == 0


def test_an_end_of_the_server_is_told(scenario, start):
    process = start(scenario, "--json")
    json.loads(process.stdout.readline())
    [server] = psutil.Process(process.pid).children()

    server.kill()
    _, err = process.communicate(timeout=PATIENCE)

    assert process.returncode == 4
    assert err.startswith("error: ")
    assert "Traceback" not in err
