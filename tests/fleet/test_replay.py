"""Whole runs in virtual time: agents, operator, storms and the real server core, with nothing between them."""

from dataclasses import replace

import pytest

from agent_sim.fleet.virtual import ROUND_TRIP
from agent_sim.instants import SECOND
from agent_sim.protocol.enums import Result, Status
from agent_sim.results import journal
from tests.fleet.replays import backwards, play

HOUR_OF_100 = """
version: 1
name: hour
seed: 3
stop: {after: 1h, drain: 2m}
server: {retries: 0}
fleets:
  - {name: lab, count: 100, capabilities: [LOGS, PEM], heartbeat: {every: 30s}}
behaviours:
  - name: default
    jobs:
      - {type: LOGS, duration: 2s, outcomes: [{result: success, weight: 90%}, {result: failure, weight: 10%}]}
      - {type: Management, outcomes: [{result: success, weight: 50%}, {result: failure, weight: 50%}]}
phases:
  - {name: ramp, duration: 10m, online: 100%, shape: linear}
  - {name: work, duration: 50m}
schedules:
  - {name: logs, type: LOGS, every: 10m, from: work, spread: 5m}
  - {name: renewals, type: Management, at: work}
  - {name: inventory, type: Inventory, at: work}
storms:
  - {name: again, at: work+20m, op: reschedule, target: {batch: 5}, load: {rate: 2/s}, for: 10s}
  - {name: seen, at: work+40m, op: acknowledge, target: {batch: 5}, load: {arrivals: poisson, rate: 2/s}, for: 10s}
checks: {invariants: EVERY_LAW}
"""

SMALL = """
version: 1
name: small
seed: 5
stop: {after: 10m, drain: 2m}
server: {retries: 2}
fleets:
  - {name: one, count: 6, capabilities: [LOGS, PEM, "custom:Patch"], heartbeat: {every: 10s}, stores: {per_agent: 2}}
  - {name: two, count: 3, capabilities: [LOGS], heartbeat: {every: 20s, jitter: 50%}}
behaviours:
  - name: default
    jobs:
      - type: LOGS
        duration: {dist: lognormal, median: 2s, p95: 20s}
        outcomes: [{result: success, weight: 60%}, {result: warning, weight: 10%}, {result: failure, weight: 30%}]
      - {type: Management, outcomes: [{result: success, weight: 50%}, {result: failure, weight: 50%}]}
      - {type: custom, outcomes: [{result: success, weight: 50%}, {result: failure, weight: 50%}]}
schedules:
  - {name: logs, type: LOGS, every: 1m, until: 8m}
  - {name: renewals, type: Management, every: 2m, until: 8m}
  - {name: patches, type: "custom:Patch", every: 3m, until: 8m}
checks: {invariants: EVERY_LAW}
"""

ONE = """
version: 1
name: one
seed: 5
stop: {after: 10m, drain: 2m}
server: {retries: 0}
fleets: [{name: lab, count: 1, capabilities: [LOGS], heartbeat: {every: 10s}}]
behaviours: [{name: default, jobs: [{type: LOGS, duration: 2s, outcomes: [{result: success, weight: 100%}]}]}]
schedules: [{name: logs, type: LOGS, at: 1m}]
checks: {invariants: EVERY_LAW}
"""

FAILS = (("behaviours.default.jobs.LOGS.outcomes", "[{result: failure, weight: 100%}]"),)


@pytest.fixture(scope="module")
def hour(tmp_path_factory):
    return play(tmp_path_factory.mktemp("hour"), HOUR_OF_100)


def test_an_hour_of_a_hundred_agents_keeps_what_it_promises(hour):
    assert set(hour.answers.values()) == {"kept"}
    assert hour.summary.ended == hour.lines[-1] == journal.RunEnded(hour.lines[-1].t, "finished", True, ())
    assert sum(sum(job.outcomes.values()) for job in hour.summary.jobs) > 700


def test_every_heartbeat_of_the_hour_is_counted(hour):
    beats = hour.summary.whole.operations["heartbeat"]
    average_online = (3600 - 600 / 2) * 100  # a linear ramp of ten minutes

    assert beats.ok == pytest.approx(average_online / (30 * 1.05), rel=0.05)  # jitter only ever adds
    assert (beats.failed, beats.latency.min_us, beats.latency.max_us) == (0, 1000, 1000)


def test_storms_run_from_their_plans_and_are_reconciled(hour):
    assert [line.storm for line in hour.of(journal.StormStarted)] == ["again", "seen"]
    assert [line.t for line in hour.of(journal.StormStarted)] == [1800.0, 3000.0]
    for storm in hour.summary.storms:
        assert storm.result.ledger.sent == storm.result.ledger.accepted > 0
        assert storm.result.reconciliation.checked == storm.result.pool.eligible
        assert storm.result.reconciliation.broken == 0
        assert not storm.result.generator.saturated


