-- Every statement of the embedded server by name. Values are :parameters; {braces} stand for conditions and orders
-- that `server.listing` composes from fixed columns and compiled queries, whose parameters are question marks. {rows}
-- are question marks for many records at once, which SQLite writes for a third of the time: `server.put_off` has them.

-- name: agent_by_id
SELECT agent_id, username, client_machine, agent_platform, version, status, registered, capabilities,
       client_parameters, last_seen, blueprint, thumbprint, legacy_thumbprint, last_thumbprint_used,
       auth_certificate_reenrollment, last_error_code, last_error_message
FROM agent WHERE agent_id = :agent_id

-- name: agent_by_name
SELECT agent_id, username, client_machine, agent_platform, version, status, registered, capabilities,
       client_parameters, last_seen, blueprint, thumbprint, legacy_thumbprint, last_thumbprint_used,
       auth_certificate_reenrollment, last_error_code, last_error_message
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

-- name: agent_names
SELECT agent_id, username, client_machine FROM agent WHERE agent_id IN (SELECT value FROM json_each(:agent_ids))

-- name: agent_statuses
SELECT agent_id, status FROM agent WHERE agent_id IN (SELECT value FROM json_each(:agent_ids))

-- name: agent_page
SELECT agent_id, username, client_machine, agent_platform, version, status, registered, capabilities,
       client_parameters, last_seen, blueprint, thumbprint, legacy_thumbprint, last_thumbprint_used,
       auth_certificate_reenrollment, last_error_code, last_error_message
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
INSERT INTO job (job_id, agent_id, type_guid, job_type, job_category, type_category, schedule, schedule_time,
                 requested, state, at_once, failures, store_id, details)
VALUES (:job_id, :agent_id, :type_guid, :job_type, :job_category, :type_category, :schedule, :schedule_time,
        :requested, :state, :at_once, :failures, :store_id, :details)

-- name: job_by_id
SELECT job_id, agent_id, type_guid, job_type, type_category, schedule, schedule_time, requested, state, at_once,
       failures, store_id, details
FROM job WHERE job_id = :job_id

-- name: jobs_waiting
SELECT job_id, agent_id, type_guid, job_type, type_category, schedule, schedule_time, requested, state, at_once,
       failures, store_id, details
FROM job WHERE agent_id = :agent_id AND state = 'waiting' AND state <> 'gone' ORDER BY seq

-- name: job_update
WITH new (job_id, state, at_once, failures) AS (VALUES {rows})
UPDATE job SET state = new.state, at_once = new.at_once, failures = new.failures FROM new WHERE job.job_id = new.job_id

-- name: jobs_known
SELECT job_id FROM job WHERE job_id IN (SELECT value FROM json_each(:job_ids))

-- name: jobs_reschedule
UPDATE job SET state = 'waiting', at_once = 1, failures = 0
WHERE job_id IN (SELECT value FROM json_each(:job_ids))
RETURNING agent_id

-- name: jobs_close
UPDATE job SET state = 'gone', at_once = 0, failures = 0 WHERE state <> 'gone'

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
WITH new (job_history_id, job_id, operation_start, result, status, operation_end, message, timed_out)
     AS (VALUES {rows})
INSERT INTO run (job_history_id, job_id, agent_id, agent_machine, job_type, job_category, schedule, schedule_time,
                 store_path, client_machine, result, status, operation_start, operation_end, message, timed_out)
SELECT new.job_history_id, job.job_id, job.agent_id, agent.client_machine, job.job_type, job.job_category,
       job.schedule, job.schedule_time, store.store_path, store.client_machine, new.result, new.status,
       new.operation_start, new.operation_end, new.message, new.timed_out
FROM new
CROSS JOIN job ON job.job_id = new.job_id -- CROSS: each new one's job is found by its id, never the other way round
JOIN agent ON agent.agent_id = job.agent_id
LEFT JOIN certificate_store AS store ON store.id = job.store_id
WHERE TRUE -- SQLite asks for one here; what was added before a crash is added again, as it stands now
ON CONFLICT (job_history_id) DO UPDATE SET result = excluded.result, status = excluded.status,
    operation_end = excluded.operation_end, message = excluded.message, timed_out = excluded.timed_out

