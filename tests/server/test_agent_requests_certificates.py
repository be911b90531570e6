"""Agents' own certificates: enrolment, renewal, what a client certificate proves, and re-enrolment of stores."""

from base64 import b64decode
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from agent_sim.instants import DAY
from agent_sim.protocol import command
from agent_sim.protocol.agent import NO_TENANT, REGISTER, Configure, Enroll, Heartbeat, Register
from agent_sim.protocol.agent_commands import ResetAgents, SetReenrollment
from agent_sim.protocol.enums import Platform, Result
from agent_sim.protocol.store_commands import DeleteStore, ListCertificates, ListInventory, ReenrollStore
from agent_sim.server.ca import thumbprint
from agent_sim.server.issuing import Issuer
from agent_sim.server.store import SqliteStore
from tests.server.bench import AGENT, Bench, CountingMint, failed
from tests.server.csrs import OBSERVED, certificate, csr, ec_key, rsa_key, tampered

ABILITIES = (
    *("CertStores.PEM.Inventory", "CertStores.PEM.Management", "CertStores.PEM.Reenrollment"),
    *("Custom.FetchLogs", "Custom.Rotate"),
)


def registration(bench, machine="m1", request=None, agent_id="", caller=AGENT, platform=5, **parameters):
    body = Register(platform, 563031557799936, NO_TENANT, machine, request, agent_id, ABILITIES, parameters)
    reply = bench.send(REGISTER, body, caller)
    assert reply.status == 200
    return reply.body


def enrol(bench, machine="m1", key=None, caller=AGENT):
    """The session in which an agent got its certificate, and that certificate's DER."""
    session = registration(bench, machine, csr(key, machine), caller=caller).session
    return session, b64decode(session.certificate)


def coming_with(bench, der, account=AGENT):
    """The caller that a request with this certificate has."""
    return bench.server.with_certificate(der, account, bench.now)


def record(bench, machine="m1"):
    [agent] = bench.ask(command.ListAgents(command.Page(f'ClientMachine -eq "{machine}"'))).body
    return agent


def authority(bench):
    return Issuer(bench.store, CountingMint(), DAY).authority(bench.now)


# --- enrolment --------------------------------------------------------------------------------


def test_a_csr_is_answered_with_a_session_an_id_and_a_naked_certificate_of_its_key():
    bench = Bench()

    session, der = enrol(bench)

    made = certificate(session.certificate)
    made.verify_directly_issued_by(authority(bench).certificate)
    assert made.public_key() == ec_key().public_key()
    assert made.subject.rfc4514_string() == "CN=m1"
    assert (session.token is not None, session.agent_id) == (True, bench.agent_id())
    assert record(bench).thumbprint == thumbprint(der)


def test_the_observed_first_contact_is_answered():
    session = registration(Bench(), "cagent-Q_pend_err", OBSERVED).session

    assert certificate(session.certificate).subject.rfc4514_string() == "CN=cagent-Q_pend_err"


def test_a_request_without_a_subject_is_for_the_machine():
    assert (
        certificate(registration(Bench(), request=csr(name="")).session.certificate).subject.rfc4514_string() == "CN=m1"
    )


def test_a_certificate_lasts_for_as_long_as_the_setting_says():
    bench = Bench(certificate_lifetime=3 * DAY)
    _, der = enrol(bench)

    assert coming_with(bench, der).shown.expires == bench.now + 3 * DAY - bench.now % 10**9


@pytest.mark.parametrize(
    "request_text",
    ["garbage", tampered(csr()), csr(rsa_key(1024)), csr(ec_key(ec.SECP256K1)), "A" * 10_000_000],
    ids=["garbage", "wrong signature", "small RSA key", "another curve", "10 MB"],
)
def test_a_bad_csr_is_an_error_without_session_or_id_and_a_good_one_recovers(request_text):
    bench = Bench()

    reply = registration(bench, request=request_text)

    assert (reply.session, reply.result.status, reply.result.code) == (None, 3, "A0100014")
    assert record(bench).thumbprint == ""
    assert record(bench).last_error_message == reply.result.error.message
    assert registration(bench, request=csr()).session.certificate


