"""Who agents are, kept between runs: the AgentId that a target gave each machine, in a file of the target.

An agent that comes back sends the id it was given, as the vendor's agent does (agent-protocol 8.2.1); a target would
else take it for another one. Ids are read from the target at a run's end.
"""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Final

from agent_sim.errors import UsageError
from agent_sim.operator.readback import Reading, every
from agent_sim.protocol import command
from agent_sim.query.scope import quote
from agent_sim.scenario.members import Members
from agent_sim.scenario.plan import Plan
from agent_sim.storms import guard

_LONGEST: Final = 64 << 20
_ODD: Final = re.compile(r"[^a-z0-9.-]+")


def file_for(target_url: str, folder: Path) -> Path:
    """Where the identities of a target are kept unless told otherwise: beside its runs."""
    return folder / f"identities-{_ODD.sub('_', guard.host_of(target_url))}.json"


def read(path: Path) -> dict[str, str]:
    """AgentIds by machine; none if there is no such file. Raises UsageError."""
    try:
        if not path.exists():
            return {}
        with path.open("rb") as file:
            data = json.loads(file.read(_LONGEST))
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{path}: cannot be read as a file of identities ({error}): remove it to begin anew"
        ) from error
    agents = data.get("agents") if isinstance(data, dict) else None
    if not isinstance(agents, dict) or not all(isinstance(one, str) for one in agents.values()):
        raise UsageError(f"{path}: is no file of identities that agent-sim wrote: remove it to begin anew")
    return agents


def write(path: Path, target_url: str, agents: dict[str, str]) -> None:
    """Keep them; those of other scenarios stay. Raises UsageError."""
    kept = {"target": target_url, "agents": dict(sorted((read(path) | agents).items()))}
    draft = path.with_name(path.name + ".new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
        draft.replace(path)  # in one step: a run that is killed leaves the old file or the new one
    except OSError as error:
        raise UsageError(f"{path}: identities cannot be kept ({error.strerror})") from error


def known(plan: Plan, agents: dict[str, str]) -> Plan:
    """The plan whose agents are who they were."""
    members = (replace(one, agent_id=agents.get(one.identity.machine, "")) for one in plan.members)
    return replace(plan, members=Members(members))


def given(prefix: str) -> "Reading[command.AgentRecord]":
    """The agents in scope as the target knows them now."""
    return every(command.ListAgents, command.AgentRecord, f"ClientMachine -startswith {quote(prefix)}")
