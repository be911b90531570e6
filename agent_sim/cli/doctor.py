"""`agent-sim doctor`: what a target is, what we may do there, and what a run would leave behind; it only reads."""

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from agent_sim.cli.library import scenario_file
from agent_sim.cli.showing import AsJson, say
from agent_sim.cli.targets import drive, reached
from agent_sim.errors import TargetError
from agent_sim.operator.survey import Survey, custom_types, survey
from agent_sim.protocol.enums import AgentStatus
from agent_sim.results.plain import Json
from agent_sim.scenario.forecast import Forecast, forecast
from agent_sim.scenario.load import load, overrides
from agent_sim.scenario.models import Scenario
from agent_sim.scenario.plan import plan
from agent_sim.transports.base import Target

FOREVER = "orchestrators and job history: the API removes neither; rescheduled and acknowledged runs stay so"


def doctor(
    scenario: Annotated[
        str, typer.Argument(help="Scenario file, or the name of one that comes with agent-sim, that is to be run.")
    ] = "hello",
    target: Annotated[str, typer.Option(help="Address of the server.")] = ...,  # type: ignore[assignment]  # required
    api_url: Annotated[str | None, typer.Option(help="Base of the management API, if not TARGET/KeyfactorAPI.")] = None,
    agents_url: Annotated[
        str | None, typer.Option(help="Base of the agents' wire, if not TARGET/KeyfactorAgents.")
    ] = None,
    ca: Annotated[Path | None, typer.Option(help="PEM file of certificates that TLS trusts as well.")] = None,
    credentials: Annotated[
        Path | None, typer.Option(help="File (mode 0600) with AGENT_SIM_USERNAME=... and so on; else the environment.")
    ] = None,
    param: Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE", help="A parameter of the scenario.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="PATH=VALUE", help="Any key of the scenario.")
    ] = None,
    profile: Annotated[str | None, typer.Option(help="A profile of the scenario.")] = None,
    json_: AsJson = False,
) -> None:
    """Look at a target before running a scenario there: only reads. 0: a run can be tried, 4: it cannot."""
    chosen = load(scenario_file(scenario), overrides(profile, param or (), set_ or ()))
    place = Target.at(target, agents_url, api_url, ca)
    found, version = asyncio.run(_look(chosen, place, credentials))
    told = list(_told(chosen, place, found, version))
    lacking = f"{place.api_url} does not let us use {', '.join(found.missing)}: a run needs that"
    if json_:
        errors, code = ([lacking], 4) if found.missing else ([], 0)
        missing: list[Json] = [*found.missing]
        say("doctor", code, errors, target=place.api_url, version=version, told=[*told], missing=missing)
        raise typer.Exit(code)
    sys.stdout.write("".join(f"{line}\n" for line in told))
    if found.missing:
        raise TargetError(lacking)


async def _look(scenario: Scenario, target: Target, credentials: Path | None) -> tuple[Survey, str]:
    async with reached(target, credentials) as api:
        storms = tuple(storm.op for storm in scenario.storms)
        found = await drive(survey(plan(scenario, 0).operator, storms), api)
        return found, api.product_version


def _told(scenario: Scenario, target: Target, found: Survey, version: str) -> Iterator[str]:
    prefix = plan(scenario, 0).operator.prefix
    yield f"{target.api_url}: Command {version or 'of an unknown version'}"
    all_there = "" if found.missing else "; all that a run needs are among them"
    yield f"endpoints that we may use: {found.endpoints}{all_there}"
    yield f"{target.agents_url}: not asked, since registering would make an orchestrator"
    agents = ", ".join(f"{count} {status.name.lower()}" for status, count in found.agents.items() if count)
    yield f"there already, of {prefix}*: {sum(found.agents.values())} orchestrators{f' ({agents})' if agents else ''}"
    yield f"  {found.stores} certificate stores, {found.waiting} scheduled jobs, {found.runs} runs in the job history"
    eligible = ", ".join(f"{count} to {name}" for name, count in found.eligible.items())
    yield f"  what a storm could take now: {eligible}"
    yield f"a run of {scenario.name} would make:"
    yield from (f"  {line}" for line in _made(scenario, found, forecast(scenario)))
    yield f"cannot be undone: {FOREVER}"
    yield "the rest is taken back by: agent-sim cleanup RUN"


def _made(scenario: Scenario, found: Survey, foreseen: Forecast) -> Iterator[str]:
    operator = plan(scenario, 0).operator
    agents = sum(len(fleet.machines) for fleet in operator.fleets)
    known = sum(found.agents.values())
    yield f"{max(agents - known, 0)} orchestrators more" + ("" if known else f", {operator.prefix}*")
    if approvals := found.agents[AgentStatus.NEW]:
        yield f"{approvals} approvals of orchestrators that wait for one"
    stores = sum(count * _kinds(fleet.capabilities) for fleet in operator.fleets for count in fleet.stores)
    if stores:
        yield f"{max(stores - found.stores, 0)} certificate stores more"
    types = [name for name in custom_types(operator) if name not in found.job_types]
    if types:
        yield f"custom job types: {', '.join(types)}"
    jobs, runs = (sum(getattr(job, what) for job in foreseen.jobs) for what in ("jobs", "runs"))
    yield f"about {jobs:,.0f} jobs in {runs:,.0f} runs; about {foreseen.rate:,.3g} requests of agents per second"
    for storm in foreseen.storms:
        yield f"{storm.name}: up to {storm.requests:,.0f} requests to {storm.operation}, about {storm.ids:,.0f} ids"
    yield "the server's own heartbeat interval, retries and approval hold; the scenario's are for the embedded server"


def _kinds(capabilities: tuple[str, ...]) -> int:
    return sum(word != "LOGS" and not word.startswith("custom:") for word in capabilities)


if __name__ == "__main__":
    typer.run(doctor)
