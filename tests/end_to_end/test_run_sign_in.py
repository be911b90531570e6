"""How operator, storms and agents sign in at a target: tokens that are fetched, renewed and refused."""

import json

import pytest

from tests.end_to_end.conftest import ACCOUNTS, environment
from tests.end_to_end.test_run import CALM, SCENARIO, agent_sim, only_folder

pytestmark = pytest.mark.slow

NOBODY = dict.fromkeys(ACCOUNTS, "")
BEARERS = "fleets:\n  - {name: lab, auth: {kind: bearer},"


def clients(server, **changes):
    """OAuth clients for the operator, by the vendor's variables, and for agents, by ours."""
    url = f"{server.url}/oauth/token"
    return NOBODY | {
        "KEYFACTOR_HOSTNAME": "command.invalid",  # a target is only ever named on the command line
        "KEYFACTOR_AUTH_CLIENT_ID": ACCOUNTS["AGENT_SIM_USERNAME"],
        "KEYFACTOR_AUTH_CLIENT_SECRET": ACCOUNTS["AGENT_SIM_PASSWORD"],
        "KEYFACTOR_AUTH_TOKEN_URL": url,
        "AGENT_SIM_TOKEN_URL": url,
        "AGENT_SIM_AGENT_CLIENT_ID": ACCOUNTS["AGENT_SIM_AGENT_USERNAME"],
        "AGENT_SIM_AGENT_CLIENT_SECRET": ACCOUNTS["AGENT_SIM_AGENT_PASSWORD"],
        **changes,
    }


def short_lived(start_server, tmp_path, seconds=6):
    """A server whose tokens end soon; they count in whole seconds, so the first may be nearly one short."""
    settings = tmp_path / "settings.json"
    settings.write_text(json.dumps({"oauth_token_lifetime": seconds * 10**9, "retries": 0, "heartbeat_minutes": 0.01}))
    return start_server("--oauth", "--sim-api", "--settings", str(settings))


def test_tokens_are_renewed_beside_a_run_that_outlives_them(start_server, tmp_path):
    server = short_lived(start_server, tmp_path)
    path = tmp_path / "small.yaml"
    path.write_text(
        SCENARIO.replace("fleets:\n  - {name: lab,", BEARERS)
        .replace("at: 4s, op: acknowledge", "at: 6s, op: acknowledge")
        .replace("load: {rate: 4/s}, for: 1s}\nchecks", "load: {rate: 1/s}, for: 4s}\nchecks")
        .replace("after: 7s", "after: 12s")
    )

    ended = agent_sim("run", path, "--target", server.url, cwd=tmp_path, **clients(server))

    assert ended.returncode == 0, ended.stdout + ended.stderr
    result = json.loads((only_folder(tmp_path) / "result.json").read_text())
    assert all(storm["result"]["ledger"]["accepted"] > 0 for storm in result["storms"])
    journal = (only_folder(tmp_path) / "journal.jsonl").read_text()
    assert '"connections":"per_request"' in journal  # the default for every target
    assert "http_401_403" not in journal


def test_agents_of_the_embedded_server_may_have_tokens(tmp_path):
    path = tmp_path / "calm.yaml"
    path.write_text(CALM.replace("fleets:\n  - {name: lab,", BEARERS))

    ended = agent_sim("run", path, "--set", "stop.after=3s", cwd=tmp_path, **NOBODY)

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "verdict: PASS" in ended.stdout


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"KEYFACTOR_AUTH_CLIENT_SECRET": "guess"}, "gives no token: invalid_client"),
        ({"KEYFACTOR_AUTH_TOKEN_URL": "http://127.0.0.1:1/token"}, "cannot be reached"),
        ({"AGENT_SIM_AGENT_CLIENT_SECRET": "guess"}, "gives no token: invalid_client"),
    ],
)
def test_a_token_that_is_not_to_be_had_is_one_line_and_exit_code_4(start_server, tmp_path, changes, said):
    server = short_lived(start_server, tmp_path)
    path = tmp_path / "calm.yaml"
    path.write_text(CALM.replace("fleets:\n  - {name: lab,", BEARERS))

    ended = agent_sim("run", path, "--target", server.url, cwd=tmp_path, **clients(server, **changes))

    assert ended.returncode == 4
    assert ended.stderr.startswith("error: ")
    assert said in ended.stderr
    assert len(ended.stderr.splitlines()) == 1
    assert "guess" not in ended.stderr


def test_agents_without_a_login_need_none_and_are_refused_by_a_server_that_wants_one(start_server, tmp_path):
    server = start_server()
    path = tmp_path / "calm.yaml"
    path.write_text(CALM.replace("{name: lab,", "{name: lab, auth: {kind: none},"))
    operator = {
        name: value for name, value in ACCOUNTS.items() if "AGENT_USER" not in name and "AGENT_PASS" not in name
    }

    ended = agent_sim("run", path, "--target", server.url, cwd=tmp_path, **(NOBODY | operator))

    assert ended.returncode == 4
    assert "refuses our credentials (401 or 403)" in ended.stderr


def test_no_variable_of_a_login_is_left_in_these_tests():
    assert not [name for name in environment() if name.startswith("KEYFACTOR_")]
