"""Every operation and kind of storm in a replay, against the whole embedded server and against one that has a bug.

A server that is honest breaks no rule, whatever is asked of it; one that says yes and does nothing, or does it twice,
is found out by the rule that is there for it.
"""

from dataclasses import replace

import pytest

from agent_sim.cli.replay import backend
from agent_sim.instants import SECOND
from agent_sim.protocol import agent_commands, command, job_commands
from agent_sim.results import journal
from agent_sim.results.storm import read_storm
from tests.fleet.replays import START, play

HEAD = """\
version: 1
name: ops
seed: 3
stop: {after: 2m, drain: 30s}
server: {retries: 0}
fleets: [{name: lab, count: 12, capabilities: [PEM, LOGS, "custom:Patch"], heartbeat: {every: 2s}}]
behaviours:
  - name: default
    jobs: [{type: Management, duration: 200ms, outcomes: [{result: failure, weight: 100%}]}]
schedules:
  - {name: renewals, type: Management, at: 10s, spread: 5s}
  - {name: patches, type: "custom:Patch", from: 5s, schedule: {daily: "23:00"}}
checks: {invariants: {no_lost_jobs: true, at_most_once: true, status_agrees: true}}
"""
PATCHES = """\
  - {name: patches, type: "custom:Patch", from: 5s, schedule: {daily: "23:00"}}
"""
WAITING = HEAD.replace("server: {retries: 0}", "server: {retries: 0, auto_approve: false, registration_check: 5s}")

TARGETS = {
    "reschedule": "batch: 2",
    "acknowledge": "batch: 2",
    "unschedule": "batch: 3",
    "custom": "type: 'custom:Patch'",
    "custom_bulk": "type: 'custom:Patch', batch: 5",
    "fetch_logs": "",
    "approve": "batch: 4",
}
REQUESTS = {
    "reschedule": command.Reschedule,
    "acknowledge": command.Acknowledge,
    "unschedule": command.Unschedule,
    "custom": command.ScheduleJob,
    "custom_bulk": job_commands.ScheduleBulkJob,
    "fetch_logs": agent_commands.FetchLogs,
    "approve": command.ApproveAgents,
}


def scenario(op, more="", at="40s", rate="2/s", span="4s"):
    head = WAITING if op == "approve" else HEAD
    target = ", ".join(filter(None, [TARGETS[op], more]))
    return head + (
        f"storms: [{{name: s, at: {at}, op: {op}, target: {{{target}}}, load: {{rate: {rate}}}, for: {span}}}]\n"
    )


def result(played):
    [line] = played.of(journal.StormEnded)
    return read_storm(line.result)


def broken(played):
    return {rule: count for rule, count in result(played).reconciliation.violations.items() if count}


def serving(change):
    """A backend whose management API goes through `change(ask, operation, now)` while a storm is on."""

    def serve(store, settings, seed):
        honest = backend(store, settings, seed)

        def ask(operation, now):
            return change(honest.command, operation, now)

        return replace(honest, command=ask)

    return serve


@pytest.mark.parametrize("op", TARGETS)
def test_an_honest_server_breaks_no_rule(tmp_path, op):
    played = play(tmp_path, scenario(op))

    assert broken(played) == {}
    assert result(played).ledger.accepted == result(played).ledger.sent > 0
    assert played.kept, played.answers


def storming(op, operation, now):
    """True for the storm's own requests: the operator posts what it posts before it."""
    return isinstance(operation, REQUESTS[op]) and now >= START + 39 * SECOND


PROMISES = {
    "custom": command.ScheduledJob("11111111-1111-4111-8111-111111111111", "", "Patch", None, (), 0),
}


@pytest.mark.parametrize("op", TARGETS)
def test_a_server_that_says_yes_and_does_nothing_loses_updates(tmp_path, op):
    def lie(ask, operation, now):
        if not storming(op, operation, now):
            return ask(operation, now)
        match operation:
            case command.ScheduleJob():
                return command.CommandReply(200, PROMISES["custom"])
            case job_commands.ScheduleBulkJob(ids, name):
                pairs = tuple(job_commands.JobPair(f"22222222-{n:04d}-4111-8111-111111111111", one)
                              for n, one in enumerate(ids))  # fmt: skip
                return command.CommandReply(200, job_commands.BulkJobs(pairs, (), name, None, (), now))
        return command.CommandReply(204)

    played = play(tmp_path, scenario(op), serve=serving(lie))

    found = result(played)
    assert broken(played) == {"lost_update": found.ledger.accepted, "conservation": found.ledger.accepted}
    assert found.ledger.accepted > 0


@pytest.mark.parametrize("op", ["custom", "custom_bulk", "fetch_logs"])
def test_a_server_that_makes_each_job_twice_is_found_out(tmp_path, op):
    def twice(ask, operation, now):
        if storming(op, operation, now):
            ask(operation, now)
        return ask(operation, now)

    text = scenario(op).replace(PATCHES, "")  # or somebody else would make such jobs
    played = play(tmp_path, text, serve=serving(twice))

    assert broken(played)["double_transition"] > 0
    assert result(played).reconciliation.not_checkable == ()


@pytest.mark.parametrize("op", TARGETS)
def test_a_server_that_refuses_and_does_it_all_the_same_makes_phantoms(tmp_path, op):
    def secretly(ask, operation, now):
        reply = ask(operation, now)
        if storming(op, operation, now):
            return command.CommandReply(400, command.ApiError("0xA0110005", "no"))
        return reply

    text = scenario(op).replace(PATCHES, "")  # or somebody else would make such jobs
    if op == "unschedule":
        text = scenario(op)
    played = play(tmp_path, text, serve=serving(secretly))

    assert broken(played)["phantom_transition"] > 0
    assert result(played).ledger.accepted == 0
