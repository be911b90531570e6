"""The embedded server with somebody at it: at set times of the run a person unschedules, disapproves, acknowledges
twice and restarts it. A bug can be planted in it, which no test elsewhere may do.

Everything is in virtual time; what is done and when depends on the scenario alone.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from agent_sim.cli.replay import KeyedMint
from agent_sim.fleet.replay import Backend
from agent_sim.instants import SECOND
from agent_sim.protocol import command
from agent_sim.protocol.command import Page
from agent_sim.protocol.enums import Result, Status
from agent_sim.server.callers import AGENT_SESSION, EVERYTHING, Caller
from agent_sim.server.core import Server
from tests.fleet.replays import START, play

AGENT, OPERATOR = Caller("agent", frozenset({AGENT_SESSION})), Caller("operator", EVERYTHING)

SCENARIO = """
version: 1
name: staged
seed: 5
stop: {after: 5m, drain: 3m}
server: {retries: 0, job_timeout: 15s, acknowledge_again: no_op, registration_check: 10s}
fleets:
  - {name: one, count: 6, capabilities: [LOGS, PEM], heartbeat: {every: 5s}}
  - {name: two, count: 4, capabilities: [LOGS], heartbeat: {every: 8s}}
behaviours:
  - name: default
    jobs:
      - type: LOGS
        duration: {dist: lognormal, median: 2s, p95: 12s, max: 40s}
        outcomes: [{result: success, weight: 60%}, {result: warning, weight: 20%}, {result: failure, weight: 20%}]
      - {type: Management, outcomes: [{result: success, weight: 50%}, {result: failure, weight: 50%}]}
schedules:
  - {name: logs, type: LOGS, every: 20s, until: 4m40s}
  - {name: renewals, type: Management, every: 40s, until: 4m}
storms:
  - {name: again, at: 150s, op: reschedule, target: {batch: 2}, load: {rate: 2/s}, for: 5s}
  - {name: seen, at: 200s, op: acknowledge, target: {batch: 3}, load: {rate: 2/s}, for: 5s}
checks: {invariants: EVERY_LAW}
"""


RECURRING = """
version: 1
name: recurring
seed: 5
stop: {after: 30m, drain: 2m}
server: {retries: 1, job_timeout: 60s}
fleets:
  - {name: one, count: 4, capabilities: [LOGS, "custom:Patch"], heartbeat: {every: 5s}}
behaviours:
  - name: default
    jobs:
      - type: LOGS
        duration: 2s
        outcomes: [{result: success, weight: 80%}, {result: failure, weight: 20%}]
      - {type: "custom:Patch", duration: 50s}
schedules:
  - {name: logs, type: LOGS, schedule: {interval: 5m}}
  - {name: patch, type: "custom:Patch", schedule: {interval: 5m}}
checks: {invariants: EVERY_LAW}
"""
"""What comes round; nobody is at the server meanwhile."""


RESCHEDULED = """
version: 1
name: rescheduled
seed: 5
stop: {after: 40m, drain: 1m}
server: {retries: 0, job_timeout: 60s}
fleets:
  - {name: one, count: 8, capabilities: [PEM], heartbeat: {every: 10s}}
behaviours:
  - name: default
    jobs: [{type: Management, duration: 2s, outcomes: [{result: success, weight: 50%}, {result: failure, weight: 50%}]}]
schedules:
  - {name: renewals, type: Management, schedule: {interval: 15m}}
storms:
  - {name: again, at: 20m, op: reschedule, target: {batch: 2}, load: {rate: 2/s}, for: 5s}
checks: {invariants: EVERY_LAW}
"""
"""What comes round and is asked for in between."""


UNSCHEDULED = """
version: 1
name: unscheduled
seed: 5
stop: {after: 9m, drain: 1m}
server: {retries: 0, job_timeout: 60s}
fleets:
  - {name: one, count: 8, capabilities: [LOGS, "custom:Patch"], heartbeat: {every: 5s}}
behaviours:
  - name: default
    jobs: [{type: LOGS, duration: 20s}, {type: "custom:Patch", duration: 2s}]
schedules:
  - {name: patch, type: "custom:Patch", schedule: {interval: 3m}}
  - {name: logs, type: LOGS, every: 10s, until: 4m}
