"""One target over geventhttpclient: requests of a storm, and the reads before and after it.

Every call ends in an answer or a named error; nothing is repeated. What answers mean is `agent_sim.storms`.
"""

import re
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from socket import MSG_PEEK
from typing import Any, Final, TypeVar, cast
from urllib.parse import urlsplit

from gevent import getcurrent
from geventhttpclient import HTTPClient
from geventhttpclient.response import HTTPConnectionClosed, HTTPParseError, HTTPSocketPoolResponse
from storm_login import Header, sign_in
from storm_options import Asked
from unsent import NotSent, mark_unsent

from agent_sim.errors import MalformedMessage, TargetError, UsageError
from agent_sim.instants import Span
from agent_sim.operator.storm_reader import OF_AGENTS, narrowed
from agent_sim.protocol import command, oig
from agent_sim.protocol.codec import ApiCall, api_call, read_reply
from agent_sim.protocol.endpoints import BY_OPERATION
from agent_sim.protocol.oig import REQUESTED_BY
from agent_sim.protocol.oig_calls import Call
from agent_sim.storms.campaign import understands
from agent_sim.storms.guard import repeats_posts
from agent_sim.storms.history import read_history
from agent_sim.storms.taxonomy import UNANSWERED, ErrorKind, classify

R = TypeVar("R", bound=command.Record)

CONNECT_TIMEOUT: Final = 5.0
NO_CONTENT: Final = 204

PAGE: Final = 1000
"""Records asked for at once: what scripts in the wild ask for (command-api 1.5)."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: an error of the taxonomy or None, a status (0: none came), the body, what to tell people."""

    error: ErrorKind | None
    status: int
    body: bytes
    total: int | None
    said: str


_DONE: Final = Answer(None, NO_CONTENT, b"", None, "")


def require_honest_client() -> None:
    """Raise UsageError for a geventhttpclient that silently sends a POST again (load-testing 2.2)."""
    found = version("geventhttpclient")
    if repeats_posts(found):
        raise UsageError(f"geventhttpclient {found} sends a POST again by itself: install 2.6 or newer")


def understood(operation: command.Operation | oig.Operation, answer: Answer) -> tuple[ErrorKind | None, object]:
    """What an answer says, where a storm needs to know; success that does not say it is no success."""
    if not answer.body or isinstance(operation, oig.Operation):
        return answer.error, None
    try:
        body = read_reply(operation, answer.status, answer.body, None).body
    except MalformedMessage:
        body = None
    if answer.error is None and not understands(operation, body):
        return ErrorKind.WRONG_2XX, body
    return answer.error, body


