"""A pool of connections to one target over geventhttpclient: agents' requests and the operator's, each sent once.

Every call ends in an answer or a TransportError; nothing is repeated.
"""

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from geventhttpclient import HTTPClient
from geventhttpclient.response import HTTPParseError
from unsent import NotSent, mark_unsent

from agent_sim.errors import ConnectFailed, MalformedMessage, ReplyTimeout, UsageError
from agent_sim.protocol import codec
from agent_sim.protocol.agent import AgentReply, AgentRequest
from agent_sim.protocol.command import CommandReply, Operation

_JSON: Final = {"Content-Type": "application/json", "Accept": "application/json"}
_API: Final = _JSON | {"x-keyfactor-requested-with": "APIClient", "x-keyfactor-api-version": "1"}
_TOTAL: Final = re.compile(r"[0-9]{1,15}")
_WORDS: Final = 200


@dataclass(frozen=True, slots=True)
class Place:
    """Where the target is, as the command line says; times in seconds."""

    url: str
    api_path: str
    agents_path: str
    ca: Path | None
    connect_timeout: float
    timeout: float


class Wire:
    """One pool; `login` are the headers that sign in. Raises UsageError for certificates that cannot be read."""

    def __init__(self, place: Place, login: Mapping[str, str], connections: int) -> None:
        self._place, self._login = place, login
        self._root = urlsplit(place.url).path.rstrip("/")
        more: dict[str, Any] = {} if place.ca is None else {"ssl_options": {"ca_certs": str(place.ca)}}
        try:
            self._http = HTTPClient.from_url(
                place.url,
                concurrency=connections,
                connection_timeout=place.connect_timeout,
                network_timeout=place.timeout,
                **more,
            )
        except (OSError, ssl.SSLError) as error:
            raise UsageError(f"--ca {place.ca}: {error}") from error
        mark_unsent(self._http)

    def send(self, request: AgentRequest) -> AgentReply:
        """One request of an agent. Raises TransportError."""
        path = codec.agent_path(request.endpoint, f"{self._root}{self._place.agents_path}")
        status, _, body = self._exchange("POST", path, codec.agent_body(request.body), _JSON)
        return AgentReply(status, codec.read_agent_reply(request, body) if status < 300 else None)

    def call(self, operation: Operation) -> CommandReply:
        """One operation of the management API. Raises TransportError; an unreadable answer counts as status 502."""
        asked = codec.api_call(operation)
        base = self._root if asked.path.startswith("/sim/") else f"{self._root}{self._place.api_path}"
        path = f"{base}{asked.path}{'?' * bool(asked.query)}{asked.query}"
        status, total, body = self._exchange(asked.method, path, asked.body or b"", _API)
        try:
            return codec.read_reply(operation, status, body, int(total) if _TOTAL.fullmatch(total) else None)
        except MalformedMessage as error:
            return codec.unreadable(error)

    def _exchange(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, str, bytes]:
        url = f"{self._place.url} {path}"
        try:
            response = self._http.request(method, path, body=body, headers={**headers, **self._login})
            data = bytes(response.read())
            return response.status_code, str(response.get("x-total-count") or ""), data
        except NotSent as unsent:
            failure: ConnectFailed | ReplyTimeout = ConnectFailed(f"no connection to {url}: {_words(unsent.__cause__)}")
        except (OSError, HTTPParseError) as error:
            failure = ReplyTimeout(f"no answer from {url}: {_words(error)}")
        raise failure


def _words(error: BaseException | None) -> str:
    said = error.strerror if isinstance(error, OSError) else ""
    return (said or str(error) or type(error).__name__)[:_WORDS]
