"""`agent-sim serve`: the embedded server as a process of its own.

Wires store, core, accounts and the HTTP shell, and owns what a process owns: arguments, environment, signals,
the listening socket. What the server does is found in `agent_sim.server`.
"""

import asyncio
import contextlib
import difflib
import errno
import gc
import ipaddress
import logging
import os
import ssl
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Final, Literal
from uuid import uuid4

import typer
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json

from agent_sim.cli.beside_broker import beside
from agent_sim.cli.mqtt_options import MqttOptions
from agent_sim.cli.tls_options import TlsOptions, listening
from agent_sim.cli.told import told_to_stop, unheard
from agent_sim.errors import AgentSimError, UsageError
from agent_sim.server.auth import Accounts, find_pairs
from agent_sim.server.bearer import Judge
from agent_sim.server.core import Server
from agent_sim.server.http.app import DESK, make_app
from agent_sim.server.http.bearers import Bearers
from agent_sim.server.http.door import listening as listening_at_door
from agent_sim.server.http.oauth import OAuth
from agent_sim.server.issuers import named_issuer
from agent_sim.server.oig import OigServer
from agent_sim.server.oig_tasks import Succeeding, TaskRunner
from agent_sim.server.store import SqliteStore
from agent_sim.server.tokens import TokenMaker
from agent_sim.server.users import read_users
from agent_sim.server.web.browsers import Browsers
from agent_sim.server.web.remote import RemoteControls
from agent_sim.settings import DEFAULT_SETTINGS, ServerSettings

SWITCH_SECONDS: Final = 0.0005
"""How long one of our threads may keep the others from the interpreter."""

COLLECTIONS: Final = (2_000, 10, 100)
"""New objects before a collection looks for cycles among them, and how many such before one that looks at older ones.

Requests leave next to none. To look at so few holds the loop for a millisecond or two, and costs no more in all.
"""

DRAIN_SECONDS: Final = 3.0
"""How long requests in flight may take when the server is told to stop."""


