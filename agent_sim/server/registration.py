"""Registration: who an agent is, whether it may work, which certificate it goes by, and which jobs it is told.

Refusals are answers with a `Result` and no session. An agent that asks for a certificate with a CSR gets it in the
same answer, or an error and no AgentId (agent-protocol 8.1.5). What happens to the jobs afterwards is
`agent_requests`' business.
"""

import logging
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Final

from agent_sim.instants import Instant
from agent_sim.jobs.model import Job, new_job
from agent_sim.protocol import agent as wire
from agent_sim.protocol.agent import OK, AgentReply, Outcome, pack_version, refusal, unpack_version
from agent_sim.protocol.enums import AgentStatus, Category, Platform, ReplyStatus
from agent_sim.protocol.schedule import Immediate, next_run
from agent_sim.server.ca import BadRequest
from agent_sim.server.callers import Caller
from agent_sim.server.dispatch import session_job
from agent_sim.server.guids import read_guid
from agent_sim.server.issuing import Issuer
from agent_sim.server.ports import Mint, Store
from agent_sim.server.problems import AgentCode
from agent_sim.server.sessions import Session, Sessions
from agent_sim.server.tables.agents import Agents, Orchestrator
from agent_sim.server.tables.certificates import Certificates
from agent_sim.server.tables.store_types import StoreTypes
from agent_sim.server.tables.stores import Stores
from agent_sim.server.work import Work
from agent_sim.settings import ServerSettings

ENROLL_STORES: Final = "registration-enroll-stores"
"""What the second registration asks for in ClientParameters.RegistrationRequest (agent-protocol 2.1)."""

REQUESTED, REQUIRED = 1, 2
"""Numbers of AuthCertificateReenrollment (command-api 3.1)."""

_FIRST_WITHOUT_LOOP: Final = pack_version(2, 18, 0, 0)

_logger = logging.getLogger(__name__)


