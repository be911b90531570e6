"""A Command server that says yes to every storm and does nothing: what load generators are measured against.

    python -m agent_sim.cli.null_command [--runs 60000] [--stall SECONDS --every SECONDS]

Its history has as many failed runs as asked for. With a stall it answers nothing for so long, every so often, counted
from its first POST. Prints its port; GET /count says how many POSTs it has answered.
"""

import argparse
import asyncio
import json
from typing import cast
from urllib.parse import parse_qs

from agent_sim.cli.loops import run_fast

NO_CONTENT = b"HTTP/1.1 204 No Content\r\n\r\n"
NOT_FOUND = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"


class Answering(asyncio.Protocol):
    """One connection."""

    runs = 0
    stall = every = 0.0
    posts = 0
    first_post: float | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport, self.buffer = cast(asyncio.Transport, transport), b""

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = self.buffer[:end]
            at = head.lower().find(b"content-length:")
            length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if len(self.buffer) < end + 4 + length:
                return
            self.buffer = self.buffer[end + 4 + length :]
            if head.startswith(b"POST"):
                self.post()
            else:
                self.transport.write(self.get(head.split(b" ", 2)[1].decode()))

    def post(self) -> None:
        loop = asyncio.get_running_loop()
        if Answering.first_post is None:
            Answering.first_post = loop.time()
        Answering.posts += 1
        wait = self.frozen_for(loop.time() - Answering.first_post)
        if wait:
            loop.call_later(wait, self.transport.write, NO_CONTENT)
        else:
            self.transport.write(NO_CONTENT)

    def frozen_for(self, elapsed: float) -> float:
        """How long an answer has to wait; the stall is in the middle of each period."""
        if not self.every:
            return 0.0
        into = elapsed % self.every - (self.every - self.stall) / 2
        return self.stall - into if 0 <= into < self.stall else 0.0

    def get(self, path: str) -> bytes:
        if path == "/count":
            return whole(str(Answering.posts))
        if path.endswith("/Status/Endpoints"):
            return whole('["GET /Agents"]')
        if "/JobHistory" not in path:
            return NOT_FOUND
        asked = parse_qs(path.partition("?")[2])
        number, limit = (int(asked[name][0]) for name in ("pq.pageReturned", "pq.returnLimit"))
        first = (number - 1) * limit
        return whole(json.dumps([run(i) for i in range(first, min(first + limit, self.runs))]))


def run(number: int) -> dict[str, object]:
    """A failed run of a job of its own."""
    return {
        "JobHistoryId": number + 1,
        "AgentMachine": "agentsim-bench",
        "JobId": f"00000000-0000-4000-8000-{number:012d}",
        "JobType": "PEMManagement",
        "Result": 4,
        "Status": 3,
    }


def whole(body: str) -> bytes:
    """An answer with the usual headers."""
    return (
        f"HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


async def main(runs: int, stall: float, every: float) -> None:
    Answering.runs, Answering.stall, Answering.every = runs, stall, every
    server = await asyncio.get_running_loop().create_server(Answering, "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=60_000)
    parser.add_argument("--stall", type=float, default=0.0)
    parser.add_argument("--every", type=float, default=0.0)
    options = parser.parse_args()
    run_fast(main(options.runs, options.stall, options.every))
