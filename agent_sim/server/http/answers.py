"""The bytes of answers to agents: a status, a date and JSON, or no body at all.

Most answers of a fleet are the same few objects again and again: these are made once a second, for the date.
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
    second = int(time.time())
    known = _known.get(id(reply))
    if known is not None and known[1] == second:
        return known[2]
    body = b"" if reply.body is None or reply.status >= 300 else agent_body(reply.body)
    first = (_first if body else _bare)(reply.status)
    whole = b"%bContent-Length: %d\r\nDate: %b\r\n\r\n%b" % (first, len(body), _date(second), body)
    if isinstance(reply.body, _REPEATED):
        while len(_known) >= _MOST_KNOWN and id(reply) not in _known:
            del _known[next(iter(_known))]
        _known[id(reply)] = reply, second, whole
    return whole


_known: dict[int, tuple[AgentReply, int, bytes]] = {}
"""Replies that are given again and again, the same objects, as they were answered in the second that is named.

They are kept, so that their ids are.
"""


@cache
def _bare(status: int) -> bytes:
    return b"HTTP/1.1 %d %b\r\n" % (status, HTTPStatus(status).phrase.encode())


@cache
def _first(status: int) -> bytes:
    return _bare(status) + b"Content-Type: application/json\r\n"


_dates: dict[int, bytes] = {}


def _date(now: int) -> bytes:
    if now not in _dates:
        _dates.clear()
        _dates[now] = formatdate(now, usegmt=True).encode()
    return _dates[now]