def serve(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 picks a free one.")] = 8600,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    db: Annotated[str, typer.Option(help="Database file, or :memory: to forget all at the end.")] = ":memory:",
    credentials: Annotated[
        Path | None,
        typer.Option(
            help="File (mode 0600) with lines AGENT_SIM_USERNAME=, AGENT_SIM_PASSWORD=, AGENT_SIM_AGENT_USERNAME= and"
            " AGENT_SIM_AGENT_PASSWORD=; a pair that it and the environment lack is generated into it."
        ),
    ] = None,
    users: Annotated[
        Path | None,
        typer.Option(help="Users file (mode 0600) with more users, roles and permissions: see agent-sim users add."),
    ] = None,
    oauth: Annotated[
        bool,
        typer.Option("--oauth", help="Give short-lived bearer tokens to every account, at POST /oauth/token."),
    ] = False,
    settings: Annotated[
        Path | None, typer.Option(help="JSON file of server settings, names to values; spans in nanoseconds.")
    ] = None,
    sim_api: Annotated[bool, typer.Option("--sim-api", help="Also serve /sim/transitions.")] = False,
    no_auto_approve: Annotated[
        bool, typer.Option("--no-auto-approve", help="New agents wait until somebody approves them.")
    ] = False,
    tls: Annotated[
        Literal["off", "self"],
        typer.Option(help="self: speak HTTPS with a certificate for localhost made by the server's own authority."),
    ] = "off",
    tls_cert: Annotated[
        Path | None, typer.Option(help="Speak HTTPS with this certificate (PEM, with its chain).")
    ] = None,
    tls_key: Annotated[Path | None, typer.Option(help="The key of --tls-cert (PEM, no passphrase).")] = None,
    client_ca: Annotated[
        str | None,
        typer.Option(help="Ask for client certificates of these authorities: a PEM file, or own for the server's own."),
    ] = None,
    client_auth: Annotated[
        Literal["optional", "required"], typer.Option(help="Whether callers must have a client certificate.")
    ] = "optional",
    ca_file: Annotated[
        Path | None,
        typer.Option(
            help="Where to write the certificate of the server's own authority; default: beside the database."
        ),
    ] = None,
    tasks: Annotated[
        Path | None, typer.Option(help="Scenario whose oig block says how the tasks of Oracle's scheduler go.")
    ] = None,
    mqtt: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Serve agents at this broker as well: mqtt://HOST:PORT/TOPIC-PREFIX or mqtts://... Who we are there"
            " comes from AGENT_SIM_MQTT_USERNAME and AGENT_SIM_MQTT_PASSWORD, or from --credentials.",
        ),
    ] = None,
    mqtt_ca: Annotated[
        Path | None, typer.Option(help="PEM file of authorities that TLS to the broker trusts as well.")
    ] = None,
    mqtt_cert: Annotated[Path | None, typer.Option(help="Our client certificate for the broker (PEM).")] = None,
    mqtt_key: Annotated[Path | None, typer.Option(help="The key of --mqtt-cert (PEM, no passphrase).")] = None,
    mqtt_version: Annotated[Literal["5", "3.1.1"], typer.Option(help="The version of MQTT to speak.")] = "5",
    mqtt_connections: Annotated[
        int, typer.Option(min=1, max=64, help="Connections that share the requests (version 5).")
    ] = 1,
    sign_in_link: Annotated[
        bool, typer.Option("--sign-in-link", help="Print a link that signs one browser in as the operator, once.")
    ] = False,
    controls: Annotated[
        bool, typer.Option("--controls", hidden=True, help="What the page can start comes from standard input.")
    ] = False,
    exit_with_parent: Annotated[
        bool, typer.Option("--exit-with-parent", help="Stop when standard input ends.")
    ] = False,
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"],
        typer.Option(help="What to log to standard error; info: changes of state, debug: every message."),
    ] = "warning",
) -> None:
    """Serve the agents' wire and the management API until told to stop.

    Accounts come from the environment (AGENT_SIM_USERNAME and AGENT_SIM_PASSWORD for the operator,
    AGENT_SIM_AGENT_USERNAME and AGENT_SIM_AGENT_PASSWORD for agents) or from --credentials FILE.
    """
    logging.basicConfig(level=log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        chosen = _settings(settings, sim_api=sim_api, no_auto_approve=no_auto_approve)
        accounts = _accounts(credentials, users)
        tokens = _tokens(chosen, accounts, oauth=oauth)
        runner = _runner(tasks)
        secured = TlsOptions(tls_cert, tls_key, tls == "self", client_ca, client_auth == "required", ca_file)
        secured.check()
        broker = MqttOptions(mqtt, mqtt_ca, mqtt_cert, mqtt_key, mqtt_version, mqtt_connections)
        with (
            contextlib.closing(SqliteStore.open(db, chosen.durability)) as store,
            listening(secured, store, chosen, RandomMint(), host, db, time.time_ns()) as context,
        ):
            at = _Address(host, port, context)
            browsers = Browsers(time.time_ns)
            remote = RemoteControls(typer.echo) if controls else None
            server = Server(store, chosen, RandomMint())
            bearers, token_endpoint = tokens
            aside = beside(broker, credentials, server, chosen)
            make = partial(
                make_app,
                server,
                store,
                accounts,
                chosen,
                bearers=bearers,
                oauth=token_endpoint,
                browsers=browsers,
                controls=remote,
                oig=OigServer(store, chosen, runner),
                beside=aside,
            )
            _run(
                _serve(
                    at,
                    make,
                    chosen,
                    token_endpoint,
                    partial(browsers.link, accounts.operator) if sign_in_link else None,
                    remote.feed if remote is not None else unheard,
                    exit_with_parent=exit_with_parent or controls,
                )
            )
    except AgentSimError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(2) from None


# --- what it is told --------------------------------------------------------------------------


def _settings(path: Path | None, *, sim_api: bool, no_auto_approve: bool) -> ServerSettings:
    chosen = read_settings(path) if path else DEFAULT_SETTINGS
    approve = chosen.auto_approve and not no_auto_approve
    return replace(chosen, sim_api=chosen.sim_api or sim_api, auto_approve=approve)


def read_settings(path: Path) -> ServerSettings:
    """Settings from a JSON object of field names to values; what it lacks keeps its default. Raises UsageError."""
    try:
        data = path.read_bytes()
        _refuse_unknown(path, from_json(data))
        return TypeAdapter(ServerSettings).validate_json(data, strict=True)
    except OSError as error:
        raise UsageError(f"cannot read the settings {path}: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise UsageError(f"the settings {path} have an unusable {place}: {first['msg']}") from error
    except ValueError as error:
        raise UsageError(f"the settings {path} are not valid JSON: {error}") from error


def _refuse_unknown(path: Path, given: object) -> None:
    if not isinstance(given, dict):
        raise UsageError(f"the settings {path} must be one JSON object of names to values")
    known = [item.name for item in fields(ServerSettings)]
    for name in given:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(known)}"
            raise UsageError(f"the settings {path} have an unknown name {name!r}: {hint}")


def _accounts(file: Path | None, users: Path | None) -> Accounts:
    pairs = find_pairs(os.environ, file, terminal=sys.stderr.isatty())
    if pairs.generated:
        typer.echo("Generated for this run, and shown only now:", err=True)
        for line in pairs.generated:
            typer.echo(f"  {line}", err=True)
    return Accounts(pairs.operator, pairs.agent, read_users(users) if users else None)


def _tokens(settings: ServerSettings, accounts: Accounts, *, oauth: bool) -> tuple[Bearers, OAuth | None]:
    """Whose bearer tokens are believed, and the server's own token endpoint if it is wanted. Raises UsageError."""
    named = named_issuer(settings, accounts.users.roles)
    judge = Judge(named) if named else Judge()
    if named and any(address.startswith("http:") for address in (named.issuer, settings.oauth_jwks)):
        typer.echo(f"warning: keys of {named.issuer} come over HTTP: who can forge them signs in as anybody", err=True)
    bearers = Bearers(judge, time.time_ns, settings.oauth_jwks)
    if not oauth:
        return bearers, None
    maker = TokenMaker(ec.generate_private_key(ec.SECP256R1()), settings.oauth_token_lifetime, RandomMint())
    return bearers, OAuth(maker, judge, accounts.users.roles)


def _runner(scenario: Path | None) -> TaskRunner:
    """Tasks go as a scenario says; without one they succeed. Raises UsageError."""
    if scenario is None:
        return Succeeding()
    # Reading scenarios takes longer to import than the server does, and few servers read one.
    from agent_sim.cli.oig_tasks import ScenarioTasks
    from agent_sim.scenario.load import load
    from agent_sim.scenario.plan import plan

    planned = plan(load(scenario), 0).oig
    if planned is None:
        raise UsageError(f"--tasks {scenario}: the scenario has no oig block")
    return ScenarioTasks(planned.tasks)


def _warn_of_exposure(at: "_Address") -> None:
    host = at.host
    if at.context is None and not _is_loopback(host):
        typer.echo(f"warning: {host} can be reached from outside, and passwords travel in clear over HTTP", err=True)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


# --- the process ------------------------------------------------------------------------------


class RandomMint:
    """Ids that nobody can guess."""

    def guid(self) -> str:
        return str(uuid4())


@dataclass(frozen=True, slots=True)
class _Address:
    """Where to listen, and with what if it is to be HTTPS."""

    host: str
    port: int
    context: ssl.SSLContext | None


def _run(main: Coroutine[None, None, None]) -> None:
    """Run it on uvloop, which serves agents for less than asyncio's own loop does; where there is none, on that."""
    try:
        import uvloop
    except ImportError:  # Windows
        asyncio.run(main)
        return
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main)


