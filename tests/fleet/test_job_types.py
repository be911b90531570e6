"""Every kind of job, from the operator's post to what the server is told, in virtual time."""

import json
from base64 import b64decode

from cryptography import x509

from agent_sim.agent.certificates import of_contents
from agent_sim.protocol.agent import (
    Complete,
    Configuration,
    CustomJob,
    DiscoveryJob,
    Enroll,
    UpdateInventory,
    UpdateLocations,
)
from agent_sim.protocol.enums import ItemStatus, Result
from agent_sim.results import journal
from tests.fleet.replays import play

TEXT = """
version: 1
name: kinds
seed: 5
stop: {after: 10m, drain: 2m}
server: {retries: 0}
fleets: [{name: lab, count: COUNT, capabilities: [CAPABILITIES], heartbeat: {every: 5s}, STORES}]
schedules:
SCHEDULES
checks: {invariants: {no_lost_jobs: true, at_most_once: true}}
MORE
"""


class Seen:
    """What agents said and were told."""

    def __init__(self, folder, schedules, capabilities="PEM", stores="stores: {per_agent: 1}", more="", count=1):
        self.exchanges = []
        text = TEXT.replace("CAPABILITIES", capabilities).replace("STORES", stores).replace("MORE", more)
        lines = "".join(f"  - {{{one}}}\n" for one in schedules)
        text = text.replace("SCHEDULES\n", lines).replace("COUNT", str(count))
        self.played = play(folder, text, watch=lambda *exchange: self.exchanges.append(exchange))
        assert self.played.answers == {"no_lost_jobs": "kept", "at_most_once": "kept"}

    def sent(self, kind):
        return [request.body for request, _, _ in self.exchanges if isinstance(request.body, kind)]

    def told(self, kind):
        return [reply.body for _, reply, _ in self.exchanges if isinstance(reply.body, kind)]

    def jobs(self, kind):
        return [body.job for body in self.told(Configuration) if isinstance(body.job, kind)]

    @property
    def runs(self):
        return [(run.type, run.result) for run in self.played.of(journal.ServerRun)]


def statuses(update):
    return [item.item_status for item in update.inventory]


def test_inventories_tell_the_server_what_changed_and_it_believes_them(tmp_path):
    changing = "stores: {per_agent: 2, certificates: 40, change: {add: 5%, remove: 5%}}"
    seen = Seen(tmp_path, ["name: a, type: Inventory, every: 2m"], stores=changing)

    first, second, *later = seen.sent(UpdateInventory)
    assert statuses(first) == statuses(second) == [ItemStatus.ADDED] * 40
    assert len(later) == 8
    assert all(statuses(update).count(ItemStatus.ADDED) in (1, 2, 3) for update in later)
    held = {item.alias for item in first.inventory}
    for update in later[::2]:  # this agent's other store is inventoried in between
        held |= {item.alias for item in update.inventory if item.item_status is ItemStatus.ADDED}
        held -= {item.alias for item in update.inventory if item.item_status is ItemStatus.REMOVED}
        assert held == {item.alias for item in update.inventory if item.item_status is not ItemStatus.REMOVED}


def test_renewed_certificates_keep_their_names_where_they_have_any(tmp_path):
    changing = "stores: {per_agent: 1, certificates: 40, change: {modify: 10%}}"
    seen = Seen(tmp_path, ["name: a, type: Inventory, every: 2m"], capabilities="JKS", stores=changing)

    _, *later = seen.sent(UpdateInventory)
    marked = [mark for update in later for mark in statuses(update)]
    assert set(marked) == {ItemStatus.MODIFIED, ItemStatus.UNCHANGED}
    assert 6 <= marked.count(ItemStatus.MODIFIED) <= 32


def test_a_full_report_leaves_the_difference_to_the_server(tmp_path):
    full = "stores: {per_agent: 1, certificates: 20, marks: full, change: {remove: 20%}}"
    seen = Seen(tmp_path, ["name: a, type: Inventory, every: 2m"], stores=full)

    updates = seen.sent(UpdateInventory)
    assert {mark for update in updates for mark in statuses(update)} == {ItemStatus.UNKNOWN}
    known = [len(body.job.inventory) for body in seen.told(Configuration)]
    assert known == [0, *(len(update.inventory) for update in updates[:-1])]
    assert known[-1] < 20


def test_what_management_adds_and_removes_is_in_the_next_inventory(tmp_path):
    schedules = [
        "name: look, type: Inventory, every: 3m",
        "name: put, type: Management, operation: add, alias: web01, at: 1m",
        "name: take, type: Management, operation: remove, alias: web01, at: 4m",
    ]
    seen = Seen(tmp_path, schedules)

    before, with_it, without = ([item.alias for item in update.inventory] for update in seen.sent(UpdateInventory)[:3])
    assert set(with_it) - set(before) == {"web01"}
    marks = [dict(zip((i.alias for i in u.inventory), statuses(u), strict=True)) for u in seen.sent(UpdateInventory)]
    assert marks[1]["web01"] is ItemStatus.ADDED
    assert marks[2]["web01"] is ItemStatus.REMOVED
    assert "web01" in without
    assert "web01" not in marks[3]


