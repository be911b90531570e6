"""The management API on orchestrators beyond approving them: reset, logs, certificates, pools, blueprints.

Operations and records as frozen values, like those of `protocol.command`. Source: command-api 3.1 to 3.3.
"""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from agent_sim.instants import Instant
from agent_sim.protocol.agent import wire
from agent_sim.protocol.command import Operation, Page, Record
from agent_sim.protocol.schedule import Schedule

# --- orchestrators ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ResetAgents(Operation):
    """Makes orchestrators new again: no jobs, no stores, no certificate (command-api 3.1)."""

    agent_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ResetAgent(Operation):
    """The same for one."""

    agent_id: str


@dataclass(frozen=True, slots=True)
class FetchLogs(Operation):
    """Schedules a log-fetching job at once."""

    agent_id: str


@wire
class SetReenrollment(Operation):
    """Asks orchestrators for a new certificate of their own: 0 None, 1 Requested, 2 Required, or the name."""

    status: int | str
    orchestrator_ids: tuple[str, ...] = ()


@wire
class Reenrollment(Record):
    """The answer to SetReenrollment: whom it failed for, and the number of the status."""

    failed_orchestrator_ids: tuple[str, ...]
    status: int


# --- pools ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ListAgentPools(Operation):
    """Pools of orchestrators that share SSL scans."""

    page: Page = Page()


@dataclass(frozen=True, slots=True)
class GetAgentPool(Operation):
    """One pool."""

    agent_pool_id: str


@dataclass(frozen=True, slots=True)
class ListPoolAgents(Operation):
    """The orchestrators of the default pool: those that are in no other."""

    page: Page = Page()


@dataclass(frozen=True, slots=True)
class DeleteAgentPool(Operation):
    """Deletes a pool; its orchestrators are in the default one again."""

    agent_pool_id: str


@wire
class PoolAgent(Record):
    """An orchestrator in a pool; what it `allows` is read only."""

    agent_id: str
    enable_discover: bool = False
    enable_monitor: bool = False
    version: str = ""
    allows_discover: bool = False
    allows_monitor: bool = False
    client_machine: str = ""


@wire
class CreateAgentPool(Operation):
    """A new pool. Counts that a caller sends are ignored: the server counts."""

    name: str
    agents: tuple[PoolAgent, ...] = ()


@wire
class UpdateAgentPool(Operation):
    """A pool as it is to be; the id is in the body."""

    agent_pool_id: str
    name: str
    agents: tuple[PoolAgent, ...] = ()


@wire
class AgentPool(Record):
    """One pool (command-api 3.2)."""

    agent_pool_id: str
    name: str
    discover_agents_count: int
    monitor_agents_count: int
    agents: tuple[PoolAgent, ...] = ()


# --- blueprints -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ListBlueprints(Operation):
    """Blueprints, by name."""

    page: Page = Page()


@dataclass(frozen=True, slots=True)
class GetBlueprint(Operation):
    """One blueprint."""

    id: str


@dataclass(frozen=True, slots=True)
class DeleteBlueprint(Operation):
    """Deletes a blueprint; orchestrators that it was applied to keep what they got."""

    id: str


@dataclass(frozen=True, slots=True)
class ListBlueprintJobs(Operation):
    """The jobs of a blueprint."""

    id: str
    page: Page = Page()


@dataclass(frozen=True, slots=True)
class ListBlueprintStores(Operation):
    """The certificate stores of a blueprint."""

    id: str
    page: Page = Page()


@dataclass(frozen=True, slots=True)
class GenerateBlueprint(Operation):
    """A new blueprint from the stores and scheduled jobs of an orchestrator."""

    agent_id: str
    name: str


@dataclass(frozen=True, slots=True)
class ApplyBlueprint(Operation):
    """Gives orchestrators the stores and jobs of a blueprint."""

    template_id: str
    agent_ids: tuple[str, ...]


@wire
class Blueprint(Record):
    """One blueprint (command-api 3.3)."""

    agent_blueprint_id: str
    name: str
    required_capabilities: tuple[str, ...]
    last_modified: Instant


@wire
class BlueprintStore(Record):
    """A certificate store of a blueprint."""

    agent_blueprint_store_id: str
    agent_blueprint_id: str
    store_path: str
    cert_store_type: int
    cert_store_type_name: str
    approved: bool = True
    create_if_missing: bool = False
    container_id: int | None = None
    properties: str | None = None


@wire
class BlueprintJob(Record):
    """A job of a blueprint; the store is null for a job that has none."""

    agent_blueprint_job_id: str
    agent_blueprint_id: str
    job_type: str
    job_type_name: str
    request_timestamp: Instant
    agent_blueprint_store_id: str | None = None
    operation_type: int | None = None
    alias: str | None = None
    overwrite: bool = False
    subject: str | None = None
    directories: str | None = None
    ignored_directories: str | None = None
    sym_links: bool = False
    compatibility: bool = False
    file_extensions: str | None = None
    file_name_patterns: str | None = None
    schedule: Annotated[Schedule | None, Field(alias="KeyfactorSchedule")] = None