def test_the_same_mint_and_times_make_the_same_certificates():
    assert enrol(Bench()) == enrol(Bench())


def test_the_authority_survives_a_restart(tmp_path):
    path = str(tmp_path / "a.db")
    first = Bench(SqliteStore.open(path))
    _, der = enrol(first)
    pem = authority(first).pem
    first.store.close()

    second = Bench(SqliteStore.open(path))

    assert authority(second).pem == pem
    assert coming_with(second, der, None).shown.agent_id == record(second).agent_id
    second.store.close()


def test_a_second_registration_may_ask_for_re_enrolments_of_stores_which_by_setting_it_gets():
    for setting, expected in ((False, []), (True, ["PEMReenrollment"])):
        bench = Bench(registration_enrolls_stores=setting)
        session, der = enrol(bench)
        bench.new_store("/b.pem", approved=False)
        bench.new_store("/a.pem")
        for _ in range(2):  # asked twice, done once
            reply = registration(
                bench,
                agent_id=session.agent_id,
                caller=coming_with(bench, der),
                RegistrationRequest="registration-enroll-stores",
            )

        assert [job.job_type for job in bench.scheduled()] == expected
        assert len(reply.session.jobs) == len(expected)


# --- approval ---------------------------------------------------------------------------------


@pytest.mark.parametrize("pending_answer", ["error", "no_jobs"])
def test_an_enrolling_agent_that_waits_for_approval_gets_an_error_and_neither_token_nor_id(pending_answer):
    bench = Bench(auto_approve=False, pending_answer=pending_answer)

    reply = registration(bench, request=csr())

    assert (reply.session, reply.result.status, reply.result.code) == (None, 3, "A0100004")
    assert record(bench).thumbprint == ""
    bench.ask(command.ApproveAgents((bench.agent_id(),)))
    assert registration(bench, request=csr()).session.certificate


# --- renewal ----------------------------------------------------------------------------------


def ask_for_renewal(bench, status):
    assert bench.ask(SetReenrollment(status, (bench.agent_id(),))).status == 200


def test_a_requested_renewal_is_a_warning_with_a_session():
    bench = Bench()
    enrol(bench)
    ask_for_renewal(bench, "Requested")

    reply = registration(bench)

    assert (reply.result.status, reply.result.code) == (2, "A0100007")
    assert reply.session.token


def test_a_required_renewal_is_an_error_without_one():
    bench = Bench()
    enrol(bench)
    ask_for_renewal(bench, 2)

    reply = registration(bench)

    assert (reply.session, reply.result.status, reply.result.code) == (None, 3, "A0100008")


def test_which_code_means_which_is_a_setting():
    bench = Bench(requested_code="A0100008", required_code="A0100007")
    enrol(bench)
    ask_for_renewal(bench, 1)
    assert registration(bench).result.code == "A0100008"
    ask_for_renewal(bench, 2)
    assert registration(bench).result.code == "A0100007"


def test_a_new_certificate_settles_the_renewal_and_the_old_one_becomes_the_legacy():
    bench = Bench()
    _, old = enrol(bench)
    ask_for_renewal(bench, 2)

    _, new = enrol(bench, key=rsa_key())

    agent = record(bench)
    assert (agent.thumbprint, agent.legacy_thumbprint) == (thumbprint(new), thumbprint(old))
    assert agent.auth_certificate_reenrollment == "None"
    assert registration(bench).result.status == 1


def test_a_bad_csr_does_not_settle_a_renewal():
    bench = Bench()
    enrol(bench)
    ask_for_renewal(bench, 2)
    registration(bench, request="garbage")

    assert registration(bench).result.code == "A0100008"


