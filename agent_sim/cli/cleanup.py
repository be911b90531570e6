"""`agent-sim cleanup`: takes back what a run left on a target, and says what the API cannot remove."""

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from agent_sim.cli.folder import given_journal
from agent_sim.cli.targets import drive, drive_oig, reached, scheduler_reached
from agent_sim.errors import UsageError
from agent_sim.operator.clearing import Cleared, clear
from agent_sim.operator.oig_clearing import JobsCleared, clear_jobs
from agent_sim.operator.survey import custom_types
from agent_sim.results import journal, journal_text
from agent_sim.scenario.load import load
from agent_sim.scenario.plan import plan
from agent_sim.storms import guard
from agent_sim.transports.base import Target


def cleanup(
    run: Annotated[Path, typer.Argument(help="The run's folder, such as runs/20260101T000000Z-demo.")],
    target: Annotated[
        str | None, typer.Option(help="Address of the server, if not the one that the run's journal names.")
    ] = None,
    api_url: Annotated[str | None, typer.Option(help="Base of the management API, if not TARGET/KeyfactorAPI.")] = None,
    ca: Annotated[Path | None, typer.Option(help="PEM file of certificates that TLS trusts as well.")] = None,
    credentials: Annotated[
        Path | None, typer.Option(help="File (mode 0600) with AGENT_SIM_USERNAME=... and so on; else the environment.")
    ] = None,
    i_own_this_target: Annotated[
        str | None, typer.Option(metavar="HOST", help="Needed for any target but this machine.")
    ] = None,
    foreign: Annotated[list[str] | None, typer.Option(hidden=True, help="Hosts to protect as if not ours.")] = None,
) -> None:
    """Unschedule a run's jobs, delete its stores and job types, disapprove its orchestrators; list what stays.

    Only what carries the run's prefix is touched. 0: all of that is gone, 1: something would not go, 4: target.
    """
    if not (run / "journal.jsonl").exists():
        raise UsageError(f"{run}: there is no journal in it; expected the folder that a run left")
    begun = _begun(run)
    if begun.embedded and target is None:
        raise UsageError(f"{run}: the run had a server of its own, which ended with it: there is nothing to clean up")
    if not begun.prefix.startswith(guard.AGENT_PREFIX):
        raise UsageError(f"{run}: its prefix {begun.prefix!r} is none of ours")
    scenario = load(run / "scenario.resolved.yaml")
    place = Target.at(target or begun.target, None, api_url, ca, None if scenario.fleets else api_url)
    for url in {place.api_url, place.sim_url, place.oig_url}:
        why = guard.refuse(guard.host_of(url), i_own_this_target, guard.Intent(approvals=True), tuple(foreign or ()))
        if why is not None:
            raise UsageError(why.replace("approving agents", "a cleanup"))
    refused: list[str] = []
    if scenario.oig is not None:
        jobs = asyncio.run(_clear_jobs(place, credentials, begun.prefix))
        sys.stdout.write(f"{begun.prefix}*: {jobs.deleted:,} jobs of the scheduler deleted, {jobs.stopped:,} stopped\n")
        refused += jobs.refused
    if scenario.fleets:
        types = custom_types(plan(scenario, 0).operator)
        cleared = asyncio.run(_clear(place, credentials, begun.prefix, types))
        sys.stdout.write("".join(f"{line}\n" for line in _told(begun.prefix, cleared)))
        refused += cleared.refused
    for line in refused:
        sys.stderr.write(f"note: {line}\n")
    raise typer.Exit(1 if refused else 0)


def _begun(run: Path) -> journal.RunStarted:
    path = run / "journal.jsonl"
    with given_journal(path) as lines:
        first = next(iter(journal_text.read(lines)), None)
    if not isinstance(first, journal.RunStarted):
        raise UsageError(f"{path}: does not begin as a run's journal does")
    return first


async def _clear(target: Target, credentials: Path | None, prefix: str, types: tuple[str, ...]) -> Cleared:
    async with reached(target, credentials) as api:
        return await drive(clear(prefix, types), api)


async def _clear_jobs(target: Target, credentials: Path | None, prefix: str) -> JobsCleared:
    async with scheduler_reached(target, credentials) as api:
        return await drive_oig(clear_jobs(prefix), api)


def _told(prefix: str, cleared: Cleared) -> Iterator[str]:
    yield f"{prefix}*: {cleared.unscheduled:,} jobs unscheduled, {cleared.stores:,} certificate stores deleted"
    types = f" ({', '.join(cleared.job_types)})" if cleared.job_types else ""
    yield f"{len(cleared.job_types)} job types deleted{types}, {cleared.disapproved:,} orchestrators disapproved"
    yield f"stays, since the API cannot remove it: {cleared.agents_left:,} orchestrators, {cleared.runs_left:,} runs"
    if cleared.running:
        yield f"{cleared.running:,} of these runs are still in process: nobody can stop them from here"


if __name__ == "__main__":
    typer.run(cleanup)
