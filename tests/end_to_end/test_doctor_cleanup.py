"""A target before and after a run: `agent-sim doctor` and `agent-sim cleanup` as a person uses them."""

import json

import pytest

from tests.end_to_end.conftest import ACCOUNTS
from tests.end_to_end.test_run import CALM, agent_sim, only_folder

pytestmark = pytest.mark.slow


def test_before_a_run_after_it_and_after_the_cleanup(start_server, tmp_path):
    settings = tmp_path / "settings.json"
    settings.write_text(json.dumps({"retries": 0, "heartbeat_minutes": 0.01}))
    server = start_server("--settings", str(settings))
    path = tmp_path / "small.yaml"
    path.write_text(CALM)
    target = ("--target", server.url)

    before = agent_sim("doctor", path, *target, cwd=tmp_path, **ACCOUNTS)

    assert before.returncode == 0, before.stderr
    assert "Command 25." in before.stdout
    assert "there already, of agentsim-small-*: 0 orchestrators\n" in before.stdout
    assert "  12 orchestrators more, agentsim-small-*\n" in before.stdout
    assert "  12 certificate stores more\n" in before.stdout
    assert "  custom job types: Patch\n" in before.stdout
    assert "cannot be undone: orchestrators and job history" in before.stdout
    assert server.operator.get("/Agents").json == []  # it only read

    ran = agent_sim("run", path, *target, "--set", "stop.after=3s", cwd=tmp_path, **ACCOUNTS)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    [kept] = (tmp_path / "runs").glob("identities-127.0.0.1.json")
    known = {agent["ClientMachine"]: agent["AgentId"] for agent in server.operator.get("/Agents").json}
    assert json.loads(kept.read_text())["agents"] == known
    kept.rename(tmp_path / "elsewhere.json")
    cleaned = agent_sim("cleanup", only_folder(tmp_path), cwd=tmp_path, **ACCOUNTS)

    assert cleaned.returncode == 0, cleaned.stderr
    assert "12 certificate stores deleted" in cleaned.stdout
    assert "1 job types deleted (Patch), 12 orchestrators disapproved" in cleaned.stdout
    assert "stays, since the API cannot remove it: 12 orchestrators, 48 runs" in cleaned.stdout
    assert {agent["Status"] for agent in server.operator.get("/Agents").json} == {3}

    refused = agent_sim("cleanup", only_folder(tmp_path), "--foreign", "127.0.0.1", cwd=tmp_path, **ACCOUNTS)
    assert refused.returncode == 2
    assert "a cleanup on 127.0.0.1: that is not this machine" in refused.stderr


@pytest.mark.parametrize("verb", ["doctor", "cleanup"])
def test_a_target_that_is_none_is_one_line_and_exit_code_4(verb, server_process, tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "scenario.resolved.yaml").write_text(CALM)
    (folder / "journal.jsonl").write_text(
        '{"t":0.0,"event":"run_started","scenario":"small","seed":7,"target":"http://127.0.0.1:1","embedded":false,'
        '"agents":12,"prefix":"agentsim-small-","started_at":"2026-01-01T00:00:00Z","version":"0","connections":"shared"}\n'
    )
    what = ("doctor", folder / "scenario.resolved.yaml") if verb == "doctor" else ("cleanup", folder)

    nobody = agent_sim(*what, "--target", "http://127.0.0.1:1", cwd=tmp_path, **ACCOUNTS)
    wrong = agent_sim(
        *what, "--target", server_process.url, cwd=tmp_path, **(ACCOUNTS | {"AGENT_SIM_PASSWORD": "guess"})
    )
    other = agent_sim(*what, "--target", f"{server_process.url}/nowhere", cwd=tmp_path, **ACCOUNTS)
    agents_only = {
        "AGENT_SIM_USERNAME": ACCOUNTS["AGENT_SIM_AGENT_USERNAME"],
        "AGENT_SIM_PASSWORD": ACCOUNTS["AGENT_SIM_AGENT_PASSWORD"],
    }
    forbidden = agent_sim(*what, "--target", server_process.url, cwd=tmp_path, **(ACCOUNTS | agents_only))

    for ended, said in (
        (nobody, "cannot be reached"),
        (wrong, "refuses our credentials (status 401)"),
        (other, "is no Command server"),
        (forbidden, "would not be read"),
    ):
        assert (ended.returncode, ended.stderr.count("\n")) == (4, 1), ended.stderr
        assert said in ended.stderr
        assert "guess" not in ended.stderr


def test_a_cleanup_needs_a_run_that_had_a_target(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(CALM)
    agent_sim("run", path, "--set", "stop.after=1s", "--set", "stop.drain=0s", cwd=tmp_path)

    own = agent_sim("cleanup", only_folder(tmp_path), cwd=tmp_path, **ACCOUNTS)
    none = agent_sim("cleanup", tmp_path / "nowhere", cwd=tmp_path, **ACCOUNTS)

    assert (own.returncode, none.returncode) == (2, 2)
    assert "there is nothing to clean up" in own.stderr
    assert "expected the folder that a run left" in none.stderr
