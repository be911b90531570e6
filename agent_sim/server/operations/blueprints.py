"""Blueprints over the management API: taken from one orchestrator, applied to others (command-api 3.3)."""

from collections.abc import Sequence

from agent_sim.instants import Instant
from agent_sim.jobs.model import new_job
from agent_sim.protocol import agent_commands, command
from agent_sim.protocol.agent_commands import Blueprint, BlueprintStore
from agent_sim.protocol.command import CommandReply, StoreRecord
from agent_sim.protocol.enums import Category
from agent_sim.query.sql import Sql
from agent_sim.server.callers import Caller
from agent_sim.server.guids import read_guid
from agent_sim.server.operations.checks import incapable, unapproved
from agent_sim.server.operations.listing import BLUEPRINT_JOBS, BLUEPRINT_STORES, BLUEPRINTS, Found, find
from agent_sim.server.ports import Mint, Store
from agent_sim.server.problems import Problem, refuse
from agent_sim.server.tables.agents import Agents, Orchestrator
from agent_sim.server.tables.blueprints import (
    Blueprints,
    PlannedJob,
    blueprint,
    blueprint_job,
    blueprint_store,
    planned_job,
)
from agent_sim.server.tables.stores import Stores
from agent_sim.server.work import Work
from agent_sim.settings import ServerSettings


