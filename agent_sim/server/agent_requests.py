"""The agents' side: what each message of an orchestrator changes and how it is answered.

Refusals are answers with a `Result`, in status 200; only what is no message at all for us gets another status, and
then an empty body (agent-protocol 8.1.2). Where the protocol leaves a choice open, the method says what was chosen.
"""

import hashlib
from base64 import b64decode
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from agent_sim.instants import Instant
from agent_sim.jobs.model import ENDINGS, Job, Run
from agent_sim.protocol import agent as wire
from agent_sim.protocol.agent import OK, AgentReply, AgentRequest, refusal, unpack_version
from agent_sim.protocol.enums import AgentStatus, Category, ItemStatus, Result
from agent_sim.server.callers import AGENT_SESSION, Caller
from agent_sim.server.dispatch import CANCELLED, configuration, is_served, session_job
from agent_sim.server.guids import read_guid
from agent_sim.server.ports import Mint, Store
from agent_sim.server.problems import AgentCode
from agent_sim.server.sessions import Session, Sessions
from agent_sim.server.tables.agents import Agents, Orchestrator
from agent_sim.server.tables.stores import Item, Stores
from agent_sim.server.work import Work
from agent_sim.settings import ServerSettings
from agent_sim.states import JobState, RunState

_NO_SESSION: Final = refusal(AgentCode.NO_SESSION, "this session is unknown or over: register again")
_NO_RUN: Final = refusal(AgentCode.NO_SUCH_RUN, "no such run of this job by this orchestrator")


