"""What comes before a storm's first request: is that the target, what is there to ask for, and may we.

Reads only; what is found is announced to a person before anything is sent.
"""

import sys
import time
from collections.abc import Iterable

import gevent
import storm_report as report
from storm_claim import claim
from storm_client import Target
from storm_engine import Prepared
from storm_faults import Declared
from storm_oig import OigTarget
from storm_options import Asked

from agent_sim.errors import UsageError
from agent_sim.instants import SECOND
from agent_sim.operator.storm_reader import narrowed_for
from agent_sim.scenario.load import load
from agent_sim.storms import guard
from agent_sim.storms.budget import most_requests
from agent_sim.storms.campaign import Found, herd, look
from agent_sim.storms.catalogue import CATALOGUE
from agent_sim.storms.oig import OigStorm
from agent_sim.storms.operations import StormOperation
from agent_sim.storms.pool import Harvest, Token

SHOWN = 10
"""Rows shown before `--scope all` goes on."""


def prepared(asked: Asked, *, is_driven: bool, again: bool = False) -> Prepared:
    """Preflight, wait for the planned beginning, read the pool; `again` where all of that went well before.

    Raises UsageError, QueryError or TargetError.
    """
    plan, operation = asked.plan, CATALOGUE[asked.plan.operation]
    if isinstance(operation, OigStorm):
        return _prepared_jobs(asked, operation, is_driven=is_driven, again=again)
    target = Target(asked)
    query = narrowed_for(plan, operation)
    target.preflight()
    gevent.sleep(max(plan.start - time.time_ns(), 0) / SECOND)
    if not again:
        claim(asked.url, plan, must=not is_driven)  # who drives us has shared the ids out
    if plan.kind == "herd":
        _meet(herd(target, time.time_ns()), asked, is_driven=is_driven)
    found = look(plan, target, time.time_ns())
    if asked.everything and not again:
        _confirm(asked, found.all, [_shown(token) for token in found.all.tokens[:SHOWN]])
    report.announce(plan, operation, found.all, asked.users, query, is_search=asked.finds_knee)
    declared = None if asked.faults is None else Declared(load(asked.faults[0]), asked.faults[1])
    return Prepared(
        plan,
        operation,
        query,
        asked.users,
        target,
        found,
        asked.timeout,
        asked.quiet,
        satisfied=asked.satisfied,
        declared=declared,
    )


def _meet(agents: int, asked: Asked, *, is_driven: bool) -> None:
    """A herd is agents that poll and report; without any it would be another kind of storm."""
    if not agents:
        raise UsageError(
            f"a herd needs agents that poll meanwhile, and none of {asked.plan.prefix or '(all)'}* was seen in five"
            " minutes: start some with `agent-sim up`, or with loadtests/fleet.py"
        )
    report.say(f"herd: {agents:,} agents poll and report meanwhile")
    if asked.agents_journal is None and not is_driven:
        report.say("herd: --agents-journal FILE, of the run whose agents these are, compares their polls with before")


def _prepared_jobs(asked: Asked, operation: OigStorm, *, is_driven: bool, again: bool) -> Prepared:
    """The same for a storm on the scheduler's jobs."""
    plan, target = asked.plan, OigTarget(asked)
    target.preflight()
    gevent.sleep(max(plan.start - time.time_ns(), 0) / SECOND)
    if not again:
        claim(asked.url, plan, must=not is_driven)  # who drives us has shared the ids out
    found = target.drive(operation.pool(plan, time.time_ns(), most_requests(plan)))
    if asked.everything and not again:
        _confirm(asked, found, [f"  {token.job_id}" for token in found.tokens[:SHOWN]])
    report.announce(plan, operation, found, asked.users, "", is_search=asked.finds_knee)
    all_of_it = Found({operation.name: found}, target.drive(operation.mark(plan)))
    return Prepared(
        plan,
        operation,
        "",
        asked.users,
        target,
        all_of_it,
        asked.timeout,
        asked.quiet,
        satisfied=asked.satisfied,
    )


def _shown(token: Token) -> str:
    what = f"{token.job_type}  " if token.job_type else ""
    return f"  {token.shown}  {token.machine}  {what}{token.job_id}"


def nothing(storm: Prepared) -> str:
    """Why there is nothing to do."""
    machines = f"machines {storm.plan.prefix or '(all)'}*"
    if isinstance(storm.operation, StormOperation) and storm.operation.creates:
        return f"nothing to do: none of {machines} is approved and can do such jobs"
    left_out = storm.found.all.out_of_scope
    return f"nothing to do: no id of {machines} can be {storm.operation.effect} ({left_out:,} out of scope)"


def _confirm(asked: Asked, found: Harvest, examples: Iterable[str]) -> None:
    """Before everything is in scope: how many ids, which, and the host typed again."""
    report.say(f"--scope all: {len(found.tokens):,} ids on {asked.host}, whoever they belong to, for example")
    for line in examples:
        report.say(line)
    if not sys.stdin.isatty():
        raise UsageError("--scope all asks a person: there is no terminal to ask on")
    if not guard.is_confirmed(input(f"type {asked.host} to go on: "), asked.host):
        raise UsageError(f"that was not {asked.host}: nothing was sent")