class Registration:
    """Answers Register."""

    def __init__(
        self, store: Store, settings: ServerSettings, mint: Mint, sessions: Sessions, work: Work, stores: Stores
    ) -> None:
        self._settings, self._mint = settings, mint
        self._sessions, self._work, self._stores = sessions, work, stores
        self._agents = Agents(store)
        self._certificates = Certificates(store)
        self._types = StoreTypes(store)
        self._issuer = Issuer(store, mint, settings.certificate_lifetime)

    def register(self, body: wire.Register, caller: Caller, now: Instant) -> AgentReply:
        """The answer to one registration."""
        if not body.client_machine.strip():
            return _no_session(AgentCode.IDENTITY, "ClientMachine must name the orchestrator")
        known = self._identified(body, caller)
        misuse = self._misuse(known, body, caller, now)
        if misuse:
            return _no_session(AgentCode.IDENTITY, misuse)
        agent = self._remembered(known, body, caller)
        self._sessions.heard.meet(agent.agent_id, now)
        if agent.status is not AgentStatus.APPROVED:
            return self._pending(agent, is_enrolling=bool(body.csr), now=now)
        if body.csr:
            return self._enrolled(agent, body.csr, body, now)
        outcome = self._renewal(agent, caller, now)
        if outcome.status is ReplyStatus.ERROR:
            return AgentReply(200, wire.SessionReply(None, outcome))
        return self._welcomed(agent, body, now, outcome)

    # --- who it is ----------------------------------------------------------------------------

    def _identified(self, body: wire.Register, caller: Caller) -> Orchestrator | None:
        """Who this is: by account and ClientMachine (agent-protocol 8.1.7), else by AgentId or by its certificate.

        Our choice: an AgentId that we do not know, or that another account's agent has, counts as none.
        """
        named = self._agents.by_name(caller.name, body.client_machine)
        if named is not None:
            return named
        shown = caller.shown.agent_id if caller.shown else None
        for agent_id in filter(None, (read_guid(body.agent_id), shown)):
            known = self._agents.by_id(agent_id)
            if known is not None and known.username == caller.name:
                return known
        return None

    def _misuse(self, known: Orchestrator | None, body: wire.Register, caller: Caller, now: Instant) -> str | None:
        """Why the certificate that came along, or its lack, lets nobody in (our choice: the vendor's rules are not
        public). One that nobody goes by counts as none: the account's password is the proof then."""
        shown = caller.shown
        if shown is not None and shown.agent_id is not None and (known is None or shown.agent_id != known.agent_id):
            return "the client certificate is another orchestrator's"
        holds_one = known is not None and known.thumbprint and not body.csr
        is_shown = shown is not None and shown.agent_id is not None
        if self._settings.demand_certificate and holds_one and not is_shown:
            return "this orchestrator has a client certificate and must show it"
        if self._settings.revoke_old_certificate and holds_one and shown is not None and not shown.is_current:
            return "the client certificate was replaced by a newer one"
        return None

    def _remembered(self, known: Orchestrator | None, body: wire.Register, caller: Caller) -> Orchestrator:
        """The agent that registers, new or with what this registration changes."""
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
        if caller.shown is not None and caller.shown.agent_id and caller.shown.thumbprint != said.last_thumbprint_used:
            self._certificates.used(said.agent_id, caller.shown.thumbprint)
        self._warn_of_mac(said)
        return said

    def _newcomer(self, body: wire.Register, caller: Caller) -> Orchestrator:
        status = AgentStatus.APPROVED if self._settings.auto_approve else AgentStatus.NEW
        return Orchestrator(self._mint.guid(), caller.name, body.client_machine, 0, "", status, ())

    def _warn_of_mac(self, agent: Orchestrator) -> None:
        """Log it and write it on the agent's record; a `Result` of warning would keep its jobs from it (2.4)."""
        if self._settings.product_version < self._settings.mac_deprecated_since or not _is_mac(agent):
            return
        since = self._settings.mac_deprecated_since
        self._note(agent, f"the Mac Auto-Enroll Agent is deprecated since product version {since}: replace it")

    def _note(self, agent: Orchestrator, message: str) -> None:
        if agent.last_error_message != message:
            _logger.warning("%s: %s", agent.client_machine, message, extra={"agent": agent.agent_id})
            self._agents.note(agent.agent_id, message)

    # --- whether it may work ------------------------------------------------------------------

    def _pending(self, agent: Orchestrator, *, is_enrolling: bool, now: Instant) -> AgentReply:
        """The answer to an agent that may not work (yet): by setting an error, or a session without jobs.

        One that asked for a certificate is never told an AgentId without one: it would be stuck (8.1.5).
        """
        if is_enrolling or self._settings.pending_answer == "error":
            status = agent.status.name.title()
            sentence = f"orchestrator {agent.client_machine} has status {status}, it must be approved first"
            return _no_session(AgentCode.NOT_APPROVED, sentence)
        minutes = self._settings.registration_check_minutes
        # Over before it begins: its next heartbeat makes it register again, which is how it learns of its approval.
        session = self._opened(agent, minutes, expires=now)
        return _session_reply(session, agent, minutes, (), OK)

    # --- its certificate ----------------------------------------------------------------------

    def _enrolled(self, agent: Orchestrator, csr: str, body: wire.Register, now: Instant) -> AgentReply:
        """Issue what was asked for; the renewal that may have been asked of the agent is done with that."""
        try:
            issued = self._issuer.for_agent(csr, agent.agent_id, agent.client_machine, now)
        except BadRequest as error:
            self._note(agent, str(error))
            return _no_session(AgentCode.DENIED, str(error))
        facts = {"agent": agent.agent_id, "thumbprint": issued.thumbprint}
        _logger.info("%s: certificate issued", agent.client_machine, extra=facts)
        return self._welcomed(replace(agent, thumbprint=issued.thumbprint), body, now, OK, issued.contents)

    def _renewal(self, agent: Orchestrator, caller: Caller, now: Instant) -> Outcome:
        """What this agent is told about a new certificate: nothing, a warning or an error (agent-protocol 2.4)."""
        level = max(agent.auth_certificate_reenrollment, self._by_expiry(agent, caller, now))
        if level >= REQUIRED:
            sentence = "this orchestrator must have a new client certificate: register with a CSR"
            return refusal(self._settings.required_code, sentence)
        if level == REQUESTED:
            sentence = "this orchestrator should have a new client certificate: register with a CSR"
            return refusal(self._settings.requested_code, sentence, ReplyStatus.WARNING)
        return OK

    def _by_expiry(self, agent: Orchestrator, caller: Caller, now: Instant) -> int:
        """What the time left asks for: of the certificate that was shown, else of the one that it should have."""
        if caller.shown is not None and caller.shown.agent_id == agent.agent_id:
            expires: Instant | None = caller.shown.expires
        else:
            expires = self._certificates.expiry(agent.thumbprint) if agent.thumbprint else None
        if expires is None or now < expires - self._settings.certificate_warning:
            return 0
        return REQUESTED if now < expires - self._settings.certificate_error else REQUIRED

    # --- its session --------------------------------------------------------------------------

    def _welcomed(
        self, agent: Orchestrator, body: wire.Register, now: Instant, outcome: Outcome, certificate: str | None = None
    ) -> AgentReply:
        """A session with the jobs that wait."""
        if body.client_parameters.get("RegistrationRequest") == ENROLL_STORES:
            self._enroll_stores(agent, now)
        jobs = self._jobs(agent, now)
        minutes = self._minutes(agent)
        session = self._opened(agent, minutes, now + self._settings.session_length)
        session.listed = {job.job_id: job.wire_schedule for job in jobs}
        session.is_spared = self._settings.spare_loop_builds and _is_loop_build(body)
        # Stable: adding before all else, as the vendor's agent does it, then in the order of creation.
        told = sorted(map(session_job, jobs), key=lambda job: job.priority)
        return _session_reply(session, agent, minutes, told, outcome, certificate)

    def _jobs(self, agent: Orchestrator, now: Instant) -> list[Job]:
        jobs = [job for job in self._work.jobs.waiting(agent.agent_id) if agent.can(job.type)]
        if self._settings.list_only_due:
            jobs = [job for job in jobs if self._is_due(job, now)]
        crashes = agent.platform == Platform.NATIVE and not agent.thumbprint  # agent-protocol 8.1.6
        if not (crashes and self._settings.management_needs_certificate):
            return jobs
        safe = [job for job in jobs if job.type.category is not Category.MANAGEMENT]
        if len(safe) < len(jobs):
            self._note(agent, "management jobs wait: this kind of agent needs a client certificate for them")
        return safe

    def _is_due(self, job: Job, now: Instant) -> bool:
        """True if it is wanted at once, or if its schedule came round since it last ran or was asked for."""
        since = self._work.runs.last_start(job.job_id) or job.requested
        return job.at_once or next_run(job.schedule, since) <= now

    def _enroll_stores(self, agent: Orchestrator, now: Instant) -> None:
        """By setting, a re-enrolment for each approved store that has none to come (agent-protocol 2.1)."""
        if not self._settings.registration_enrolls_stores:
            return
        pending = {
            job.store_id
            for job in self._work.jobs.waiting(agent.agent_id)
            if job.type.category is Category.REENROLLMENT
        }
        for store_id in self._stores.of_agents([agent.agent_id]):
            store = self._stores.by_id(store_id)
            known = self._types.by_number(store.cert_store_type) if store is not None and store.approved else None
            kind = known.job(Category.REENROLLMENT) if known is not None else None
            if store is None or kind is None or store_id in pending or not agent.can(kind):
                continue
            details = {"subject": f"CN={store.client_machine}"}
            self._work.accept(new_job(self._mint.guid(), agent.agent_id, kind, Immediate(), now, store_id, details))

    def _opened(self, agent: Orchestrator, minutes: float, expires: Instant) -> Session:
        session = Session(self._mint.guid(), agent.agent_id, agent.username, expires, _beat(minutes))
        self._sessions.open(session)
        return session

    def _minutes(self, agent: Orchestrator) -> float:
        """How often this agent is to be heard of: by the first prefix that its name has, else for all."""
        for prefix, minutes in self._settings.heartbeat_by_prefix:
            if agent.client_machine.startswith(prefix):
                return minutes
        return self._settings.heartbeat_minutes


@lru_cache
def _beat(minutes: float) -> AgentReply:
    """One for all agents: fronts need to make its bytes but once."""
    return AgentReply(200, wire.HeartbeatReply(minutes, True, OK))


def _is_mac(agent: Orchestrator) -> bool:
    """By its platform, or by a capability such as `Mac` or `CertStores.Mac.Inventory` (our choice of spellings)."""
    words = {word for name in agent.registered for word in name.lower().split(".")}
    return agent.platform == Platform.MAC or "mac" in words


def _is_loop_build(body: wire.Register) -> bool:
    return body.agent_platform == Platform.NATIVE and body.agent_version < _FIRST_WITHOUT_LOOP


def _no_session(code: AgentCode, sentence: str) -> AgentReply:
    return AgentReply(200, wire.SessionReply(None, refusal(code, sentence)))


def _session_reply(
    session: Session,
    agent: Orchestrator,
    minutes: float,
    jobs: Sequence[wire.SessionJob],
    outcome: Outcome,
    certificate: str | None = None,
) -> AgentReply:
    told = wire.Session(session.token, agent.agent_id, agent.client_machine, minutes, certificate, tuple(jobs))
    return AgentReply(200, wire.SessionReply(told, outcome))
