"""Faults in whole runs in virtual time: what the server sees, what agents do about it, what the journal says."""

from dataclasses import replace

import pytest

from agent_sim.cli.replay import backend
from agent_sim.fleet.virtual import ROUND_TRIP
from agent_sim.instants import SECOND
from agent_sim.results import journal
from tests.fleet.replays import START, play

TWO = """
version: 1
name: two
seed: 7
stop: {after: 10m, drain: 2m}
server: {retries: 0}
fleets:
  - {name: near, count: 4, capabilities: [LOGS], heartbeat: {every: 10s}}
  - {name: far, count: 8, capabilities: [LOGS], heartbeat: {every: 10s}}
behaviours:
  - name: default
    jobs:
      - type: LOGS
        duration: {dist: lognormal, median: 2s, p95: 8s}
        outcomes: [{result: success, weight: 70%}, {result: failure, weight: 30%}]
phases: [{name: calm, duration: 3m}, {name: rough, duration: 2m}, {name: after, duration: 5m}]
schedules:
  - {name: logs, type: LOGS, every: 30s, until: 8m}
checks:
  invariants: {no_lost_jobs: true, at_most_once: true}
"""


def with_fault(text):
    return TWO.replace("checks:", f"faults:\n  - {{name: trouble, {text}}}\nchecks:")


def watched(folder, fault):
    """The run, and what its server was asked: (seconds, machine or session's, operation)."""
    seen = []

    def watching(*arguments):
        back = backend(*arguments)
        machines = {}

        def agents(request, now):
            reply = back.agents(request, now)
            body = request.body
            if type(body).__name__ == "Register" and reply.body and reply.body.session and reply.body.session.token:
                machines[reply.body.session.token] = body.client_machine
            machine = getattr(body, "client_machine", None) or machines.get(getattr(body, "session_token", None))
            seen.append(((now - START) / SECOND, machine, type(body).__name__))
            return reply

        return replace(back, agents=agents)

    return play(folder, with_fault(fault) if fault else TWO, serve=watching), seen


def digestible(played, fleet):
    """All lines of a fleet that hold no id that the server counts up for everybody."""
    kinds = (journal.AgentRegistered, journal.JobPosted, journal.JobCompleted, journal.SendFailed, journal.FaultStruck)
    nothing = {"audit": 0, "job": ""}
    return [
        replace(line, **{name: value for name, value in nothing.items() if hasattr(line, name)})
        for line in played.lines
        if isinstance(line, kinds) and fleet in (getattr(line, "fleet", ""), getattr(line, "machine", "")[14:-6])
    ]


def test_the_fault_is_armed_and_over_in_the_journal_and_says_whom_it_met(tmp_path):
    played = play(tmp_path, with_fault("during: [rough], select: {fleets: [far], count: 3}, do: {latency: 2s}"))

    [armed], [over] = played.of(journal.FaultArmed), played.of(journal.FaultOver)
    assert armed == journal.FaultArmed(180.0, "trouble", 0, 300.0, 3)
    assert (over.t, over.began, over.window) == (300.0, 180.0, 0)
    assert len(over.agents) == 3
    assert all(name.startswith("agentsim-two-far-") for name in over.agents)
    touched = sum(line.ok + line.failed for line in played.of(journal.Traffic) if line.faults == ("trouble",))
    assert over.requests == touched > 30


def test_nobody_but_the_selected_agents_is_met(tmp_path):
    _, before = watched(tmp_path, None)
    rough, after = watched(tmp_path, "during: [rough], select: {fleets: [far], count: 3}, do: {latency: 2s}")

    [over] = rough.of(journal.FaultOver)
    others = {machine for _, machine, _ in before} - set(over.agents)
    for machine in others:
        assert [one for one in before if one[1] == machine] == [one for one in after if one[1] == machine]


def test_a_fault_changes_no_line_of_another_fleet(tmp_path):
    calm = play(tmp_path, TWO)
    rough = play(
        tmp_path, with_fault("during: [rough], select: {fleets: [far]}, probability: 50%, do: {drop: response}")
    )

    assert digestible(calm, "near") == digestible(rough, "near")
    assert digestible(calm, "far") != digestible(rough, "far")


