"""What orchestrators are answered: registration, sessions, jobs taken and ended."""

import base64
from dataclasses import replace

import pytest

from agent_sim.instants import HOUR, MINUTE, SECOND
from agent_sim.jobs.model import new_job
from agent_sim.protocol import command
from agent_sim.protocol.agent import (
    HEARTBEAT,
    NO_TENANT,
    REGISTER,
    SESSION_UNKNOWN,
    AgentReply,
    Complete,
    Configure,
    Heartbeat,
    InventoryItem,
    KnownItem,
    ManagementJob,
    Operation,
    Register,
    SessionJob,
    UpdateInventory,
    UpdateLocations,
)
from agent_sim.protocol.command import JobTypeField
from agent_sim.protocol.enums import STORE_JOBS, AgentStatus, Category, ItemStatus, Result, Status
from agent_sim.protocol.schedule import Daily, ExactlyOnce, Immediate, Interval
from agent_sim.server.callers import Caller
from tests.server.bench import AGENT, START, Bench, failed

LOGS_GUID = "0d8cf0c8-56ca-4b8a-b16a-c062018e170d"


# --- registration -----------------------------------------------------------------------------


def test_a_newcomer_is_approved_and_told_its_id_and_how_often_to_call():
    session = Bench(heartbeat_minutes=0.5).register()

    assert (session.client_machine, session.heartbeat_interval, session.jobs) == ("m1", 0.5, ())
    assert session.agent_id
    assert session.token != session.agent_id


def test_some_agents_are_told_to_call_more_often_by_the_prefix_of_their_name():
    bench = Bench(heartbeat_by_prefix=(("fast-", 0.1), ("fa", 2.0)))

    assert bench.register("fast-1").heartbeat_interval == 0.1
    assert bench.register("far-1").heartbeat_interval == 2.0
    assert bench.register("slow-1").heartbeat_interval == 5.0


def test_a_known_name_without_an_id_is_the_same_agent():
    bench = Bench()

    assert bench.register().agent_id == bench.register(agent_id="").agent_id


def test_an_id_that_nobody_has_counts_as_none():
    bench = Bench()
    first = bench.register()

    assert bench.register(agent_id="ffffffff-0000-4000-8000-000000000000").agent_id == first.agent_id
    assert bench.register("m2", agent_id="not a guid").agent_id != first.agent_id


def test_an_agent_that_changed_its_name_is_known_by_its_id():
    bench = Bench()
    first = bench.register()

    again = bench.register("renamed", agent_id=(first.agent_id or "").upper())

    assert again.agent_id == first.agent_id
    assert bench.agent_id("renamed") == first.agent_id


def test_the_same_name_under_another_account_is_another_agent():
    bench, other = Bench(), replace(AGENT, name="other")
    first = bench.register()

    assert bench.register(caller=other).agent_id != first.agent_id
    assert bench.register("m9", agent_id=first.agent_id or "", caller=other).agent_id != first.agent_id


def test_what_a_registration_says_is_kept_unknown_capabilities_included():
    bench = Bench()
    bench.register(abilities=("Custom.FetchLogs",))
    bench.register(abilities=("CertStores.WinCert.Inventory", "CertStores.WinCert.Management", "Magic", LOGS_GUID))

    [agent] = bench.ask(command.ListAgents()).body
    assert agent.capabilities == ("WinCert", "Magic", "LOGS")
    assert (agent.agent_platform, agent.version, agent.username) == (7, "25.4.1.0", "agent")


def test_an_agent_without_a_name_gets_no_session():
    reply = Bench().registration(machine=" ")

    assert reply.session is None
    assert failed(reply)


def test_who_may_not_speak_as_an_agent_gets_an_empty_403():
    body = Register(7, 0, NO_TENANT, "m1", None, "", ())

    assert Bench().send(REGISTER, body, Caller("nobody", frozenset())) == AgentReply(403, None)


@pytest.mark.parametrize(
    "endpoint", ["/Nowhere/Configure", "/Inventory/Complete", "/Inventory", "KeyfactorAgents/Session/Register"]
)
def test_a_path_that_takes_no_such_message_is_an_empty_404(endpoint):
    assert Bench().send(endpoint, Configure("t", "j")) == AgentReply(404, None)


