-- Every statement of the embedded server by name. Values are :parameters; {braces} stand for conditions and orders
-- that `server.listing` composes from fixed columns and compiled queries, whose parameters are question marks.

-- name: agent_by_id
SELECT agent_id, username, client_machine, agent_platform, version, status, registered, capabilities,
       client_parameters, last_seen, blueprint, thumbprint
FROM agent WHERE agent_id = :agent_id

-- name: agent_by_name
SELECT agent_id, username, client_machine, agent_platform, version, status, registered, capabilities,
       client_parameters, last_seen, blueprint, thumbprint
FROM agent WHERE username = :username AND client_machine = :client_machine

-- name: agent_add
INSERT INTO agent (agent_id, username, client_machine, agent_platform, version, status, registered, capabilities,
                   client_parameters)
VALUES (:agent_id, :username, :client_machine, :agent_platform, :version, :status, :registered, :capabilities,
        :client_parameters)

-- name: agent_update
UPDATE agent SET client_machine = :client_machine, agent_platform = :agent_platform, version = :version,
                 registered = :registered, capabilities = :capabilities, client_parameters = :client_parameters
WHERE agent_id = :agent_id

-- name: agent_seen
UPDATE agent SET last_seen = :last_seen WHERE agent_id = :agent_id

-- name: agent_status
UPDATE agent SET status = :status WHERE agent_id = :agent_id

-- name: agent_machines
SELECT agent_id, client_machine FROM agent WHERE agent_id IN (SELECT value FROM json_each(:agent_ids))

-- name: agent_statuses
SELECT agent_id, status FROM agent WHERE agent_id IN (SELECT value FROM json_each(:agent_ids))

-- name: agent_page
SELECT agent_id, username, client_machine, agent_platform, version, status, registered, capabilities,
       client_parameters, last_seen, blueprint, thumbprint
FROM agent WHERE {where} ORDER BY {order} LIMIT ? OFFSET ?

-- name: agent_count
SELECT count(*) FROM agent WHERE {where}

-- name: job_type_page
SELECT id, job_type_name, description, job_type_fields
FROM job_type WHERE {where} ORDER BY {order} LIMIT ? OFFSET ?

-- name: job_type_count
SELECT count(*) FROM job_type WHERE {where}

-- name: job_type_by_name
SELECT id, job_type_name, description, job_type_fields FROM job_type WHERE job_type_name = :job_type_name

-- name: job_type_all
SELECT id, job_type_name, description, job_type_fields FROM job_type

-- name: job_type_add
INSERT INTO job_type (id, job_type_name, description, job_type_fields)
VALUES (:id, :job_type_name, :description, :job_type_fields)

-- name: job_add
INSERT INTO job (job_id, agent_id, type_guid, job_type, job_category, schedule, schedule_time, requested, state,
                 at_once, failures, store_id, details)
VALUES (:job_id, :agent_id, :type_guid, :job_type, :job_category, :schedule, :schedule_time, :requested, :state,
        :at_once, :failures, :store_id, :details)

-- name: job_by_id
SELECT job_id, agent_id, type_guid, job_type, schedule, schedule_time, requested, state, at_once, failures, store_id,
       details
FROM job WHERE job_id = :job_id

-- name: jobs_waiting
SELECT job_id, agent_id, type_guid, job_type, schedule, schedule_time, requested, state, at_once, failures, store_id,
       details
FROM job WHERE agent_id = :agent_id AND state = 'waiting' ORDER BY seq

-- name: job_update
UPDATE job SET state = :state, at_once = :at_once, failures = :failures WHERE job_id = :job_id

-- name: jobs_known
SELECT job_id FROM job WHERE job_id IN (SELECT value FROM json_each(:job_ids))

-- name: jobs_reschedule
UPDATE job SET state = 'waiting', at_once = 1, failures = 0
WHERE job_id IN (SELECT value FROM json_each(:job_ids))
RETURNING agent_id

-- name: jobs_unschedule
UPDATE job SET state = 'gone', at_once = 0, failures = 0
WHERE job_id IN (SELECT value FROM json_each(:job_ids))
RETURNING agent_id

