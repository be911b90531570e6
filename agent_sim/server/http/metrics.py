"""`/metrics` as Prometheus reads it: requests by operation as they are answered, and what the page's overview counts.

The number of series is bounded: operations and statuses are closed lists, sites beyond the largest fifty count as one.
Names and labels follow Prometheus' own rules (base units, `_total`); which there are is our choice.
"""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

from aiohttp import web
from prometheus_client import generate_latest
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from agent_sim.instants import Instant
from agent_sim.server.http.desk import Desk
from agent_sim.server.http.refusals import FORGED, NOT_FOUND, Reason, Refused, wrong_method
from agent_sim.server.web.overview import Overview, Site

MOST_SITES: Final = 50
READ: Final = "/agents/management/read/"


class OverviewCollector(Collector):
    """The overview's counts as gauges, looked at when somebody asks."""

    def __init__(self, overview: Overview, clock: Callable[[], Instant], version: str) -> None:
        self._overview, self._clock, self._version = overview, clock, version

    def collect(self) -> Iterable[Metric]:
        """Everything, now."""
        now = self._clock()
        sites, jobs, open_runs = self._overview.sites(now), self._overview.jobs(now), self._overview.open_runs(now)
        yield InfoMetricFamily("agent_sim_server", "The server.", value={"product_version": self._version})
        yield _agents(sites)
        waiting = GaugeMetricFamily("agent_sim_jobs", "Jobs by state.", labels=["state"])
        for state in ("waiting", "running"):
            waiting.add_metric([state], jobs[state])
        yield waiting
        failed = GaugeMetricFamily(
            "agent_sim_unacknowledged_runs",
            "Failures and warnings that nobody acknowledged, within their age-out.",
            labels=["result"],
        )
        failed.add_metric(["failure"], open_runs["failures"])
        failed.add_metric(["warning"], open_runs["warnings"])
        yield failed


def _agents(sites: list[Site]) -> Metric:
    family = GaugeMetricFamily("agent_sim_agents", "Agents by site and state.", labels=["site", "state"])
    largest = sorted(sites, key=lambda site: (-site["total"], site["name"]))
    others = {"online": 0, "offline": 0, "new": 0}
    for rank, site in enumerate(largest):
        online, new = site["online"], site["waiting"]
        states = {"online": online, "offline": site["total"] - online - new, "new": new}
        if rank < MOST_SITES:
            for state, count in states.items():
                family.add_metric([site["name"], state], count)
        else:
            others = {state: count + states[state] for state, count in others.items()}
    if len(largest) > MOST_SITES:
        for state, count in others.items():
            family.add_metric(["other", state], count)
    return family


class MetricsSide:
    """Answers `GET /metrics`: to who may read agents, or to anybody if the setting `metrics_open` says so."""

    def __init__(self, desk: Desk, overview: Overview, version: str) -> None:
        self._desk = desk
        desk.meter.registry.register(OverviewCollector(overview, desk.clock, version))

    async def answer(self, request: web.Request, path: str) -> web.Response:
        """All metrics. Raises Refused."""
        if path:
            raise Refused(NOT_FOUND)
        if request.method not in ("GET", "HEAD"):
            raise Refused(wrong_method("GET, HEAD"))
        if not self._desk.settings.metrics_open and not (await self._desk.caller(request)).may(READ):
            raise Refused(FORGED)
        body = await self._desk.apart(partial(generate_latest, self._desk.meter.registry))  # it looks into the database
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})

    def refuse(self, reason: Reason) -> web.Response:
        """No, in words."""
        return web.Response(status=reason.problem.status, text=f"{reason.message}\n", headers=dict(reason.headers))
