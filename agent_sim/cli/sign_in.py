"""How everybody of one run signs in: operator and storms with one login, each fleet's agents as the fleet says.

Tokens are fetched before the run begins and renewed beside it. Made for a run and gone with it.
"""

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from agent_sim.credentials import Credentials
from agent_sim.errors import UsageError
from agent_sim.logins import AccessToken, Login, OAuthClient, find_agent, need_agent
from agent_sim.scenario.members import Member
from agent_sim.scenario.models import Scenario
from agent_sim.transports.base import AgentTransport, Connections, Target
from agent_sim.transports.bearer import Bearer
from agent_sim.transports.fast_agents import FastPool
from agent_sim.transports.fast_command import FastCommand
from agent_sim.transports.fast_http import FastSession
from agent_sim.transports.http import HttpCommand, Session, SignIn


@dataclass(frozen=True, slots=True)
class Parties:
    """Who signs in at a target with what; agents may need nothing."""

    operator: Login
    agent: Login | None


Ways = Callable[[int], AgentTransport]
"""The transport of an agent by its number."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """A client certificate from files, for agents that sign in by one; `key` if it is not in the same file."""

    certificate: Path
    key: Path | None = None


def agents_login(kinds: Collection[str], environment: Mapping[str, str], file: Path | None) -> Login | None:
    """What agents sign in with by these kinds; None if none needs it. Raises UsageError if one does, without any."""
    if "basic" in kinds or "bearer" in kinds:
        return need_agent(environment, file)
    # Until they have a certificate; a server may let them enrol without.
    return find_agent(environment, file)


def has_certificates(scenario: Scenario) -> bool:
    """True if some agents sign in by a certificate of their own."""
    return any(fleet.auth.kind == "client_cert" for fleet in scenario.fleets)


@asynccontextmanager
async def signed(login: Login | None, ca: Path | None) -> AsyncIterator[SignIn]:
    """The login as transports take it. Raises TargetError if no token is to be had."""
    if isinstance(login, OAuthClient | AccessToken):
        async with Bearer(login, str(ca or "")) as bearer:
            yield bearer
    else:
        yield login


def session_for(
    target: Target, sign_in: SignIn, connections: Connections, *, is_ours: bool
) -> AbstractAsyncContextManager[Session]:
    """The operator's connections: to our own server, which has one address for everything, by the fast transport."""
    if is_ours and not isinstance(sign_in, Bearer):
        return FastSession(target, sign_in, connections)
    from agent_sim.transports.aiohttp_pool import HttpSession

    return HttpSession(target, sign_in, connections)


def api_over(session: Session, target: Target) -> HttpCommand:
    """The management API over these connections."""
    return FastCommand(session, target) if isinstance(session, FastSession) else HttpCommand(session, target)


@asynccontextmanager
async def ways(
    members: Sequence[Member],
    target: Target,
    login: Login | None,
    connections: Connections,
    certificate: Certificate | None = None,
) -> AsyncIterator[Ways]:
    """Each agent's way to the server. Raises TargetError, UsageError."""
    kinds = dict.fromkeys(member.auth for member in members)
    if "client_cert" in kinds and not target.agents_url.startswith("https:"):
        raise UsageError(f"{target.agents_url}: agents that sign in by certificate need https")
    async with AsyncExitStack() as stack:
        found: dict[str, Ways] = {}
        for kind in kinds:
            sign_in = await stack.enter_async_context(signed(_login(kind, login, target), target.ca))
            if kind == "client_cert":
                found[kind] = _certified(members, target, sign_in, connections, certificate, stack)
            elif connections.client == "fast" and not isinstance(sign_in, Bearer):
                found[kind] = (await stack.enter_async_context(FastPool(target, sign_in, connections))).agent
            else:
                from agent_sim.transports.aiohttp_pool import HttpPool

                found[kind] = (await stack.enter_async_context(HttpPool(target, sign_in, connections))).agent
        yield lambda number: found[members[number].auth](number)


def _certified(
    members: Sequence[Member],
    target: Target,
    account: SignIn,
    connections: Connections,
    certificate: Certificate | None,
    stack: AsyncExitStack,
) -> Ways:
    from agent_sim.transports.certified import CertifiedAgent, from_files

    given = None if certificate is None else from_files(target, certificate.certificate, certificate.key)
    made: dict[int, CertifiedAgent] = {}

    def agent(number: int) -> CertifiedAgent:
        if number not in made:
            name = members[number].identity.machine
            made[number] = CertifiedAgent(target, account, connections, name, given)
            stack.push_async_callback(made[number].close)
        return made[number]

    return agent


def _login(kind: str, login: Login | None, target: Target) -> Login | None:
    match kind, login:
        case "none", _:
            return None
        case "bearer", Credentials(username, password):
            # The embedded server gives tokens to its own accounts; so may others, at the same place.
            return OAuthClient(f"{target.sim_url}/oauth/token", username, password)
    return login