-- name: run_in_process
SELECT job_history_id FROM run WHERE job_id = :job_id AND status = 2

-- name: run_with_job
SELECT run.job_history_id, run.operation_start, run.status, run.result, run.operation_end, run.message, run.timed_out,
       job.job_id, job.agent_id, job.type_guid, job.job_type, job.type_category, job.schedule, job.schedule_time,
       job.requested, job.state, job.at_once, job.failures, job.store_id, job.details
FROM run JOIN job ON job.job_id = run.job_id
WHERE run.job_history_id = :job_history_id

-- name: runs_overdue
SELECT run.job_history_id, run.operation_start, run.status, run.result, run.operation_end, run.message, run.timed_out,
       job.job_id, job.agent_id, job.type_guid, job.job_type, job.type_category, job.schedule, job.schedule_time,
       job.requested, job.state, job.at_once, job.failures, job.store_id, job.details
FROM run JOIN job ON job.job_id = run.job_id
WHERE run.status = 2 AND run.operation_start <= :started ORDER BY run.operation_start, run.job_history_id LIMIT :most

-- name: run_first
SELECT job_history_id FROM run WHERE status <> 2 ORDER BY job_history_id LIMIT 1

-- name: run_earliest
SELECT min(operation_start) FROM run WHERE status = 2

-- name: run_newest
SELECT coalesce(max(job_history_id), 0) FROM run

-- name: run_given
SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'run'

-- name: run_after
SELECT job_history_id FROM run WHERE job_history_id >= :begin ORDER BY job_history_id LIMIT 1 OFFSET :skip

-- name: run_last_start
SELECT max(operation_start) FROM run WHERE job_id = :job_id

-- name: run_end
WITH new (job_history_id, result, status, operation_end, message, timed_out) AS (VALUES {rows})
UPDATE run SET result = new.result, status = new.status, operation_end = new.operation_end, message = new.message,
               timed_out = new.timed_out
FROM new WHERE run.job_history_id = new.job_history_id

-- name: run_data
SELECT data FROM run_data WHERE job_history_id = :job_history_id

-- name: run_data_add
INSERT INTO run_data (job_history_id, data) VALUES {rows} ON CONFLICT DO NOTHING

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

-- name: history_count_to
SELECT count(*) FROM (SELECT 1 FROM run WHERE {where} LIMIT ?)

-- name: storm_by_query
SELECT run.job_history_id, run.job_id, run.job_category, run.schedule, run.schedule_time, run.result, run.status,
       job.type_category, job.state, job.at_once, job.store_id, store.container_id,
       EXISTS (SELECT 1 FROM run AS other WHERE other.job_id = run.job_id AND other.status = 2)
FROM (SELECT * FROM run WHERE {where}) AS run
JOIN job ON job.job_id = run.job_id
LEFT JOIN certificate_store AS store ON store.id = job.store_id
ORDER BY run.job_history_id

-- name: storm_by_ids
SELECT run.job_history_id, run.job_id, run.job_category, run.schedule, run.schedule_time, run.result, run.status,
       job.type_category, job.state, job.at_once, job.store_id, store.container_id,
       EXISTS (SELECT 1 FROM run AS other WHERE other.job_id = run.job_id AND other.status = 2)
FROM run
JOIN job ON job.job_id = run.job_id
LEFT JOIN certificate_store AS store ON store.id = job.store_id
WHERE run.job_history_id IN (SELECT value FROM json_each(:audit_ids))
ORDER BY run.job_history_id

-- name: runs_acknowledge
UPDATE run SET status = :status WHERE job_history_id IN (SELECT value FROM json_each(:audit_ids))

-- name: transition_add
INSERT INTO transition (at, kind, job_id, audit_id) VALUES {rows}

-- name: put_off_add
INSERT INTO put_off (statements) VALUES (:statements)

-- name: put_off_all
SELECT seq, statements FROM put_off ORDER BY seq

-- name: put_off_clear
DELETE FROM put_off WHERE seq <= :last