@pytest.mark.parametrize("endpoint", ["/Custom/Configure", "custom/configure", "KeyfactorAgents/CUSTOM/Configure"])
def test_paths_are_taken_as_given_or_below_the_base_in_any_case(endpoint):
    assert Bench().send(endpoint, Configure("t", "j")).status == 200


def test_a_number_that_no_database_takes_is_an_empty_400():
    body = Register(10**30, 0, NO_TENANT, "m1", None, "", ())

    assert Bench().send(REGISTER, body) == AgentReply(400, None)


# --- approval ---------------------------------------------------------------------------------


def test_an_agent_that_waits_for_approval_gets_an_error_and_no_session():
    bench = Bench(auto_approve=False)

    reply = bench.registration()

    assert reply.session is None
    assert (reply.result.status, reply.result.code) == (3, "A0100004")
    [agent] = bench.ask(command.ListAgents()).body
    assert agent.status is AgentStatus.NEW


def test_by_setting_it_gets_a_session_without_jobs_that_ends_with_its_first_heartbeat():
    bench = Bench(auto_approve=False, pending_answer="no_jobs", registration_check_minutes=7)
    bench.ask(command.CreateJobType("Rotate"))
    session = bench.register()

    assert (session.jobs, session.heartbeat_interval) == ((), 7)
    assert not bench.holds(session)
    assert failed(bench.configure(session, "any"))


def test_an_approved_agent_works_and_a_disapproved_one_does_not():
    bench = Bench(auto_approve=False)
    bench.registration()
    agent_id = bench.agent_id()

    assert bench.ask(command.ApproveAgents((agent_id,))).status == 204
    session = bench.register()
    job_id = bench.schedule()
    configuration = bench.configure(session, job_id)
    assert bench.ask(command.DisapproveAgents((agent_id,))).status == 204

    assert not bench.holds(session)
    assert bench.complete(session, job_id, configuration.audit_id).result.code == SESSION_UNKNOWN
    assert bench.registration().result.code == "A0100004"
    assert bench.history()[0].status is Status.IN_PROCESS


# --- sessions ---------------------------------------------------------------------------------


def test_a_session_holds_until_it_expires():
    bench = Bench(session_length=HOUR)
    session = bench.register()

    assert bench.holds(session)
    bench.now += HOUR
    assert not bench.holds(session)
    assert bench.configure(session, "j").result.code == SESSION_UNKNOWN


def test_a_new_session_supersedes_the_old_one():
    bench = Bench()
    old, new = bench.register(), bench.register()

    assert not bench.holds(old)
    assert bench.holds(new)
    assert failed(bench.configure(old, bench.schedule()))


def test_nobody_holds_a_session_of_another_account_or_an_invented_one():
    bench = Bench()
    session = bench.register()

    assert not bench.holds(session, replace(AGENT, name="other"))
    assert not bench.holds(replace(session, token="invented"))
    assert bench.holds(session)


def test_new_work_ends_the_session_and_the_next_one_lists_it():
    bench = Bench()
    session = bench.register()
    job_id = bench.schedule()

    assert not bench.holds(session)
    [job] = bench.register().jobs
    assert job == SessionJob(
        job_id, LOGS_GUID, None, "KeyfactorAgents/FetchLogs/Configure", "KeyfactorAgents/FetchLogs/Complete"
    )


def test_jobs_are_listed_in_the_order_of_their_creation_with_their_schedules():
    bench = Bench()
    bench.register()
    expected = [
        (bench.schedule(when=schedule), text)
        for schedule, text in [
            (Interval(60), "I_60"),
            (None, None),
            (Daily(START), "D_05:06"),
            (ExactlyOnce(START + HOUR), "O_2026-03-04T06:06"),
        ]
    ]

    assert [(job.job_id, job.schedule) for job in bench.register().jobs] == expected