def test_a_rescheduled_job_is_run_again(hour):
    [again, _] = hour.summary.storms
    second_attempts = [line for line in hour.of(journal.JobCompleted) if line.attempt == 2]

    assert len(second_attempts) == again.result.ledger.accepted
    assert {line.type for line in second_attempts} == {"Management"}


def test_phases_begin_when_planned_and_traffic_is_theirs(hour):
    assert [(line.phase, line.t) for line in hour.of(journal.PhaseStarted)] == [("ramp", 0.0), ("work", 600.0)]
    ramp, work = hour.summary.phases
    whole = hour.summary.whole.operations["heartbeat"].ok
    after = sum(line.ok for line in hour.of(journal.Traffic) if line.t > 3600 and line.operation == "heartbeat")
    assert ramp.operations["register"].ok == 100
    assert ramp.operations["heartbeat"].ok + work.operations["heartbeat"].ok + after == whole


def test_the_same_scenario_and_seed_give_the_same_bytes(tmp_path):
    first, second = play(tmp_path, SMALL), play(tmp_path, SMALL)

    assert first.text == second.text


def test_another_seed_gives_other_outcomes(tmp_path):
    assert play(tmp_path, SMALL, seed=1).digest != play(tmp_path, SMALL, seed=2).digest


def test_the_order_in_which_everybody_starts_does_not_matter(tmp_path):
    forwards, reversed_ = play(tmp_path, SMALL), play(tmp_path, SMALL, change=backwards)

    assert forwards.text != reversed_.text
    assert forwards.digest == reversed_.digest


def outcomes(played, fleet):
    return sorted(
        (line.agent, line.type, line.store, line.occurrence, line.attempt, line.outcome)
        for line in played.of(journal.JobCompleted)
        if line.fleet == fleet
    )


def test_another_fleet_changes_no_outcome_of_those_that_were_there(tmp_path):
    before = play(tmp_path, SMALL)
    after = play(tmp_path, SMALL.replace("behaviours:", NEWCOMERS + "behaviours:", 1))

    assert len(outcomes(after, "three")) > 0
    for fleet in ("one", "two"):
        assert outcomes(before, fleet) == outcomes(after, fleet)


FAULTS = """\
faults:
  - {name: island, at: 2m, for: 90s, select: {fleets: [two]}, do: {partition: both}}
  - {name: unheard, at: 1m, for: 6m, probability: 20%, select: {fleets: [two]}, do: {drop: response}}
  - {name: dies, every: 45s, select: {fleets: [two], count: 1},
      do: {crash: {point: before_complete, restart_after: 5s}}}
"""


def own_lines(played, fleet):
    """What a fleet's agents did and when; the server numbers jobs and runs as they come, whoever's they are."""
    return [
        replace(line, job="", audit=0) if isinstance(line, journal.JobConfigured | journal.JobCompleted) else line
        for line in played.lines
        if getattr(line, "fleet", None) == fleet
    ]


def test_faults_of_one_fleet_change_no_line_of_another(tmp_path):
    before = play(tmp_path, SMALL)
    after = play(tmp_path, SMALL.replace("schedules:", FAULTS + "schedules:", 1))

    assert own_lines(before, "one") == own_lines(after, "one") != []
    assert own_lines(before, "two") != own_lines(after, "two")
    met = {line.fault for line in after.of(journal.FaultOver) if line.requests or line.agents}
    assert met == {"island", "unheard", "dies"}


def test_a_run_with_faults_is_the_same_to_the_byte_too(tmp_path):
    text = SMALL.replace("schedules:", FAULTS + "schedules:", 1)

    assert play(tmp_path, text).text == play(tmp_path, text).text


NEWCOMERS = """\
  - {name: three, count: 4, capabilities: [LOGS, JKS, "custom:PATCH"], heartbeat: {every: 7s}}
"""
"""Their custom job type is the one that fleet one has, as the server does not tell cases apart."""


def test_time_jumps_exactly(tmp_path):
    played = play(tmp_path, ONE)
    [configured], [completed] = played.of(journal.JobConfigured), played.of(journal.JobCompleted)
    [run] = played.of(journal.ServerRun)

    worked = 2 * SECOND + ROUND_TRIP  # and the completion's own way
    assert round((completed.t - configured.t) * SECOND) == worked
    assert completed.seconds == 2.0
    assert run.end - run.start == pytest.approx(worked / SECOND, abs=1e-3)  # the API tells milliseconds


def test_a_failure_is_tried_again_until_its_retries_are_used_up(tmp_path):
    played = play(tmp_path, ONE, settings=(*FAILS, ("server.retries", "2")))

    runs = [(line.result, line.status) for line in played.of(journal.ServerRun)]
    assert runs == [
        (Result.FAILURE, Status.COMPLETED_WILL_RETRY),
        (Result.FAILURE, Status.COMPLETED_WILL_RETRY),
        (Result.FAILURE, Status.COMPLETED),
    ]
    assert [(line.occurrence, line.attempt) for line in played.of(journal.JobCompleted)] == [(1, 1), (1, 2), (1, 3)]
    assert played.kept


