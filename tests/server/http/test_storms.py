"""Many storms at once over HTTP, about the same jobs: each is queued once, whoever asks, and everybody is told so."""

import asyncio
from collections import Counter
from typing import Any

from aiohttp.test_utils import TestClient, TestServer

from agent_sim.protocol import command
from agent_sim.protocol.command import ACKNOWLEDGEABLE_QUERY, RESCHEDULABLE_QUERY
from agent_sim.server.http.app import make_app
from tests.server.bench import Bench
from tests.server.http import desks

JOBS = 30


def bench_with_failures() -> tuple[Bench, list[int]]:
    """Management jobs that failed for good, and their audit ids."""
    bench = Bench(retries=0, management_needs_certificate=False)
    session = bench.register()
    store = bench.new_store()
    return bench, bench.failed_management(session, *[store.id] * JOBS)


async def all_at_once(bench: Bench, requests: list[tuple[str, object]]) -> list[int]:
    app = make_app(bench.server, bench.store, desks.ACCOUNTS, bench.settings, lambda: bench.now)
    async with TestClient(TestServer(app)) as client:

        async def post(verb: str, body: object) -> int:
            path = f"/KeyfactorAPI/OrchestratorJobs/{verb}"
            async with client.post(path, json=body, headers=desks.WRITES) as response:
                return response.status

        return await asyncio.gather(*(post(verb, body) for verb, body in requests))


def by_ids_and_by_query(audits: list[int], query: str) -> list[Any]:
    overlapping = [{"JobAuditIds": audits[start : start + 10]} for start in range(0, JOBS - 5, 5)]
    return [*overlapping, {"Query": query}, *reversed(overlapping), {"Query": query}]


async def test_storms_at_the_same_jobs_queue_each_once():
    bench, audits = bench_with_failures()

    statuses = await all_at_once(
        bench, [("Reschedule", body) for body in by_ids_and_by_query(audits, RESCHEDULABLE_QUERY)]
    )

    assert set(statuses) == {204}
    rescheduled = [line.job_id for line in bench.transitions() if line.kind == "rescheduled"]
    assert len(rescheduled) == len(set(rescheduled)) == JOBS
    assert Counter(row.id for row in bench.scheduled()) == Counter(rescheduled)


async def test_storms_that_acknowledge_the_same_runs_mark_each_once():
    bench, audits = bench_with_failures()

    statuses = await all_at_once(
        bench, [("Acknowledge", body) for body in by_ids_and_by_query(audits, ACKNOWLEDGEABLE_QUERY)]
    )

    assert set(statuses) == {204, 400}  # 400: somebody else had one of the ids before
    acknowledged = [line.audit_id for line in bench.transitions() if line.kind == "acknowledged"]
    assert sorted(filter(None, acknowledged)) == audits
    assert isinstance(bench.ask(command.ListJobHistory()).body, tuple)