-- name: transitions_of_runs
INSERT INTO transition (at, kind, job_id, audit_id)
SELECT :at, :kind, job_id, job_history_id FROM run
WHERE job_history_id IN (SELECT value FROM json_each(:audit_ids)) ORDER BY job_history_id

-- name: transitions_of_jobs
INSERT INTO transition (at, kind, job_id, audit_id)
SELECT :at, :kind, value, NULL FROM json_each(:job_ids)

-- name: unschedules_asked
INSERT INTO transition (at, kind, job_id, audit_id)
SELECT at, 'unschedule_asked', job_id, NULL FROM transition
WHERE seq > :after AND kind = 'unscheduled'
  AND (:job_ids IS NULL OR job_id IN (SELECT value FROM json_each(:job_ids))) ORDER BY seq

-- name: transition_page
SELECT seq, at, kind, job_id, audit_id FROM transition WHERE seq > :after ORDER BY seq LIMIT :limit

-- name: transition_last
SELECT coalesce(max(seq), 0) FROM transition

-- name: store_add
INSERT INTO certificate_store (id, agent_id, client_machine, store_path, cert_store_type, display_name, container_id,
                               approved, create_if_missing, properties, password)
VALUES (:id, :agent_id, :client_machine, :store_path, :cert_store_type, :display_name, :container_id, :approved,
        :create_if_missing, :properties, :password)

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

-- name: certificate_by_id
SELECT id, thumbprint, contents FROM certificate WHERE id = :id

-- --- stores, their types and containers ---

-- name: store_found
INSERT OR IGNORE INTO certificate_store (id, agent_id, client_machine, store_path, cert_store_type, approved,
                                         create_if_missing)
VALUES (:id, :agent_id, :client_machine, :store_path, :cert_store_type, 0, 0)

-- name: store_change
UPDATE certificate_store
SET agent_id = :agent_id, display_name = :display_name, container_id = :container_id, approved = :approved,
    create_if_missing = :create_if_missing, properties = :properties, cert_store_type = :cert_store_type
WHERE id = :id

-- name: store_password_put
UPDATE certificate_store SET password = :password WHERE id = :id

-- name: store_password
SELECT password FROM certificate_store WHERE id = :id

-- name: stores_of_agents
SELECT id FROM certificate_store WHERE agent_id IN (SELECT value FROM json_each(:agent_ids)) ORDER BY id

-- name: stores_of_container
SELECT id FROM certificate_store WHERE container_id = :container_id ORDER BY id

-- name: stores_of_type
SELECT count(*) FROM certificate_store WHERE cert_store_type = :store_type

-- name: stores_forget_items
DELETE FROM store_item WHERE store_id IN (SELECT value FROM json_each(:ids))

-- name: stores_forget_jobs
UPDATE job SET store_id = NULL WHERE store_id IN (SELECT value FROM json_each(:ids))

-- name: stores_delete
DELETE FROM certificate_store WHERE id IN (SELECT value FROM json_each(:ids))

-- name: jobs_of_stores
SELECT job_id FROM job WHERE state <> 'gone' AND store_id IN (SELECT value FROM json_each(:ids)) ORDER BY seq

-- name: jobs_of_agents
SELECT job_id FROM job WHERE state <> 'gone' AND agent_id IN (SELECT value FROM json_each(:agent_ids)) ORDER BY seq

-- name: jobs_of_type
SELECT count(*) FROM job WHERE state <> 'gone' AND type_guid = :type_guid

-- name: inventory_page
SELECT id, alias, thumbprints FROM store_item WHERE {where} ORDER BY {order} LIMIT ? OFFSET ?

-- name: inventory_count
SELECT count(*) FROM store_item WHERE {where}

-- name: store_type_page
SELECT store_type, name, short_name, capability, inventory_guid, management_guid, discovery_guid, enrollment_guid,
       built_in, document
FROM store_type WHERE {where} ORDER BY {order} LIMIT ? OFFSET ?

-- name: store_type_count
SELECT count(*) FROM store_type WHERE {where}