@pytest.mark.parametrize(
    ("left", "status"),
    [(31 * DAY, 1), (30 * DAY - 1, 2), (8 * DAY, 2), (7 * DAY - 1, 3), (-DAY, 3)],
)
def test_the_time_left_asks_for_a_renewal_too(left, status):
    bench = Bench(certificate_lifetime=365 * DAY)
    _, der = enrol(bench)
    expires = coming_with(bench, der).shown.expires

    for caller in (coming_with(bench, der), AGENT):  # whether the certificate is shown or not
        bench.now = expires - left - 10**9
        assert registration(bench, caller=caller).result.status == status
    assert not failed(registration(bench, request=csr()))


# --- what a client certificate proves ---------------------------------------------------------


def test_a_certificate_alone_is_the_agents_account():
    bench = Bench()
    session, der = enrol(bench)

    caller = coming_with(bench, der, None)

    assert (caller.name, caller.permissions) == (AGENT.name, AGENT.permissions)
    again = registration(bench, agent_id=session.agent_id, caller=caller)
    assert again.session.agent_id == session.agent_id
    assert record(bench).last_thumbprint_used == thumbprint(der)
    assert bench.holds(again.session, caller)


def test_a_certificate_and_a_password_together_are_the_account_that_showed_it():
    bench = Bench()
    session, der = enrol(bench)

    caller = coming_with(bench, der)

    assert (caller.name, caller.shown.agent_id) == (AGENT.name, session.agent_id)
    assert registration(bench, caller=caller).session.agent_id == session.agent_id


def test_an_agent_that_changed_its_name_is_known_by_its_certificate():
    bench = Bench()
    session, der = enrol(bench)

    assert registration(bench, "renamed", caller=coming_with(bench, der)).session.agent_id == session.agent_id


def test_the_certificate_of_another_agent_opens_no_session_and_no_certificate_is_issued_with_it():
    bench = Bench()
    session, _ = enrol(bench)
    _, other = enrol(bench, "m2")
    before = record(bench)

    for account in (AGENT, None):
        for request in (None, csr()):
            reply = registration(
                bench, request=request, agent_id=session.agent_id, caller=coming_with(bench, other, account)
            )
            assert (reply.session, reply.result.code) == (None, "A0100016")
    assert replace(record(bench), last_seen=None) == replace(before, last_seen=None)


def test_the_certificate_of_another_account_counts_for_nobody_else():
    bench, other = Bench(), replace(AGENT, name="other")
    _, der = enrol(bench, caller=other)

    assert registration(bench, caller=coming_with(bench, der, AGENT)).session is None


def test_a_session_is_not_for_who_shows_the_certificate_of_another_agent():
    bench = Bench()
    session, der = enrol(bench)
    _, other = enrol(bench, "m2")
    job_id = bench.schedule()
    thief = coming_with(bench, other)

    assert not bench.holds(session, thief)
    assert failed(bench.send("/FetchLogs/Configure", Configure(session.token, job_id), thief).body)
    audit_id = bench.configure(session, job_id).audit_id
    assert bench.history()[0].result is Result.UNKNOWN
    assert not failed(
        bench.send("/FetchLogs/Configure", Configure(session.token, job_id), coming_with(bench, der)).body
    )
    assert not failed(bench.complete(session, job_id, audit_id))


def test_an_expired_certificate_alone_lets_nobody_in_and_beside_a_password_asks_for_a_new_one():
    bench = Bench(certificate_lifetime=DAY)
    _, der = enrol(bench)
    bench.now += 2 * DAY

    assert coming_with(bench, der, None) is None
    assert registration(bench, caller=coming_with(bench, der)).result.code == "A0100008"


def test_a_certificate_of_nobody_alone_lets_nobody_in():
    bench, elsewhere = Bench(), Bench()
    elsewhere.mint.given = 1000  # another authority
    _, foreign = enrol(elsewhere)

    assert coming_with(bench, foreign, None) is None
    assert coming_with(bench, b"garbage", None) is None
    assert coming_with(bench, foreign).shown.agent_id is None
    assert registration(bench, caller=coming_with(bench, foreign)).session


