"""A tiny Command server for storms: a job history, transitions, and bugs planted on purpose.

Answers whatever it is asked in full, ignoring queries, so that only the client's own care keeps foreign ids out.
"""

import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from agent_sim.instants import to_iso

USER, PASSWORD = "operator", "s3cret"
BASIC = "Basic b3BlcmF0b3I6czNjcmV0"
API = "/KeyfactorAPI"


def failed_runs(count: int, *, machine: str = "agentsim-test-", first: int = 1, **changed: Any) -> list[dict[str, Any]]:
    """Failed PEM Management runs, each of its own job."""
    return [
        {
            "JobHistoryId": number,
            "AgentMachine": f"{machine}{number}",
            "JobId": f"00000000-0000-4000-8000-{number:012d}",
            "JobType": "PEMManagement",
            "Result": 4,
            "Status": 3,
            **changed,
        }
        for number in range(first, first + count)
    ]


PAGE = b"<html><body><h1>The service is being upgraded</h1></body></html>"


@dataclass
class FakeCommand:
    """What it holds, what it was asked, and how it misbehaves; numbers of requests count from 1."""

    runs: list[dict[str, Any]]
    shows_transitions: bool = True
    loses: set[int] = field(default_factory=set)  # ids that are accepted and left alone
    doubles: set[int] = field(default_factory=set)  # ids that change twice
    phantoms: set[int] = field(default_factory=set)  # ids that change with the first request, asked for or not
    waiting: set[int] = field(default_factory=set)  # ids whose job waits already: nothing to do
    status: Callable[[int], int] = lambda number: 204
    hangs: Callable[[int], bool] = lambda number: False
    acts_before_hanging: bool = True
    closes: Callable[[int], bool] = lambda number: False
    html: Callable[[int], bool] = lambda number: False  # acts, and answers a page for people
    html_history: bool = False  # the same, once requests have come
    lost: int = 0  # requests that came while it was gone
    delay: float = 0.0
    endpoints: Any = field(default_factory=lambda: ["GET /Agents"])
    asked: list[dict[str, Any]] = field(default_factory=list)
    queries: list[str] = field(default_factory=list)
    transitions: list[dict[str, Any]] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)
    is_gone: bool = False
    numbered: int = 0
    url: str = ""

    def __post_init__(self) -> None:
        for run in self.runs:
            self._happened("queued", run)
            self._happened("configured", run)
            self._happened("completed", run)
            if run["JobHistoryId"] in self.waiting:
                self._happened("queued", run, of_the_run=False)

    @property
    def ids(self) -> list[int]:
        """Every id that was asked for, in order."""
        return [number for body in self.asked for number in body.get("JobAuditIds", [])]

    def number(self) -> int:
        """The next request's number; two at once have two."""
        with self.lock:
            self.numbered += 1
            return self.numbered

    def receive(self, kind: str, body: dict[str, Any], *, acts: bool) -> None:
        """Take a request; `acts`: do what it asks for. The planted bugs happen in any case."""
        with self.lock:
            self.asked.append(body)
            wanted = set(body.get("JobAuditIds") or [run["JobHistoryId"] for run in self.runs if eligible(run)])
            changed = (wanted - self.loses - self.waiting if acts else set()) | self.phantoms
            self.phantoms = set()
            for run in self.runs:
                for _ in range((run["JobHistoryId"] in changed) + (run["JobHistoryId"] in wanted & self.doubles)):
                    self._happened(kind, run)
                    run["Status"] = 4 if kind == "acknowledged" else run["Status"]

    def _happened(self, kind: str, run: dict[str, Any], *, of_the_run: bool = True) -> None:
        event = {"Seq": len(self.transitions) + 1, "At": to_iso(time.time_ns()), "Kind": kind, "JobId": run["JobId"]}
        self.transitions.append(event | ({"AuditId": run["JobHistoryId"]} if of_the_run else {}))


def eligible(run: dict[str, Any]) -> bool:
    """What a query would match here."""
    return (run["Result"], run["Status"]) == (4, 3)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "_Server"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class names it so
        pass

    def parse_request(self) -> bool:
        if self.server.fake.is_gone:
            self.close_connection = True
            self.server.fake.lost += 1
            return False
        return super().parse_request()

    def do_GET(self) -> None:
        fake, parts = self.server.fake, urlsplit(self.path)
        given = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        if parts.path == f"{API}/Status/Endpoints":
            self._answer(200 if self.headers["Authorization"] == BASIC else 401, fake.endpoints)
        elif fake.html_history and fake.asked:
            self._answer(200, PAGE)
        elif parts.path == f"{API}/OrchestratorJobs/JobHistory":
            fake.queries.append(given.get("pq.queryString", ""))
            self._answer(200, _page(fake.runs, given, "JobHistoryId"))
        elif parts.path == f"{API}/OrchestratorJobs/ScheduledJobs":
            jobs = [_scheduled(event) for event in fake.transitions if event["Kind"] == "rescheduled"]
            self._answer(200, _page(jobs, given, "Id"))
        elif parts.path == "/sim/transitions" and fake.shows_transitions:
            self._answer(200, _transitions(fake, int(given["after"]), int(given["limit"])))
        else:
            self._answer(404, {"Message": "no such endpoint"})

    def do_POST(self) -> None:
        fake = self.server.fake
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        number = fake.number()
        kind = {"Reschedule": "rescheduled", "Acknowledge": "acknowledged"}[self.path.rsplit("/", 1)[-1]]
        time.sleep(fake.delay)
        status = fake.status(number)
        # A server may fail after it acted.
        acts = status in (200, 204, 500) and (fake.acts_before_hanging or not fake.hangs(number))
        fake.receive(kind, body, acts=acts)
        if fake.hangs(number):
            fake.released.wait(20)
        if fake.hangs(number) or fake.closes(number):
            self.close_connection = True
            return
        if fake.html(number):
            self._answer(200, PAGE)
            return
        self._answer(status, None if status == 204 else {"Message": f"answer {status}"})

    def _answer(self, status: int, value: Any) -> None:
        data = b"" if value is None else value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        if status == 429:
            self.send_header("Retry-After", "7")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    fake: FakeCommand


def _page(items: list[dict[str, Any]], given: dict[str, str], order: str) -> list[dict[str, Any]]:
    limit, number = int(given["pq.returnLimit"]), int(given["pq.pageReturned"])
    ordered = sorted(items, key=lambda item: item[order], reverse=given.get("pq.sortAscending") == "1")
    return ordered[(number - 1) * limit : number * limit]


def _scheduled(event: dict[str, Any]) -> dict[str, Any]:
    always = {"ClientMachine": "m", "Target": "/", "Schedule": {"Immediate": True}, "JobType": "PEMManagement"}
    return {"Id": event["JobId"], "Requested": event["At"], **always}


def _transitions(fake: FakeCommand, after: int, limit: int) -> dict[str, Any]:
    with fake.lock:
        return {"LastSeq": len(fake.transitions), "Transitions": fake.transitions[after : after + limit]}


@contextmanager
def served(fake: FakeCommand, address: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> Iterator[FakeCommand]:
    """The fake on a port of its own."""
    server = _Server((address, 0), _Handler)
    server.fake = fake
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    fake.url = f"http{'s' * bool(tls)}://{address}:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield fake
    finally:
        fake.is_gone = True
        fake.released.set()
        server.shutdown()
        server.server_close()
        thread.join()