-- name: store_type_by_number
SELECT store_type, name, short_name, capability, inventory_guid, management_guid, discovery_guid, enrollment_guid,
       built_in, document
FROM store_type WHERE store_type = :store_type

-- name: store_type_all
SELECT store_type, name, short_name, capability, inventory_guid, management_guid, discovery_guid, enrollment_guid,
       built_in, document
FROM store_type ORDER BY store_type

-- name: store_type_put
INSERT INTO store_type (store_type, name, short_name, capability, inventory_guid, management_guid, discovery_guid,
                        enrollment_guid, document)
VALUES (:store_type, :name, :short_name, :capability, :inventory_guid, :management_guid, :discovery_guid,
        :enrollment_guid, :document)
ON CONFLICT (store_type) DO UPDATE SET
    name = excluded.name, short_name = excluded.short_name, capability = excluded.capability,
    inventory_guid = excluded.inventory_guid, management_guid = excluded.management_guid,
    discovery_guid = excluded.discovery_guid, enrollment_guid = excluded.enrollment_guid, document = excluded.document

-- name: store_type_next
SELECT max(101, coalesce(max(store_type), 0)) + 1 FROM store_type

-- name: store_type_uses
SELECT (SELECT count(*) FROM certificate_store WHERE cert_store_type = :store_type)
     + (SELECT count(*) FROM container WHERE cert_store_type = :store_type)
     + (SELECT count(*) FROM blueprint_store WHERE cert_store_type = :store_type)

-- name: store_type_delete
DELETE FROM store_type WHERE store_type = :store_type

-- name: container_page
SELECT id, name, overwrite_schedules, schedule, schedule_time, has_schedule, cert_store_type, store_count
FROM container_listing WHERE {where} ORDER BY {order} LIMIT ? OFFSET ?

-- name: container_count
SELECT count(*) FROM container_listing WHERE {where}

-- name: container_by_id
SELECT id, name, overwrite_schedules, schedule, schedule_time, has_schedule, cert_store_type, store_count
FROM container_listing WHERE id = :id

-- name: container_by_name
SELECT id, name, overwrite_schedules, schedule, schedule_time, has_schedule, cert_store_type, store_count
FROM container_listing WHERE name = :name

-- name: container_add
INSERT INTO container (name, overwrite_schedules, schedule, schedule_time, has_schedule, cert_store_type)
VALUES (:name, :overwrite_schedules, :schedule, :schedule_time, :has_schedule, :cert_store_type)
RETURNING id

-- name: container_change
UPDATE container
SET name = :name, overwrite_schedules = :overwrite_schedules, schedule = :schedule, schedule_time = :schedule_time,
    has_schedule = :has_schedule, cert_store_type = :cert_store_type
WHERE id = :id

-- name: container_empty
UPDATE certificate_store SET container_id = NULL WHERE container_id = :id

-- name: container_delete
DELETE FROM container WHERE id = :id

-- name: certificate_page
SELECT id, thumbprint, serial_number, issued_dn, issued_cn, issuer_dn, contents, import_date, not_before, not_after,
       signing_algorithm
FROM certificate WHERE {where} ORDER BY {order} LIMIT ? OFFSET ?

-- name: certificate_count
SELECT count(*) FROM certificate WHERE {where}

-- name: certificate_record
SELECT id, thumbprint, serial_number, issued_dn, issued_cn, issuer_dn, contents, import_date, not_before, not_after,
       signing_algorithm
FROM certificate WHERE id = :id

-- name: certificates_of
SELECT id, thumbprint, serial_number, issued_dn, issued_cn, issuer_dn, contents, import_date, not_before, not_after,
       signing_algorithm
FROM certificate WHERE thumbprint IN (SELECT value FROM json_each(:thumbprints))

-- name: certificate_learn
INSERT OR IGNORE INTO certificate (issued_dn, issuer_dn, issued_cn, serial_number, not_before, not_after,
                                   signing_algorithm, import_date, thumbprint, contents)
VALUES (:issued_dn, :issuer_dn, :issued_cn, :serial_number, :not_before, :not_after, :signing_algorithm, :import_date,
        :thumbprint, :contents)