def test_by_setting_a_valid_certificate_that_we_did_not_issue_is_an_identity_by_its_subject():
    bench, elsewhere = Bench(accept_bootstrap_certificates=True), Bench()
    elsewhere.mint.given = 1000
    _, bootstrap = enrol(elsewhere, "factory")

    caller = coming_with(bench, bootstrap, None)
    session = registration(bench, request=csr(), caller=caller).session

    assert (caller.name, caller.permissions) == ("CN=factory", AGENT.permissions)
    own = coming_with(bench, b64decode(session.certificate), None)
    assert registration(bench, caller=own).session.agent_id == session.agent_id


def test_after_a_reset_the_certificate_lets_nobody_in_not_even_as_a_bootstrap():
    for setting in (False, True):
        bench = Bench(accept_bootstrap_certificates=setting)
        session, der = enrol(bench)
        assert bench.ask(ResetAgents((session.agent_id,))).status == 204

        assert coming_with(bench, der, None) is None


def test_the_legacy_certificate_still_works_unless_a_setting_revokes_it():
    for revoked in (False, True):
        bench = Bench(revoke_old_certificate=revoked)
        _, old = enrol(bench)
        _, new = enrol(bench, key=rsa_key())

        assert (coming_with(bench, old, None) is None) is revoked
        assert (registration(bench, caller=coming_with(bench, old)).session is None) is revoked
        assert registration(bench, caller=coming_with(bench, new, None)).session
        assert record(bench).last_thumbprint_used == thumbprint(new)


def test_an_older_certificate_than_the_legacy_one_is_nobodys():
    bench = Bench()
    _, oldest = enrol(bench)
    enrol(bench, key=rsa_key())
    enrol(bench, key=rsa_key(3072))

    assert coming_with(bench, oldest, None) is None


def test_by_setting_an_agent_that_has_a_certificate_must_show_it_or_ask_for_one():
    bench = Bench(demand_certificate=True)
    _, der = enrol(bench)

    assert registration(bench).result.code == "A0100016"
    assert registration(bench, caller=coming_with(bench, der)).session
    assert registration(bench, request=csr()).session
    assert registration(bench, "m2").session


def test_a_heartbeat_with_a_certificate_is_answered():
    bench = Bench()
    session, der = enrol(bench)
    body = Heartbeat(5, NO_TENANT, "m1", session.token)

    assert bench.send("/Session/Heartbeat", body, coming_with(bench, der, None)).body.session_valid


# --- re-enrolment of a store ------------------------------------------------------------------


def reenrolment(bench, **properties):
    """A session, a store, the run of its re-enrolment, and what it was told."""
    session = registration(bench, platform=7).session
    store = bench.new_store("/a.pem", **properties)
    assert bench.ask(ReenrollStore(store.id, "CN=web,O=Test", alias="web")).status == 204
    [job] = registration(bench, platform=7).session.jobs
    session = registration(bench, platform=7).session
    return session, store, job, bench.configure(session, job.job_id, "Reenrollment")


def enroll(bench, session, job, text):
    return bench.send("/Reenrollment/Enroll", Enroll(session.token, job.job_id, text)).body


def test_a_re_enrolment_gets_a_certificate_which_the_inventory_and_the_collection_show():
    bench = Bench()
    session, store, job, told = reenrolment(bench)

    answer = enroll(bench, session, job, csr(rsa_key(), "web"))
    bench.complete(session, job.job_id, told.audit_id)

    made = certificate(answer.certificate)
    made.verify_directly_issued_by(authority(bench).certificate)
    assert (answer.result.status, made.public_key()) == (1, rsa_key().public_key())
    [entry] = bench.ask(ListInventory(store.id)).body
    found = [one for one in bench.ask(ListCertificates()).body if one.content_bytes == answer.certificate]
    assert (entry.name, [one.issued_dn for one in found]) == ("web", ["CN=web"])
    assert [one.thumbprint for one in entry.certificates] == [found[0].thumbprint]