def test_a_fault_that_only_delays_changes_no_outcome(tmp_path):
    slow = with_fault(
        "during: [rough], do: {latency: {dist: lognormal, median: 300ms, p95: 2s}, jitter: 200ms, bandwidth: 2KB/s}"
    )

    calm, rough = play(tmp_path, TWO), play(tmp_path, slow)

    assert calm.text != rough.text
    assert calm.digest == rough.digest
    assert rough.answers == {"no_lost_jobs": "kept", "at_most_once": "kept"}


def test_it_is_active_for_every_request_from_its_first_moment_and_over_at_its_end(tmp_path):
    played, seen = watched(tmp_path, "at: 3m, for: 2m, do: {partition: out}")

    arrived = [t for t, _, _ in seen]
    assert not [t for t in arrived if 180.0 <= t < 300.0]
    assert len([t for t in arrived if 170.0 <= t < 180.0]) > 5
    failed = played.of(journal.SendFailed)
    assert len(failed) >= 12
    assert all(180.0 <= line.t <= 300.0 + ROUND_TRIP / SECOND for line in failed)
    assert len({machine for t, machine, _ in seen if 300.0 <= t < 311.0}) == 12  # all are back with their next beat
    assert played.answers == {"no_lost_jobs": "kept", "at_most_once": "kept"}


def test_a_lost_answer_of_a_completion_is_acted_on_and_sent_again(tmp_path):
    played, seen = watched(tmp_path, "during: [rough], on: complete, do: {drop: response}")

    [over] = played.of(journal.FaultOver)
    struck = played.of(journal.FaultStruck)
    assert over.requests == len(struck) > 10
    assert {(line.operation, line.fault) for line in struck} == {("complete", "trouble")}
    completions = sum(what == "Complete" for _, _, what in seen)
    assert completions == len(played.of(journal.JobCompleted)) + over.requests
    assert played.digest == play(tmp_path, TWO).digest
    assert played.answers == {"no_lost_jobs": "kept", "at_most_once": "kept"}


def test_the_same_scenario_and_seed_give_the_same_bytes(tmp_path):
    fault = (
        "every: {dist: exponential, mean: 20s}, for: 5s, probability: 30%, select: {percent: 50%},"
        " do: {drop: request, jitter: 1s}"
    )

    first, second = play(tmp_path, with_fault(fault)), play(tmp_path, with_fault(fault))

    assert first.text == second.text
    assert len(first.of(journal.FaultArmed)) > 10


def test_a_window_that_outlives_the_run_ends_with_it(tmp_path):
    played = play(tmp_path, with_fault("at: 9m, do: {latency: 100ms}"))

    [over] = played.of(journal.FaultOver)
    assert (over.began, over.t) == (540.0, 600.0)


def test_a_crash_before_a_completion_leaves_it_unsent(tmp_path):
    fault = (
        "every: {dist: exponential, mean: 20s}, during: [rough], select: {count: 1},"
        " do: {crash: {point: before_complete, restart_after: 15s}}"
    )
    played, seen = watched(tmp_path, fault)

    crashes = played.of(journal.AgentCrashed)
    assert len(crashes) == sum(line.requests for line in played.of(journal.FaultOver)) >= 1
    assert {round(line.restart - line.t, 6) for line in crashes} == {15.0}
    for crash in crashes:
        asked = [t for t, machine, _ in seen if machine == crash.agent and crash.t <= t < crash.restart]
        assert asked == []


def test_a_copy_reaches_the_server_and_changes_nothing(tmp_path):
    played, seen = watched(tmp_path, "during: [rough], on: complete, do: {duplicate: 100ms}")

    [over] = played.of(journal.FaultOver)
    assert sum(what == "Complete" for _, _, what in seen) == len(played.of(journal.JobCompleted)) + over.requests
    assert over.requests > 10
    assert played.digest == play(tmp_path, TWO).digest


@pytest.mark.parametrize(
    ("do", "error"),
    [
        ("refuse: true", "connection refused (fault trouble)"),
        ("dns: not_found", "the server's name does not resolve (fault trouble)"),
        ("tls: expired", "TLS: certificate has expired (fault trouble)"),
        ("partition: both", "network unreachable (fault trouble)"),
        ("reset: request", "connection reset (fault trouble)"),
        ("drop: request", "no answer: the request was lost (fault trouble)"),
    ],
)
def test_what_never_arrives_is_told_to_the_agent_as_it_would_be(tmp_path, do, error):
    played, seen = watched(tmp_path, f"at: 3m, for: 1m, do: {{{do}}}")

    assert not [t for t, _, _ in seen if 180.0 <= t < 240.0]
    assert {line.error for line in played.of(journal.SendFailed)} == {error}
    assert played.answers == {"no_lost_jobs": "kept", "at_most_once": "kept"}