class Target:
    """The target of one storm; an `observe.Reader` too, whose history is that of the scope."""

    def __init__(self, asked: Asked) -> None:
        parts = urlsplit(asked.url)
        self.root = parts.path.rstrip("/")
        self.api = f"{self.root}/{asked.api_path.strip('/')}".rstrip("/")
        self.url = f"{parts.scheme}://{parts.netloc}{self.root}"
        self._prefix = asked.plan.prefix
        self._client: _Client = _client(asked, sign_in(asked.login, str(asked.ca or "")))
        self._connect = self._client._connection_pool.get_socket

    def ask(self, operation: command.Operation) -> Answer:
        """Send one request and wait for its answer, at most the timeout."""
        call = api_call(operation)
        base = self.root if isinstance(operation, command.ListTransitions) else self.api
        return self.sent(call, base, BY_OPERATION[type(operation)].success)

    def sent(self, call: ApiCall | Call, base: str, expected: int) -> Answer:
        """What comes of a request, whatever does: every call ends in an answer."""
        path = f"{base}{call.path}?{call.query}" if call.query else base + call.path
        try:
            if call.method != "POST" or not call.body:
                response = self._client.request(call.method, path, body=call.body or b"")
            elif (found := self._client.send(path, call.body)) is not None:
                response = found
            elif expected == NO_CONTENT:
                return _DONE
            else:
                return Answer(classify(NO_CONTENT, False, expected), NO_CONTENT, b"", None, str(NO_CONTENT))
            return _answer(response, expected)
        except NotSent as unsent:
            cause = cast(OSError, unsent.__cause__)
            return Answer(_unconnected(cause), 0, b"", None, _words(cause))
        except TimeoutError:
            return Answer(ErrorKind.READ_TIMEOUT, 0, b"", None, "no answer in time")
        except (OSError, HTTPParseError) as error:
            return Answer(ErrorKind.RESET_BEFORE_RESPONSE, 0, b"", None, _words(error))

    def watch_connecting(self, waits: dict[object, Span]) -> None:
        """Note how long each greenlet waited for its connection: that is our own pool, or one being made."""
        connections = self._client._connection_pool
        connect = self._connect

        def get_socket() -> Any:
            began = time.perf_counter_ns()
            try:
                return connect()
            finally:
                waits[getcurrent()] = time.perf_counter_ns() - began

        connections.get_socket = get_socket  # type: ignore[method-assign]  # the library has no hook for it

    # --- reading ------------------------------------------------------------------------------

    def preflight(self) -> None:
        """Raise TargetError unless this is a Command server that takes our credentials."""
        asked = command.GetEndpoints()
        answer = self.ask(asked)
        self.raise_for(answer)
        try:
            if answer.status == 200:
                read_reply(asked, answer.status, answer.body, None)
                return
        except MalformedMessage as error:
            raise TargetError(f"{self.url} is not a Command server: Status/Endpoints: {error}") from error
        raise TargetError(f"{self.url} is not a Command server: {self.api}/Status/Endpoints answers {answer.said}")

    def last_transition(self) -> int | None:
        """The newest transition's number; None if the target shows none."""
        asked = command.ListTransitions(after=0, limit=1)
        answer = self.ask(asked)
        if answer.status != 200:
            return None
        try:
            reply = read_reply(asked, answer.status, answer.body, None)
        except MalformedMessage:
            return None
        return cast(command.Transitions, reply.body).last_seq

    def transitions(self, after: int) -> Iterator[command.Transition]:
        """Every transition with a higher number, in order. Raises TargetError."""
        while True:
            page = cast(command.Transitions, self._read(command.ListTransitions(after=after)).body)
            yield from page.transitions
            if not page.transitions or page.transitions[-1].seq >= page.last_seq:
                return
            after = page.transitions[-1].seq

    def history(self, query: str, *, newest_first: bool = False) -> Iterator[command.JobHistoryRecord]:
        """Every run in scope that matches. Raises TargetError."""
        sort = "JobHistoryId" if newest_first else ""
        seen: set[int] = set()
        for number in range(1, 1_000_000):
            page = command.Page(narrowed(query, self._prefix), number, PAGE, sort, descending=newest_first)
            runs = cast(tuple[command.JobHistoryRecord, ...], self._read(command.ListJobHistory(page)).body or ())
            fresh = [run for run in runs if run.job_history_id not in seen]
            if not fresh:  # past the end, or a server that repeats its last page
                return
            seen.update(run.job_history_id for run in fresh)
            yield from fresh

    def scheduled(self, query: str = "") -> Iterator[command.ScheduledJobRecord]:
        """Every job in scope that waits and matches. Raises TargetError."""
        wanted = narrowed(query, self._prefix)
        return self._each(lambda number: command.ListScheduledJobs(command.Page(wanted, number, PAGE)), _job_id)

    def agents(self, query: str = "") -> Iterator[command.AgentRecord]:
        """Every orchestrator in scope that matches. Raises TargetError."""
        wanted = narrowed(query, self._prefix, OF_AGENTS)
        return self._each(lambda number: command.ListAgents(command.Page(wanted, number, PAGE)), _agent_id)

    def _each(self, page: Callable[[int], command.Operation], key: Callable[[R], str]) -> Iterator[R]:
        """Every record, page by page, until one brings nothing new."""
        seen: set[str] = set()
        for number in range(1, 1_000_000):
            records = cast("tuple[R, ...]", self._read(page(number)).body or ())
            fresh = [record for record in records if key(record) not in seen]
            if not fresh:
                return
            seen.update(map(key, fresh))
            yield from fresh

    def _read(self, asked: command.Operation) -> command.CommandReply:
        answer = self.ask(asked)
        self.raise_for(answer)
        row = BY_OPERATION[type(asked)]
        if answer.status != 200:
            raise TargetError(f"{self.url}: {row.name} answers {answer.said}")
        try:
            if isinstance(asked, command.ListJobHistory):
                return read_history(asked, answer.status, answer.body, answer.total)
            return read_reply(asked, answer.status, answer.body, answer.total)
        except MalformedMessage as error:
            raise TargetError(f"{self.url}: {row.name}: {error}") from error

    def raise_for(self, answer: Answer) -> None:
        """Raise TargetError for an answer that says we cannot go on."""
        if answer.error is ErrorKind.TLS:
            raise TargetError(f"{self.url}: TLS: {answer.said} (--ca FILE names whom to trust)")
        if answer.error in UNANSWERED:
            raise TargetError(f"cannot reach {self.url}: {answer.said}")
        if answer.error is ErrorKind.HTTP_401_403:
            raise TargetError(f"{self.url} refuses our credentials ({answer.said})")


def _job_id(job: command.ScheduledJobRecord) -> str:
    return job.id


def _agent_id(agent: command.AgentRecord) -> str:
    return agent.agent_id


def _answer(response: HTTPSocketPoolResponse, expected: int) -> Answer:
    body = response.read()
    status = response.status_code
    total = str(response.get("x-total-count") or "")
    error = classify(status, bool(body), expected)
    said = "" if error is None else f"{status} {_message(body)}".strip()
    if later := response.get("retry-after"):
        said += f" (Retry-After: {later})"
    return Answer(error, status, body, int(total) if total.isdigit() else None, said)