def test_the_same_request_again_gets_the_same_certificate_and_another_key_another_one():
    bench = Bench()
    session, _, job, _ = reenrolment(bench)

    first = enroll(bench, session, job, csr())

    assert enroll(bench, session, job, csr()) == first
    assert enroll(bench, session, job, csr(rsa_key())) != first


def test_a_request_without_a_subject_gets_the_one_that_the_job_names():
    bench = Bench()
    session, _, job, _ = reenrolment(bench)

    made = certificate(enroll(bench, session, job, csr(name="")).certificate)

    assert made.subject.rfc4514_string() == "CN=web,O=Test"


def test_a_bad_request_is_denied_with_a_code_and_the_run_goes_on():
    bench = Bench()
    session, _, job, told = reenrolment(bench)

    answer = enroll(bench, session, job, tampered(csr()))

    assert (answer.certificate, answer.result.status, answer.result.code) == (None, 3, "A0100014")
    assert not failed(bench.complete(session, job.job_id, told.audit_id, Result.FAILURE))


def test_a_failed_re_enrolment_leaves_the_inventory_as_it_was():
    bench = Bench()
    session, store, job, told = reenrolment(bench)
    enroll(bench, session, job, csr())
    bench.complete(session, job.job_id, told.audit_id, Result.FAILURE)

    assert bench.ask(ListInventory(store.id)).body == ()


def test_a_stores_certificate_is_nobodys_identity():
    bench = Bench(accept_bootstrap_certificates=True)
    session, _, job, _ = reenrolment(bench)
    answer = enroll(bench, session, job, csr())

    assert coming_with(bench, b64decode(answer.certificate), None) is None


def test_history_may_be_forgotten_with_what_was_issued_in_it():
    bench = Bench(job_history_retention_days=1, retries=0)
    session, _, job, told = reenrolment(bench)
    enroll(bench, session, job, csr())
    bench.complete(session, job.job_id, told.audit_id)
    bench.now += 3 * DAY
    bench.server.sweep(bench.now)

    assert bench.history() == []


def test_a_deleted_store_cancels_what_is_left_of_its_jobs():
    bench = Bench()
    session, store, job, told = reenrolment(bench)
    assert bench.ask(DeleteStore(store.id)).status == 204

    assert bench.configure(session, job.job_id, "Reenrollment").job_cancelled
    assert failed(enroll(bench, session, job, csr()))
    assert not failed(bench.complete(session, job.job_id, told.audit_id))


# --- who may not work -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("platform", "abilities"),
    [(Platform.MAC, ("Custom.FetchLogs",)), (Platform.UNIVERSAL, ("CertStores.Mac.Inventory",)), (7, ("Mac",))],
)
def test_a_mac_agent_registers_with_a_warning_in_the_log_and_on_its_record(caplog, platform, abilities):
    bench = Bench()

    reply = bench.send(REGISTER, Register(platform, 0, NO_TENANT, "m1", None, "", abilities)).body

    assert (reply.result.status, reply.session.client_machine) == (1, "m1")
    sentence = "the Mac Auto-Enroll Agent is deprecated since product version 11: replace it"
    assert record(bench).last_error_message == sentence
    assert [(line.levelname, line.getMessage()) for line in caplog.records] == [("WARNING", f"m1: {sentence}")]
    bench.send(REGISTER, Register(platform, 0, NO_TENANT, "m1", None, "", abilities))
    assert len(caplog.records) == 1


@pytest.mark.parametrize("settings", [{"product_version": 10}, {"mac_deprecated_since": 26}])
def test_no_warning_of_mac_agents_for_older_products(caplog, settings):
    bench = Bench(**settings)

    bench.send(REGISTER, Register(Platform.MAC, 0, NO_TENANT, "m1", None, "", ("Mac",)))

    assert (caplog.records, record(bench).last_error_message) == ([], None)
