"""What a verb does not need it does not import: every start of the command pays for its imports in time and memory."""

import json
import subprocess
import sys

PROGRAM = """
import importlib, json, sys
found = {}
for name in ("main", "check", "run"):  # each has what the one before it has, and more
    importlib.import_module(f"agent_sim.cli.{name}")
    found[name] = sorted(sys.modules)
print(json.dumps(found))
"""

NEVER = ("aiohttp", "cryptography", "jinja2", "rich.console", "prometheus_client", "psutil", "jwt", "paho", "sqlite3")
"""What a run needs none of unless something asks for it: a token, certificates, a report, metrics, MQTT, a server."""
NOT_AT_ALL = ("pydantic", "ruamel.yaml", "lark", "asyncio", "agent_sim.scenario", "agent_sim.protocol")
"""Before it is known which verb is called."""
NOT_BESIDE_A_FLEET = ("agent_sim.server", "agent_sim.results.judge", "agent_sim.results.render.html")


def test_a_verb_imports_neither_other_verbs_nor_what_only_some_runs_need():
    ended = subprocess.run([sys.executable, "-c", PROGRAM], check=True, capture_output=True, text=True)
    found = {name: set(modules) for name, modules in json.loads(ended.stdout).items()}

    assert found["main"].isdisjoint((*NEVER, *NOT_AT_ALL))
    assert found["check"].isdisjoint((*NEVER, *NOT_BESIDE_A_FLEET, "agent_sim.fleet", "agent_sim.transports"))
    assert found["run"].isdisjoint((*NEVER, *NOT_BESIDE_A_FLEET))