-- name: certificate_locations
SELECT store.client_machine, store.store_path, store.cert_store_type, item.alias, thumbprint.key, store.id
FROM store_item AS item, json_each(item.thumbprints) AS thumbprint
JOIN certificate_store AS store ON store.id = item.store_id
WHERE thumbprint.value = :thumbprint ORDER BY store.id, item.alias, thumbprint.key

-- --- agents: reset, certificates, pools, blueprints ---

-- name: agents_reset
UPDATE agent
SET status = :status, thumbprint = '', legacy_thumbprint = '', last_thumbprint_used = '', blueprint = NULL,
    auth_certificate_reenrollment = 0, last_error_code = NULL, last_error_message = NULL
WHERE agent_id IN (SELECT value FROM json_each(:agent_ids))

-- name: agents_reenrollment
UPDATE agent SET auth_certificate_reenrollment = :status WHERE agent_id IN (SELECT value FROM json_each(:agent_ids))

-- name: agent_blueprint
UPDATE agent SET blueprint = :blueprint WHERE agent_id = :agent_id

-- name: agent_pool_page
SELECT id, name, discover_agents_count, monitor_agents_count
FROM agent_pool_listing WHERE {where} ORDER BY {order} LIMIT ? OFFSET ?

-- name: agent_pool_count
SELECT count(*) FROM agent_pool_listing WHERE {where}

-- name: agent_pool_by_id
SELECT id, name, discover_agents_count, monitor_agents_count FROM agent_pool_listing WHERE id = :id

-- name: agent_pool_by_name
SELECT id, name, discover_agents_count, monitor_agents_count FROM agent_pool_listing WHERE name = :name

-- name: agent_pool_put
INSERT INTO agent_pool (id, name) VALUES (:id, :name) ON CONFLICT (id) DO UPDATE SET name = excluded.name

-- name: agent_pool_delete
DELETE FROM agent_pool WHERE id = :id

-- name: agent_pool_agents
SELECT member.agent_id, member.enable_discover, member.enable_monitor, agent.version, agent.capabilities,
       agent.client_machine
FROM agent_pool_agent AS member JOIN agent ON agent.agent_id = member.agent_id
WHERE member.pool_id = :id ORDER BY member.agent_id

-- name: agent_pool_clear
DELETE FROM agent_pool_agent WHERE pool_id = :id

-- name: agent_pool_leave
DELETE FROM agent_pool_agent WHERE agent_id IN (SELECT value FROM json_each(:agent_ids))

-- name: agent_pool_join
INSERT INTO agent_pool_agent (agent_id, pool_id, enable_discover, enable_monitor)
VALUES (:agent_id, :pool_id, :enable_discover, :enable_monitor)

-- name: agent_pools_of
SELECT member.agent_id, member.pool_id, agent_pool.name
FROM agent_pool_agent AS member JOIN agent_pool ON agent_pool.id = member.pool_id
WHERE member.agent_id IN (SELECT value FROM json_each(:agent_ids))

-- name: pool_agent_page
SELECT agent_id, 0, 0, version, capabilities, client_machine
FROM agent WHERE {where} ORDER BY {order} LIMIT ? OFFSET ?

-- name: pool_agent_count
SELECT count(*) FROM agent WHERE {where}

-- name: blueprint_page
SELECT id, name, required_capabilities, last_modified FROM blueprint WHERE {where} ORDER BY {order} LIMIT ? OFFSET ?

-- name: blueprint_count
SELECT count(*) FROM blueprint WHERE {where}

-- name: blueprint_by_id
SELECT id, name, required_capabilities, last_modified FROM blueprint WHERE id = :id

-- name: blueprint_by_name
SELECT id, name, required_capabilities, last_modified FROM blueprint WHERE name = :name

-- name: blueprint_add
INSERT INTO blueprint (id, name, required_capabilities, last_modified)
VALUES (:id, :name, :required_capabilities, :last_modified)

-- name: blueprint_delete
DELETE FROM blueprint WHERE id = :id

