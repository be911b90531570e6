"""Agents that go and come back, and what that does to their jobs and to the verdict, in virtual time."""

from agent_sim.results import journal
from tests.fleet.replays import play

OUTAGE = """
version: 1
name: outage
seed: 5
server: {retries: 0, job_timeout: 2m}
fleets: [{name: lab, count: 20, capabilities: [LOGS], heartbeat: {every: 10s}}]
behaviours: [{name: default, jobs: [{type: LOGS, duration: 2s}]}]
phases:
  - {name: steady, duration: 5m}
  - {name: outage, duration: 5m, online: 25%, shape: step}
  - {name: back, duration: 5m, online: 100%, shape: burst}
schedules: [{name: logs, type: LOGS, every: 1m, from: 1m, until: 11m}]
stop: {after: 15m, drain: 2m}
checks: {invariants: {no_lost_jobs: true, at_most_once: true}}
"""


def test_an_outage_takes_three_quarters_offline_and_loses_no_job(tmp_path):
    played = play(tmp_path, OUTAGE)

    went, came = played.of(journal.AgentOffline), played.of(journal.AgentOnline)
    assert [len(went), {line.t for line in went}] == [15, {300.0}]
    assert (len(came), len({line.t for line in came})) == (15, 10)
    assert not [
        line
        for line in played.of(journal.JobConfigured)
        if 301 < line.t < 600 and line.agent in {x.agent for x in went}
    ]
    assert len(played.of(journal.JobCompleted)) == 200
    assert played.answers == {"no_lost_jobs": "kept", "at_most_once": "kept"}
    assert played.lines[-1].offline == ()


def test_jobs_of_agents_that_stay_offline_are_no_lost_jobs_and_nobody_waits_for_them(tmp_path):
    stays = [("phases.back.online", "25%")]
    played = play(tmp_path, OUTAGE, settings=stays)

    end = played.lines[-1]
    assert (len(end.offline), end.drained) == (15, True)
    assert end.t < 15 * 60 + 30
    assert played.answers == {"no_lost_jobs": "kept", "at_most_once": "kept"}


def test_churn_restarts_agents_and_loses_no_job(tmp_path):
    churn = [("phases.back.churn", "{restart: 40%/min, down: 3s, keeps_identity: false}"), ("stop.drain", "4m")]
    played = play(tmp_path, OUTAGE.replace("until: 11m", "until: 14m"), settings=churn)

    crashes = played.of(journal.AgentCrashed)
    assert 20 < len(crashes) < 60
    assert {line.keeps_identity for line in crashes} == {False}
    assert played.answers == {"no_lost_jobs": "kept", "at_most_once": "kept"}


def test_aligned_heartbeats_fall_on_the_same_moments(tmp_path):
    beats = []
    play(
        tmp_path,
        OUTAGE,
        settings=[("fleets.lab.heartbeat.align", "true")],
        watch=lambda request, reply, now: beats.append(now) if request.endpoint.endswith("Heartbeat") else None,
    )

    on_the_grid = [at for at in beats if at % 10_000_000_000 == 0]
    assert len(on_the_grid) / len(beats) > 0.9  # the rest: what fell due while offline
