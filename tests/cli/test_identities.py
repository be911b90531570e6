"""Identities kept between runs: read, written, and sent by the agent that comes back."""

from dataclasses import replace
from pathlib import Path

import pytest

from agent_sim.cli import identities
from agent_sim.cli.replay import backend
from agent_sim.errors import UsageError
from agent_sim.fleet.replay import Replay
from agent_sim.protocol.agent import Register
from agent_sim.scenario.load import load
from agent_sim.scenario.plan import plan
from agent_sim.server.store import SqliteStore
from tests.fleet.replays import START
from tests.scenario.files import LAB, written

URL = "https://Command.example:8443"


def test_the_file_is_the_targets():
    assert identities.file_for(URL, Path("runs")) == Path("runs/identities-command.example.json")
    assert identities.file_for("http://[::1]:80", Path("runs")) == Path("runs/identities-_1.json")


def test_what_is_written_is_read_and_other_scenarios_stay(tmp_path: Path):
    path = tmp_path / "runs" / "identities.json"

    assert identities.read(path) == {}
    identities.write(path, URL, {"agentsim-a-1": "id-1", "agentsim-a-2": "id-2"})
    identities.write(path, URL, {"agentsim-b-1": "id-3", "agentsim-a-1": "id-4"})

    assert identities.read(path) == {"agentsim-a-1": "id-4", "agentsim-a-2": "id-2", "agentsim-b-1": "id-3"}
    assert [file.name for file in path.parent.iterdir()] == ["identities.json"]


@pytest.mark.parametrize("text", ["", "[]", '{"agents": [1]}', '{"agents": {"a": 5}}', "{", '{"agents"'])
def test_a_file_that_is_something_else_is_told(text: str, tmp_path: Path):
    path = written(text, tmp_path, "ids.json")

    with pytest.raises(UsageError, match="remove it to begin anew"):
        identities.read(path)


def test_an_agent_that_was_there_before_says_so_and_is_the_same(tmp_path: Path):
    scenario = load(written(LAB.replace("count: 10", "count: 2") + "stop: {after: 30s}\n", tmp_path), seed=1)
    planned = plan(scenario, START)
    store = SqliteStore.open(":memory:")
    whole = backend(store, planned.server, 1)
    said: list[list[str]] = []

    def once(known: dict[str, str]) -> dict[str, str]:
        sent: list[str] = []

        def agents(request, now):
            if isinstance(request.body, Register):
                sent.append(request.body.agent_id)
            return whole.agents(request, now)

        run = Replay(identities.known(planned, known), replace(whole, agents=agents), lambda line: None, 0)
        run.run()
        said.append(sent)
        asking = identities.given(planned.operator.prefix)
        reply = whole.command(next(asking), run.now)
        with pytest.raises(StopIteration) as end:
            asking.send(reply)
        return {agent.client_machine: agent.agent_id for agent in end.value.value}

    first = once({})
    second = once(first)
    store.close()

    assert said[0] == ["", ""]
    assert sorted(said[1]) == sorted(first.values())
    assert second == first
