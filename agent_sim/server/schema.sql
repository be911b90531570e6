-- The embedded server's tables, version 5. Times are nanoseconds since 1970 (UTC), GUIDs lower-case text, lists JSON,
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
    legacy_thumbprint TEXT NOT NULL DEFAULT '',
    last_thumbprint_used TEXT NOT NULL DEFAULT '',
    auth_certificate_reenrollment INTEGER NOT NULL DEFAULT 0, -- 0 None, 1 Requested, 2 Required
    last_error_code   INTEGER,
    last_error_message TEXT,
    UNIQUE (username, client_machine)
);

CREATE TABLE job_type (
    id              TEXT PRIMARY KEY,
    job_type_name   TEXT NOT NULL UNIQUE COLLATE NOCASE,
    description     TEXT,
    job_type_fields TEXT NOT NULL DEFAULT '[]'
);

-- Types of certificate stores: the built-in ones (agent-protocol 6.5, 6.6; the REST variants' names are our choice)
-- and those that users define, from 102 on. `document` holds the members that the server only keeps, JSON.
CREATE TABLE store_type (
    store_type       INTEGER PRIMARY KEY,
    name             TEXT NOT NULL UNIQUE COLLATE NOCASE,
    short_name       TEXT NOT NULL UNIQUE COLLATE NOCASE,
    capability       TEXT NOT NULL COLLATE NOCASE,
    inventory_guid   TEXT,
    management_guid  TEXT,
    discovery_guid   TEXT,
    enrollment_guid  TEXT,
    built_in         INTEGER NOT NULL DEFAULT 0,
    document         TEXT NOT NULL DEFAULT '{}'
);
INSERT INTO store_type
    (store_type, name, short_name, capability, inventory_guid, management_guid, discovery_guid, enrollment_guid, built_in)
VALUES
    (0, 'JKS', 'JKS', 'JKS',
     '67b63010-d738-47c3-87a2-9f289466c881', 'b614f9e2-c56b-421c-b548-03d42eb32f8a',
     '74d9f7c5-b2ac-4f21-a72b-29b5adc90651', '48743e90-108e-4dc3-b81c-7fb830215d1f', 1),
    (2, 'PEM', 'PEM', 'PEM',
     'a809ce1f-1eea-4738-a38e-15708c89c981', '1d411b36-ae72-433f-9f3f-8593e836a1af',
     'e98151de-53ad-4b99-b52a-f37118ec0c5c', 'aa015d10-cffc-41f7-a9a4-c9615f6f3bdf', 1),
    (3, 'F5 SSL Profiles', 'F5SSLProfiles', 'F5',
     '9b04e8de-e2ce-4a50-bd3f-31037d3ee751', 'e9a34338-c99f-46da-94d2-4f97dc6943af',
     NULL, NULL, 1),
    (4, 'IIS Roots', 'IISRoots', 'IIS',
     '5b9cf048-e95f-4331-a510-0cdfabac1703', 'ce2325e3-801c-4576-9b0a-5fdcaf66aa88',
     NULL, 'b80019d6-df3d-4a8c-9e60-1977b806f545', 1),
    (5, 'NetScaler', 'NetScaler', 'NetScaler',
     '78ff1c19-893f-4e5e-90a5-0459f1823778', 'b7c94ad1-8a33-45ea-98b3-d77ca14e7830',
     NULL, NULL, 1),
    (6, 'IIS Personal', 'IISPersonal', 'IIS',
     '5b9cf048-e95f-4331-a510-0cdfabac1703', 'ce2325e3-801c-4576-9b0a-5fdcaf66aa88',
     NULL, 'b80019d6-df3d-4a8c-9e60-1977b806f545', 1),
    (7, 'F5 Web Server', 'F5WebServer', 'F5',
     '9b04e8de-e2ce-4a50-bd3f-31037d3ee751', 'e9a34338-c99f-46da-94d2-4f97dc6943af',
     NULL, NULL, 1),
    (8, 'IIS Revoked', 'IISRevoked', 'IIS',
     '5b9cf048-e95f-4331-a510-0cdfabac1703', 'ce2325e3-801c-4576-9b0a-5fdcaf66aa88',
     NULL, 'b80019d6-df3d-4a8c-9e60-1977b806f545', 1),
    (9, 'F5 Web Server REST', 'F5WebServerREST', 'F5',
     '9b04e8de-e2ce-4a50-bd3f-31037d3ee751', 'e9a34338-c99f-46da-94d2-4f97dc6943af',
     NULL, NULL, 1),
    (10, 'F5 SSL Profiles REST', 'F5SSLProfilesREST', 'F5',
     '9b04e8de-e2ce-4a50-bd3f-31037d3ee751', 'e9a34338-c99f-46da-94d2-4f97dc6943af',
     NULL, NULL, 1),
    (11, 'F5 CA Bundles REST', 'F5CABundlesREST', 'F5',
     '9b04e8de-e2ce-4a50-bd3f-31037d3ee751', 'e9a34338-c99f-46da-94d2-4f97dc6943af',
     NULL, NULL, 1),
    (100, 'AWS', 'AWS', 'AWS',
     'afb8c78d-1436-4c93-a8e7-0218c2cb6955', '56c1e4f9-366c-44b3-8cae-1b8f39e2026c',
     NULL, NULL, 1),
    (101, 'FTP', 'FTP', 'FTP',
     '76f99194-c129-4954-b76e-11c80816643e', '4ae72d54-7f91-4359-9da5-e1f633031070',
     NULL, NULL, 1);

CREATE TABLE container (
    id                  INTEGER PRIMARY KEY AUTOINCREMENT,
    name                TEXT NOT NULL UNIQUE COLLATE NOCASE,
    overwrite_schedules INTEGER NOT NULL DEFAULT 0,
    schedule            TEXT,
    schedule_time       INTEGER,
    has_schedule        INTEGER NOT NULL DEFAULT 0, -- a null schedule alone would be Immediate
    cert_store_type     INTEGER REFERENCES store_type
);

CREATE TABLE certificate_store (
    id                TEXT PRIMARY KEY,
    agent_id          TEXT NOT NULL REFERENCES agent,
    client_machine    TEXT NOT NULL,
    store_path        TEXT NOT NULL,
    cert_store_type   INTEGER NOT NULL REFERENCES store_type,
    display_name      TEXT,
    container_id      INTEGER REFERENCES container,
    approved          INTEGER NOT NULL DEFAULT 1,
    agent_assigned    INTEGER NOT NULL DEFAULT 1,
    create_if_missing INTEGER NOT NULL DEFAULT 0,
    properties        TEXT,
    password          TEXT,                      -- for the agent; never answered by the management API
    inventory_job_id  TEXT REFERENCES job (job_id),
    UNIQUE (agent_id, client_machine, store_path, cert_store_type)
);

-- What the last inventories found in each store; `seen_in` is the run that mentioned the entry last.
CREATE TABLE store_item (
    id                INTEGER PRIMARY KEY AUTOINCREMENT,
    store_id          TEXT NOT NULL REFERENCES certificate_store,
    alias             TEXT NOT NULL COLLATE NOCASE,
    private_key_entry INTEGER NOT NULL,
    use_chain_level   INTEGER NOT NULL,
    thumbprints       TEXT NOT NULL,
    certificates      TEXT NOT NULL,
    seen_in           INTEGER NOT NULL,
    UNIQUE (store_id, alias)
);

CREATE TABLE job (
    seq           INTEGER PRIMARY KEY AUTOINCREMENT, -- order of creation
    job_id        TEXT NOT NULL UNIQUE,
    agent_id      TEXT NOT NULL REFERENCES agent,
    type_guid     TEXT NOT NULL,
    job_type      TEXT NOT NULL,
    job_category  TEXT NOT NULL,                     -- what queries and storms take it for (command-api 4.6)
    type_category TEXT NOT NULL,                     -- how it is run
    schedule      TEXT,
    schedule_time INTEGER,
    requested     INTEGER NOT NULL,
    state         TEXT NOT NULL CHECK (state IN ('waiting', 'running', 'gone')),
    at_once       INTEGER NOT NULL,
    failures      INTEGER NOT NULL,
    store_id      TEXT REFERENCES certificate_store,
    details       TEXT NOT NULL DEFAULT '{}'
);
-- One for all that ask for jobs that are not gone, in these words: what an agent takes changes no index then.
CREATE INDEX job_here ON job (agent_id, seq) WHERE state <> 'gone';
CREATE INDEX job_of_store ON job (store_id) WHERE store_id IS NOT NULL;

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
CREATE INDEX run_by_start ON run (operation_start);
-- At most once: no job has two runs in process.
CREATE UNIQUE INDEX run_in_process ON run (job_id) WHERE status = 2;
CREATE INDEX run_by_end ON run (operation_end);
CREATE INDEX run_due ON run (operation_start) WHERE status = 2;
-- What is searched for, each in the order of audit ids; a run comes in here when it has ended (`query.implied`).
CREATE INDEX run_by_status ON run (status) WHERE status <> 2;
CREATE INDEX run_by_result ON run (result) WHERE result <> 0;
CREATE INDEX run_by_both ON run (result, status) WHERE result <> 0;
-- How many runs share a value, roughly: else SQLite takes a status to be as rare as a JobId. ANALYZE only
-- makes the table and reads what is in it: no run is looked at.
ANALYZE sqlite_schema;
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('run', 'run_of_job', '1000000 5'), ('run', 'run_in_process', '1000 1'), ('run', 'run_due', '1000 2'),
    ('run', 'run_by_start', '1000000 2'), ('run', 'run_by_end', '1000000 2'),
    ('run', 'run_by_status', '1000000 300000'), ('run', 'run_by_result', '1000000 300000'),
    ('run', 'run_by_both', '1000000 300000 100000');
ANALYZE sqlite_schema;

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

-- What was answered and is not in its tables yet: one row a commit, JSON (`server.put_off`).
CREATE TABLE put_off (
    seq        INTEGER PRIMARY KEY,
    statements BLOB NOT NULL
);

CREATE TABLE certificate (
    id                INTEGER PRIMARY KEY AUTOINCREMENT,
    issued_dn         TEXT NOT NULL DEFAULT '',
    issuer_dn         TEXT NOT NULL DEFAULT '',
    issued_cn         TEXT NOT NULL DEFAULT '',
    serial_number     TEXT NOT NULL DEFAULT '',
    not_before        INTEGER,
    not_after         INTEGER,
    signing_algorithm TEXT NOT NULL DEFAULT '',
    import_date       INTEGER,
    thumbprint        TEXT NOT NULL UNIQUE,
    contents          TEXT NOT NULL -- DER, base64
);
INSERT INTO certificate (issued_dn, issuer_dn, issued_cn, serial_number, not_before, not_after, signing_algorithm,
                         thumbprint, contents)
VALUES (
    'CN=agent-sim sample certificate', 'CN=agent-sim sample certificate', 'agent-sim sample certificate', '01',
    1577836800000000000, 4733510400000000000, 'ecdsa-with-SHA256', '8db2aa9c7675d92aca9383eba375e9030521c913',
    'MIIBPTCB46ADAgECAgEBMAoGCCqGSM49BAMCMCcxJTAjBgNVBAMMHGFnZW50LXNpbSBzYW1wbGUgY2VydGlmaWNhdGUwIBcNMjAwMTAxMDAwMDAwWhgPMjEyMDAxMDEwMDAwMDBaMCcxJTAjBgNVBAMMHGFnZW50LXNpbSBzYW1wbGUgY2VydGlmaWNhdGUwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAASMj3v66rO4sWpg3uUpespBgz0nU1iEyvlvTL4+/xw+m8PLkhgUJDWQ8U5ywhCzgT9J8NG7CefM9BFIdrDH/hgnMAoGCCqGSM49BAMCA0kAMEYCIQDTCsO/aKfYcUseLBYNM/0RNTgaQv7nu69rv/1eluNa1AIhAMQbLzhu03yLsQEljLNRd5+o+VrJmMA0DDOPC4xyWk+R'
);

-- The server's own authority (one row) and what it issued: to agents for themselves, and for their stores.
CREATE TABLE authority (
    id       INTEGER PRIMARY KEY CHECK (id = 1),
    key      TEXT NOT NULL, -- PKCS#8, base64: as secret as the file
    contents TEXT NOT NULL  -- DER, base64
);
CREATE TABLE issued_certificate (
    id            INTEGER PRIMARY KEY,
    serial_number TEXT NOT NULL UNIQUE,
    thumbprint    TEXT NOT NULL UNIQUE,
    agent_id      TEXT NOT NULL REFERENCES agent,
    audit_id      INTEGER, -- the re-enrolment run; null for an agent's own. Kept after the run is forgotten.
    not_after     INTEGER NOT NULL,
    contents      TEXT NOT NULL
);
CREATE INDEX issued_by_run ON issued_certificate (audit_id) WHERE audit_id IS NOT NULL;

-- Inventory uploads of a run: whether there was one, and whether one was refused.
CREATE TABLE run_upload (
    job_history_id INTEGER PRIMARY KEY REFERENCES run ON DELETE CASCADE,
    accepted       INTEGER NOT NULL,
    refused        INTEGER NOT NULL
);

-- Pools of agents for SSL scans; an agent is in one pool at most, and else in the default one.
CREATE TABLE agent_pool (
    id   TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE COLLATE NOCASE
);
CREATE TABLE agent_pool_agent (
    agent_id        TEXT PRIMARY KEY REFERENCES agent,
    pool_id         TEXT NOT NULL REFERENCES agent_pool,
    enable_discover INTEGER NOT NULL,
    enable_monitor  INTEGER NOT NULL
);
CREATE INDEX agent_pool_members ON agent_pool_agent (pool_id);

CREATE TABLE blueprint (
    id                    TEXT PRIMARY KEY,
    name                  TEXT NOT NULL UNIQUE COLLATE NOCASE,
    required_capabilities TEXT NOT NULL,
    last_modified         INTEGER NOT NULL
);
CREATE TABLE blueprint_store (
    id                TEXT PRIMARY KEY,
    blueprint_id      TEXT NOT NULL REFERENCES blueprint ON DELETE CASCADE,
    store_path        TEXT NOT NULL,
    cert_store_type   INTEGER NOT NULL REFERENCES store_type,
    approved          INTEGER NOT NULL,
    create_if_missing INTEGER NOT NULL,
    container_id      INTEGER REFERENCES container ON DELETE SET NULL,
    properties        TEXT
);
CREATE INDEX blueprint_stores ON blueprint_store (blueprint_id);
CREATE TABLE blueprint_job (
    id            TEXT PRIMARY KEY,
    blueprint_id  TEXT NOT NULL REFERENCES blueprint ON DELETE CASCADE,
    store_id      TEXT REFERENCES blueprint_store ON DELETE CASCADE,
    type_guid     TEXT NOT NULL,
    job_type      TEXT NOT NULL,
    type_category TEXT NOT NULL,
    schedule      TEXT,
    schedule_time INTEGER,
    requested     INTEGER NOT NULL,
    details       TEXT NOT NULL
);
CREATE INDEX blueprint_jobs ON blueprint_job (blueprint_id);

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
SELECT store.*, container.name AS container_name, inventory.job_id AS current_inventory_job_id,
       inventory.schedule AS inventory_schedule, inventory.schedule_time AS inventory_schedule_time
FROM certificate_store AS store
LEFT JOIN container ON container.id = store.container_id
LEFT JOIN job AS inventory ON inventory.job_id = store.inventory_job_id AND inventory.state <> 'gone';

CREATE VIEW container_listing AS
SELECT container.*, (SELECT count(*) FROM certificate_store AS store WHERE store.container_id = container.id)
       AS store_count
FROM container;

CREATE VIEW agent_pool_listing AS
SELECT agent_pool.id, agent_pool.name, coalesce(sum(member.enable_discover), 0) AS discover_agents_count,
       coalesce(sum(member.enable_monitor), 0) AS monitor_agents_count
FROM agent_pool LEFT JOIN agent_pool_agent AS member ON member.pool_id = agent_pool.id
GROUP BY agent_pool.id;

CREATE VIEW blueprint_store_listing AS
SELECT store.*, store_type.short_name
FROM blueprint_store AS store JOIN store_type ON store_type.store_type = store.cert_store_type;

-- Oracle Identity Governance's scheduler (command-api 8). A job is known by its name, in exactly its letters. `failures`
-- counts consecutive ones, `occurrences` runs that were no retries, `runs` all. Lists and objects are JSON.
CREATE TABLE oig_job (
    job_name           TEXT PRIMARY KEY,
    task_name          TEXT NOT NULL,
    retry_count        INTEGER NOT NULL,
    parameters         TEXT NOT NULL DEFAULT '[]',
    concurrent         INTEGER NOT NULL,
    is_enabled         INTEGER NOT NULL,
    job_schedule_type  TEXT,
    cron_schedule_type TEXT,
    notification       TEXT,
    status             TEXT NOT NULL,
    failures           INTEGER NOT NULL DEFAULT 0,
    occurrences        INTEGER NOT NULL DEFAULT 0,
    runs               INTEGER NOT NULL DEFAULT 0,
    trigger            TEXT,                      -- null: none was set
    next_fire          INTEGER
);
CREATE INDEX oig_job_fires ON oig_job (next_fire) WHERE next_fire IS NOT NULL;

-- One row a run. `due` is when a run that is RUNNING will end (null: it hangs), `retry_at` when one that failed is tried
-- again. How it will end stands in `outcome` and `message` before it does.
CREATE TABLE oig_run (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    job_name         TEXT NOT NULL REFERENCES oig_job ON DELETE CASCADE,
    occurrence       INTEGER NOT NULL,
    attempt          INTEGER NOT NULL,
    started          INTEGER NOT NULL,
    ended            INTEGER,
    due              INTEGER,
    retry_at         INTEGER,
    status           TEXT NOT NULL,
    outcome          TEXT NOT NULL,
    message          TEXT NOT NULL,
    error_message    TEXT,
    exception_object TEXT,
    params           TEXT NOT NULL DEFAULT '{}'
);
CREATE INDEX oig_run_of_job ON oig_run (job_name, id);
CREATE INDEX oig_run_due ON oig_run (due) WHERE due IS NOT NULL;
CREATE INDEX oig_run_retries ON oig_run (retry_at) WHERE retry_at IS NOT NULL;
CREATE INDEX oig_run_open ON oig_run (job_name) WHERE status = 'RUNNING';
CREATE INDEX oig_run_started ON oig_run (started);