-- name: scheduled_page
SELECT job_id, agent_machine, target, schedule, schedule_time, requested, job_type
FROM scheduled_job WHERE {where} ORDER BY {order} LIMIT ? OFFSET ?

-- name: scheduled_count
SELECT count(*) FROM scheduled_job WHERE {where}

-- name: unschedule_by_query
SELECT job_id, job_category, state, store_id, container_id FROM scheduled_job WHERE {where} ORDER BY seq

-- name: unschedule_by_ids
SELECT job_id, job_category, state, store_id, container_id
FROM scheduled_job WHERE job_id IN (SELECT value FROM json_each(:job_ids)) ORDER BY seq

-- name: run_add
INSERT INTO run (job_id, agent_id, agent_machine, job_type, job_category, schedule, schedule_time, store_path,
                 client_machine, result, status, operation_start)
SELECT job.job_id, job.agent_id, agent.client_machine, job.job_type, job.job_category, job.schedule,
       job.schedule_time, store.store_path, store.client_machine, :result, :status, :operation_start
FROM job
JOIN agent ON agent.agent_id = job.agent_id
LEFT JOIN certificate_store AS store ON store.id = job.store_id
WHERE job.job_id = :job_id
RETURNING job_history_id

-- name: run_in_process
SELECT job_history_id FROM run WHERE job_id = :job_id AND status = 2

-- name: run_with_job
SELECT run.job_history_id, run.operation_start, run.status, run.result, run.operation_end, run.message, run.timed_out,
       job.job_id, job.agent_id, job.type_guid, job.job_type, job.schedule, job.schedule_time, job.requested,
       job.state, job.at_once, job.failures, job.store_id, job.details
FROM run JOIN job ON job.job_id = run.job_id
WHERE run.job_history_id = :job_history_id

-- name: runs_overdue
SELECT run.job_history_id, run.operation_start, run.status, run.result, run.operation_end, run.message, run.timed_out,
       job.job_id, job.agent_id, job.type_guid, job.job_type, job.schedule, job.schedule_time, job.requested,
       job.state, job.at_once, job.failures, job.store_id, job.details
FROM run JOIN job ON job.job_id = run.job_id
WHERE run.status = 2 AND run.operation_start <= :started ORDER BY run.operation_start, run.job_history_id

-- name: run_earliest
SELECT min(operation_start) FROM run WHERE status = 2

-- name: run_end
UPDATE run SET result = :result, status = :status, operation_end = :operation_end, message = :message,
               timed_out = :timed_out
WHERE job_history_id = :job_history_id

-- name: run_data
SELECT data FROM run_data WHERE job_history_id = :job_history_id

-- name: run_data_add
INSERT INTO run_data (job_history_id, data) VALUES (:job_history_id, :data)

-- name: run_location_add
INSERT OR IGNORE INTO run_location (job_history_id, path) VALUES (:job_history_id, :path)

-- name: run_known
SELECT job_history_id FROM run WHERE job_history_id = :job_history_id

-- name: history_page
SELECT job_history_id, agent_machine, job_id, job_type, result, status, operation_start, operation_end, schedule,
       schedule_time, message, store_path, client_machine
FROM run WHERE {where} ORDER BY {order} LIMIT ? OFFSET ?

-- name: history_count
SELECT count(*) FROM run WHERE {where}

-- name: storm_by_query
SELECT run.job_history_id, run.job_id, run.job_category, run.schedule, run.schedule_time, run.result, run.status,
       job.state, job.at_once, job.store_id, store.container_id,
       EXISTS (SELECT 1 FROM run AS other WHERE other.job_id = run.job_id AND other.status = 2)
FROM (SELECT * FROM run WHERE {where}) AS run
JOIN job ON job.job_id = run.job_id
LEFT JOIN certificate_store AS store ON store.id = job.store_id
ORDER BY run.job_history_id

