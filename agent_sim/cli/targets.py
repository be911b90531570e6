"""A target as a verb that is no run reaches it: its address and login from options, one API to ask."""

from collections.abc import AsyncIterator, Generator
from contextlib import AsyncExitStack, asynccontextmanager
from os import environ
from pathlib import Path
from typing import Final, TypeVar

from agent_sim.cli.preflight import check_scheduler, check_target
from agent_sim.cli.sign_in import session_for, signed
from agent_sim.errors import TargetError, TransportError
from agent_sim.logins import need_operator
from agent_sim.protocol import command, oig
from agent_sim.transports.base import CommandTransport, Connections, OigTransport, Target
from agent_sim.transports.http import HttpCommand, HttpOig

_CONNECTIONS: Final = Connections(limit=4)

T = TypeVar("T")


@asynccontextmanager
async def reached(target: Target, credentials: Path | None) -> AsyncIterator[HttpCommand]:
    """The target's management API, once it is known to be one that lets us in. Raises UsageError, TargetError."""
    login = need_operator(environ, credentials)
    async with AsyncExitStack() as stack:
        sign_in = await stack.enter_async_context(signed(login, target.ca))
        api = HttpCommand(
            await stack.enter_async_context(session_for(target, sign_in, _CONNECTIONS, is_ours=False)), target
        )
        await check_target(api, target)
        yield api


@asynccontextmanager
async def scheduler_reached(target: Target, credentials: Path | None) -> AsyncIterator[HttpOig]:
    """The same of Oracle's scheduler."""
    login = need_operator(environ, credentials)
    async with AsyncExitStack() as stack:
        sign_in = await stack.enter_async_context(signed(login, target.ca))
        api = HttpOig(
            await stack.enter_async_context(session_for(target, sign_in, _CONNECTIONS, is_ours=False)), target
        )
        await check_scheduler(api, target)
        yield api


async def drive_oig(asking: Generator[oig.Operation, oig.Reply, T], api: OigTransport) -> T:
    """`drive` for the scheduler's operations. Raises TargetError."""
    operation = next(asking)
    while True:
        try:
            reply = await api.call(operation)
        except TransportError as error:
            raise TargetError(f"the target cannot be reached: {error}") from error
        try:
            operation = asking.send(reply)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]  # what a generator returns has no type here


async def drive(asking: Generator[command.Operation, command.CommandReply, T], api: CommandTransport) -> T:
    """Ask what a generator of operations asks, and return what it returns. Raises TargetError."""
    operation = next(asking)
    while True:
        try:
            reply = await api.call(operation)
        except TransportError as error:
            raise TargetError(f"the target cannot be reached: {error}") from error
        try:
            operation = asking.send(reply)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]  # what a generator returns has no type here
