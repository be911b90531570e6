"""Two pytest fixtures for whoever tests a script or a service against a simulated fleet.

`simulated_command(scenario)` starts a server with its fleet in the background and gives its addresses and credentials.
`run_scenario(scenario)` replays a scenario in virtual time and gives what became of it. Both take a scenario by name,
path or as a mapping. Nothing of agent-sim is imported before a test asks for one of them.
"""

import json
import os
import select
import subprocess
import sys
import tempfile
import time
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

import pytest

if TYPE_CHECKING:
    from agent_sim.credentials import Credentials
    from agent_sim.results.summary import Summary
    from agent_sim.results.verdict import Verdict

Scenario = str | Path | Mapping[str, Any]
"""The name of one that comes with agent-sim, the path of a file, or the file's content as a mapping."""

_UP: Final = (sys.executable, "-m", "agent_sim.cli.main", "up", "--json", "--exit-with-parent")
_STOP_SECONDS: Final = 20
_LOOK_SECONDS: Final = 0.2


# --- a server with its fleet ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SimulatedCommand:
    """A server that is up, and how to get in: `credentials` for the management API, `agent_credentials` for agents."""

    api_url: str
    agents_url: str
    seed: int
    credentials: "Credentials"
    agent_credentials: "Credentials"

    @property
    def environment(self) -> dict[str, str]:
        """The same as variables, as `agent-sim up -- COMMAND` sets them: for a program that is tested."""
        return {
            "AGENT_SIM_API_URL": self.api_url,
            "AGENT_SIM_AGENTS_URL": self.agents_url,
            "AGENT_SIM_USERNAME": self.credentials.username,
            "AGENT_SIM_PASSWORD": self.credentials.password,
            "AGENT_SIM_AGENT_USERNAME": self.agent_credentials.username,
            "AGENT_SIM_AGENT_PASSWORD": self.agent_credentials.password,
        }

    def runs(self, query: str = "", limit: int = 1000) -> list[dict[str, Any]]:
        """Records of JobHistory, by a query such as `Result -eq 4 AND Status -eq 3`."""
        asked = urlencode({"QueryString": query, "ReturnLimit": limit})
        pair = f"{self.credentials.username}:{self.credentials.password}".encode()
        headers = {"Authorization": f"Basic {b64encode(pair).decode()}", "x-keyfactor-requested-with": "APIClient"}
        request = urllib.request.Request(f"{self.api_url}/OrchestratorJobs/JobHistory?{asked}", headers=headers)
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30) as reply:
            return list(json.load(reply))

    def wait_for_runs(self, count: int, query: str = "Result -eq 4", timeout: float = 60) -> list[dict[str, Any]]:
        """Wait until so many runs fit the query (those that failed, unless told otherwise). Raises TimeoutError."""
        deadline = time.monotonic() + timeout
        while len(found := self.runs(query, count)) < count:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{len(found)} runs fit {query!r} after {timeout:g} s, expected {count}")
            time.sleep(_LOOK_SECONDS)
        return found


@contextmanager
def simulated(
    scenario: Scenario,
    *,
    seed: int | None = None,
    profile: str | None = None,
    params: Mapping[str, object] | None = None,
    settings: Mapping[str, object] | None = None,
    timeout: float = 120,
) -> Iterator[SimulatedCommand]:
    """The server and its fleet for the length of a `with` block: for fixtures of one's own with another scope.

    Raises UsageError or TargetError, with agent-sim's own words, if it does not come up in time.
    """
    from agent_sim.credentials import AGENT_NAMES, OPERATOR_NAMES, need

    with tempfile.TemporaryDirectory(prefix="agent-sim-test-") as made, ExitStack() as stack:
        file = Path(made) / "credentials"
        command = [*_UP, "--credentials", str(file), *_options(seed, profile, params, settings)]
        process = stack.enter_context(_running([*command, "--", _as_file(scenario, Path(made))], Path(made)))
        facts = _first_line(process, Path(made), timeout)
        yield SimulatedCommand(
            api_url=facts["api_url"],
            agents_url=facts["agents_url"],
            seed=facts["seed"],
            credentials=need(OPERATOR_NAMES, {}, file),
            agent_credentials=need(AGENT_NAMES, {}, file),
        )


def _options(
    seed: int | None,
    profile: str | None,
    params: Mapping[str, object] | None,
    settings: Mapping[str, object] | None,
) -> list[str]:
    single = {"--seed": seed, "--profile": profile}
    many = {"--param": _pairs(params), "--set": _pairs(settings)}
    return [
        *(f"{option}={value}" for option, value in single.items() if value is not None),
        *(f"{option}={pair}" for option, pairs in many.items() for pair in pairs),
    ]


