"""What the page's first view counts, beside what happened on a bench."""

from agent_sim.instants import MINUTE, SECOND
from agent_sim.protocol.command import Acknowledge
from agent_sim.protocol.enums import Result
from agent_sim.server.web.overview import STEPS, Overview
from tests.server.bench import OPERATOR, Bench


def looking_at(bench: Bench) -> Overview:
    return Overview(bench.store, bench.settings, lambda: 0)


def test_an_empty_server_shows_nothing():
    bench = Bench()
    picture = looking_at(bench).whole(bench.now)

    assert picture["agents"] == {"total": 0, "online": 0, "waiting": 0}
    assert picture["jobs"] == {"waiting": 0, "running": 0}
    assert picture["open"] == {"failures": 0, "warnings": 0, "days": 7}
    assert len(picture["steps"]) == STEPS
    assert picture["recent"] == picture["sites"] == picture["capabilities"] == []


def test_sites_are_names_without_their_numbers():
    bench = Bench()
    for machine in ("fra-001", "fra-002", "shz-001", "solo"):
        bench.register(machine, abilities=("Custom.FetchLogs",))
    bench.server.sweep(bench.now)
    picture = looking_at(bench).look(bench.now)

    assert [(site["name"], site["total"], site["online"]) for site in picture["sites"]] == [
        ("fra", 2, 2),
        ("shz", 1, 1),
        ("solo", 1, 1),
    ]
    assert picture["capabilities"] == [{"name": "LOGS", "total": 4}]


def test_an_agent_that_is_silent_for_long_is_offline():
    bench = Bench(heartbeat_minutes=1.0)
    bench.register()
    bench.server.sweep(bench.now)
    overview = looking_at(bench)

    assert overview.look(bench.now + 2 * MINUTE)["agents"]["online"] == 1
    assert looking_at(bench).look(bench.now + 3 * MINUTE)["agents"]["online"] == 0


def test_a_new_agent_waits_for_approval():
    bench = Bench(auto_approve=False)
    bench.registration()

    assert looking_at(bench).look(bench.now)["agents"] == {"total": 1, "online": 0, "waiting": 1}


def test_results_are_counted_in_the_second_they_came_and_once():
    bench = Bench(retries=0)
    session = bench.register()
    overview = looking_at(bench)
    overview.look(bench.now)
    for result in (Result.SUCCESS, Result.WARNING, Result.FAILURE):
        bench.run(session, bench.schedule(), result)
    bench.now += SECOND
    steps = overview.look(bench.now)["steps"]

    totals = {
        key: sum(step[key] for step in steps) for key in ("started", "success", "warning", "failure", "will_retry")
    }
    assert totals == {"started": 3, "success": 1, "warning": 1, "failure": 1, "will_retry": 0}
    assert overview.look(bench.now)["steps"] == []
    whole = overview.whole(bench.now)
    assert sum(step["success"] for step in whole["steps"]) == 1
    assert whole["open"] == {"failures": 1, "warnings": 1, "days": 7}


def test_what_operators_do_is_counted_from_the_first_look_on():
    bench = Bench(retries=0)
    session = bench.register()
    audit_ids = bench.failed_management(session, *(bench.new_store(path).id for path in ("/a", "/b")))
    bench.server.handle(_acknowledge(audit_ids[0]), OPERATOR, bench.now)
    overview = looking_at(bench)
    overview.look(bench.now)
    bench.server.handle(_acknowledge(audit_ids[1]), OPERATOR, bench.now)
    steps = overview.look(bench.now + SECOND)["steps"]

    assert sum(step["acknowledged"] for step in steps) == 1


def test_a_longer_range_counts_all_runs():
    bench = Bench()
    session = bench.register()
    for _ in range(3):
        bench.run(session, bench.schedule())

    assert sum(step["success"] for step in looking_at(bench).timeline("24h", bench.now)) == 3
    assert len(looking_at(bench).timeline("30d", bench.now)) == 60


def _acknowledge(audit_id: int) -> Acknowledge:
    return Acknowledge((audit_id,))
