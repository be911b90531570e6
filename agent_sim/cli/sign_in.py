"""How everybody of one run signs in: operator and storms with one login, each fleet's agents as the fleet says.

Tokens are fetched before the run begins and renewed beside it. Made for a run and gone with it.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from agent_sim.credentials import Credentials
from agent_sim.logins import AccessToken, Login, OAuthClient, need_agent
from agent_sim.scenario.plan import Member
from agent_sim.transports.base import AgentTransport, Connections, Target
from agent_sim.transports.bearer import Bearer
from agent_sim.transports.http import HttpPool, SignIn


@dataclass(frozen=True, slots=True)
class Parties:
    """Who signs in at a target with what; agents may need nothing."""

    operator: Login
    agent: Login | None


Ways = Callable[[int], AgentTransport]
"""The transport of an agent by its number."""


def agents_login(members: tuple[Member, ...], environment: Mapping[str, str], file: Path | None) -> Login | None:
    """What agents sign in with; None if no fleet needs it. Raises UsageError if one does and there is none."""
    return need_agent(environment, file) if any(member.auth in ("basic", "bearer") for member in members) else None


@asynccontextmanager
async def signed(login: Login | None, ca: Path | None) -> AsyncIterator[SignIn]:
    """The login as transports take it. Raises TargetError if no token is to be had."""
    if isinstance(login, OAuthClient | AccessToken):
        async with Bearer(login, str(ca or "")) as bearer:
            yield bearer
    else:
        yield login


@asynccontextmanager
async def ways(
    members: tuple[Member, ...], target: Target, login: Login | None, connections: Connections
) -> AsyncIterator[Ways]:
    """Each agent's way to the server. Raises TargetError, UsageError."""
    async with AsyncExitStack() as stack:
        pools: dict[str, HttpPool] = {}
        for kind in dict.fromkeys(member.auth for member in members):
            sign_in = await stack.enter_async_context(signed(_login(kind, login, target), target.ca))
            pools[kind] = await stack.enter_async_context(HttpPool(target, sign_in, connections))
        yield lambda number: pools[members[number].auth].agent(number)


def _login(kind: str, login: Login | None, target: Target) -> Login | None:
    match kind, login:
        case "none", _:
            return None
        case "bearer", Credentials(username, password):
            # The embedded server gives tokens to its own accounts; so may others, at the same place.
            return OAuthClient(f"{target.sim_url}/oauth/token", username, password)
    return login
