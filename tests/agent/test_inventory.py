"""What an agent finds: declared counts, declared change from one inventory to the next, marks, and what jobs did."""

import itertools
import json

import pytest

from agent_sim.agent.certificates import shared
from agent_sim.agent.inventory import Contents, entries, locations, report, scan
from agent_sim.distributions import Constant
from agent_sim.draws import key
from agent_sim.protocol.agent import DiscoveryJob, InventoryJob, KnownItem
from agent_sim.protocol.enums import ItemStatus

AGENT = key("test")
STORE = "/opt/a.pem"


def holding(contents, number=1, capability="PEM", altered=None):
    return entries(AGENT, STORE, contents, capability, number, altered or {})


def believed(found):
    return InventoryJob("m", STORE, tuple(KnownItem(entry.alias, thumbprints=(entry.thumbprint,)) for entry in found))


def marks(contents, before, number, capability="PEM", altered=None):
    items = report(AGENT, believed(before), contents, capability, number, altered or {})
    return [item.item_status for item in items]


@pytest.mark.parametrize("count", [0, 1, 12, 256, 300])
def test_a_store_holds_as_many_certificates_as_declared(count):
    found = holding(Contents(Constant(count)))

    assert len(found) == len({entry.alias for entry in found}) == count


def test_entries_of_pem_stores_go_by_their_thumbprints_and_others_by_names():
    pem, jks = holding(Contents()), holding(Contents(), capability="JKS")

    assert all(entry.alias == entry.thumbprint for entry in pem)
    assert [entry.alias for entry in jks] == ["agent-sim-0", "agent-sim-1", "agent-sim-2"]


def test_without_declared_change_nothing_changes():
    assert holding(Contents(), 1) == holding(Contents(), 50)
    assert marks(Contents(), holding(Contents()), 7) == [ItemStatus.UNCHANGED] * 3


def test_certificates_come_go_and_are_renewed_at_their_rates():
    changing = Contents(Constant(200), add=0.02, remove=0.01, modify=0.03)
    before, after = ({entry.alias: entry for entry in holding(changing, n, "JKS")} for n in (1, 2))

    added, gone = after.keys() - before.keys(), before.keys() - after.keys()
    renewed = [name for name in before.keys() & after.keys() if before[name] != after[name]]
    assert len(added) == 4  # exactly: what is added is a share of the first count
    assert len(gone) <= 8  # two on average
    assert 1 <= len(renewed) <= 16  # six on average


def test_what_is_removed_stays_removed_and_the_store_keeps_its_size_where_rates_agree():
    changing = Contents(Constant(100), add=0.05, remove=0.05)
    names = [{entry.alias for entry in holding(changing, n, "JKS")} for n in range(1, 60)]

    gone = set()
    for before, after in itertools.pairwise(names):
        gone |= before - after
        assert not gone & after
    assert 70 <= len(names[-1]) <= 130


def test_marks_tell_what_is_new_renewed_gone_and_the_same():
    changing = Contents(Constant(100), add=0.05, remove=0.05, modify=0.05)
    before, after = holding(changing, 1, "JKS"), holding(changing, 2, "JKS")
    old = {entry.alias: entry for entry in before}

    found = marks(changing, before, 2, "JKS")
    expected = [
        ItemStatus.ADDED
        if entry.alias not in old
        else ItemStatus.UNCHANGED
        if old[entry.alias] == entry
        else ItemStatus.MODIFIED
        for entry in after
    ]
    gone = len(old.keys() - {entry.alias for entry in after})
    assert found == [*expected, *[ItemStatus.REMOVED] * gone]
    assert set(found) == {ItemStatus.ADDED, ItemStatus.MODIFIED, ItemStatus.UNCHANGED, ItemStatus.REMOVED}


def test_a_full_report_has_no_marks_and_every_certificate():
    full = Contents(is_full=True)
    items = report(AGENT, believed(holding(full)), full)

    assert {item.item_status for item in items} == {ItemStatus.UNKNOWN}
    assert all(item.certificates for item in items)


def test_what_jobs_put_in_or_took_out_is_seen_by_the_next_inventory():
    first, *_ = holding(Contents())
    put = shared(200)
    altered = {first.alias: None, put.thumbprint: put.contents}

    found = marks(Contents(), holding(Contents()), 2, altered=altered)

    assert found == [ItemStatus.UNCHANGED, ItemStatus.UNCHANGED, ItemStatus.ADDED, ItemStatus.REMOVED]


def test_a_discovery_finds_stores_where_and_of_what_kind_it_was_told_to():
    job = DiscoveryJob("/srv/a, /srv/b", "jks,.p12")
    found = locations(AGENT, 2, job, Contents(found=Constant(3)))

    assert found == ("/srv/a/found/2/store-0.jks", "/srv/b/found/2/store-1.p12", "/srv/a/found/2/store-2.jks")
    assert locations(AGENT, 1, None, Contents(found=Constant(0))) == ()


def test_a_scan_tells_of_as_many_endpoints_as_there_are_and_of_real_certificates():
    found = json.loads(scan(AGENT, 4, Contents(endpoints=Constant(5))))

    assert found["Scan"] == 4
    assert [one["Endpoint"] for one in found["Endpoints"]] == [f"10.0.0.{n}:443" for n in range(1, 6)]
    assert {one["Thumbprint"] for one in found["Endpoints"]} <= {shared(n).thumbprint for n in range(256)}