-- name: storm_by_ids
SELECT run.job_history_id, run.job_id, run.job_category, run.schedule, run.schedule_time, run.result, run.status,
       job.state, job.at_once, job.store_id, store.container_id,
       EXISTS (SELECT 1 FROM run AS other WHERE other.job_id = run.job_id AND other.status = 2)
FROM run
JOIN job ON job.job_id = run.job_id
LEFT JOIN certificate_store AS store ON store.id = job.store_id
WHERE run.job_history_id IN (SELECT value FROM json_each(:audit_ids))
ORDER BY run.job_history_id

-- name: runs_acknowledge
UPDATE run SET status = :status WHERE job_history_id IN (SELECT value FROM json_each(:audit_ids))

-- name: transition_add
INSERT INTO transition (at, kind, job_id, audit_id) VALUES (:at, :kind, :job_id, :audit_id)

-- name: transitions_of_runs
INSERT INTO transition (at, kind, job_id, audit_id)
SELECT :at, :kind, job_id, job_history_id FROM run
WHERE job_history_id IN (SELECT value FROM json_each(:audit_ids)) ORDER BY job_history_id

-- name: transitions_of_jobs
INSERT INTO transition (at, kind, job_id, audit_id)
SELECT :at, :kind, value, NULL FROM json_each(:job_ids)

-- name: transition_page
SELECT seq, at, kind, job_id, audit_id FROM transition WHERE seq > :after ORDER BY seq LIMIT :limit

-- name: transition_last
SELECT coalesce(max(seq), 0) FROM transition

-- name: store_add
INSERT INTO certificate_store (id, agent_id, client_machine, store_path, cert_store_type, display_name, container_id,
                               approved, create_if_missing, properties)
VALUES (:id, :agent_id, :client_machine, :store_path, :cert_store_type, :display_name, :container_id, :approved,
        :create_if_missing, :properties)

-- name: store_twin
SELECT id FROM certificate_store
WHERE agent_id = :agent_id AND client_machine = :client_machine AND store_path = :store_path
      AND cert_store_type = :cert_store_type

-- name: store_inventory_job
UPDATE certificate_store SET inventory_job_id = :job_id WHERE id = :id

-- name: store_by_id
SELECT id, agent_id, client_machine, store_path, cert_store_type, display_name, container_id, container_name, approved,
       agent_assigned, create_if_missing, properties, current_inventory_job_id, inventory_schedule,
       inventory_schedule_time
FROM store_listing WHERE id = :id

-- name: store_page
SELECT id, agent_id, client_machine, store_path, cert_store_type, display_name, container_id, container_name, approved,
       agent_assigned, create_if_missing, properties, current_inventory_job_id, inventory_schedule,
       inventory_schedule_time
FROM store_listing WHERE {where} ORDER BY {order} LIMIT ? OFFSET ?

-- name: store_count
SELECT count(*) FROM store_listing WHERE {where}

-- name: items_known
SELECT alias, private_key_entry, thumbprints FROM store_item WHERE store_id = :store_id ORDER BY alias

-- name: item_put
INSERT INTO store_item (store_id, alias, private_key_entry, use_chain_level, thumbprints, certificates, seen_in)
VALUES (:store_id, :alias, :private_key_entry, :use_chain_level, :thumbprints, :certificates, :seen_in)
ON CONFLICT (store_id, alias) DO UPDATE SET
    private_key_entry = excluded.private_key_entry, use_chain_level = excluded.use_chain_level,
    thumbprints = excluded.thumbprints, certificates = excluded.certificates, seen_in = excluded.seen_in

-- name: item_seen
UPDATE store_item SET seen_in = :seen_in WHERE store_id = :store_id AND alias = :alias

-- name: item_remove
DELETE FROM store_item WHERE store_id = :store_id AND alias = :alias

-- name: items_forget
DELETE FROM store_item
WHERE store_id = :store_id AND seen_in <> :seen_in
      AND EXISTS (SELECT 1 FROM store_item AS other WHERE other.store_id = :store_id AND other.seen_in = :seen_in)

-- name: certificate_by_id
SELECT id, thumbprint, contents FROM certificate WHERE id = :id
