"""One call over HTTP, and what tests of it share."""

from agent_sim.credentials import Credentials
from agent_sim.protocol import command
from agent_sim.protocol.agent import HEARTBEAT, NO_TENANT, OK, AgentReply, AgentRequest, Heartbeat, HeartbeatReply
from agent_sim.protocol.codec import agent_body
from agent_sim.protocol.command import CommandReply
from agent_sim.transports.base import Connections, Target
from agent_sim.transports.http import HttpCommand
from tests.transports.clients import agents_of, session_of
from tests.transports.peers import response

USUAL = Connections()
LOGIN = Credentials("DOMAIN\\agent", "grüße: 日本")
BEAT = AgentRequest(HEARTBEAT, Heartbeat(5, NO_TENANT, "agentsim-lab-00000", "token-1"))
ENDPOINTS = command.GetEndpoints()
BEATEN = HeartbeatReply(1, True, OK)
JSON = agent_body(BEATEN)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
ANSWER = response(JSON)
MODES = ["shared", "per_agent", "per_request"]


async def send(target: Target, how: Connections = USUAL, request: AgentRequest = BEAT, login=LOGIN) -> AgentReply:
    async with session_of(target, login, how) as session:
        return await agents_of(session, target).send(request)


async def call(target: Target, operation: command.Operation = ENDPOINTS, how: Connections = USUAL) -> CommandReply:
    async with session_of(target, LOGIN, how) as session:
        return await HttpCommand(session, target).call(operation)
