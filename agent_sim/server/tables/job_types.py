"""Custom job types, in and out of the table `job_type`."""

import json

from agent_sim.protocol.command import JobTypeField, JobTypeRecord
from agent_sim.server.ports import Row, Store, Values


class JobTypes:
    """The table `job_type`; the built-in types are in `protocol.enums`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def add(self, record: JobTypeRecord) -> None:
        self._store.run("job_type_add", _columns(record))

    def change(self, record: JobTypeRecord) -> None:
        self._store.run("job_type_change", _columns(record))

    def delete(self, type_id: str) -> None:
        self._store.run("job_type_delete", {"id": type_id})

    def by_id(self, type_id: str) -> JobTypeRecord | None:
        rows = self._store.rows("job_type_by_id", {"id": type_id})
        return job_type_record(rows[0]) if rows else None

    def by_name(self, name: str) -> JobTypeRecord | None:
        """The type of that name, in any case."""
        rows = self._store.rows("job_type_by_name", {"job_type_name": name})
        return job_type_record(rows[0]) if rows else None

    def all(self) -> list[JobTypeRecord]:
        return [job_type_record(row) for row in self._store.rows("job_type_all", {})]


def job_type_record(row: Row) -> JobTypeRecord:
    """A type from the columns that every `job_type_...` statement yields."""
    id_, name, description, fields = row
    return JobTypeRecord(id_, name, description, tuple(JobTypeField(*columns) for columns in json.loads(fields)))


def _columns(record: JobTypeRecord) -> Values:
    return {
        "id": record.id,
        "job_type_name": record.job_type_name,
        "description": record.description,
        "job_type_fields": json.dumps(list(map(_field_columns, record.job_type_fields)), ensure_ascii=False),
    }


def _field_columns(field: JobTypeField) -> list[str | int | float | bool | None]:
    return [field.name, field.type, field.default_value, field.required]
