"""Runs whose agents sign in by certificates of their own, enrolled as they register."""

import pytest

from tests.end_to_end.conftest import ACCOUNTS
from tests.end_to_end.secured import Secured
from tests.end_to_end.test_run import CALM, agent_sim, only_folder

pytestmark = pytest.mark.slow

CERTIFIED = CALM.replace("{name: lab,", "{name: lab, auth: {kind: client_cert},")


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "calm.yaml"
    file.write_text(CERTIFIED)
    return file


def test_agents_enrol_at_a_target_and_are_known_by_their_certificates(start_server, tmp_path, path):
    server = Secured(start_server, tmp_path, "--client-ca", "own", retries=0, heartbeat_minutes=0.01)

    ended = agent_sim(
        "run", path, "--target", server.url, "--ca", server.ca_file, "--set", "stop.after=4s", cwd=tmp_path, **ACCOUNTS
    )

    assert ended.returncode == 0, ended.stdout + ended.stderr
    agents = server.ask("GET", "/Agents?pq.returnLimit=100")
    assert len(agents) == 12
    assert len({agent["Thumbprint"] for agent in agents}) == 12
    assert all(agent["LastThumbprintUsed"] == agent["Thumbprint"] != "" for agent in agents)
    assert '"connections":"per_request"' in (only_folder(tmp_path) / "journal.jsonl").read_text()


def test_the_embedded_server_issues_certificates_too(tmp_path, path):
    ended = agent_sim("run", path, "--set", "stop.after=4s", cwd=tmp_path)

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "verdict: PASS" in ended.stdout
    assert "against https://" in ended.stdout


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--set", "transport.connections.mode=shared"), "found client_cert with shared connections, expected"),
        (("--client-key", "key.pem"), "--client-key needs --client-cert"),
        (("--target", "http://127.0.0.1:1"), "agents that sign in by certificate need https"),
    ],
)
def test_what_cannot_go_with_certificates_is_one_line(options, said, tmp_path, path, server_process):
    options = [server_process.url if option.startswith("http:") else option for option in options]

    ended = agent_sim("run", path, *options, cwd=tmp_path, **ACCOUNTS)

    assert (ended.returncode, len(ended.stderr.splitlines())) == (2, 1), ended.stderr
    assert said in ended.stderr