-- name: blueprint_store_page
SELECT id, blueprint_id, store_path, cert_store_type, short_name, approved, create_if_missing, container_id, properties
FROM blueprint_store_listing WHERE {where} ORDER BY {order} LIMIT ? OFFSET ?

-- name: blueprint_store_count
SELECT count(*) FROM blueprint_store_listing WHERE {where}

-- name: blueprint_stores
SELECT id, blueprint_id, store_path, cert_store_type, short_name, approved, create_if_missing, container_id, properties
FROM blueprint_store_listing WHERE blueprint_id = :id ORDER BY store_path, id

-- name: blueprint_store_add
INSERT INTO blueprint_store (id, blueprint_id, store_path, cert_store_type, approved, create_if_missing, container_id,
                             properties)
VALUES (:id, :blueprint_id, :store_path, :cert_store_type, :approved, :create_if_missing, :container_id, :properties)

-- name: blueprint_job_page
SELECT id, blueprint_id, store_id, type_guid, job_type, type_category, schedule, schedule_time, requested, details
FROM blueprint_job WHERE {where} ORDER BY {order} LIMIT ? OFFSET ?

-- name: blueprint_job_count
SELECT count(*) FROM blueprint_job WHERE {where}

-- name: blueprint_jobs
SELECT id, blueprint_id, store_id, type_guid, job_type, type_category, schedule, schedule_time, requested, details
FROM blueprint_job WHERE blueprint_id = :id ORDER BY requested, id

-- name: blueprint_job_add
INSERT INTO blueprint_job (id, blueprint_id, store_id, type_guid, job_type, type_category, schedule, schedule_time,
                           requested, details)
VALUES (:id, :blueprint_id, :store_id, :type_guid, :job_type, :type_category, :schedule, :schedule_time, :requested,
        :details)

-- --- job types, counts, retention ---

-- name: job_type_by_id
SELECT id, job_type_name, description, job_type_fields FROM job_type WHERE id = :id

-- name: job_type_change
UPDATE job_type SET job_type_name = :job_type_name, description = :description, job_type_fields = :job_type_fields
WHERE id = :id

-- name: job_type_delete
DELETE FROM job_type WHERE id = :id

-- name: runs_counted
SELECT coalesce(sum(result = 4), 0), coalesce(sum(result = 3), 0)
FROM run WHERE result IN (3, 4) AND status <> 4 AND operation_end >= :since

-- name: run_data_expire
DELETE FROM run_data WHERE job_history_id IN
    (SELECT job_history_id FROM run WHERE operation_end < :before ORDER BY operation_end, job_history_id LIMIT :most)

-- name: run_locations_expire
DELETE FROM run_location WHERE job_history_id IN
    (SELECT job_history_id FROM run WHERE operation_end < :before ORDER BY operation_end, job_history_id LIMIT :most)

-- name: runs_expire
DELETE FROM run WHERE job_history_id IN
    (SELECT job_history_id FROM run WHERE operation_end < :before ORDER BY operation_end, job_history_id LIMIT :most)

-- name: run_data_forget
DELETE FROM run_data WHERE job_history_id IN (SELECT job_history_id FROM run WHERE job_history_id <= :last AND status <> 2)

-- name: run_locations_forget
DELETE FROM run_location
WHERE job_history_id IN (SELECT job_history_id FROM run WHERE job_history_id <= :last AND status <> 2)

-- name: runs_forget
DELETE FROM run WHERE job_history_id <= :last AND status <> 2 RETURNING job_id

-- name: jobs_forget
DELETE FROM job WHERE job_id IN (SELECT value FROM json_each(:job_ids)) AND state = 'gone'
    AND NOT EXISTS (SELECT 1 FROM run WHERE run.job_id = job.job_id)
    AND NOT EXISTS (SELECT 1 FROM certificate_store AS store WHERE store.inventory_job_id = job.job_id)

-- name: transitions_forget
DELETE FROM transition WHERE seq <= min(:last, (SELECT min(seq) FROM transition) + :at_once)

-- Who may do what

-- name: containers_of_stores
SELECT DISTINCT container_id FROM certificate_store WHERE id IN (SELECT value FROM json_each(:ids))

