"""The agents' side: what each message of an orchestrator changes and how it is answered; Register in `registration`.

Refusals are answers with a `Result`, in status 200; only what is no message at all for us gets another status, and
then an empty body (agent-protocol 8.1.2). Where the protocol leaves a choice open, the method says what was chosen.
"""

import hashlib
from base64 import b64decode
from collections.abc import Callable, Mapping
from typing import Final

from agent_sim.instants import Instant
from agent_sim.jobs.model import ENDINGS, Job, Run
from agent_sim.protocol import agent as wire
from agent_sim.protocol.agent import OK, AgentReply, AgentRequest, refusal
from agent_sim.protocol.enums import Category, ItemStatus, Result
from agent_sim.server.ca import BadRequest
from agent_sim.server.callers import AGENT_SESSION, Caller
from agent_sim.server.dispatch import AT_STORE, CANCELLED, configuration, is_served
from agent_sim.server.issuing import Issuer
from agent_sim.server.ports import Mint, Store
from agent_sim.server.problems import AgentCode
from agent_sim.server.registration import Registration
from agent_sim.server.sessions import Session, Sessions
from agent_sim.server.tables.agents import Agents
from agent_sim.server.tables.found_certificates import FoundCertificates
from agent_sim.server.tables.stores import Item, Stores
from agent_sim.server.tables.uploads import Uploads
from agent_sim.server.work import Work
from agent_sim.settings import ServerSettings
from agent_sim.states import JobState, RunState

_NO_SESSION: Final = refusal(AgentCode.NO_SESSION, "this session is unknown or over: register again")
_NO_RUN: Final = refusal(AgentCode.NO_SUCH_RUN, "no such run of this job by this orchestrator")
_COMPLETED: Final = AgentReply(200, wire.CompletionReply(OK))
_CHANGES_STORES: Final = (Category.MANAGEMENT, Category.REENROLLMENT)