def test_by_setting_an_agent_that_runs_all_at_once_is_listed_only_what_is_due():
    bench = Bench(list_only_due=True, retries=1)
    bench.register()
    hourly, now = bench.schedule(when=Interval(60)), bench.schedule()
    once = bench.schedule(when=ExactlyOnce(START + 90 * MINUTE))

    listed = []
    for pause in (0, 0, HOUR, 0, HOUR):
        bench.now += pause
        session = bench.register()
        listed.append([job.job_id for job in session.jobs])
        for job in session.jobs:
            bench.run(session, job.job_id, Result.SUCCESS, log="")

    assert listed == [[now], [], [hourly], [], [hourly, once]]


def test_a_platform_that_is_not_known_is_shown_as_unknown():
    bench = Bench()
    bench.send(REGISTER, Register(9, 0, NO_TENANT, "m9", None, "", ()))

    assert bench.ask(command.ListAgents()).body[0].agent_platform == 0


def test_an_agent_is_listed_only_the_jobs_that_it_can_do_by_name_or_by_guid():
    bench = Bench()
    bench.register()
    rotate = bench.new_type("Rotate")
    jobs = {bench.schedule(), bench.schedule("Rotate")}

    assert {job.job_id for job in bench.register(abilities=("custom.fetchlogs", "Custom.Rotate")).jobs} == jobs
    assert len(bench.register(abilities=("Custom.FetchLogs",)).jobs) == 1
    assert [job.job_type_id for job in bench.register(abilities=(rotate.id.upper(),)).jobs] == [rotate.id]
    assert bench.register(abilities=("Custom.Other",)).jobs == ()


def test_jobs_of_other_agents_are_not_listed():
    bench = Bench()
    bench.register()
    bench.schedule()

    assert bench.register("m2").jobs == ()


def test_a_heartbeat_touches_no_sql():
    bench = Bench()
    session, statements = bench.register(), []
    bench.store._connection.set_trace_callback(statements.append)

    assert bench.holds(session)
    assert not bench.holds(replace(session, token="invented"))
    assert statements == []


def test_when_an_agent_was_last_seen_is_listed_exactly_and_stored_by_the_sweep():
    bench = Bench()
    session = bench.register()
    bench.holds(session)
    seen = bench.now

    [agent] = bench.ask(command.ListAgents()).body
    assert agent.last_seen == seen
    bench.holds(session)
    bench.server.sweep(bench.now)
    assert stored_as_seen(bench) == [bench.now]


def stored_as_seen(bench: Bench) -> list[int | None]:
    return [at for (at,) in bench.store._connection.execute("SELECT last_seen FROM agent ORDER BY rowid")]


def test_of_a_large_fleet_some_at_a_time_are_stored_as_seen_and_all_of_them_at_the_end():
    bench = Bench()
    sessions = [bench.register(f"m{number}") for number in range(1200)]
    left = []
    while bench.server.store_seen(bench.now) == bench.now:
        left.append(stored_as_seen(bench).count(None))
    assert left == [1200, 950, 700, 450, 200, 0]

    seen = {session.agent_id: bench.now for session in reversed(sessions) if bench.holds(session)}
    told_when = list(reversed(seen.values()))
    for _ in range(2):
        assert bench.server.store_seen(bench.now) == bench.now
    bench.server.sweep(bench.now)  # somebody else does it

    stored = stored_as_seen(bench)
    assert (stored[:250], set(stored[250:]) & set(told_when)) == (told_when[:250], set())
    bench.server.store_all_seen()
    assert stored_as_seen(bench) == told_when


def test_when_one_agent_was_last_seen_is_told_exactly_and_nothing_of_others_is_written():
    bench = Bench()
    one, other = bench.register("m1"), bench.register("m2")
    bench.holds(other)
    bench.holds(one)
    seen = bench.now

    assert bench.ask(command.GetAgent(one.agent_id)).body.last_seen == seen
    assert stored_as_seen(bench) == [seen, None]