@pytest.mark.parametrize(
    "do", ["status: 503", "status: {code: 429, retry_after: 30s}", "truncate: 50%", "garbage: 200B"]
)
def test_answers_that_are_not_the_servers_lose_no_job(tmp_path, do):
    played, seen = watched(tmp_path, f"at: 3m, for: 1m, do: {{{do}}}")

    arrives = do.startswith(("truncate", "garbage"))
    assert bool([t for t, _, _ in seen if 180.0 <= t < 240.0]) is arrives
    assert played.of(journal.FaultOver)[0].requests > 20
    assert played.answers == {"no_lost_jobs": "kept", "at_most_once": "kept"}


def test_a_wrong_clock_runs_a_daily_job_at_the_wrong_time(tmp_path):
    daily = TWO.replace("every: 30s, until: 8m", 'schedule: {daily: "00:08"}')
    fault = "faults:\n  - {name: trouble, at: 1m, for: 6m, select: {fleets: [far]}, do: {clock: {offset: 5m}}}\nchecks:"
    played = play(tmp_path, daily.replace("checks:", fault))

    times = {line.fleet: round(line.t) for line in played.of(journal.JobConfigured)}
    assert times == {"near": 480, "far": 180}
    [over] = played.of(journal.FaultOver)
    assert (over.requests, len(over.agents)) == (0, 8)


def test_what_agents_suffer_may_begin_with_the_run(tmp_path):
    daily = TWO.replace("every: 30s, until: 8m", 'schedule: {daily: "00:08"}')
    fault = "faults:\n  - {name: trouble, at: 0s, select: {fleets: [far]}, do: {clock: {offset: -1m}}}\nchecks:"
    played = play(tmp_path, daily.replace("checks:", fault))

    times = {line.fleet: round(line.t) for line in played.of(journal.JobConfigured)}
    assert times == {"near": 480, "far": 540}
    assert [(line.t, line.agents) for line in played.of(journal.FaultArmed)] == [(0.0, 8)]


STORM = """
version: 1
name: storm
seed: 7
stop: {after: 6m, drain: 2m}
server: {retries: 0}
fleets: [{name: lab, count: 30, capabilities: [PEM], heartbeat: {every: 10s}}]
behaviours: [{name: default, jobs: [{type: Management, outcomes: [{result: failure, weight: 100%}]}]}]
schedules: [{name: renewals, type: Management, at: 30s}]
storms: [{name: again, at: 3m, op: reschedule, target: {batch: 1}, load: {rate: 2/s}, for: 20s}]
faults: [{name: trouble, at: 2m, for: 3m, on: reschedule, FAULT}]
checks:
  invariants: {no_lost_jobs: true, at_most_once: true}
"""


@pytest.mark.parametrize(
    ("fault", "error", "acted"),
    [
        ("probability: 50%, do: {status: 503}", "http_5xx", False),
        ("probability: 50%, do: {drop: response}", "read_timeout", True),
        ("probability: 50%, do: {refuse: true}", "connect_refused", False),
        ("probability: 50%, do: {garbage: 20B}", "wrong_2xx", True),
    ],
)
def test_a_storm_meets_its_faults_and_does_not_stop_for_them(tmp_path, fault, error, acted):
    played = play(tmp_path, STORM.replace("FAULT", fault))

    result = played.summary.storms[0].result
    met = result.faults["trouble"]
    assert 5 <= met <= 25
    assert (result.errors, result.stopped) == ({error: met}, None)
    assert result.reconciliation.broken == 0
    again = sum(line.attempt == 2 for line in played.of(journal.JobCompleted))
    assert again == (30 if acted else 30 - met)


def test_a_slow_way_shows_in_a_storms_latency(tmp_path):
    played = play(tmp_path, STORM.replace("FAULT", "do: {latency: 2s}"))

    result = played.summary.storms[0].result
    assert result.response.max_us == result.response.min_us == 2_001_000