class AgentRequests:
    """Handles every message of the agents' wire."""

    def __init__(
        self, store: Store, settings: ServerSettings, mint: Mint, sessions: Sessions, work: Work, stores: Stores
    ) -> None:
        self._store, self._settings, self._mint = store, settings, mint
        self._sessions, self._work, self._stores = sessions, work, stores
        self._heard = sessions.heard
        self._agents = Agents(store)
        self._uploads = Uploads(store)
        self._collection = FoundCertificates(store)
        self._issuer = Issuer(store, mint, settings.certificate_lifetime)
        self._not_valid = AgentReply(200, wire.HeartbeatReply(settings.heartbeat_minutes, False, OK))
        self._handlers: Mapping[type, Callable[..., AgentReply]] = {
            wire.Register: Registration(store, settings, mint, sessions, work, stores).register,
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
        if isinstance(body, wire.Garbled):
            return AgentReply(400, None)  # as over HTTP, where it does not get this far
        if not is_served(request.endpoint, type(body)):
            return AgentReply(404, None)
        with self._store.change():
            return self._handlers[type(body)](body, caller, now)

    def _heartbeat(self, body: wire.Heartbeat, caller: Caller, now: Instant) -> AgentReply:
        """Whether the session holds; touches no SQL. Whoever has no session that holds must register."""
        session = self._holding(body.session_token, caller, now)
        if session is None or session.must_end:
            return self._not_valid
        self._heard.hear(session.agent_id, now)
        return session.beat

    # --- whose a session is -------------------------------------------------------------------

    def _holding(self, token: str, caller: Caller, now: Instant) -> Session | None:
        """The session, if it is the caller's: by account, and by certificate if one was shown."""
        session = self._sessions.holding(token, caller.name, now)
        return session if session is not None and _is_of(caller, session.agent_id) else None

    def _owner(self, token: str, caller: Caller) -> str | None:
        agent_id = self._sessions.owner(token, caller.name)
        return agent_id if agent_id is not None and _is_of(caller, agent_id) else None

    # --- a job is taken -----------------------------------------------------------------------

    def _configure(self, body: wire.Configure, caller: Caller, now: Instant) -> AgentReply:
        """Begin a run, or tell again what a run in process is to do.

        A stale session may still take jobs: its list is old, but each job is checked here. A recurring job may be
        taken before it is due, because agents keep their own schedules (agent-protocol 5). A job that is gone,
        unscheduled or not this agent's is answered as cancelled, after which the agent asks for a new list.
        """
        session = self._holding(body.session_token, caller, now)
        if session is None:
            return AgentReply(200, wire.Configuration(result=_NO_SESSION))
        self._heard.hear(session.agent_id, now)
        job = self._work.jobs.by_id(body.job_id.lower())
        if job is None or job.agent_id != session.agent_id or self._lacks_store(job):
            return AgentReply(200, CANCELLED)
        if job.state is not JobState.WAITING:
            return AgentReply(200, self._told_again(job, now))
        audit_id = self._work.take(job, now)
        if job.is_one_shot:
            session.listed.pop(job.job_id, None)
        return AgentReply(200, self._told(job, audit_id))

    def _told_again(self, job: Job, now: Instant) -> wire.Configuration:
        """The run in process as it was told the first time; by setting it ends here if nobody wants it any more."""
        audit_id = self._work.runs.in_process(job.job_id)
        found = self._work.runs.with_job(audit_id) if audit_id is not None else None
        if audit_id is None or found is None:
            return CANCELLED
        if job.state is JobState.GONE and self._settings.cancel_unscheduled:
            self._work.end(*found, Result.FAILURE, "cancelled: the job was unscheduled while it ran", now)
            return CANCELLED
        return self._told(job, audit_id)

    def _lacks_store(self, job: Job) -> bool:
        """True if the store that the job is about was deleted."""
        return job.type.category in AT_STORE and self._stores.by_id(job.store_id or "") is None

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
        self._uploads.note(run.audit_id, accepted=broken is None)
        if broken is not None:
            return _uploaded(refusal(AgentCode.UPLOAD, f"a certificate of {broken} is not base64"))
        for entry, item in items:
            if item is not None:
                self._take_in(job.store_id or "", entry.item_status, item, run.audit_id)
        self._collection.learn((text for entry, _ in items for text in entry.certificates), now)
        return _uploaded(OK)

    def _take_in(self, store_id: str, mark: ItemStatus, item: Item, audit_id: int) -> None:
        if mark is ItemStatus.REMOVED:
            self._stores.remove_item(store_id, item.alias)
        elif mark is ItemStatus.UNCHANGED:
            self._stores.saw_item(store_id, item.alias, audit_id)
        else:
            self._stores.put_item(store_id, item, audit_id)

    def _enroll(self, body: wire.Enroll, caller: Caller, now: Instant) -> AgentReply:
        """Sign the key that the agent made; the same request again in the same run gets the same certificate."""
        found = self._uploading(body.session_token, body.job_id, Category.REENROLLMENT, caller, now)
        if isinstance(found, AgentReply):
            return found
        run, job = found
        subject = job.details.get("subject", "")
        try:
            issued = self._issuer.for_store(body.csr_text, job.agent_id, run.audit_id, subject, now)
        except BadRequest as error:
            return _uploaded(refusal(AgentCode.DENIED, str(error)))
        return AgentReply(200, wire.Acknowledged(OK, issued.contents))

    def _update_locations(self, body: wire.UpdateLocations, caller: Caller, now: Instant) -> AgentReply:
        """Keep the store paths that a discovery found, and show them as stores that wait for approval."""
        found = self._uploading(body.session_token, body.job_id, Category.DISCOVERY, caller, now)
        if isinstance(found, AgentReply):
            return found
        run, job = found
        self._work.runs.add_locations(run.audit_id, body.locations)
        if "store_type" in job.details:
            paths = [path for path in dict.fromkeys(body.locations) if path]
            ids = [self._mint.guid() for _ in paths]
            machine = job.details["client_machine"]
            self._stores.add_found(ids, job.agent_id, machine, paths, int(job.details["store_type"]))
        return _uploaded(OK)

    def _uploading(
        self, token: str, job_id: str, category: Category, caller: Caller, now: Instant
    ) -> tuple[Run, Job] | AgentReply:
        """The run in process that an upload belongs to; also under a session that is over."""
        agent_id = self._owner(token, caller)
        if agent_id is None:
            return _uploaded(_NO_SESSION)
        self._heard.hear(agent_id, now)
        audit_id = self._work.runs.in_process(job_id.lower())
        found = self._work.runs.with_job(audit_id) if audit_id is not None else None
        if found is None or found[1].agent_id != agent_id or found[1].type.category is not category:
            return _uploaded(_NO_RUN)
        return _uploaded(_NO_RUN) if self._lacks_store(found[1]) else found

    # --- the end of a run ---------------------------------------------------------------------

    def _complete(self, body: wire.Complete, caller: Caller, now: Instant) -> AgentReply:
        """End a run, once.

        Accepted also under a session that is over, or the result would be lost. The same completion again is answered
        as the first was and changes nothing; any other one for a run that has ended is refused.
        """
        agent_id = self._owner(body.session_token, caller)
        if agent_id is None:
            return _refused(_NO_SESSION)
        self._heard.hear(agent_id, now)
        if body.status not in ENDINGS:
            allowed = "2 (success), 3 (warning) or 4 (failure)"
            return _refused(refusal(AgentCode.STATUS, f"Status must be {allowed}, is {int(body.status)}"))
        found = self._work.runs.with_job(body.audit_id)
        if found is None or found[1].agent_id != agent_id or found[1].job_id != body.job_id.lower():
            return _refused(_NO_RUN)
        run, job = found
        data = body.log if body.log is not None else body.data
        if run.state is not RunState.IN_PROCESS:
            return self._completed_before(run, job, body, data)
        if data is not None and len(data.encode()) > self._settings.max_data_bytes:
            return AgentReply(413, None)
        self._work.end(run, job, body.status, body.message, now)
        if data is not None:
            self._work.runs.add_data(run.audit_id, data)
        if job.store_id is not None and body.status is not Result.FAILURE:
            self._settle(job, job.store_id, run.audit_id)
        return self._completed(job, body.status)

    def _settle(self, job: Job, store_id: str, audit_id: int) -> None:
        """What a run that went well makes of its store's content as the server knows it."""
        if job.type.category is Category.REENROLLMENT:
            self._stores_got(job, store_id, audit_id)
        elif job.type.category is Category.INVENTORY and self._uploads.is_whole(audit_id):
            self._stores.forget_unseen(store_id, audit_id)
        elif job.type.category is Category.INVENTORY:
            # A success that brought nothing (agent-protocol 8.1.9): what is known stays.
            self._agents.note(job.agent_id, f"inventory {audit_id} was completed without a whole upload")

    def _stores_got(self, job: Job, store_id: str, audit_id: int) -> None:
        issued = self._issuer.of_run(audit_id)
        if issued is not None:
            alias = job.details.get("alias") or issued.thumbprint
            item = Item(alias, True, False, (issued.thumbprint,), (issued.contents,))
            self._stores.put_item(store_id, item, audit_id)

    def _completed(self, job: Job, status: Result) -> AgentReply:
        wanted = self._inventory_now(job, status)
        return _COMPLETED if wanted is None else AgentReply(200, wire.CompletionReply(OK, wanted))

    def _inventory_now(self, job: Job, status: Result) -> str | None:
        """The inventory of a store that was changed, if its agent has it on its list (agent-protocol 4.0)."""
        changed = job.type.category in _CHANGES_STORES and status is not Result.FAILURE
        store = self._stores.by_id(job.store_id) if changed and job.store_id else None
        session = self._sessions.of_agent(job.agent_id)
        if store is None or session is None or not self._settings.inventory_after_change:
            return None
        job_id = store.cert_store_inventory_job_id
        return job_id if job_id in session.listed else None

    def _completed_before(self, run: Run, job: Job, body: wire.Complete, data: str | None) -> AgentReply:
        if run.timed_out:
            late = "this run was given up before: it timed out"
            return _refused(refusal(AgentCode.ALREADY_ENDED, late))
        said = (run.result, run.message, self._work.runs.data(run.audit_id))
        if said == (body.status, body.message, data):
            return self._completed(job, body.status)
        return _refused(refusal(AgentCode.ALREADY_ENDED, "this run has been completed with another result"))


def _is_of(caller: Caller, agent_id: str) -> bool:
    """False if the caller came with the certificate of another agent."""
    return caller.shown is None or caller.shown.agent_id in (None, agent_id)


def _uploaded(outcome: wire.Outcome) -> AgentReply:
    return AgentReply(200, wire.Acknowledged(outcome))


def _refused(outcome: wire.Outcome) -> AgentReply:
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