-- --- the authority, agents' own certificates, uploads ---

-- name: authority
SELECT key, contents FROM authority

-- name: authority_put
INSERT INTO authority (id, key, contents) VALUES (1, :key, :contents)

-- name: issued_add
INSERT INTO issued_certificate (serial_number, thumbprint, agent_id, audit_id, not_after, contents)
VALUES (:serial_number, :thumbprint, :agent_id, :audit_id, :not_after, :contents)

-- name: issued_in_run
SELECT contents FROM issued_certificate WHERE audit_id = :audit_id ORDER BY id DESC LIMIT 1

-- name: issued_holder
SELECT agent.agent_id, agent.username, agent.thumbprint = issued.thumbprint, issued.not_after
FROM issued_certificate AS issued
JOIN agent ON agent.agent_id = issued.agent_id AND issued.thumbprint IN (agent.thumbprint, agent.legacy_thumbprint)
WHERE issued.thumbprint = :thumbprint AND issued.contents = :contents

-- name: issued_expiry
SELECT not_after FROM issued_certificate WHERE thumbprint = :thumbprint

-- name: agent_certificate
UPDATE agent SET legacy_thumbprint = thumbprint, thumbprint = :thumbprint, auth_certificate_reenrollment = 0
WHERE agent_id = :agent_id

-- name: agent_thumbprint_used
UPDATE agent SET last_thumbprint_used = :thumbprint WHERE agent_id = :agent_id

-- name: agent_error
UPDATE agent SET last_error_code = :code, last_error_message = :message WHERE agent_id = :agent_id

-- name: upload_note
INSERT INTO run_upload (job_history_id, accepted, refused) VALUES (:job_history_id, :accepted, :refused)
ON CONFLICT (job_history_id) DO UPDATE SET accepted = accepted + excluded.accepted, refused = refused + excluded.refused

-- name: upload_of
SELECT accepted, refused FROM run_upload WHERE job_history_id = :job_history_id

-- name: oig_job_by_name
SELECT job_name, task_name, retry_count, parameters, concurrent, is_enabled, job_schedule_type, cron_schedule_type,
       notification, status, failures, occurrences, runs, trigger, next_fire
FROM oig_job WHERE job_name = :job_name

-- name: oig_job_page
SELECT job_name, task_name, retry_count, parameters, concurrent, is_enabled, job_schedule_type, cron_schedule_type,
       notification, status, failures, occurrences, runs, trigger, next_fire
FROM oig_job WHERE {where} ORDER BY {order} LIMIT ? OFFSET ?

-- name: oig_job_count
SELECT count(*) FROM oig_job WHERE {where}

-- name: oig_job_add
INSERT INTO oig_job (job_name, task_name, retry_count, parameters, concurrent, is_enabled, job_schedule_type,
                     cron_schedule_type, notification, status)
VALUES (:job_name, :task_name, :retry_count, :parameters, :concurrent, :is_enabled, :job_schedule_type,
        :cron_schedule_type, :notification, :status)

-- name: oig_job_change
UPDATE oig_job SET task_name = :task_name, retry_count = :retry_count, parameters = :parameters,
                   concurrent = :concurrent, is_enabled = :is_enabled, job_schedule_type = :job_schedule_type,
                   cron_schedule_type = :cron_schedule_type, notification = :notification, status = :status,
                   failures = :failures, occurrences = :occurrences, runs = :runs
WHERE job_name = :job_name

-- name: oig_job_delete
DELETE FROM oig_job WHERE job_name = :job_name

-- name: oig_trigger_set
UPDATE oig_job SET trigger = :trigger, next_fire = :next_fire WHERE job_name = :job_name

-- name: oig_next_fire
UPDATE oig_job SET next_fire = :next_fire WHERE job_name = :job_name

-- name: oig_run_add
INSERT INTO oig_run (job_name, occurrence, attempt, started, due, status, outcome, message, params)
VALUES (:job_name, :occurrence, :attempt, :started, :due, :status, :outcome, :message, :params)
RETURNING id