def test_a_run_times_out_when_its_time_is_up_and_what_comes_after_is_refused(tmp_path):
    slow = (("behaviours.default.jobs.LOGS.duration", "3m"), ("server.job_timeout", "1m"))
    played = play(tmp_path, ONE, settings=slow)

    [run], [completed] = played.of(journal.ServerRun), played.of(journal.JobCompleted)
    assert (run.result, run.status) == (Result.FAILURE, Status.COMPLETED)
    assert run.end - run.start == 60.0
    assert completed.accepted is False
    assert played.kept


def test_a_timeout_with_retries_left_queues_the_job_again(tmp_path):
    slow = (
        ("behaviours.default.jobs.LOGS.duration", "90s"),
        ("server.job_timeout", "1m"),
        ("server.retries", "1"),
    )
    played = play(tmp_path, ONE, settings=slow)

    assert [line.status for line in played.of(journal.ServerRun)] == [Status.COMPLETED_WILL_RETRY, Status.COMPLETED]
    assert [line.accepted for line in played.of(journal.JobCompleted)] == [False, False]
    assert played.kept


def test_sessions_expire_and_are_opened_again(tmp_path):
    played = play(tmp_path, ONE, settings=(("server.session_length", "2m"),))

    assert len(played.of(journal.SessionLost)) >= 4
    assert [line.first for line in played.of(journal.AgentRegistered)].count(True) == 1
    assert played.kept


def test_the_operator_approves_who_has_to_wait(tmp_path):
    played = play(tmp_path, ONE, settings=(("server.auto_approve", "false"),))

    assert len(played.of(journal.AgentRefused)) == 1
    assert [line.agent for line in played.of(journal.AgentApproved)] == ["agentsim-one-lab-00000"]
    assert len(played.of(journal.JobCompleted)) == 1


def test_a_schedule_that_the_server_was_handed_recurs_by_the_virtual_calendar(tmp_path):
    daily = ONE.replace("at: 1m", 'schedule: {daily: "02:00"}').replace("after: 10m", "after: 3d")
    played = play(tmp_path, daily)

    days = [line.t // 86_400 for line in played.of(journal.JobConfigured)]
    times = {round(line.t % 86_400) for line in played.of(journal.JobConfigured)}
    assert days == [0, 1, 2]
    assert times == {2 * 3600}
    assert len(played.of(journal.ServerJob)) == 1  # it still recurs


def test_what_cannot_finish_in_the_drain_is_told_of(tmp_path):
    late = (("behaviours.default.jobs.LOGS.duration", "30m"), ("stop.drain", "1m"))
    played = play(tmp_path, ONE, settings=late)

    assert played.lines[-1].drained is False
    assert played.lines[-1].t == pytest.approx(11 * 60, abs=0.1)
    assert played.of(journal.JobCompleted) == []


def test_an_interrupted_replay_stops_its_storm_and_is_read_back(tmp_path):
    def at_the_storm(run, line):
        if isinstance(line, journal.StormStarted):
            run.interrupt()

    played = play(tmp_path, HOUR_OF_100, at=at_the_storm)

    assert played.lines[-1].reason == "interrupted"
    assert [line.storm for line in played.of(journal.StormEnded)] == ["again"]
    assert played.summary.storms[0].result.stopped == "interrupted"
    assert played.lines[-1].t < 1900
    assert len(played.of(journal.ServerRun)) > 0
    assert played.answers["at_most_once"] != "broken"


def test_a_storm_whose_target_refuses_it_ends_the_run_with_the_reason(tmp_path):
    def without_permission(planned):
        broken = [replace(storm, query="Nonsense -eq 1") for storm in planned.storms]
        return replace(planned, storms=tuple(broken))

    played = play(tmp_path, HOUR_OF_100, change=without_permission)

    assert played.lines[-1].reason.startswith("aborted: storm again left no result: the target would not answer")
    assert played.of(journal.StormEnded) == []


def test_a_threshold_ends_a_replay_and_fails_it(tmp_path):
    few = "[{metric: 'jobs{outcome=failure}', max: 2, abort_on_fail: true}]"
    played = play(tmp_path, SMALL, settings=(("checks.thresholds", few),))

    assert played.lines[-1].reason.startswith("aborted: threshold jobs{outcome=failure} <= 2 is broken: ")
    assert played.lines[-1].t < 300
    assert played.answers["end of the run"] == "broken"
    assert len(played.of(journal.ServerRun)) > 0  # it was read back all the same
    assert play(tmp_path, SMALL, settings=(("checks.thresholds", few),)).text == played.text


def test_what_the_server_did_is_told_job_by_job_with_its_count_of_agents(tmp_path):
    played = play(tmp_path, SMALL)

    kinds = {kind for line in played.of(journal.ServerStory) for kind, _, _ in line.steps}
    assert kinds == {"queued", "configured", "completed"}
    assert played.of(journal.ServerCensus) == [journal.ServerCensus(played.lines[-1].t, 9, shows_transitions=True)]
    assert [line.agents for line in played.of(journal.FleetDeclared)] == [6, 3]