async def _serve(
    at: _Address,
    make: Callable[[], web.Application],
    settings: ServerSettings,
    oauth: OAuth | None,
    sign_in_link: Callable[[], str] | None,
    take: Callable[[bytes], None],
    *,
    exit_with_parent: bool,
) -> None:
    # While a large storm is handled in a thread of its own, the loop must not wait long for its turn.
    sys.setswitchinterval(SWITCH_SECONDS)
    async with _running(make(), at) as url:
        with told_to_stop(exit_with_parent=exit_with_parent, take=take) as stop:
            gc.collect()
            gc.freeze()  # what is there now stays: let no collection look at it again
            gc.set_threshold(*COLLECTIONS)
            if oauth is not None:
                oauth.opened_at(settings.oauth_address or url)
            _warn_of_exposure(at)
            typer.echo(f"agent-sim server ready at {url}")
            if sign_in_link is not None:
                typer.echo(f"sign in once, within half an hour: {url}/ui/sign-in?link={sign_in_link()}")
            await stop.wait()


@contextlib.asynccontextmanager
async def _running(app: web.Application, at: _Address) -> AsyncIterator[str]:
    """Serve inside the block; gives the address. At the end, requests in flight are answered first."""
    runner = web.AppRunner(app, shutdown_timeout=DRAIN_SECONDS)
    await runner.setup()
    try:
        async with contextlib.AsyncExitStack() as door:
            where = {"host": at.host, "port": at.port, "ssl": at.context}
            try:
                server = await door.enter_async_context(listening_at_door(runner, app[DESK], DRAIN_SECONDS, **where))
            except OSError as error:
                raise UsageError(_why_not(error, at.host, at.port)) from error
            bound = server.sockets[0].getsockname()[1]
            scheme = "http" if at.context is None else "https"
            yield f"{scheme}://{f'[{at.host}]' if ':' in at.host else at.host}:{bound}"
    finally:
        await runner.cleanup()


def _why_not(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} on {host} is taken: name another with --port (0 picks a free one)"
    if error.errno == errno.EACCES:
        return f"port {port} on {host} is not allowed for this user: name one above 1023 with --port"
    return f"cannot listen on {host} port {port}: {error.strerror or error}"


if __name__ == "__main__":
    app = typer.Typer(pretty_exceptions_enable=False)  # its tracebacks show local variables
    app.command()(serve)
    app()
