"""The server against its own OpenAPI document: schemathesis tries every operation with all checks and finds nothing.

What is excepted stands in `schemathesis.toml`, each with its reason. All four of its phases run: examples, coverage,
fuzzing and sequences of calls.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.budget import examples
from tests.contract.seeding import QUERIES, Known, seed
from tests.end_to_end.conftest import ACCOUNTS, ServerProcess, starting

CONFIGURATION = Path(__file__).with_name("schemathesis.toml")
EXAMPLES = examples(4)
"""Per operation and phase."""

PATIENCE = 900
"""Seconds; a minute where nothing else runs."""

pytestmark = pytest.mark.slow


@pytest.fixture
def server() -> Iterator[ServerProcess]:
    with starting() as start:
        yield start()


@pytest.mark.timeout(PATIENCE)
def test_schemathesis_finds_nothing(server: ServerProcess, tmp_path: Path) -> None:
    found = _run(server.url, seed(server), tmp_path, "--seed", "1")

    assert found.returncode == 0, found.stdout[-20_000:]
    [cases] = re.findall(r"(\d+) generated", found.stdout)
    assert int(cases) > 2_000
    print(f"\nschemathesis: {cases} cases")  # shown with -s
    code, _, log = server.stop()
    assert (code, log) == (0, "")


def _run(url: str, known: Known, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    configuration = folder / "schemathesis.toml"
    configuration.write_text(CONFIGURATION.read_text() + _dictionaries(known))
    account = f"{ACCOUNTS['AGENT_SIM_USERNAME']}:{ACCOUNTS['AGENT_SIM_PASSWORD']}"
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(configuration), "run"]
    command += [f"{url}/KeyfactorAPI/openapi.json", "--auth", account, "--checks", "all"]
    command += ["--max-examples", str(EXAMPLES), "--continue-on-failure", "--no-shrink", "--max-failures", "20"]
    environment = os.environ | {"NO_COLOR": "1", "COLUMNS": "120"}
    return subprocess.run(
        [*command, *options], cwd=folder, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False
    )


def _dictionaries(known: Known) -> str:
    """What exists, so that half of the requests are about something."""
    names: dict[str, list[str] | list[int]] = {
        "agents": known.agents,
        "stores": known.stores,
        "pools": known.pools,
        "jobs": known.jobs,
        "audits": known.audits,
        "containers": known.containers,
        "things": known.stores + known.job_types + known.blueprints,
        "numbers": [*known.containers, 2, 0, 1],
        "job_types": known.job_types,
        "names": known.names,
        "queries": QUERIES,
    }
    lines = [f"\n[dictionaries.{name}]\nvalues = {json.dumps(values)}" for name, values in names.items()]
    lines.append("\n[parameters]")
    lines += [f'"{place}" = {{ dictionary = "{name}", probability = 0.6 }}' for place, name in PLACES.items()]
    lines += [
        "\n[[operations]]",
        'include-path-regex = "^/(CertificateStoreContainers|CertificateStoreTypes|Certificates)/"',
        'parameters = { "path.id" = { dictionary = "numbers", probability = 0.6 } }',
    ]
    return "\n".join(lines) + "\n"


PLACES = {
    "path.id": "things",
    "path.agentId": "agents",
    "path.agentPoolId": "pools",
    "query.agentId": "agents",
    "query.jobHistoryId": "audits",
    "query.pq.queryString": "queries",
    "query.QueryString": "queries",
    "body.Query": "queries",
    "body.AgentId": "agents",
    "body.AgentGuid": "agents",
    "body.AgentPoolId": "pools",
    "body.Agents[*].AgentId": "agents",
    "body.OrchestratorIds[*]": "agents",
    "body.StoreIds[*]": "stores",
    "body.KeystoreId": "stores",
    "body.CertificateStores[*].CertificateStoreId": "stores",
    "body.ContainerId": "containers",
    "body.JobTypeName": "names",
    "body.JobAuditIds[*]": "audits",
    "body.JobIds[*]": "jobs",
}