def test_an_expired_session_is_forgotten_once_its_runs_must_be_over():
    bench = Bench(session_length=HOUR, job_timeout=2 * HOUR)
    session = bench.register()
    job_id = bench.schedule()
    audit_id = bench.configure(session, job_id).audit_id
    bench.now += HOUR + 1
    bench.server.sweep(bench.now)

    assert not failed(bench.complete(session, job_id, audit_id))
    bench.now += 2 * HOUR
    bench.server.sweep(bench.now)
    assert bench.complete(session, job_id, audit_id).result.code == SESSION_UNKNOWN


# --- a job is taken ---------------------------------------------------------------------------


def test_taking_a_job_begins_a_run_with_the_next_audit_id():
    bench = Bench()
    session = bench.register()
    first, second = bench.schedule(), bench.schedule()

    assert [bench.configure(session, job).audit_id for job in (first, second)] == [1, 2]
    [one, _] = bench.history()
    assert (one.job_id, one.result, one.status, one.operation_end) == (first, 0, 2, None)
    assert (one.agent_machine, one.job_type, one.schedule) == ("m1", "FetchLogs", None)


def test_taking_a_job_again_while_it_runs_is_answered_as_the_first_time():
    bench = Bench()
    session, job_id = bench.register(), bench.schedule()

    first = bench.configure(session, job_id)
    before = bench.everything()

    assert bench.configure(session, job_id) == first
    assert bench.everything() == before


def test_a_job_that_is_not_there_for_this_agent_is_answered_as_cancelled():
    bench = Bench()
    session, job_id = bench.register(), bench.schedule()
    stranger = bench.register("m2")
    done = bench.schedule()
    bench.run(session, done)

    for answer in (
        bench.configure(session, "unknown"),
        bench.configure(stranger, job_id),
        bench.configure(session, done),
    ):
        assert answer.job_cancelled
        assert not answer.result.is_refusal


def test_a_stale_session_may_still_take_what_it_was_given():
    bench = Bench()
    bench.register()
    first = bench.schedule()
    session = bench.register()
    bench.schedule()

    assert not bench.holds(session)
    assert bench.configure(session, first).audit_id == 1


def test_an_unscheduled_job_is_answered_as_cancelled():
    bench = Bench()
    session, job_id = bench.register(), bench.schedule()
    bench.ask(command.Unschedule(job_ids=(job_id,)))

    assert bench.configure(session, job_id).job_cancelled


def test_log_fetching_is_told_how_much_to_return():
    bench = Bench(max_log_characters=123)
    session = bench.register()

    assert bench.configure(session, bench.schedule(), "FetchLogs").max_characters_to_return == 123


def test_a_custom_job_is_told_its_fields_defaults_included():
    bench = Bench()
    session = bench.register()
    bench.new_type("Rotate", JobTypeField("Depth", "Int", 3), JobTypeField("Target", 1, None, True))

    told = bench.configure(session, bench.schedule("Rotate", Target="x")).job

    assert told.job_fields == {"Depth": "3", "Target": "x"}


def test_a_management_job_is_told_what_to_add_where():
    bench = Bench()
    bench.register()
    store = bench.new_store("/a.pem", properties='{"k":"v"}')
    [job_id] = bench.add_certificate(store.id)
    session = bench.register()

    [listed] = session.jobs
    assert (listed.priority, listed.configuration_endpoint) == (3, "KeyfactorAgents/Management/Configure")
    job = bench.configure(session, job_id, "Management").job
    certificate = base64.b64decode(job.entry_contents)
    assert certificate.startswith(b"\x30\x82")
    assert job == ManagementJob(
        Operation.ADD,
        "m1",
        "/a.pem",
        store_type=2,
        alias="a",
        thumbprint=job.thumbprint,
        entry_contents=job.entry_contents,
        properties='{"k":"v"}',
    )


def test_a_removal_is_told_the_alias():
    bench = Bench()
    session = bench.register()
    entry = command.StoreEntry(bench.new_store().id, alias="dead", overwrite=True)
    [job_id] = bench.ask(command.RemoveCertificate((entry,))).body

    job = bench.configure(session, job_id, "Management").job
    assert (job.operation_type, job.alias, job.entry_contents, job.overwrite) == (Operation.REMOVE, "dead", None, True)