class _Client(HTTPClient):
    """The library's, less what a storm has no use for and pays for with each request.

    A request's head is written once and repeated. A POST is sent once, whatever comes of it, and the answer that nearly
    all of them get, a 204 that is all there and keeps the connection, is told by its bytes; others the library reads.
    """

    sign_in: Header
    _signed: Mapping[str, str] | None = None
    _lines = ""

    def send(self, path: str, body: bytes) -> HTTPSocketPoolResponse | None:
        """The answer; None for a 204 without anything. Raises OSError, HTTPParseError, NotSent."""
        whole = self._build_request("POST", path, body).encode("latin-1") + body
        pool = self._connection_pool
        sock = pool.get_socket()
        try:
            if (gone := sock.send(whole)) < len(whole):
                sock.sendall(whole[gone:])
            data = sock.recv(self.block_size)
        except (BrokenPipeError, ConnectionResetError):
            # It may have answered before it closed; the response gives the socket back.
            return HTTPSocketPoolResponse(sock, pool, method="POST", block_size=self.block_size)
        except BaseException:
            pool.release_socket(sock)
            raise
        if _is_done(data):
            pool.return_socket(sock)
            return None
        if not data:
            pool.release_socket(sock)
            raise HTTPConnectionClosed("connection closed.")
        return HTTPSocketPoolResponse(sock, pool, method="POST", block_size=self.block_size, pre_buffered=data)

    def _build_request(
        self, method: str, request_uri: str, body: Any = b"", headers: Any = None, chunked: Any = None
    ) -> str:
        signed = self.sign_in()
        if signed != self._signed:
            whole = super()._build_request("GET", "/", b"", {**_HEADERS, **signed}, False)
            self._lines, self._signed = whole.partition("\r\n")[2].removesuffix("\r\n"), signed
        if not _PATH.fullmatch(request_uri):
            raise ValueError(f"{request_uri!r} is no path")
        length = f"Content-Length: {len(body)}\r\n" if body or method != "GET" else ""
        return f"{method} {request_uri} HTTP/1.1\r\n{self._lines}{length}\r\n"


def _is_done(data: bytes) -> bool:
    """True for one whole 204 and nothing behind it, after which the connection stays."""
    is_one = data.startswith(b"HTTP/1.1 204 ") and data.find(b"\r\n\r\n") == len(data) - 4
    return is_one and b"connection:" not in data.lower()


def _is_idle(sock: Any) -> bool:
    """True for a connection that has neither been closed nor said anything: what the library asks `select` for."""
    try:
        sock._sock.recv(1, MSG_PEEK)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


_PATH: Final = re.compile(r"/[!-~]*")


def _client(asked: Asked, header: Header) -> _Client:
    arguments: dict[str, Any] = {
        "concurrency": asked.plan.max_in_flight + 1,
        "connection_timeout": min(CONNECT_TIMEOUT, asked.timeout),
        "network_timeout": float(asked.timeout),
        "insecure": asked.insecure,
    }
    if asked.ca is not None:
        arguments["ssl_options"] = {"ca_certs": str(asked.ca)}
    if asked.insecure:
        arguments["ssl_context_factory"] = _unverified
    try:
        client = cast(_Client, _Client.from_url(asked.url, **arguments))
    except (OSError, ssl.SSLError) as error:
        raise UsageError(f"--ca {asked.ca}: {_words(error)}") from error
    client.sign_in = header
    if not client.ssl:
        client._connection_pool._is_socket_alive = _is_idle  # type: ignore[method-assign]  # no hook for it either
    mark_unsent(client)
    return client


def _unverified(cafile: str | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


_HEADERS: Final = {
    "Content-Type": "application/json",
    "Accept": "application/json",
    "x-keyfactor-requested-with": "APIClient",
    "x-keyfactor-api-version": "1",
    REQUESTED_BY: "agent-sim",  # what the other target asks for
}


def _unconnected(error: OSError) -> ErrorKind:
    if isinstance(error, TimeoutError):
        return ErrorKind.CONNECT_TIMEOUT
    return ErrorKind.TLS if isinstance(error, ssl.SSLError) else ErrorKind.CONNECT_REFUSED


def _words(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate verify failed: {error.verify_message}"
    said = error.strerror if isinstance(error, OSError) else ""
    return said or str(error) or type(error).__name__


def _message(body: bytes) -> str:
    """The first line of what an error's body says, shortened."""
    found = re.search(rb'"message"\s*:\s*"((?:[^"\\]|\\.)*)"', body, re.IGNORECASE)
    text = (found[1] if found else body.strip().split(b"\n", 1)[0]).decode(errors="replace")
    return text[:200]
