"""A server that answers agents and does nothing else: what fleets are measured against, so that only they are measured.

    python -m tests.bench.null_agents [--interval SECONDS] [--cert PEM]

Register gets a session of its own, everything else the same heartbeat. Prints its port.
"""

import argparse
import asyncio
import ssl
from pathlib import Path

import uvloop


class Answering(asyncio.Protocol):
    """One connection."""

    beat = b""
    interval = 1.0
    sessions = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport, self.buffer = transport, b""

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = self.buffer[:end].lower()
            at = head.find(b"content-length:")
            length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if len(self.buffer) < end + 4 + length:
                return
            self.buffer = self.buffer[end + 4 + length :]
            self.transport.write(self.session() if b"register" in head.split(b"\r\n", 1)[0] else self.beat)

    def session(self) -> bytes:
        Answering.sessions += 1
        token = f"{Answering.sessions:08x}-0000-4000-8000-000000000000"
        said = f'{{"Session":{{"Token":"{token}","AgentId":"{token[:-1]}1","HeartbeatInterval":{self.interval / 60},'
        return whole((said + '"Jobs":[]},"Result":{"Status":1}}').encode())


def whole(body: bytes) -> bytes:
    """An answer with the usual headers."""
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def main(interval: float, cert: str | None) -> None:
    said = f'{{"HeartbeatInterval":{interval / 60},"SessionValid":true,"Result":{{"Status":1,"Error":{{"Code":0}}}}}}'
    Answering.interval, Answering.beat = interval, whole(said.encode())
    tls = None
    if cert is not None:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(cert, Path(cert).with_suffix(".key"))
    server = await asyncio.get_running_loop().create_server(Answering, "127.0.0.1", 0, ssl=tls, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--interval", type=float, default=1.0)
    parser.add_argument("--cert")
    options = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(options.interval, options.cert))
