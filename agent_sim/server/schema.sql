-- The embedded server's tables, version 1. Times are nanoseconds since 1970 (UTC), GUIDs lower-case text, lists JSON,
-- enumerations the wire's numbers. Columns are named as agent_sim/query/fields.py has them, so that a compiled query
-- runs on a table or view as it is. A schedule is its wire text (null: Immediate) and, exact to the second, its time.

CREATE TABLE agent (
    agent_id          TEXT PRIMARY KEY,
    username          TEXT NOT NULL,
    client_machine    TEXT NOT NULL,
    agent_platform    INTEGER NOT NULL,
    version           TEXT NOT NULL,
    status            INTEGER NOT NULL,
    registered        TEXT NOT NULL,             -- capabilities as the agent named them, JSON
    capabilities      TEXT NOT NULL,             -- their short names, as the management API lists them, JSON
    client_parameters TEXT NOT NULL DEFAULT '{}',
    last_seen         INTEGER,
    blueprint         TEXT,
    thumbprint        TEXT NOT NULL DEFAULT '',
    UNIQUE (username, client_machine)
);

CREATE TABLE job_type (
    id              TEXT PRIMARY KEY,
    job_type_name   TEXT NOT NULL UNIQUE COLLATE NOCASE,
    description     TEXT,
    job_type_fields TEXT NOT NULL DEFAULT '[]'
);

CREATE TABLE certificate_store (
    id                TEXT PRIMARY KEY,
    agent_id          TEXT NOT NULL REFERENCES agent,
    client_machine    TEXT NOT NULL,
    store_path        TEXT NOT NULL,
    cert_store_type   INTEGER NOT NULL,
    display_name      TEXT,
    container_id      INTEGER,
    container_name    TEXT,
    approved          INTEGER NOT NULL DEFAULT 1,
    agent_assigned    INTEGER NOT NULL DEFAULT 1,
    create_if_missing INTEGER NOT NULL DEFAULT 0,
    properties        TEXT,
    inventory_job_id  TEXT REFERENCES job (job_id),
    UNIQUE (agent_id, client_machine, store_path, cert_store_type)
);

-- What the last inventories found in each store; `seen_in` is the run that mentioned the entry last.
CREATE TABLE store_item (
    store_id          TEXT NOT NULL REFERENCES certificate_store,
    alias             TEXT NOT NULL COLLATE NOCASE,
    private_key_entry INTEGER NOT NULL,
    use_chain_level   INTEGER NOT NULL,
    thumbprints       TEXT NOT NULL,
    certificates      TEXT NOT NULL,
    seen_in           INTEGER NOT NULL,
    PRIMARY KEY (store_id, alias)
);

CREATE TABLE job (
    seq           INTEGER PRIMARY KEY AUTOINCREMENT, -- order of creation
    job_id        TEXT NOT NULL UNIQUE,
    agent_id      TEXT NOT NULL REFERENCES agent,
    type_guid     TEXT NOT NULL,
    job_type      TEXT NOT NULL,
    job_category  TEXT NOT NULL,
    schedule      TEXT,
    schedule_time INTEGER,
    requested     INTEGER NOT NULL,
    state         TEXT NOT NULL CHECK (state IN ('waiting', 'running', 'gone')),
    at_once       INTEGER NOT NULL,
    failures      INTEGER NOT NULL,
    store_id      TEXT REFERENCES certificate_store,
    details       TEXT NOT NULL DEFAULT '{}'
);
CREATE INDEX job_waiting ON job (agent_id, seq) WHERE state = 'waiting';
CREATE INDEX job_here ON job (seq) WHERE state <> 'gone';