class BlueprintOperations:
    """Reads, makes and applies blueprints."""

    def __init__(self, store: Store, settings: ServerSettings, mint: Mint, work: Work, stores: Stores) -> None:
        self._store, self._settings, self._mint = store, settings, mint
        self._work, self._stores = work, stores
        self._agents, self._blueprints = Agents(store), Blueprints(store)

    def listed(self, wanted: agent_commands.ListBlueprints, caller: Caller, now: Instant) -> CommandReply:
        """Blueprints, by name."""
        found = find(self._store, BLUEPRINTS, wanted.page, self._settings.max_return_limit, caller, now)
        return CommandReply(200, tuple(map(blueprint, found.rows)), found.total) if isinstance(found, Found) else found

    def get(self, wanted: agent_commands.GetBlueprint, caller: Caller, now: Instant) -> CommandReply:
        """One blueprint."""
        found = self._one(wanted.id)
        return CommandReply(200, found) if found else _missing(wanted.id, Problem.NOT_FOUND)

    def jobs(self, wanted: agent_commands.ListBlueprintJobs, caller: Caller, now: Instant) -> CommandReply:
        """The jobs of a blueprint."""
        known = self._one(wanted.id)
        if known is None:
            return _missing(wanted.id, Problem.NOT_FOUND)
        most = self._settings.max_return_limit
        found = find(self._store, BLUEPRINT_JOBS, wanted.page, most, caller, now, _within(known))
        if not isinstance(found, Found):
            return found
        return CommandReply(200, tuple(blueprint_job(planned_job(row)) for row in found.rows), found.total)

    def stores(self, wanted: agent_commands.ListBlueprintStores, caller: Caller, now: Instant) -> CommandReply:
        """The stores of a blueprint."""
        known = self._one(wanted.id)
        if known is None:
            return _missing(wanted.id, Problem.NOT_FOUND)
        most = self._settings.max_return_limit
        found = find(self._store, BLUEPRINT_STORES, wanted.page, most, caller, now, _within(known))
        if not isinstance(found, Found):
            return found
        return CommandReply(200, tuple(map(blueprint_store, found.rows)), found.total)

    def delete(self, wanted: agent_commands.DeleteBlueprint, caller: Caller, now: Instant) -> CommandReply:
        """Delete a blueprint; what it made stays."""
        known = self._one(wanted.id)
        if known is None:
            return _missing(wanted.id, Problem.NOT_FOUND)
        self._blueprints.delete(known.agent_blueprint_id)
        return CommandReply(204)

    def _one(self, text: str) -> Blueprint | None:
        return self._blueprints.by_id(read_guid(text) or "")

    # --- taken from an orchestrator -----------------------------------------------------------

    def generate(self, wanted: agent_commands.GenerateBlueprint, caller: Caller, now: Instant) -> CommandReply:
        """A new blueprint of an orchestrator's stores, and of its jobs that are scheduled."""
        agent = self._agents.by_id(read_guid(wanted.agent_id) or "")
        if agent is None:
            return refuse(Problem.UNKNOWN_ID, f"Orchestrator {wanted.agent_id!r} does not exist")
        if not wanted.name.strip():
            return refuse(Problem.INVALID_VALUE, "name must name the blueprint")
        if self._blueprints.by_name(wanted.name) is not None:
            return refuse(Problem.DUPLICATE, f"A blueprint {wanted.name!r} exists already")
        return CommandReply(200, self._taken(agent, wanted.name, now))

    def _taken(self, agent: Orchestrator, name: str, now: Instant) -> Blueprint:
        stores = [store for id_ in self._stores.of_agents([agent.agent_id]) if (store := self._stores.by_id(id_))]
        jobs = [job for id_ in self._work.jobs.of_agents([agent.agent_id]) if (job := self._work.jobs.by_id(id_))]
        needs = tuple(dict.fromkeys(job.type.capability for job in jobs))
        record = Blueprint(self._mint.guid(), name, needs, now)
        self._blueprints.add(record)
        places = {store.id: self._add_store(store, record.agent_blueprint_id) for store in stores}
        for job in jobs:
            place = places.get(job.store_id or "")
            planned = (record.agent_blueprint_id, place, job.type, job.schedule, job.requested, job.details)
            self._blueprints.add_job(PlannedJob(self._mint.guid(), *planned))
        return record

    def _add_store(self, store: StoreRecord, blueprint_id: str) -> str:
        """Returns the store's id in the blueprint."""
        place = BlueprintStore(
            agent_blueprint_store_id=self._mint.guid(),
            agent_blueprint_id=blueprint_id,
            store_path=store.store_path,
            cert_store_type=store.cert_store_type,
            cert_store_type_name="",
            approved=store.approved,
            create_if_missing=store.create_if_missing,
            container_id=store.container_id,
            properties=store.properties,
        )
        self._blueprints.add_store(place)
        return place.agent_blueprint_store_id

    # --- applied to others --------------------------------------------------------------------

    def apply(self, wanted: agent_commands.ApplyBlueprint, caller: Caller, now: Instant) -> CommandReply:
        """Give orchestrators the blueprint's stores and jobs, all or none. A store that is there already stays.

        Our choice: applied again, nothing is made twice, and the store's machine is the orchestrator.
        """
        known = self._one(wanted.template_id)
        if known is None:
            return _missing(wanted.template_id, Problem.UNKNOWN_ID)
        if len(wanted.agent_ids) > self._settings.max_ids:
            most = self._settings.max_ids
            return refuse(
                Problem.TOO_MANY_IDS, f"{len(wanted.agent_ids)} are given, at most {most} are allowed at once"
            )
        jobs = self._blueprints.jobs(known.agent_blueprint_id)
        agents = self._able(wanted.agent_ids, jobs)
        if isinstance(agents, CommandReply):
            return agents
        for agent in agents:
            self._apply(known, jobs, agent, now)
        return CommandReply(204)

    def _able(self, texts: Sequence[str], jobs: Sequence[PlannedJob]) -> list[Orchestrator] | CommandReply:
        """The orchestrators of these ids, each once, if all may work and can do these jobs."""
        agents: dict[str, Orchestrator] = {}
        for text in texts:
            agent = self._agents.by_id(read_guid(text) or "")
            if agent is None:
                return refuse(Problem.UNKNOWN_ID, f"Nothing was changed: orchestrator {text!r} does not exist")
            for refused in (unapproved(agent), *(incapable(agent, job.type) for job in jobs)):
                if refused is not None:
                    return refused
            agents[agent.agent_id] = agent
        return list(agents.values())

    def _apply(self, known: Blueprint, jobs: Sequence[PlannedJob], agent: Orchestrator, now: Instant) -> None:
        made: dict[str, str] = {}
        for place in self._blueprints.stores(known.agent_blueprint_id):
            where = (agent.agent_id, agent.client_machine, place.store_path, place.cert_store_type)
            if self._stores.twin(*where) is None:
                made[place.agent_blueprint_store_id] = self._new_store(place, agent)
        for job in jobs:
            if job.store_id in made or (job.store_id is None and agent.blueprint != known.name):
                self._new_job(job, agent, made.get(job.store_id or ""), now)
        self._agents.set_blueprint(agent.agent_id, known.name)

    def _new_store(self, place: BlueprintStore, agent: Orchestrator) -> str:
        store = command.StoreRecord(
            id=self._mint.guid(),
            client_machine=agent.client_machine,
            store_path=place.store_path,
            cert_store_type=place.cert_store_type,
            agent_id=agent.agent_id,
            approved=place.approved,
            create_if_missing=place.create_if_missing,
            container_id=place.container_id,
            properties=place.properties,
        )
        self._stores.add(store)
        return store.id

    def _new_job(self, job: PlannedJob, agent: Orchestrator, store_id: str | None, now: Instant) -> None:
        made = new_job(self._mint.guid(), agent.agent_id, job.type, job.schedule, now, store_id, job.details)
        self._work.accept(made)
        if store_id is not None and job.type.category is Category.INVENTORY:
            self._stores.set_inventory_job(store_id, made.job_id)


def _within(known: Blueprint) -> Sql:
    return Sql("blueprint_id = ?", (known.agent_blueprint_id,))


def _missing(blueprint_id: str, problem: Problem) -> CommandReply:
    return refuse(problem, f"Blueprint {blueprint_id!r} does not exist")