def planted(bench: Bench, category: Category, **details: str) -> str:
    """A job of a kind that no operation creates yet."""
    kind, store = STORE_JOBS["PEM", category], bench.new_store()
    bench.server._work.accept(new_job("planted", bench.agent_id(), kind, Immediate(), bench.now, store.id, details))
    return "planted"


def test_a_re_enrolment_is_told_the_key_and_no_properties_that_would_crash_the_vendors_agent():
    bench = Bench()
    session = bench.register()
    job_id = planted(bench, Category.REENROLLMENT, subject="CN=x")

    told = bench.configure(session, job_id, "Reenrollment")

    assert (told.subject, told.key_type, told.key_size, told.properties) == ("CN=x", "RSA", "2048", None)


def test_a_discovery_is_told_where_to_look_and_what_it_finds_is_kept():
    bench = Bench()
    session = bench.register()
    job_id = planted(bench, Category.DISCOVERY, dirs="/etc,/opt", extensions="pem")

    told = bench.configure(session, job_id, "Discovery")
    assert (told.job.dirs, told.job.extensions) == ("/etc,/opt", "pem")
    found = UpdateLocations(session.token, job_id, ("/etc/a.pem", "/etc/b.pem", "/etc/a.pem"))
    assert not bench.send(told.discovery_endpoint, found).body.result.is_refusal
    kept = bench.store._connection.execute("SELECT path FROM run_location").fetchall()
    assert kept == [("/etc/a.pem",), ("/etc/b.pem",)]


# --- inventory --------------------------------------------------------------------------------

CERTIFICATE = base64.b64encode(b"certificate").decode()


def inventory_bench() -> tuple[Bench, str, str]:
    bench = Bench()
    bench.register()
    store = bench.new_store(inventory_schedule=Interval(60))
    return bench, store.id, bench.scheduled()[0].id


def upload(bench, session, job_id, *items):
    endpoint = "KeyfactorAgents/Inventory/Update"
    return bench.send(endpoint, UpdateInventory(session.token, job_id, items)).body


def known(bench, session, job_id):
    return bench.configure(session, job_id, "Inventory").job.inventory


def test_what_an_inventory_found_is_what_the_next_one_is_told():
    bench, _, job_id = inventory_bench()
    session = bench.register()
    audit_id = bench.configure(session, job_id, "Inventory").audit_id
    broken_lines = f"{CERTIFICATE[:8]}\r\n{CERTIFICATE[8:]}"

    assert not failed(
        upload(bench, session, job_id, InventoryItem("a", (broken_lines,), True, False, ItemStatus.ADDED))
    )
    bench.complete(session, job_id, audit_id)

    [item] = known(bench, session, job_id)
    assert item == KnownItem("a", True, item.thumbprints)
    assert [len(thumbprint) for thumbprint in item.thumbprints] == [40]


def test_delta_marks_add_change_keep_and_remove():
    bench, _, job_id = inventory_bench()
    session = bench.register()
    first = [InventoryItem(name, (CERTIFICATE,), False, False, ItemStatus.ADDED) for name in "abc"]
    audit_id = bench.configure(session, job_id).audit_id
    upload(bench, session, job_id, *first)
    bench.complete(session, job_id, audit_id)

    audit_id = bench.configure(session, job_id).audit_id
    upload(
        bench,
        session,
        job_id,
        InventoryItem("A", item_status=ItemStatus.UNCHANGED),
        InventoryItem("b", item_status=ItemStatus.REMOVED),
        InventoryItem("c", (), True, False, ItemStatus.MODIFIED),
    )
    bench.complete(session, job_id, audit_id)

    assert [(item.alias, len(item.thumbprints)) for item in known(bench, session, job_id)] == [("a", 1), ("c", 0)]


def test_a_full_list_without_marks_replaces_what_was_known_and_may_come_in_parts():
    bench, _, job_id = inventory_bench()
    session = bench.register()
    for parts in ([["a", "b"], ["c"]], [["b"], ["d"]]):
        audit_id = bench.configure(session, job_id).audit_id
        for part in parts:
            upload(bench, session, job_id, *[InventoryItem(name, (CERTIFICATE,)) for name in part])
        bench.complete(session, job_id, audit_id)

    assert [item.alias for item in known(bench, session, job_id)] == ["b", "d"]


