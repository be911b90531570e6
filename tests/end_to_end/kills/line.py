"""One connection that keeps every byte it is sent: what comes after an answer's end is a finding, not noise.

The libraries throw away what follows a 204 or the body's announced length; here it would be seen.
"""

import base64
import json
import socket
from dataclasses import dataclass
from typing import Any

TIMEOUT = 60.0


class Killed(Exception):
    """The server went away: nothing is known about the request that was on its way."""


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Line:
    """HTTP/1.1 with one account over one socket."""

    def __init__(self, url: str, account: tuple[str, str]) -> None:
        host, port = url.removeprefix("http://").split(":")
        credentials = base64.b64encode(":".join(account).encode()).decode()
        self._head = (
            f"Host: {host}\r\nAuthorization: Basic {credentials}\r\nContent-Type: application/json\r\n"
            "x-keyfactor-requested-with: APIClient\r\n"
        )
        self._held = b""
        try:
            self._socket = socket.create_connection((host, int(port)), timeout=TIMEOUT)
        except ConnectionError as error:
            raise Killed from error

    def ask(self, method: str, path: str, value: object = None) -> Answer:
        """One request and its answer. Raises Killed if no whole answer comes."""
        assert self._held == b"", f"the server sent what nobody asked for: {self._held!r}"
        body = b"" if method == "GET" else json.dumps(value).encode()
        head = f"{method} {path} HTTP/1.1\r\n{self._head}Content-Length: {len(body)}\r\n\r\n"
        try:
            self._socket.sendall(head.encode() + body)
            return self._answer()
        except ConnectionError as error:
            raise Killed from error

    def _answer(self) -> Answer:
        while b"\r\n\r\n" not in self._held:
            self._more()
        head, self._held = self._held.split(b"\r\n\r\n", 1)
        first, *lines = head.decode().split("\r\n")
        version, status, *_ = first.split(" ")
        assert version == "HTTP/1.1", first
        headers = {name.lower(): value.strip() for name, value in (line.split(":", 1) for line in lines)}
        if status == "204":
            assert not {"content-length", "transfer-encoding"} & headers.keys(), headers
            assert self._held == b"", f"204 with a body: {self._held!r}"
            return Answer(204, b"")
        length = int(headers["content-length"])
        while len(self._held) < length:
            self._more()
        body, self._held = self._held[:length], self._held[length:]
        return Answer(int(status), body)

    def _more(self) -> None:
        data = self._socket.recv(1 << 16)
        if not data:
            raise ConnectionResetError
        self._held += data

    def close(self) -> None:
        self._socket.close()
