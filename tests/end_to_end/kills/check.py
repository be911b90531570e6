"""What must be true after a kill: the server's account of itself against the ledger and the lifecycle table.

The transitions are replayed through the tables of `agent_sim.states`; where that leads must be what the listings
show, so that no job is in two states. Then: acknowledged <= done <= asked for, and a request is done whole or not.
"""

from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from agent_sim.states import JOB, JobEvent, JobState
from tests.end_to_end.kills.ledger import Bulk, Ledger
from tests.end_to_end.kills.load import Api

APPROVED = 2  # of agents
IN_PROCESS, COMPLETED, ACKNOWLEDGED, WILL_RETRY = 2, 3, 4, 5  # of runs
KINDS = {"Reschedule": "rescheduled", "Acknowledge": "acknowledged", "Unschedule": "unscheduled"}
PAGE = 5000


@dataclass
class Account:
    """All that the server says of itself."""

    agents: dict[str, dict[str, Any]]  # by ClientMachine
    history: dict[int, dict[str, Any]]  # by audit id
    scheduled: dict[str, dict[str, Any]]  # by JobId
    transitions: list[dict[str, Any]]

    @classmethod
    def of(cls, api: Api) -> "Account":
        return cls(
            _all(api, "/Agents", "ClientMachine"),
            _all(api, "/OrchestratorJobs/JobHistory", "JobHistoryId"),
            _all(api, "/OrchestratorJobs/ScheduledJobs", "Id"),
            _feed(api),
        )

    @property
    def weekly(self) -> set[str]:
        """The jobs that recur: all of their type do, and nobody unschedules them."""
        waiting = {job for job, row in self.scheduled.items() if row["JobType"] == "Rotate"}
        return waiting | {row["JobId"] for row in self.history.values() if row["JobType"] == "Rotate"}

    def of_kind(self, kind: str) -> list[dict[str, Any]]:
        return [line for line in self.transitions if line["Kind"] == kind]


def _all(api: Api, path: str, key: str) -> dict[Any, dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    while page := api.get(path, ReturnLimit=PAGE, PageReturned=len(rows) // PAGE + 1):
        rows += page
        if len(page) < PAGE:
            break
    by_key = {row[key]: row for row in rows}
    assert len(by_key) == len(rows)
    return by_key


def _feed(api: Api) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    while page := api.get("/transitions", base="/sim", after=rows[-1]["Seq"] if rows else 0)["Transitions"]:
        rows += page
    return rows


def check(account: Account, ledger: Ledger) -> None:
    """Raises AssertionError at the first thing that is not so."""
    _nothing_is_in_two_states(account)
    _agents_are_as_they_were(account, ledger)
    _runs_are_as_they_were(account, ledger)
    _bulks_are_done_whole_or_not_at_all(account, ledger)


# --- the account in itself --------------------------------------------------------------------


@dataclass
class _Replay:
    """Where the transitions lead. A step that the lifecycle table lacks is a KeyError."""

    jobs: dict[str, JobState] = field(default_factory=dict)
    running: dict[str, int] = field(default_factory=dict)  # JobId -> audit id

    def step(self, line: dict[str, Any], retried: bool, recurs: bool) -> None:
        job, kind = line["JobId"], line["Kind"]
        if kind == "queued":
            assert self.jobs.setdefault(job, JobState.WAITING) is JobState.WAITING, line
        elif kind == "configured":
            self._move(job, JobEvent.CONFIGURED)
            assert self.running.setdefault(job, line["AuditId"]) == line["AuditId"], line
        elif kind == "completed":
            assert self.running.pop(job) == line["AuditId"], line
            again = JobEvent.RECURRED if recurs else JobEvent.FINISHED
            self._move(job, JobEvent.RETRIED if retried else again)
        elif kind in ("rescheduled", "unscheduled"):  # the others leave the job where it is
            self._move(job, JobEvent(kind))

    def _move(self, job: str, event: JobEvent) -> None:
        self.jobs[job] = JOB[self.jobs[job], event]


def _nothing_is_in_two_states(account: Account) -> None:
    replay, weekly = _Replay(), account.weekly
    for line, after in pairwise([*account.transitions, {"Kind": "", "JobId": ""}]):
        retried = (after["Kind"], after["JobId"]) == ("queued", line["JobId"])
        replay.step(line, retried, line["JobId"] in weekly)
        if line["Kind"] == "completed":
            wanted = {WILL_RETRY, ACKNOWLEDGED} if retried else {COMPLETED, ACKNOWLEDGED}
            assert account.history[line["AuditId"]]["Status"] in wanted, line
    waiting = {job for job, state in replay.jobs.items() if state is JobState.WAITING}
    assert account.scheduled.keys() == waiting | (replay.running.keys() & weekly)
    in_process = [row for row in account.history.values() if row["Status"] == IN_PROCESS]
    assert {row["JobId"]: row["JobHistoryId"] for row in in_process} == replay.running
    assert len(in_process) == len(replay.running)


# --- the account and the ledger ---------------------------------------------------------------


def _agents_are_as_they_were(account: Account, ledger: Ledger) -> None:
    for machine, agent_id in ledger.registered.items():
        assert account.agents[machine]["AgentId"] == agent_id
    approved = {row["AgentId"] for row in account.agents.values() if row["Status"] == APPROVED}
    assert ledger.approved <= approved


def _runs_are_as_they_were(account: Account, ledger: Ledger) -> None:
    queued = {line["JobId"] for line in account.transitions if line["Kind"] == "queued"}
    assert ledger.posted <= queued
    for audit_id, job_id in ledger.taken.items():
        assert account.history[audit_id]["JobId"] == job_id
    ends = Counter(line["AuditId"] for line in account.transitions if line["Kind"] == "completed")
    assert set(ends.values()) <= {1}, "a run ended twice"
    assert ledger.completed.keys() <= ends.keys() <= ledger.to_complete.keys()
    for audit_id in ends:
        row = account.history[audit_id]
        assert (row["Result"], row["Message"]) == ledger.to_complete[audit_id]


def _bulks_are_done_whole_or_not_at_all(account: Account, ledger: Ledger) -> None:
    for verb, kind in KINDS.items():
        done = Counter(line["JobId" if verb == "Unschedule" else "AuditId"] for line in account.of_kind(kind))
        assert set(done.values()) <= {1}, f"{kind} twice"
        assert done.keys() <= ledger.claimed[verb], f"{kind} unasked"
        for bulk in ledger.bulks:
            if bulk.verb == verb:
                _is_done(bulk, len(done.keys() & set(bulk.ids)))
    acknowledged = {audit for audit, row in account.history.items() if row["Status"] == ACKNOWLEDGED}
    assert acknowledged == {line["AuditId"] for line in account.of_kind("acknowledged")}


def _is_done(bulk: Bulk, done: int) -> None:
    allowed = {204: {len(bulk.ids)}, 400: {0}, None: {0, len(bulk.ids)}}[bulk.status]
    assert done in allowed, (bulk, done)
