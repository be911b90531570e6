"""The agents' side over HTTP: POST, JSON in and out, an empty body with every status outside 2xx.

A body after a refusal would spoil the vendor's agent's next answer (agent-protocol 8.1.2). What the messages
mean is the core's business.
"""

import logging
from typing import Final

from aiohttp import web
from multidict import CIMultiDict

from agent_sim.protocol.agent import HEARTBEAT, REGISTER, AgentReply, AgentRequest, Heartbeat
from agent_sim.protocol.codec import agent_body, read_agent_request
from agent_sim.server.callers import AGENT_SESSION
from agent_sim.server.http.desk import Desk, read_body
from agent_sim.server.http.refusals import NO_AGENT, Reason, Refused, wrong_method

LARGEST_BODY: Final = 16 * 1024 * 1024
"""Bytes; inventories and logs come in one piece (agent-protocol 8.1.11 asks for several MB, 4.1 for 10)."""

FIXED: Final = {REGISTER.lower(): REGISTER, HEARTBEAT.lower(): HEARTBEAT}
_JSON: Final = {"Content-Type": "application/json"}

_logger = logging.getLogger(__name__)


class AgentsSide:
    """Answers under `/KeyfactorAgents`."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def answer(self, request: web.Request, path: str) -> web.Response:
        """Answer one request to `path`, which is under the side's base. Raises Refused and MalformedMessage."""
        if request.method != "POST":
            raise Refused(wrong_method("POST"))
        caller = await self._desk.agent(request)
        if not caller.may(AGENT_SESSION):
            raise Refused(NO_AGENT)
        body = await read_body(request, LARGEST_BODY)
        message = read_agent_request(FIXED.get(path.lower(), path), body)
        reply = await self._desk.ask(message, caller)
        log(message, reply)
        return _response(reply)

    def refuse(self, reason: Reason) -> web.Response:
        """No, and not a word more."""
        return web.Response(status=reason.problem.status, headers=CIMultiDict(reason.headers))


def _response(reply: AgentReply) -> web.Response:
    if reply.body is None or reply.status >= 300:
        return web.Response(status=reply.status)
    return web.Response(status=reply.status, body=agent_body(reply.body), headers=_JSON)


def log(message: AgentRequest, reply: AgentReply) -> None:
    """One line for each message; heartbeats only for who debugs."""
    level = logging.DEBUG if isinstance(message.body, Heartbeat) else logging.INFO
    if _logger.isEnabledFor(level):
        facts = {"endpoint": message.endpoint, "status": reply.status}
        _logger.log(level, "agent: %s %d", message.endpoint, reply.status, extra=facts)