-- One row per run. It repeats what its job and agent were called then: history does not change its mind.
CREATE TABLE run (
    job_history_id  INTEGER PRIMARY KEY AUTOINCREMENT, -- the audit id, never given twice
    job_id          TEXT NOT NULL REFERENCES job (job_id),
    agent_id        TEXT NOT NULL REFERENCES agent,
    agent_machine   TEXT NOT NULL,
    job_type        TEXT NOT NULL,
    job_category    TEXT NOT NULL,
    schedule        TEXT,
    schedule_time   INTEGER,
    store_path      TEXT,
    client_machine  TEXT,
    result          INTEGER NOT NULL,
    status          INTEGER NOT NULL,
    operation_start INTEGER NOT NULL,
    operation_end   INTEGER,
    message         TEXT NOT NULL DEFAULT '',
    timed_out       INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX run_of_job ON run (job_id);
CREATE INDEX run_by_result ON run (result, status);
CREATE INDEX run_by_start ON run (operation_start);
-- At most once: no job has two runs in process.
CREATE UNIQUE INDEX run_in_process ON run (job_id) WHERE status = 2;
CREATE INDEX run_due ON run (operation_start) WHERE status = 2;

CREATE TABLE run_data (
    job_history_id INTEGER PRIMARY KEY REFERENCES run,
    data           TEXT NOT NULL
);

CREATE TABLE run_location (
    job_history_id INTEGER NOT NULL REFERENCES run,
    path           TEXT NOT NULL,
    PRIMARY KEY (job_history_id, path)
) WITHOUT ROWID;

-- Every change of state in order, for whoever must check what a storm did (load-testing 3.4).
CREATE TABLE transition (
    seq      INTEGER PRIMARY KEY AUTOINCREMENT,
    at       INTEGER NOT NULL,
    kind     TEXT NOT NULL,
    job_id   TEXT NOT NULL,
    audit_id INTEGER
);

CREATE TABLE certificate (
    id         INTEGER PRIMARY KEY,
    issued_dn  TEXT NOT NULL,
    thumbprint TEXT NOT NULL,
    contents   TEXT NOT NULL -- DER, base64
);
INSERT INTO certificate VALUES (
    1, 'CN=agent-sim sample certificate', '8db2aa9c7675d92aca9383eba375e9030521c913',
    'MIIBPTCB46ADAgECAgEBMAoGCCqGSM49BAMCMCcxJTAjBgNVBAMMHGFnZW50LXNpbSBzYW1wbGUgY2VydGlmaWNhdGUwIBcNMjAwMTAxMDAwMDAwWhgPMjEyMDAxMDEwMDAwMDBaMCcxJTAjBgNVBAMMHGFnZW50LXNpbSBzYW1wbGUgY2VydGlmaWNhdGUwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAASMj3v66rO4sWpg3uUpespBgz0nU1iEyvlvTL4+/xw+m8PLkhgUJDWQ8U5ywhCzgT9J8NG7CefM9BFIdrDH/hgnMAoGCCqGSM49BAMCA0kAMEYCIQDTCsO/aKfYcUseLBYNM/0RNTgaQv7nu69rv/1eluNa1AIhAMQbLzhu03yLsQEljLNRd5+o+VrJmMA0DDOPC4xyWk+R'
);

-- Jobs that wait, and recurring ones while they run (command-api 4.2). What is to run at once shows as Immediate.
CREATE VIEW scheduled_job AS
SELECT job.seq, job.job_id, job.agent_id, agent.client_machine AS agent_machine,
       coalesce(store.store_path, agent.client_machine) AS target, job.requested, job.job_type, job.job_category,
       iif(job.state = 'waiting' AND job.at_once, NULL, job.schedule) AS schedule,
       iif(job.state = 'waiting' AND job.at_once, NULL, job.schedule_time) AS schedule_time,
       job.state, job.store_id, store.container_id
FROM job
JOIN agent ON agent.agent_id = job.agent_id
LEFT JOIN certificate_store AS store ON store.id = job.store_id
WHERE job.state <> 'gone' AND (job.state = 'waiting' OR substr(job.schedule, 1, 1) IN ('I', 'D', 'W', 'M'));

CREATE VIEW store_listing AS
SELECT store.*, inventory.job_id AS current_inventory_job_id,
       inventory.schedule AS inventory_schedule, inventory.schedule_time AS inventory_schedule_time
FROM certificate_store AS store
LEFT JOIN job AS inventory ON inventory.job_id = store.inventory_job_id AND inventory.state <> 'gone';