def test_an_inventory_that_uploaded_nothing_forgets_nothing():
    bench, _, job_id = inventory_bench()
    session = bench.register()
    audit_id = bench.configure(session, job_id).audit_id
    upload(bench, session, job_id, InventoryItem("a", (CERTIFICATE,)))
    bench.complete(session, job_id, audit_id)
    bench.run(session, job_id)

    assert [item.alias for item in known(bench, session, job_id)] == ["a"]


def test_an_inventory_that_failed_forgets_nothing():
    bench, _, job_id = inventory_bench()
    session = bench.register()
    audit_id = bench.configure(session, job_id).audit_id
    upload(bench, session, job_id, InventoryItem("a", (CERTIFICATE,)))
    bench.complete(session, job_id, audit_id)
    audit_id = bench.configure(session, job_id).audit_id
    upload(bench, session, job_id, InventoryItem("b", (CERTIFICATE,)))
    bench.complete(session, job_id, audit_id, Result.FAILURE)

    assert [item.alias for item in known(bench, session, job_id)] == ["a", "b"]


def test_an_upload_that_cannot_be_read_is_refused_whole():
    bench, _, job_id = inventory_bench()
    session = bench.register()
    bench.configure(session, job_id)

    answer = upload(bench, session, job_id, InventoryItem("a", (CERTIFICATE,)), InventoryItem("b", ("-----BEGIN",)))

    assert answer.result.error.message == "a certificate of b is not base64"
    assert bench.store._connection.execute("SELECT count(*) FROM store_item").fetchone() == (0,)


def test_an_upload_without_a_run_in_process_or_of_another_kind_is_refused():
    bench, _, job_id = inventory_bench()
    session = bench.register()
    logs = bench.schedule()

    assert failed(upload(bench, session, job_id))
    bench.configure(session, logs)
    assert failed(upload(bench, session, logs))
    bench.configure(session, job_id)
    assert failed(upload(bench, bench.register("m2"), job_id))
    assert upload(bench, replace(session, token="?"), job_id).result.code == SESSION_UNKNOWN
    assert not failed(upload(bench, session, job_id))


# --- the end of a run -------------------------------------------------------------------------


def test_a_completed_one_time_job_is_gone_and_its_run_says_how_it_ended():
    bench = Bench()
    session, job_id = bench.register(), bench.schedule()

    bench.run(session, job_id, Result.WARNING, message="hm", log="text")

    [run] = bench.history()
    assert (run.result, run.status, run.message, run.operation_end) == (3, 3, "hm", bench.now - SECOND)
    assert bench.scheduled() == []
    assert bench.ask(command.GetJobData(1)).body == command.JobData(1, "text")


def test_a_recurring_job_waits_again_with_the_same_id_and_its_session_goes_on():
    bench = Bench()
    bench.register()
    job_id = bench.schedule(when=Interval(1))
    session = bench.register()

    audits = [bench.run(session, job_id), bench.run(session, job_id)]

    assert audits == [1, 2]
    assert [run.schedule for run in bench.history()] == [Interval(1), Interval(1)]
    assert bench.holds(session)
    assert [job.id for job in bench.scheduled()] == [job_id]


def test_a_recurring_job_that_ran_while_its_agent_registered_again_is_listed_anew():
    bench = Bench()
    bench.register()
    job_id = bench.schedule(when=Interval(1))
    session = bench.register()
    audit_id = bench.configure(session, job_id).audit_id
    second = bench.register()

    assert second.jobs == ()
    bench.complete(second, job_id, audit_id)
    assert not bench.holds(second)
    assert [job.schedule for job in bench.register().jobs] == ["I_1"]