-- name: oig_run_end
UPDATE oig_run SET ended = :ended, due = NULL, retry_at = :retry_at, status = :status,
                   error_message = :error_message, exception_object = :exception_object
WHERE id = :id

-- name: oig_run_interrupt
UPDATE oig_run SET ended = :ended, due = NULL, status = 'INTERRUPTED', error_message = :error_message
WHERE job_name = :job_name AND status = 'RUNNING'

-- name: oig_run_left
SELECT DISTINCT job_name FROM oig_run WHERE status = 'RUNNING' ORDER BY job_name

-- name: oig_run_open
SELECT count(*) FROM oig_run WHERE job_name = :job_name AND status = 'RUNNING'

-- name: oig_run_by_id
SELECT id, job_name, started, ended, status, error_message, exception_object, params
FROM oig_run WHERE job_name = :job_name AND id = :id

-- name: oig_run_last
SELECT id, job_name, started, ended, status, error_message, exception_object, params
FROM oig_run WHERE job_name = :job_name ORDER BY id DESC LIMIT 1

-- name: oig_run_page
SELECT id, job_name, started, ended, status, error_message, exception_object, params
FROM oig_run WHERE {where} ORDER BY {order} LIMIT ? OFFSET ?

-- name: oig_run_count
SELECT count(*) FROM oig_run WHERE {where}

-- name: oig_retries_drop
UPDATE oig_run SET retry_at = NULL WHERE job_name = :job_name AND retry_at IS NOT NULL

-- name: oig_retry_clear
UPDATE oig_run SET retry_at = NULL WHERE id = :id

-- name: oig_retries_count
SELECT count(*) FROM oig_run WHERE job_name = :job_name AND retry_at IS NOT NULL

-- name: oig_next_due
SELECT due, id, job_name, occurrence, attempt, outcome, message FROM oig_run
WHERE due <= :now ORDER BY due, id LIMIT 1

-- name: oig_next_retry
SELECT retry_at, id, job_name, occurrence, attempt FROM oig_run
WHERE retry_at <= :now ORDER BY retry_at, id LIMIT 1

-- name: oig_next_trigger
SELECT next_fire, job_name FROM oig_job WHERE next_fire <= :now ORDER BY next_fire, job_name LIMIT 1

-- name: oig_wake
SELECT (SELECT min(due) FROM oig_run WHERE due IS NOT NULL),
       (SELECT min(retry_at) FROM oig_run WHERE retry_at IS NOT NULL),
       (SELECT min(next_fire) FROM oig_job WHERE next_fire IS NOT NULL)

-- name: web_sites
SELECT rtrim(rtrim(client_machine, '0123456789'), '-_.') AS site, status,
       CASE WHEN last_seen IS NULL THEN :oldest ELSE min(max((:now - last_seen) / :step, 0), :oldest) END AS age, count(*)
FROM agent GROUP BY 1, 2, 3

-- name: web_capabilities
SELECT value, status, count(*) FROM agent, json_each(agent.capabilities) GROUP BY 1, 2

-- name: web_jobs
SELECT state, count(*) FROM job WHERE state <> 'gone' GROUP BY state

-- name: web_ended
SELECT operation_end / :step, result, status = 5, count(*) FROM run
WHERE operation_end >= :since AND operation_end < :until GROUP BY 1, 2, 3

-- name: web_started
SELECT operation_start / :step, count(*) FROM run
WHERE operation_start >= :since AND operation_start < :until GROUP BY 1

-- name: web_ended_by_site
SELECT rtrim(rtrim(agent_machine, '0123456789'), '-_.'), result, count(*) FROM run
WHERE operation_end >= :since GROUP BY 1, 2

-- name: web_told
SELECT kind, count(*), max(seq) FROM transition WHERE seq > :after AND kind IN ('rescheduled', 'acknowledged', 'unscheduled')
GROUP BY kind

-- name: web_recent
SELECT job_history_id, agent_machine, job_type, result, status, operation_end, message, job_id, agent_id FROM run
WHERE operation_end IS NOT NULL ORDER BY operation_end DESC LIMIT :limit