storms:
  - {name: off, at: 200s, op: unschedule, target: {batch: 2}, load: {rate: 1/s}, for: 20s}
checks: {invariants: EVERY_LAW}
"""
"""What an unschedule storm meets: jobs that come round, and jobs that wait because their agents are busy."""


RESTART = 176 * SECOND


@dataclass(frozen=True)
class Bug:
    """A bug to plant: `plant` changes a server that was just started, or was `at_restart`.

    `law` must notice it; it breaks `others` as well.
    """

    plant: Callable[[Server], None]
    law: str
    others: tuple[str, ...] = ()
    at_restart: bool = False
    scenario: str = SCENARIO

    @property
    def name(self):
        return self.plant.__name__.replace("_", " ")


NO_BUG = Bug(lambda server: None, "")


class Staged:
    """A server as a replay's backend, with deeds to be done at set times."""

    def __init__(self, bug, store, settings, seed):
        self.bug, self.store = bug, store
        self.settings, self.mint = replace(settings, sim_api=True), KeyedMint(seed)
        self.server = self.start()
        self.deeds = [(START + round(at * SECOND), partial(deed, self)) for at, deed in DEEDS[bug.scenario]]

    def start(self):
        server, is_first = Server(self.store, self.settings, self.mint), not hasattr(self, "server")
        if not (self.bug.at_restart and is_first):
            self.bug.plant(server)
        return server

    def ask(self, operation, now):
        reply = self.server.handle(operation, OPERATOR, now)
        assert reply.is_success, reply
        return reply

    def act(self, now):
        while self.deeds and self.deeds[0][0] <= now:
            _, deed = self.deeds.pop(0)
            deed(now)

    def agents(self, request, now):
        self.act(now)
        return self.server.handle(request, AGENT, now)

    def command(self, operation, now):
        self.act(now)
        return self.server.handle(operation, OPERATOR, now)

    def sweep(self, now):
        wanted = self.server.sweep(now)
        self.store.commit()
        return wanted


def staged(bug=NO_BUG):
    """What `play` takes for a server."""

    def serve(store, settings, seed):
        made = Staged(bug, store, settings, seed)
        return Backend(made.agents, made.command, made.sweep)

    return serve


def unschedule_what_waits(stage, now):
    """The first jobs that wait: their agents have them on their lists, or will at the next heartbeat."""
    waiting = stage.ask(command.ListScheduledJobs(Page(limit=4)), now).body
    if waiting:
        stage.ask(command.Unschedule(job_ids=tuple(job.id for job in waiting)), now)


def disapprove_half(stage, now):
    agents = stage.ask(command.ListAgents(Page(limit=100)), now).body
    stage.ask(command.DisapproveAgents(tuple(agent.agent_id for agent in agents[::2])), now)


def approve_all(stage, now):
    agents = stage.ask(command.ListAgents(Page(limit=100)), now).body
    stage.ask(command.ApproveAgents(tuple(agent.agent_id for agent in agents)), now)


def acknowledge_failures(stage, now):
    query = f"Result -eq {Result.FAILURE.value} AND Status -eq {Status.COMPLETED.value}"
    stage.ask(command.Acknowledge(query=query), now)


def acknowledge_again(stage, now):
    done = stage.ask(command.ListJobHistory(Page(query=f"Status -eq {Status.ACKNOWLEDGED.value}", limit=5)), now).body
    stage.ask(command.Acknowledge(job_audit_ids=tuple(run.job_history_id for run in done)), now)


def restart(stage, now):
    """A new process over the same database: sessions are gone, and agents must register again."""
    stage.store.commit()
    stage.server = stage.start()


DEEDS = {
    SCENARIO: [
        (60.5, unschedule_what_waits),
        (80.5, unschedule_what_waits),
        (100.5, unschedule_what_waits),
        (110.0, acknowledge_failures),
        (124.0, disapprove_half),
        (140.0, approve_all),
        (RESTART / SECOND, restart),
        (220.0, acknowledge_again),
    ],
    RECURRING: [],
    RESCHEDULED: [],
    UNSCHEDULED: [],
}


def played(folder, bug=NO_BUG, **changes):
    """The bug's scenario replayed with it in the server."""
    return play(folder, bug.scenario, serve=staged(bug), **changes)
