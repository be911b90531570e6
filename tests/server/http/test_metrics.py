"""What `/metrics` says, and to whom."""

import json
import re

import pytest
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client.parser import text_string_to_metric_families

from agent_sim.protocol.command import ListAgents
from agent_sim.protocol.enums import Result
from agent_sim.results.tally import INSTRUMENTS
from agent_sim.server.http.app import make_app
from agent_sim.server.http.metrics import MOST_SITES
from agent_sim.server.web.side import dashboard
from tests.server.bench import Bench
from tests.server.http.desks import ACCOUNTS, AGENT, OPERATOR

SUFFIXES = {"gauge": ("",), "counter": ("_total",), "histogram": ("_bucket", "_count", "_sum")}
OF_RUNS = {f"{told.name}{suffix}" for told in INSTRUMENTS for suffix in SUFFIXES[told.kind]}
NAMES = re.compile(r"\b(?:agent_sim|process)_\w+")


@pytest.fixture
async def served():
    bench = Bench(retries=0)
    app = make_app(bench.server, bench.store, ACCOUNTS, bench.settings, lambda: bench.now)
    async with TestClient(TestServer(app)) as client:
        yield bench, client


async def samples(client):
    text = await (await client.get("/metrics", headers=OPERATOR)).text()
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_fleet_jobs_and_open_failures_are_gauges(served):
    bench, client = served
    session = bench.register("fra-001")
    bench.run(session, bench.schedule(machine="fra-001"), Result.FAILURE)
    bench.schedule(machine="fra-001")
    bench.server.sweep(bench.now)
    found = await samples(client)

    assert found["agent_sim_agents", "fra", "online"] == 1
    assert found["agent_sim_jobs", "waiting"] == 1
    assert found["agent_sim_unacknowledged_runs", "failure"] == 1


async def test_requests_are_counted_by_operation_and_status(served):
    _, client = served
    for _ in range(3):
        await client.get("/KeyfactorAPI/Agents", headers=OPERATOR)
    found = await samples(client)

    assert found["agent_sim_requests_total", "200", ListAgents.__name__] == 3
    assert found["agent_sim_request_duration_seconds_count", ListAgents.__name__] == 3


async def test_a_fleet_of_many_sites_makes_few_series(served):
    bench, client = served
    for number in range(MOST_SITES + 20):
        bench.register(f"site{chr(97 + number // 26)}{chr(97 + number % 26)}-1")
    found = await samples(client)

    assert sum(1 for name, *_ in found if name == "agent_sim_agents") == 3 * (MOST_SITES + 1)
    assert len(found) < 2000


@pytest.mark.parametrize(("headers", "status"), [({}, 401), (AGENT, 403), (OPERATOR, 200)])
async def test_they_are_for_who_may_read_agents(served, headers, status):
    _, client = served

    assert (await client.get("/metrics", headers=headers)).status == status


async def test_or_for_anybody_if_a_setting_says_so():
    bench = Bench(metrics_open=True)
    app = make_app(bench.server, bench.store, ACCOUNTS, bench.settings, lambda: bench.now)
    async with TestClient(TestServer(app)) as client:
        assert (await client.get("/metrics")).status == 200


async def test_names_follow_the_rules(served):
    """As promtool checks: our prefix, base units, counters end in _total, each with help."""
    _, client = served
    await client.get("/KeyfactorAPI/Agents", headers=OPERATOR)
    text = await (await client.get("/metrics", headers=OPERATOR)).text()
    ours = [family for family in text_string_to_metric_families(text) if family.name.startswith("agent_sim_")]

    assert len(ours) >= 6
    for family in ours:
        assert family.documentation.endswith("."), family.name
        assert not any(word in family.name for word in ("milli", "_ms", "minutes")), family.name
        if family.type == "counter":
            assert {sample.name for sample in family.samples} <= {f"{family.name}_total", f"{family.name}_created"}


async def test_the_dashboard_asks_only_for_metrics_that_there_are(served):
    bench, client = served
    bench.register("fra-001")
    await client.get("/KeyfactorAPI/Agents", headers=OPERATOR)
    text = await (await client.get("/metrics", headers=OPERATOR)).text()
    board = json.loads(dashboard())
    targets = [target["expr"] for panel in board["panels"] for target in panel.get("targets", ())]
    targets += [each["query"]["query"] for each in board["templating"]["list"] if each["type"] == "query"]
    asked = {name for target in targets for name in NAMES.findall(target)}

    assert len(asked) > 20
    assert {name for name in asked if f"\n{name}" not in text and name not in OF_RUNS} == set()


def test_the_dashboard_shows_all_that_a_run_tells():
    assert {
        name for name in OF_RUNS if name.removesuffix("_count").removesuffix("_sum") not in dashboard().decode()
    } == set()


def test_the_dashboard_imports_into_any_grafana():
    """No data source of ours, no two panels in one place, every panel with its id."""
    board = json.loads(dashboard())
    panels = board["panels"]

    assert "${datasource}" in dashboard().decode()
    assert all(panel["datasource"]["uid"] == "${datasource}" for panel in panels)
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert len({(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels}) == len(panels)
