"""Agents that wait for approval, and an operator who gives it: they hear of it and register at once."""

from dataclasses import replace

from agent_sim.results import journal
from tests.fleet.replays import play

SCENARIO = """\
version: 1
name: waiting
seed: 1
stop: {after: 2m}
server: {auto_approve: false, registration_check: 30m}
fleets: [{name: lab, count: 5, capabilities: [LOGS], heartbeat: {every: 5s}}]
schedules: [{name: fetch, type: LOGS, at: 10s}]
checks: {invariants: {no_lost_jobs: true, at_most_once: true}}
"""


def test_an_approval_is_heard_at_once_and_not_at_the_next_try(tmp_path):
    played = play(tmp_path, SCENARIO)

    refused, approved = played.of(journal.AgentRefused), played.of(journal.AgentApproved)
    registered = {line.agent: line.t for line in played.of(journal.AgentRegistered) if line.first}
    assert len(refused) == len(approved) == len(registered) == 5
    for line in approved:
        assert line.t <= registered[line.agent] < line.t + 1  # and not half an hour later
    assert len(played.of(journal.JobCompleted)) == 5
    assert set(played.answers.values()) <= {"kept", "held"}


def test_without_an_approval_they_try_again_as_seldom_as_they_should(tmp_path):
    def nobody(planned):
        return replace(planned, operator=replace(planned.operator, may_approve=False))

    played = play(tmp_path, SCENARIO, change=nobody)

    assert len(played.of(journal.AgentRefused)) == 5  # once each: the next try is half an hour away
    assert played.of(journal.AgentRegistered) == []
