"""No wire at all: requests go straight to a function, as values, and replies come straight back.

For one process and virtual time; it knows no server, only the function that it is given. What comes back equals what
would come back through JSON and HTTP: an answer outside 2xx has no body for an agent, times are whole milliseconds.
"""

from collections.abc import Callable, Mapping
from dataclasses import is_dataclass, replace
from typing import Final, cast

from agent_sim.instants import MILLISECOND, Instant
from agent_sim.protocol import codec, command, mqtt_commands, schedule
from agent_sim.protocol.agent import REPLY_OF, AgentReply, AgentRequest
from agent_sim.protocol.command import ApiError, CommandReply, Operation
from agent_sim.protocol.endpoints import BY_OPERATION

_Body = command.Record | tuple[command.Record, ...]


class DirectAgents:
    """The agents' wire as function calls (AgentTransport)."""

    def __init__(self, handle: Callable[[AgentRequest, Instant], AgentReply], clock: Callable[[], Instant]) -> None:
        self._handle, self._clock = handle, clock

    async def send(self, request: AgentRequest) -> AgentReply:
        """Have one request answered, now. Raises what the function raises: TransportError for an answer lost."""
        return as_agent_reads(request, self._handle(request, self._clock()))


class DirectCommand:
    """The management API as function calls (CommandTransport)."""

    def __init__(self, handle: Callable[[Operation, Instant], CommandReply], clock: Callable[[], Instant]) -> None:
        self._handle, self._clock = handle, clock

    async def call(self, operation: Operation) -> CommandReply:
        """Have one operation answered, now. Raises what the function raises: TransportError for an answer lost."""
        return as_caller_reads(operation, self._handle(operation, self._clock()))


def as_agent_reads(request: AgentRequest, reply: AgentReply) -> AgentReply:
    """The reply as an agent at the far end of a wire would have it."""
    if reply.body is None:
        return reply
    if reply.status >= 300:
        return AgentReply(reply.status, None)
    if type(reply.body) is not REPLY_OF[type(request.body)]:  # a server gone wrong: whatever its JSON reads as
        return AgentReply(reply.status, codec.read_agent_reply(request, codec.agent_body(reply.body)))
    return reply


def as_caller_reads(operation: Operation, reply: CommandReply) -> CommandReply:
    """The reply as a caller at the far end of a wire would have it."""
    row = BY_OPERATION[type(operation)]
    if reply.status >= 300:
        return CommandReply(reply.status, reply.body if isinstance(reply.body, ApiError) else None)
    if row.reply is None or reply.body is None:
        return CommandReply(reply.status)
    return CommandReply(reply.status, cast(_Body, _cut(reply.body)), reply.total if row.many else None)


_TIMED: Final[Mapping[type, tuple[str, ...]]] = {
    command.JobHistoryRecord: ("operation_start", "operation_end", "schedule"),
    command.ScheduledJobRecord: ("requested", "schedule"),
    command.ScheduledJob: ("request_timestamp", "schedule"),
    command.AgentRecord: ("last_seen",),
    command.StoreRecord: ("inventory_schedule",),
    command.Transitions: ("transitions",),
    command.Transition: ("at",),
    mqtt_commands.MqttState: ("agents",),
    mqtt_commands.MqttAgent: ("since",),
    schedule.Daily: ("time",),
    schedule.Weekly: ("time",),
    schedule.Monthly: ("time",),
    schedule.ExactlyOnce: ("time",),
}
"""Where values hold instants, or values that do."""


def _cut(value: object) -> object:
    """The same with its instants in whole milliseconds, which is what times on the wire hold (`to_iso`)."""
    if isinstance(value, int):
        return value // MILLISECOND * MILLISECOND
    if isinstance(value, tuple):
        return tuple(map(_cut, value))
    names = _TIMED.get(type(value))
    if names is None or not is_dataclass(value) or isinstance(value, type):
        return value
    return replace(value, **{name: _cut(getattr(value, name)) for name in names})
