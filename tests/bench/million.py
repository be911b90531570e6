"""A database with a long history, made row by row in SQL: what the figures of the server's bench are measured on.

Every fifth run is a management job's last one, which failed: those can be rescheduled, each once.
"""

import sqlite3
from pathlib import Path
from typing import Final

from agent_sim.protocol.enums import Category
from agent_sim.server.store import SqliteStore

RUNS_PER_JOB: Final = 5
AGENTS: Final = 200

_FILL: Final = """
INSERT INTO agent (agent_id, username, client_machine, agent_platform, version, status, registered, capabilities)
WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < :agents - 1)
SELECT printf('%08x-0000-4000-8000-000000000001', i), 'agent', 'm' || i, 7, '1.0.0.0', 2, '[]', '[]' FROM n;

INSERT INTO certificate_store (id, agent_id, client_machine, store_path, cert_store_type)
SELECT replace(agent_id, '000000000001', '000000000002'), agent_id, client_machine, '/a.pem', 2 FROM agent;

INSERT INTO job (job_id, agent_id, type_guid, job_type, job_category, type_category, requested, state, at_once,
                 failures, store_id, details)
WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < :jobs - 1)
SELECT printf('%08x-0000-4000-8000-000000000003', i), printf('%08x-0000-4000-8000-000000000001', i % :agents),
       '1d411b36-ae72-433f-9f3f-8593e836a1af', 'PEMManagement', :management, :management, 1700000000000000000, 'gone',
       0, 0, printf('%08x-0000-4000-8000-000000000002', i % :agents), '{"operation": "3", "alias": "a"}' FROM n;

INSERT INTO run (job_id, agent_id, agent_machine, job_type, job_category, store_path, client_machine, result, status,
                 operation_start, operation_end, message)
WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < :runs - 1)
SELECT printf('%08x-0000-4000-8000-000000000003', i % :jobs), printf('%08x-0000-4000-8000-000000000001', i % :agents),
       'm' || (i % :agents), 'PEMManagement', :management, '/a.pem', 'm' || (i % :agents), 4,
       CASE WHEN i < :runs - :jobs THEN 5 ELSE 3 END, 1700000000000000000 + i * 1000000,
       1700000000000000000 + i * 1000000 + 500000, 'disk full' FROM n;
"""


def make(path: Path, runs: int) -> None:
    """A new database at `path` with so many runs."""
    SqliteStore.open(str(path)).close()
    values = {"runs": runs, "jobs": runs // RUNS_PER_JOB, "agents": AGENTS, "management": Category.MANAGEMENT}
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA synchronous = OFF")
    for statement in _FILL.split(";\n"):
        if statement.strip():
            wanted = {name: value for name, value in values.items() if f":{name}" in statement}
            connection.execute(statement, wanted)
    connection.commit()
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
