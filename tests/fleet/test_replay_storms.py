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


# --- kinds ------------------------------------------------------------------------------------

KINDS = [
    ("reschedule", "kind: mixed"),
    ("acknowledge", "kind: mixed"),
    ("unschedule", "kind: mixed"),
    ("reschedule", "kind: contended, copies: 4"),
    ("acknowledge", "kind: contended, copies: 2"),
    ("unschedule", "kind: contended, copies: 3"),
    ("approve", "kind: contended, copies: 3"),
    ("reschedule", "kind: hot, hot: 5"),
    ("acknowledge", "kind: hot, hot: 5"),
    ("unschedule", "kind: hot, hot: 3"),
    ("approve", "kind: hot, hot: 3"),
    ("reschedule", "kind: poison"),
    ("acknowledge", "kind: poison"),
    ("unschedule", "kind: poison"),
    ("custom_bulk", "kind: poison"),
    ("approve", "kind: poison"),
    ("reschedule", "kind: herd"),
    ("reschedule", "by: query"),
    ("acknowledge", "by: query"),
    ("unschedule", "by: query"),
]


@pytest.mark.parametrize(("op", "more"), KINDS)
@pytest.mark.parametrize("policy", ["atomic", "best_effort"])
def test_an_honest_server_breaks_no_rule_whatever_the_kind(tmp_path, op, more, policy):
    text = scenario(op, more).replace("retries: 0", f"retries: 0, partial_policy: {policy}")
    played = play(tmp_path, text)

    assert broken(played) == {}
    assert result(played).ledger.sent > 0
    assert played.answers["storm s: every accepted id changed state exactly once"] == "kept"


def test_of_contenders_on_a_server_without_locks_two_win(tmp_path):
    def without_a_lock(ask, operation, now):
        if storming("acknowledge", operation, now):
            for one in operation.job_audit_ids:  # each contender found it as it was before the other's change
                store[0].execute(f"UPDATE run SET status = 3 WHERE job_history_id = {one}")
        return ask(operation, now)

    store = []

    def serve(opened, settings, seed):
        store.append(opened._connection if hasattr(opened, "_connection") else opened._db)
        return serving(without_a_lock)(opened, settings, seed)

    played = play(tmp_path, scenario("acknowledge", "kind: contended, copies: 2"), serve=serve)

    assert broken(played)["two_winners"] > 0


def test_of_contenders_that_are_all_refused_none_wins(tmp_path):
    def refuse(ask, operation, now):
        if storming("acknowledge", operation, now):
            return command.CommandReply(400, command.ApiError("0xA0110005", "somebody else was faster"))
        return ask(operation, now)

    played = play(tmp_path, scenario("acknowledge", "kind: contended, copies: 2"), serve=serving(refuse))

    assert set(broken(played)) == {"no_winner"}


def test_a_batch_of_which_half_is_done_is_torn(tmp_path):
    def half(ask, operation, now):
        if not storming("acknowledge", operation, now):
            return ask(operation, now)
        reply = ask(operation, now)
        ask(replace(operation, job_audit_ids=operation.job_audit_ids[:1]), now)
        return reply

    played = play(tmp_path, scenario("acknowledge", "kind: poison"), serve=serving(half))

    assert broken(played)["torn_batch"] > 0


def test_two_storms_that_ask_the_same_at_once_share_the_ids_and_count_nothing_twice(tmp_path):
    two = scenario("acknowledge", "batch: 1").replace("batch: 2, batch: 1", "batch: 1")
    two += two[two.index("storms: [") :].replace("storms: [", "  - ").replace("name: s,", "name: t,").replace("}]", "}")
    text = two.replace("storms: [{name: s", "storms:\n  - {name: s").replace("for: 4s}]", "for: 4s}")
    played = play(tmp_path, text)

    one, other = (read_storm(line.result) for line in played.of(journal.StormEnded))
    assert one.reconciliation.broken == other.reconciliation.broken == 0
    assert one.pool.eligible + other.pool.eligible == 12
    assert min(one.ledger.accepted, other.ledger.accepted) > 0
    acknowledged = [step for line in played.of(journal.ServerStory) for step in line.steps if step[0] == "acknowledged"]
    assert one.ledger.accepted + other.ledger.accepted == len(acknowledged)


@pytest.mark.parametrize("seed", range(3))
def test_a_replayed_storm_of_any_kind_is_the_same_every_time(tmp_path, seed):
    op, more = KINDS[seed * 5]

    assert play(tmp_path, scenario(op, more), seed=seed).text == play(tmp_path, scenario(op, more), seed=seed).text


# --- what storms leave behind -----------------------------------------------------------------


def test_jobs_that_a_storm_took_off_the_schedule_are_told_and_not_lost(tmp_path):
    played = play(tmp_path, scenario("unschedule"))

    off = {job for line in played.of(journal.JobsUnscheduled) for job in line.accepted}
    assert len(off) == result(played).ledger.accepted == 12
    assert played.answers["no_lost_jobs"] == "kept"


@pytest.mark.parametrize(("op", "word"), [("custom", "custom:Patch"), ("custom_bulk", "custom:Patch")])
def test_jobs_that_a_storm_made_are_told_as_posted(tmp_path, op, word):
    played = play(tmp_path, scenario(op))

    made = [line for line in played.of(journal.JobPosted) if line.posting == "s"]
    assert len(made) == result(played).ledger.accepted
    assert {line.type for line in made} == {word}
    assert {line.job for line in made} <= {line.job for line in played.of(journal.ServerRun)}


def test_storms_may_overlap_with_faults_and_each_other_and_nothing_is_broken_or_hangs(tmp_path):
    storms = "".join(
        f"  - {{name: s{number}, at: {38 + number}s, op: {op}, target: {{{TARGETS[op]}}},"
        f" load: {{rate: 3/s, arrivals: poisson}}, for: 5s}}\n"
        for number, op in enumerate(("unschedule", "custom", "acknowledge", "fetch_logs", "reschedule", "custom_bulk"))
    )
    faults = (
        "faults:\n  - {name: lost, at: 38s, for: 9s, probability: 30%, do: {drop: response},"
        " on: [custom, unschedule, fetch_logs, acknowledge, custom_bulk, reschedule]}\n"
    )
    played = play(tmp_path, HEAD + faults + f"storms:\n{storms}")

    results = [read_storm(line.result) for line in played.of(journal.StormEnded)]
    assert len(results) == 6
    assert {one.name: dict(one.reconciliation.violations) for one in results if one.reconciliation.broken} == {}
    assert sum(one.ledger.unknown for one in results) > 0