def _pairs(given: Mapping[str, object] | None) -> list[str]:
    return [f"{name}={value}" for name, value in (given or {}).items()]


def _as_file(scenario: Scenario, folder: Path) -> str:
    if not isinstance(scenario, Mapping):
        return str(scenario)
    file = folder / "scenario.yaml"
    file.write_text(json.dumps(scenario), encoding="utf-8")  # JSON is YAML
    return str(file)


@contextmanager
def _running(command: Sequence[str], folder: Path) -> Iterator["subprocess.Popen[bytes]"]:
    with (
        (folder / "stderr").open("wb") as said,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said) as process,
    ):
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()


def _first_line(process: "subprocess.Popen[bytes]", folder: Path, timeout: float) -> dict[str, Any]:
    from agent_sim.errors import TargetError, UsageError

    assert process.stdout is not None
    deadline, text = time.monotonic() + timeout, b""
    while not text.endswith(b"\n"):
        readable, _, _ = select.select([process.stdout], [], [], max(deadline - time.monotonic(), 0))
        piece = os.read(process.stdout.fileno(), 65536) if readable else b""
        if not piece:
            break
        text += piece
    else:
        return dict(json.loads(text))
    why = (folder / "stderr").read_text("utf-8", "replace").strip() or "it said nothing"
    if readable:
        raise UsageError(f"agent-sim up did not start: {why}")
    raise TargetError(f"agent-sim up was not ready after {timeout:g} s: {why}")


@pytest.fixture
def simulated_command() -> Iterator[Callable[..., SimulatedCommand]]:
    """Starts a server with its fleet, `simulated_command("hello")`; all of them stop when the test ends."""
    with ExitStack() as stack:

        def start(scenario: Scenario, **options: Any) -> SimulatedCommand:
            return stack.enter_context(simulated(scenario, **options))

        yield start


# --- a replay ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Replayed:
    """A replay that is over. Its repr, which a failed assertion shows, says what did not hold."""

    scenario: str
    seed: int
    verdicts: "tuple[Verdict, ...]"
    summary: "Summary" = field(repr=False)

    @property
    def exit_code(self) -> int:
        """0 all checks hold, 1 one is broken, 3 none is but one is open."""
        from agent_sim.results.verdict import exit_code

        return exit_code(self.verdicts)

    @property
    def passed(self) -> bool:
        """True if all checks hold."""
        return self.exit_code == 0

    @property
    def outcome_digest(self) -> str:
        """What the jobs came to, as 64 hexadecimal digits: the same for the same scenario and seed."""
        return self.summary.outcome_digest

    def outcomes(self, type: str | None = None) -> dict[str, int]:  # noqa: A002  # the scenario's own word
        """How many runs ended in success, warning and failure: of one kind of job, or of all."""
        counts = {"success": 0, "warning": 0, "failure": 0}
        for (kind, result), count in self.summary.whole.outcomes.items():
            if type in (None, kind):
                counts[result.name.lower()] += count
        return counts

    def __repr__(self) -> str:
        open_or_broken = [
            f"{verdict.answer} {verdict.name}: {verdict.detail}"
            for verdict in self.verdicts
            if verdict.answer not in ("kept", "held")
        ]
        ended = "; ".join(open_or_broken) or "all checks hold"
        return f"<{self.scenario} with seed {self.seed}: {ended}>"


@pytest.fixture
def run_scenario(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Replayed]:
    """Replays a scenario in virtual time, `run_scenario("hello", seed=7)`: no sockets, no waiting."""

    def run(
        scenario: Scenario,
        *,
        seed: int | None = None,
        profile: str | None = None,
        params: Mapping[str, object] | None = None,
        settings: Mapping[str, object] | None = None,
    ) -> Replayed:
        from agent_sim.cli.library import scenario_file
        from agent_sim.cli.play import play
        from agent_sim.cli.replay import DEFAULT_SEED
        from agent_sim.scenario.load import load, overrides

        file = scenario_file(_as_file(scenario, tmp_path_factory.mktemp("scenario")))
        said = overrides(profile, _pairs(params), _pairs(settings), seed)
        loaded = load(file, said, seed=DEFAULT_SEED)
        played = play(loaded)
        return Replayed(loaded.name, loaded.seed, played.verdicts, played.summary)

    return run