def test_a_failure_with_retries_left_is_listed_again_at_once():
    bench = Bench(retries=1)
    bench.register()
    job_id = bench.schedule(when=Interval(60))
    session = bench.register()

    bench.run(session, job_id, Result.FAILURE)
    assert not bench.holds(session)
    session = bench.register()
    assert [(job.job_id, job.schedule) for job in session.jobs] == [(job_id, None)]
    bench.run(session, job_id, Result.FAILURE)
    assert [job.schedule for job in bench.register().jobs] == ["I_60"]

    assert [(run.result, run.status) for run in bench.history()] == [(4, 5), (4, 3)]
    assert {run.job_id for run in bench.history()} == {job_id}


def test_a_failed_one_time_job_is_told_to_its_agent_again():
    bench = Bench(retries=1)
    bench.register()
    job_id = bench.schedule()
    session = bench.register()

    bench.run(session, job_id, Result.FAILURE)

    assert not bench.holds(session)
    assert [job.job_id for job in bench.register().jobs] == [job_id]


def test_the_same_completion_again_is_answered_as_the_first_and_changes_nothing():
    bench = Bench(retries=0)
    session, job_id = bench.register(), bench.schedule()
    audit_id = bench.configure(session, job_id).audit_id
    first = bench.completion(session, job_id, audit_id, Result.FAILURE, message="x", log="y")
    bench.ask(command.Acknowledge((audit_id,)))
    before = bench.everything()

    assert bench.completion(session, job_id, audit_id, Result.FAILURE, message="x", log="y") == first
    assert bench.everything() == before


@pytest.mark.parametrize(
    ("result", "more"),
    [
        (Result.SUCCESS, {"message": "x", "log": "y"}),
        (Result.FAILURE, {"message": "z", "log": "y"}),
        (Result.FAILURE, {"message": "x", "log": "z"}),
        (Result.FAILURE, {"message": "x"}),
    ],
)
def test_another_completion_of_a_run_that_ended_is_refused_and_changes_nothing(result, more):
    bench = Bench(retries=0)
    session, job_id = bench.register(), bench.schedule()
    audit_id = bench.run(session, job_id, Result.FAILURE, message="x", log="y")
    before = bench.everything()

    answer = bench.complete(session, job_id, audit_id, result, **more)

    assert answer.result.status == 3
    assert bench.everything() == before


@pytest.mark.parametrize("status", [Result.UNKNOWN, Result.IN_PROCESS])
def test_a_completion_must_say_how_it_ended(status):
    bench = Bench()
    session, job_id = bench.register(), bench.schedule()
    audit_id = bench.configure(session, job_id).audit_id

    assert failed(bench.complete(session, job_id, audit_id, status))
    assert bench.history()[0].status is Status.IN_PROCESS


def test_a_completion_must_name_a_run_of_that_job_and_agent():
    bench = Bench()
    session, job_id = bench.register(), bench.schedule()
    audit_id = bench.configure(session, job_id).audit_id
    stranger = bench.register("m2")

    assert failed(bench.complete(session, job_id, audit_id + 1))
    assert failed(bench.complete(session, bench.schedule(), audit_id))
    assert failed(bench.complete(stranger, job_id, audit_id))
    assert bench.complete(replace(session, token="?"), job_id, audit_id).result.code == SESSION_UNKNOWN
    assert bench.history()[0].status is Status.IN_PROCESS


def test_a_result_is_accepted_under_a_superseded_session():
    bench = Bench()
    session, job_id = bench.register(), bench.schedule()
    audit_id = bench.configure(session, job_id).audit_id
    for _ in range(16):
        bench.register()

    assert not failed(bench.complete(session, job_id, audit_id))


def test_a_result_is_not_accepted_from_another_account():
    bench, other = Bench(), replace(AGENT, name="other")
    session, job_id = bench.register(), bench.schedule()
    audit_id = bench.configure(session, job_id).audit_id
    body = Complete(Result.SUCCESS, audit_id, job_id, "", session.token or "")

    assert bench.send("/Custom/Complete", body, other).body.result.code == SESSION_UNKNOWN


