"""The bytes of answers to agents: a status, a date and JSON, or no body at all.

Most answers of a fleet are the same few objects again and again: of these everything but the date is made once.
"""

import time
from email.utils import formatdate
from functools import cache
from http import HTTPStatus
from typing import Final

from agent_sim.protocol.agent import AgentReply, CompletionReply, HeartbeatReply
from agent_sim.protocol.codec import agent_body

_MOST_KNOWN: Final = 64
_REPEATED: Final = (HeartbeatReply, CompletionReply)


def answered(reply: AgentReply) -> bytes:
    """All of it."""
    known = _known.get(id(reply))
    before, body = _in_parts(reply) if known is None else known[1]
    return b"%bDate: %b\r\n\r\n%b" % (before, _date(int(time.time())), body)


_known: dict[int, tuple[AgentReply, tuple[bytes, bytes]]] = {}
"""Replies that are given again and again, the same objects, with their parts. They are kept, so that their ids are."""


def _in_parts(reply: AgentReply) -> tuple[bytes, bytes]:
    """What comes before the date, and the body."""
    body = b"" if reply.body is None or reply.status >= 300 else agent_body(reply.body)
    parts = b"%bContent-Length: %d\r\n" % (_first(reply.status, has_body=bool(body)), len(body)), body
    if isinstance(reply.body, _REPEATED):
        while len(_known) >= _MOST_KNOWN:
            del _known[next(iter(_known))]
        _known[id(reply)] = reply, parts
    return parts


@cache
def _first(status: int, *, has_body: bool) -> bytes:
    kind = b"Content-Type: application/json\r\n" if has_body else b""
    return b"HTTP/1.1 %d %b\r\n%b" % (status, HTTPStatus(status).phrase.encode(), kind)


_dates: dict[int, bytes] = {}


def _date(now: int) -> bytes:
    if now not in _dates:
        _dates.clear()
        _dates[now] = formatdate(now, usegmt=True).encode()
    return _dates[now]
