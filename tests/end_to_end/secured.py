"""Servers that speak HTTPS, and callers that trust them."""

import json
import ssl
import urllib.error
import urllib.request
from base64 import b64encode
from pathlib import Path
from typing import Any

from tests.end_to_end.by_hand import Answer
from tests.end_to_end.conftest import ACCOUNTS, ServerProcess, Start
from tests.end_to_end.vendor_agent import VendorAgent

AGENTS = (ACCOUNTS["AGENT_SIM_AGENT_USERNAME"], ACCOUNTS["AGENT_SIM_AGENT_PASSWORD"])
OPERATORS = (ACCOUNTS["AGENT_SIM_USERNAME"], ACCOUNTS["AGENT_SIM_PASSWORD"])


class Secured:
    """A server with a certificate of its own, and its authority's certificate in a file."""

    def __init__(self, start: Start, folder: Path, *options: str, **settings: object) -> None:
        self.ca_file = folder / "ca.pem"
        given = folder / "settings.json"
        given.write_text(json.dumps(settings))
        self.process: ServerProcess = start(
            "--tls", "self", "--ca-file", str(self.ca_file), "--settings", str(given), *options
        )
        self.url = self.process.url.replace("127.0.0.1", "localhost")

    def agent(self, name: str = "cagent-1", **more: Any) -> VendorAgent:
        username, password = AGENTS
        return VendorAgent(self.url, name, str(self.ca_file), **{"username": username, "password": password, **more})

    def ask(self, method: str, path: str, value: object = None) -> Any:
        """What the management API answers; any status below 300."""
        answer = self.call(method, f"/KeyfactorAPI{path}", value)
        assert answer.status < 300, answer
        return answer.json if answer.body else None

    def call(self, method: str, path: str, value: object = None, context: ssl.SSLContext | None = None) -> Answer:
        """One request with the operator's account."""
        proof = b64encode(":".join(OPERATORS).encode()).decode()
        headers = {
            "Authorization": f"Basic {proof}",
            "x-keyfactor-requested-with": "APIClient",
            "Content-Type": "application/json",
        }
        data = None if value is None else json.dumps(value).encode()
        request = urllib.request.Request(f"{self.url}{path}", data=data, headers=headers, method=method)
        context = context or ssl.create_default_context(cafile=str(self.ca_file))
        try:
            with urllib.request.urlopen(request, timeout=60, context=context) as response:
                return Answer(response.status, dict(response.headers), response.read())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, dict(error.headers), error.read())

    def record(self, name: str = "cagent-1") -> dict[str, Any]:
        """The agent as the management API shows it."""
        [found] = self.ask("GET", f"/Agents?QueryString=ClientMachine%20-eq%20%22{name}%22")
        return found

    def history(self) -> list[dict[str, Any]]:
        return self.ask("GET", "/OrchestratorJobs/JobHistory?pq.returnLimit=1000")