def test_a_disapproved_agents_older_sessions_are_over_too():
    bench = Bench()
    session, job_id = bench.register(), bench.schedule()
    audit_id = bench.configure(session, job_id).audit_id
    bench.register()
    bench.ask(command.DisapproveAgents((bench.agent_id(),)))

    assert bench.complete(session, job_id, audit_id).result.code == SESSION_UNKNOWN


def test_too_much_data_is_an_empty_413_and_the_run_goes_on():
    bench = Bench(max_data_bytes=10)
    session, job_id = bench.register(), bench.schedule()
    audit_id = bench.configure(session, job_id).audit_id

    assert bench.completion(session, job_id, audit_id, log="é" * 6) == AgentReply(413, None)
    assert bench.history()[0].status is Status.IN_PROCESS
    assert not failed(bench.complete(session, job_id, audit_id, log="é" * 5))


# --- time passes ------------------------------------------------------------------------------


def test_a_run_that_never_ends_is_given_up_and_its_job_waits_again_while_retries_remain():
    bench = Bench(job_timeout=HOUR, retries=1)
    session, job_id = bench.register(), bench.schedule()
    for _ in range(2):
        bench.configure(session, job_id)
        bench.now += HOUR
        bench.server.sweep(bench.now)
        session = bench.register()

    assert [(run.result, run.status, run.message) for run in bench.history()] == [
        (4, 5, "timed out"),
        (4, 3, "timed out"),
    ]
    assert bench.kinds() == ["queued", "configured", "timed_out", "queued", "configured", "timed_out"]
    assert bench.scheduled() == []


def test_a_completion_that_comes_after_the_timeout_is_refused_and_changes_nothing():
    bench = Bench(job_timeout=HOUR)
    session, job_id = bench.register(), bench.schedule()
    audit_id = bench.configure(session, job_id).audit_id
    bench.now += HOUR
    bench.server.sweep(bench.now)
    before = bench.everything()

    answer = bench.complete(session, job_id, audit_id, Result.FAILURE, message="timed out")

    assert (answer.result.status, answer.result.error.message) == (3, "this run was given up before: it timed out")
    assert bench.everything() == before


def test_the_sweep_says_when_the_next_run_is_overdue():
    bench = Bench(job_timeout=10 * MINUTE)
    session, job_id = bench.register(), bench.schedule()

    assert bench.server.sweep(bench.now) == bench.now + 10 * MINUTE
    bench.configure(session, job_id)
    began = bench.now
    bench.now += MINUTE
    assert bench.server.sweep(bench.now) == began + 10 * MINUTE
    assert bench.server.sweep(began + 10 * MINUTE - 1) == began + 10 * MINUTE
    assert bench.history()[0].status is Status.IN_PROCESS
    assert bench.server.sweep(began + 10 * MINUTE) == began + 20 * MINUTE
    assert bench.history()[0].status is Status.COMPLETED_WILL_RETRY


def test_an_inventory_that_timed_out_waits_for_its_next_occurrence():
    bench, _, job_id = inventory_bench()
    session = bench.register()
    bench.configure(session, job_id)
    bench.server.sweep(bench.now + HOUR)

    assert [(run.result, run.status) for run in bench.history()] == [(4, 3)]
    assert bench.holds(session)


# --- who is told ------------------------------------------------------------------------------


def test_agents_whose_work_changed_are_told_once():
    bench = Bench()
    session = bench.register()
    bench.register("m2")
    job_id = bench.schedule()
    bench.schedule()

    assert [told.client_machine for told in bench.server.notifications()] == ["m1"]
    assert bench.server.notifications() == ()
    bench.run(session, job_id)
    assert bench.server.notifications() == ()
    bench.ask(command.DisapproveAgents((bench.agent_id("m2"),)))
    assert [told.client_machine for told in bench.server.notifications()] == ["m2"]


def test_a_heartbeat_is_answered_for_what_it_says_not_for_what_it_is_called():
    assert Bench().send("/anything", Heartbeat(7, NO_TENANT, "m1", "?")).body.session_valid is False
    assert Bench().send(HEARTBEAT, Complete(Result.SUCCESS, 1, "j", "", "?")) == AgentReply(404, None)