def test_management_that_fails_changes_nothing(tmp_path):
    fails = "behaviours: [{name: default, jobs: [{type: Management, outcomes: [{result: failure}]}]}]"
    schedules = [
        "name: look, type: Inventory, every: 3m",
        "name: put, type: Management, operation: add, alias: web01, at: 1m",
    ]

    for update in Seen(tmp_path, schedules, more=fails).sent(UpdateInventory):
        assert "web01" not in [item.alias for item in update.inventory]


def test_a_re_enrolment_makes_a_key_gets_its_certificate_and_keeps_it(tmp_path):
    schedules = [
        "name: renew, type: Reenrollment, at: 1m, subject: 'CN=web01,O=Test'",
        "name: look, type: Inventory, at: 3m",
    ]
    seen = Seen(tmp_path, schedules)

    [asked] = seen.sent(Enroll)
    request = x509.load_der_x509_csr(b64decode(asked.csr_text))
    [given] = [r.body.certificate for q, r, _ in seen.exchanges if isinstance(q.body, Enroll)]
    certificate = x509.load_der_x509_certificate(b64decode(given))
    assert request.is_signature_valid
    assert certificate.public_key() == request.public_key()
    assert certificate.subject.rfc4514_string() == "O=Test,CN=web01"
    [update] = seen.sent(UpdateInventory)
    marks = dict(zip((item.alias for item in update.inventory), statuses(update), strict=True))
    assert marks[of_contents(b64decode(given)).thumbprint] is ItemStatus.UNCHANGED  # the server knew it already
    assert seen.runs[0] == ("PEMReenrollment", Result.SUCCESS)


def test_re_enrolments_are_the_same_to_the_byte_in_every_replay(tmp_path):
    texts = [Seen(tmp_path, ["name: renew, type: Reenrollment, every: 2m"], count=3).sent(Enroll) for _ in range(2)]

    assert [one.csr_text for one in texts[0]] == [one.csr_text for one in texts[1]]
    assert len({one.csr_text for one in texts[0]}) == 15


def test_a_discovery_looks_where_it_is_told_and_reports_what_it_finds(tmp_path):
    found = "stores: {per_agent: 1, discovered: 4}"
    seen = Seen(tmp_path, ["name: find, type: Discovery, at: 1m, dirs: [/srv/a, /srv/b]"], "PEM, JKS", found)

    assert [(job.dirs, job.extensions) for job in seen.jobs(DiscoveryJob)] == [
        ("/srv/a,/srv/b", "pem"),
        ("/srv/a,/srv/b", "jks"),
    ]
    assert [len(update.locations) for update in seen.sent(UpdateLocations)] == [4, 4]
    assert seen.sent(UpdateLocations)[1].locations[0].startswith("/srv/a/found/")
    assert sorted(seen.runs) == [("JKSDiscovery", Result.SUCCESS), ("PEMDiscovery", Result.SUCCESS)]


def test_ssl_discovery_and_monitoring_are_posted_scanned_and_reported(tmp_path):
    schedules = ["name: scan, type: SslDiscovery, at: 1m", "name: watch, type: Monitoring, schedule: {interval: 3m}"]
    fails = "behaviours: [{name: default, jobs: [{type: Monitoring, outcomes: [{result: warning}]}]}]"
    seen = Seen(tmp_path, schedules, "SSL", "endpoints: 7", fails)

    data = [json.loads(complete.data) for complete in seen.sent(Complete)]
    assert [len(one["Endpoints"]) for one in data] == [7] * len(data)
    assert seen.runs.count(("SslDiscovery", Result.SUCCESS)) == 1
    assert seen.runs.count(("Monitoring", Result.WARNING)) >= 2


def test_custom_types_are_made_with_their_fields_and_jobs_get_their_values(tmp_path):
    types = """job_types:
  - name: Patch
    fields:
      - {name: Target, required: true}
      - {name: Tries, type: int, default: 3}
      - {name: Force, type: bool}
"""
    schedules = ["name: patch, type: 'custom:Patch', at: 1m, fields: {target: db01, Force: true}"]
    seen = Seen(tmp_path, schedules, "'custom:Patch'", "endpoints: 1", types)

    [job] = seen.jobs(CustomJob)
    assert job.job_fields == {"Target": "db01", "Tries": "3", "Force": "true"}
    assert seen.runs == [("Patch", Result.SUCCESS)]