class AgentRequests:
    """Handles every message of the agents' wire."""

    def __init__(
        self, store: Store, settings: ServerSettings, mint: Mint, sessions: Sessions, work: Work, stores: Stores
    ) -> None:
        self._store, self._settings, self._mint = store, settings, mint
        self._sessions, self._work, self._stores = sessions, work, stores
        self._agents = Agents(store)
        self._not_valid = AgentReply(200, wire.HeartbeatReply(settings.heartbeat_minutes, False, OK))
        self._handlers: Mapping[type, Callable[..., AgentReply]] = {
            wire.Register: self._register,
            wire.Configure: self._configure,
            wire.UpdateInventory: self._update_inventory,
            wire.Enroll: self._enroll,
            wire.UpdateLocations: self._update_locations,
            wire.Complete: self._complete,
        }

    def handle(self, request: AgentRequest, caller: Caller, now: Instant) -> AgentReply:
        """The answer to one message."""
        body = request.body
        if isinstance(body, wire.Heartbeat):
            return self._heartbeat(body, caller, now)
        if not caller.may(AGENT_SESSION):
            return AgentReply(403, None)
        if not is_served(request.endpoint, type(body)):
            return AgentReply(404, None)
        with self._store.change():
            return self._handlers[type(body)](body, caller, now)

    def _heartbeat(self, body: wire.Heartbeat, caller: Caller, now: Instant) -> AgentReply:
        """Whether the session holds; touches no SQL. Whoever has no session that holds must register."""
        session = self._sessions.holding(body.session_token, caller.name, now)
        if session is None or session.is_stale:
            return self._not_valid
        self._sessions.hear(session.agent_id, now)
        return session.beat

    # --- registration -------------------------------------------------------------------------

    def _register(self, body: wire.Register, caller: Caller, now: Instant) -> AgentReply:
        if not body.client_machine.strip():
            return _no_session(AgentCode.IDENTITY, "ClientMachine must name the orchestrator")
        agent = self._remembered(body, caller)
        self._sessions.hear(agent.agent_id, now)
        if agent.status is not AgentStatus.APPROVED:
            return self._pending(agent, now)
        jobs = [job for job in self._work.jobs.waiting(agent.agent_id) if agent.can(job.type)]
        session = self._opened(agent, self._minutes(agent), now + self._settings.session_length)
        session.listed = {job.job_id: job.wire_schedule for job in jobs}
        return self._session_reply(session, agent, self._minutes(agent), tuple(map(session_job, jobs)))

    def _remembered(self, body: wire.Register, caller: Caller) -> Orchestrator:
        """The agent that registers, new or with what this registration changes."""
        known = self._identified(body, caller)
        # A CSR is not answered before there is an authority that could sign it.
        said = replace(
            known or self._newcomer(body, caller),
            client_machine=body.client_machine,
            platform=body.agent_platform,
            version=unpack_version(body.agent_version),
            registered=body.capabilities,
            parameters=dict(body.client_parameters),
        )
        if known is None:
            self._agents.add(said)
        elif said != known:
            self._agents.update(said)
        return said

    def _identified(self, body: wire.Register, caller: Caller) -> Orchestrator | None:
        """Who this is: by account and ClientMachine (agent-protocol 8.1.7), else by AgentId under a new ClientMachine.

        Our choice: an AgentId that we do not know, or that another account's agent has, counts as none.
        """
        named = self._agents.by_name(caller.name, body.client_machine)
        agent_id = read_guid(body.agent_id)
        if named is not None or agent_id is None:
            return named
        known = self._agents.by_id(agent_id)
        return known if known is not None and known.username == caller.name else None

    def _newcomer(self, body: wire.Register, caller: Caller) -> Orchestrator:
        status = AgentStatus.APPROVED if self._settings.auto_approve else AgentStatus.NEW
        return Orchestrator(self._mint.guid(), caller.name, body.client_machine, 0, "", status, ())

    def _pending(self, agent: Orchestrator, now: Instant) -> AgentReply:
        """The answer to an agent that may not work (yet): by setting an error, or a session without jobs."""
        if self._settings.pending_answer == "error":
            status = agent.status.name.title()
            sentence = f"orchestrator {agent.client_machine} has status {status}, it must be approved first"
            return _no_session(AgentCode.NOT_APPROVED, sentence)
        minutes = self._settings.registration_check_minutes
        # Over before it begins: its next heartbeat makes it register again, which is how it learns of its approval.
        session = self._opened(agent, minutes, expires=now)
        return self._session_reply(session, agent, minutes, ())

    def _opened(self, agent: Orchestrator, minutes: float, expires: Instant) -> Session:
        beat = AgentReply(200, wire.HeartbeatReply(minutes, True, OK))
        session = Session(self._mint.guid(), agent.agent_id, agent.username, expires, beat)
        self._sessions.open(session)
        return session

    def _minutes(self, agent: Orchestrator) -> float:
        """How often this agent is to be heard of: by the first prefix that its name has, else for all."""
        for prefix, minutes in self._settings.heartbeat_by_prefix:
            if agent.client_machine.startswith(prefix):
                return minutes
        return self._settings.heartbeat_minutes

    def _session_reply(
        self, session: Session, agent: Orchestrator, minutes: float, jobs: tuple[wire.SessionJob, ...]
    ) -> AgentReply:
        told = wire.Session(session.token, agent.agent_id, agent.client_machine, minutes, jobs=jobs)
        return AgentReply(200, wire.SessionReply(told, OK))

    # --- a job is taken -----------------------------------------------------------------------

    def _configure(self, body: wire.Configure, caller: Caller, now: Instant) -> AgentReply:
        """Begin a run, or tell again what a run in process is to do.

        A stale session may still take jobs: its list is old, but each job is checked here. A recurring job may be
        taken before it is due, because agents keep their own schedules (agent-protocol 5). A job that is gone,
        unscheduled or not this agent's is answered as cancelled, after which the agent asks for a new list.
        """
        session = self._sessions.holding(body.session_token, caller.name, now)
        if session is None:
            return AgentReply(200, wire.Configuration(result=_NO_SESSION))
        self._sessions.hear(session.agent_id, now)
        job = self._work.jobs.by_id(body.job_id.lower())
        if job is None or job.agent_id != session.agent_id:
            return AgentReply(200, CANCELLED)
        if job.state is not JobState.WAITING:
            running = self._work.runs.in_process(job.job_id)
            return AgentReply(200, CANCELLED if running is None else self._told(job, running))
        audit_id = self._work.take(job, now)
        if job.is_one_shot:
            session.listed.pop(job.job_id, None)
        return AgentReply(200, self._told(job, audit_id))

    def _told(self, job: Job, audit_id: int) -> wire.Configuration:
        return configuration(job, audit_id, self._stores, self._settings)

    # --- uploads ------------------------------------------------------------------------------

    def _update_inventory(self, body: wire.UpdateInventory, caller: Caller, now: Instant) -> AgentReply:
        """Take in what is in a store: several uploads of one run add up (agent-protocol 4.1)."""
        found = self._uploading(body.session_token, body.job_id, Category.INVENTORY, caller, now)
        if isinstance(found, AgentReply):
            return found
        run, job = found
        items = [(entry, _item(entry)) for entry in body.inventory]
        broken = next((entry.alias for entry, item in items if item is None), None)
        if broken is not None:
            return _uploaded(refusal(AgentCode.UPLOAD, f"a certificate of {broken} is not base64"))
        for entry, item in items:
            if item is not None:
                self._take_in(job.store_id or "", entry.item_status, item, run.audit_id)
        return _uploaded(OK)

    def _take_in(self, store_id: str, mark: ItemStatus, item: Item, audit_id: int) -> None:
        if mark is ItemStatus.REMOVED:
            self._stores.remove_item(store_id, item.alias)
        elif mark is ItemStatus.UNCHANGED:
            self._stores.saw_item(store_id, item.alias, audit_id)
        else:
            self._stores.put_item(store_id, item, audit_id)

    def _enroll(self, body: wire.Enroll, caller: Caller, now: Instant) -> AgentReply:
        """Deny: there is no authority yet that could sign."""
        found = self._uploading(body.session_token, body.job_id, Category.REENROLLMENT, caller, now)
        if isinstance(found, AgentReply):
            return found
        return _uploaded(refusal(AgentCode.DENIED, "this server has no certificate authority"))

    def _update_locations(self, body: wire.UpdateLocations, caller: Caller, now: Instant) -> AgentReply:
        """Keep the store paths that a discovery found."""
        found = self._uploading(body.session_token, body.job_id, Category.DISCOVERY, caller, now)
        if isinstance(found, AgentReply):
            return found
        run, _ = found
        self._work.runs.add_locations(run.audit_id, body.locations)
        return _uploaded(OK)

    def _uploading(
        self, token: str, job_id: str, category: Category, caller: Caller, now: Instant
    ) -> tuple[Run, Job] | AgentReply:
        """The run in process that an upload belongs to; also under a session that is over."""
        agent_id = self._sessions.owner(token, caller.name)
        if agent_id is None:
            return _uploaded(_NO_SESSION)
        self._sessions.hear(agent_id, now)
        audit_id = self._work.runs.in_process(job_id.lower())
        found = self._work.runs.with_job(audit_id) if audit_id is not None else None
        if found is None or found[1].agent_id != agent_id or found[1].type.category is not category:
            return _uploaded(_NO_RUN)
        return found

    # --- the end of a run ---------------------------------------------------------------------

    def _complete(self, body: wire.Complete, caller: Caller, now: Instant) -> AgentReply:
        """End a run, once.

        Accepted also under a session that is over, or the result would be lost. The same completion again is answered
        as the first was and changes nothing; any other one for a run that has ended is refused.
        """
        agent_id = self._sessions.owner(body.session_token, caller.name)
        if agent_id is None:
            return _completed(_NO_SESSION)
        self._sessions.hear(agent_id, now)
        if body.status not in ENDINGS:
            allowed = "2 (success), 3 (warning) or 4 (failure)"
            return _completed(refusal(AgentCode.STATUS, f"Status must be {allowed}, is {int(body.status)}"))
        found = self._work.runs.with_job(body.audit_id)
        if found is None or found[1].agent_id != agent_id or found[1].job_id != body.job_id.lower():
            return _completed(_NO_RUN)
        run, job = found
        data = body.log if body.log is not None else body.data
        if run.state is not RunState.IN_PROCESS:
            return self._completed_before(run, body, data)
        if data is not None and len(data.encode()) > self._settings.max_data_bytes:
            return AgentReply(413, None)
        self._work.end(run, job, Result(body.status), body.message, now)
        if data is not None:
            self._work.runs.add_data(run.audit_id, data)
        if job.store_id is not None and job.type.category is Category.INVENTORY and body.status is not Result.FAILURE:
            self._stores.forget_unseen(job.store_id, run.audit_id)
        return _completed(OK)

    def _completed_before(self, run: Run, body: wire.Complete, data: str | None) -> AgentReply:
        if run.timed_out:
            late = "this run was given up before: it timed out"
            return _completed(refusal(AgentCode.ALREADY_ENDED, late))
        said = (run.result, run.message, self._work.runs.data(run.audit_id))
        if said == (body.status, body.message, data):
            return _completed(OK)
        return _completed(refusal(AgentCode.ALREADY_ENDED, "this run has been completed with another result"))


def _no_session(code: AgentCode, sentence: str) -> AgentReply:
    return AgentReply(200, wire.SessionReply(None, refusal(code, sentence)))


def _uploaded(outcome: wire.Outcome) -> AgentReply:
    return AgentReply(200, wire.Acknowledged(outcome))


def _completed(outcome: wire.Outcome) -> AgentReply:
    return AgentReply(200, wire.CompletionReply(outcome))


def _item(entry: wire.InventoryItem) -> Item | None:
    """The entry as it is kept; None if a certificate of it cannot be read."""
    try:
        thumbprints = tuple(map(_thumbprint, entry.certificates))
    except ValueError:
        return None
    return Item(entry.alias, entry.private_key_entry, entry.use_chain_level, thumbprints, entry.certificates)


def _thumbprint(certificate: str) -> str:
    """SHA-1 of the DER, as the vendor's agents name certificates; line breaks in the base64 are fine."""
    der = b64decode("".join(certificate.split()), validate=True)
    return hashlib.sha1(der, usedforsecurity=False).hexdigest()
