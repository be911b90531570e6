"""Blueprints of orchestrators, in and out of the tables `blueprint`, `blueprint_store` and `blueprint_job`."""

from collections.abc import Mapping
from dataclasses import dataclass

from agent_sim.instants import Instant
from agent_sim.protocol.agent_commands import Blueprint, BlueprintJob, BlueprintStore
from agent_sim.protocol.enums import Category, JobType
from agent_sim.protocol.schedule import Schedule
from agent_sim.server.ports import Row, Store, Values
from agent_sim.server.tables.columns import (
    array,
    document,
    job_type,
    named_texts,
    optional,
    schedule,
    schedule_columns,
    texts,
)


@dataclass(frozen=True, slots=True)
class PlannedJob:
    """A job of a blueprint as it is kept; `store_id` is a store of the blueprint."""

    id: str
    blueprint_id: str
    store_id: str | None
    type: JobType
    schedule: Schedule
    requested: Instant
    details: Mapping[str, str]


class Blueprints:
    """The three tables."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def by_id(self, blueprint_id: str) -> Blueprint | None:
        rows = self._store.rows("blueprint_by_id", {"id": blueprint_id})
        return blueprint(rows[0]) if rows else None

    def by_name(self, name: str) -> Blueprint | None:
        """The blueprint of that name, in any case."""
        rows = self._store.rows("blueprint_by_name", {"name": name})
        return blueprint(rows[0]) if rows else None

    def add(self, record: Blueprint) -> None:
        columns: Values = {
            "id": record.agent_blueprint_id,
            "name": record.name,
            "required_capabilities": array(record.required_capabilities),
            "last_modified": record.last_modified,
        }
        self._store.run("blueprint_add", columns)

    def add_store(self, store: BlueprintStore) -> None:
        columns: Values = {
            "id": store.agent_blueprint_store_id,
            "blueprint_id": store.agent_blueprint_id,
            "store_path": store.store_path,
            "cert_store_type": store.cert_store_type,
            "approved": store.approved,
            "create_if_missing": store.create_if_missing,
            "container_id": store.container_id,
            "properties": store.properties,
        }
        self._store.run("blueprint_store_add", columns)

    def add_job(self, job: PlannedJob) -> None:
        columns: Values = {
            "id": job.id,
            "blueprint_id": job.blueprint_id,
            "store_id": job.store_id,
            "type_guid": job.type.guid,
            "job_type": job.type.history,
            "type_category": job.type.category,
            "requested": job.requested,
            "details": document(job.details),
        }
        self._store.run("blueprint_job_add", {**columns, **schedule_columns(job.schedule)})

    def delete(self, blueprint_id: str) -> None:
        """Delete a blueprint with its stores and jobs."""
        self._store.run("blueprint_delete", {"id": blueprint_id})

    def stores(self, blueprint_id: str) -> list[BlueprintStore]:
        return list(map(blueprint_store, self._store.rows("blueprint_stores", {"id": blueprint_id})))

    def jobs(self, blueprint_id: str) -> list[PlannedJob]:
        return list(map(planned_job, self._store.rows("blueprint_jobs", {"id": blueprint_id})))


def blueprint(row: Row) -> Blueprint:
    """A blueprint from the columns of `blueprint_page`."""
    id_, name, capabilities, modified = row
    return Blueprint(id_, name, texts(capabilities), modified)


def blueprint_store(row: Row) -> BlueprintStore:
    """A store from the columns of `blueprint_store_page`."""
    id_, blueprint_id, path, kind, short_name, approved, create, container, properties = row
    return BlueprintStore(
        id_, blueprint_id, path, kind, short_name, bool(approved), bool(create), container, properties
    )


def planned_job(row: Row) -> PlannedJob:
    """A job from the columns of `blueprint_job_page`."""
    id_, blueprint_id, store_id, guid, name, category, text, time, requested, details = row
    kind = job_type(guid, name, Category(category))
    return PlannedJob(id_, blueprint_id, store_id, kind, schedule(text, time), requested, named_texts(details))


def blueprint_job(job: PlannedJob) -> BlueprintJob:
    """The job as the management API shows it."""
    details = job.details
    operation = details.get("operation")
    return BlueprintJob(
        agent_blueprint_job_id=job.id,
        agent_blueprint_id=job.blueprint_id,
        job_type=job.type.guid,
        job_type_name=job.type.history,
        request_timestamp=job.requested,
        agent_blueprint_store_id=job.store_id,
        operation_type=None if operation is None else int(operation),
        alias=details.get("alias"),
        overwrite=details.get("overwrite") == "true",
        subject=details.get("subject"),
        directories=details.get("dirs"),
        ignored_directories=details.get("ignored_dirs"),
        sym_links=details.get("sym_links") == "true",
        compatibility=details.get("compatibility") == "true",
        file_extensions=details.get("extensions"),
        file_name_patterns=details.get("patterns"),
        schedule=optional(job.schedule),
    )
