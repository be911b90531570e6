"""A server on a bench: in memory, with a clock that stands still until a test moves it, and ids that count."""

from dataclasses import replace

from agent_sim.instants import SECOND, Instant, from_iso
from agent_sim.protocol import command, store_commands
from agent_sim.protocol.agent import (
    HEARTBEAT,
    NO_TENANT,
    REGISTER,
    AgentReply,
    AgentRequest,
    Body,
    Complete,
    CompletionReply,
    Configuration,
    Configure,
    Heartbeat,
    HeartbeatReply,
    Register,
    Session,
    SessionReply,
    pack_version,
)
from agent_sim.protocol.command import ApiError, CommandReply, JobHistoryRecord, Operation, Page, Transition
from agent_sim.protocol.enums import Result
from agent_sim.protocol.schedule import Schedule
from agent_sim.server.callers import AGENT_SESSION, EVERYTHING, Caller
from agent_sim.server.core import Server
from agent_sim.server.store import SqliteStore
from agent_sim.settings import DEFAULT_SETTINGS

OPERATOR = Caller("operator", EVERYTHING)
AGENT = Caller("agent", frozenset({AGENT_SESSION}))
START = from_iso("2026-03-04T05:06:07Z")  # a Wednesday
ABILITIES = ("CertStores.PEM.Inventory", "CertStores.PEM.Management", "Custom.FetchLogs", "Custom.Rotate")


class CountingMint:
    """Ids in order: 00000001-..., 00000002-..."""

    def __init__(self) -> None:
        self.given = 0

    def guid(self) -> str:
        self.given += 1
        return f"{self.given:08x}-0000-4000-8000-000000000000"


class Bench:
    """The server and what a test does to it. Settings differ from the defaults where given."""

    def __init__(self, store: SqliteStore | None = None, **settings: object) -> None:
        self.store = store or SqliteStore.open(":memory:")
        self.mint = CountingMint()
        self.settings = replace(DEFAULT_SETTINGS, **{"sim_api": True, **settings})
        self.server = Server(self.store, self.settings, self.mint)
        self.now: Instant = START

    # --- as an operator -----------------------------------------------------------------------

    def ask(self, operation: Operation, caller: Caller = OPERATOR) -> CommandReply:
        self.now += SECOND
        return self.server.handle(operation, caller, self.now)

    def refused(self, operation: Operation, caller: Caller = OPERATOR) -> tuple[int, ApiError]:
        """Status and error of an operation that must change nothing."""
        before = self.everything()
        reply = self.ask(operation, caller)
        assert isinstance(reply.body, ApiError)
        assert self.everything() == before
        return reply.status, reply.body

    def history(self, query: str = "") -> list[JobHistoryRecord]:
        return list(self.ask(command.ListJobHistory(Page(query, limit=5000))).body)

    def scheduled(self, query: str = "") -> list[command.ScheduledJobRecord]:
        return list(self.ask(command.ListScheduledJobs(Page(query, limit=5000))).body)

    def transitions(self) -> list[Transition]:
        return list(self.ask(command.ListTransitions()).body.transitions)

    def kinds(self) -> list[str]:
        """What happened; who asked is another matter."""
        return [each.kind for each in self.transitions() if each.kind != "unschedule_asked"]

    def agent_id(self, machine: str = "m1") -> str:
        [agent] = self.ask(command.ListAgents(Page(f'ClientMachine -eq "{machine}"'))).body
        return agent.agent_id

    def schedule(
        self, name: str = "FetchLogs", when: Schedule | None = None, machine: str = "m1", **fields: str
    ) -> str:
        """Schedule a custom job; returns its JobId."""
        reply = self.ask(command.ScheduleJob(self.agent_id(machine), name, when, fields))
        assert reply.status == 200, reply
        return reply.body.job_id

    def new_type(self, name: str = "Rotate", *fields: command.JobTypeField) -> command.JobTypeRecord:
        reply = self.ask(command.CreateJobType(name, None, fields))
        assert reply.status == 200, reply
        return reply.body

    def new_store(self, path: str = "/a.pem", machine: str = "m1", **more: object) -> command.StoreRecord:
        self.new_containers(more.get("container_id") or 0)
        reply = self.ask(command.CreateStore(machine, path, 2, self.agent_id(machine), **more))
        assert reply.status == 200, reply
        return reply.body

    def new_containers(self, last: int) -> None:
        """Containers up to this number."""
        while self.ask(store_commands.ListContainers()).total < last:
            assert self.ask(store_commands.CreateContainer(f"container {self.mint.guid()}")).status == 200

    def add_certificate(self, *stores: str, when: Schedule | None = None) -> list[str]:
        """Management jobs; returns their JobIds."""
        entries = tuple(command.StoreEntry(store, alias="a") for store in stores)
        reply = self.ask(command.AddCertificate(1, entries, when))
        assert reply.status == 200, reply
        return list(reply.body)

    # --- as an agent --------------------------------------------------------------------------

    def send(self, endpoint: str, body: Body, caller: Caller = AGENT) -> AgentReply:
        self.now += SECOND
        return self.server.handle(AgentRequest(endpoint, body), caller, self.now)

    def registration(
        self, machine: str = "m1", agent_id: str = "", abilities: tuple[str, ...] = ABILITIES, caller: Caller = AGENT
    ) -> SessionReply:
        version = pack_version(25, 4, 1, 0)
        reply = self.send(REGISTER, Register(7, version, NO_TENANT, machine, None, agent_id, abilities), caller)
        assert isinstance(reply.body, SessionReply)
        return reply.body

    def register(
        self, machine: str = "m1", agent_id: str = "", abilities: tuple[str, ...] = ABILITIES, caller: Caller = AGENT
    ) -> Session:
        reply = self.registration(machine, agent_id, abilities, caller)
        assert reply.session is not None
        return reply.session

    def holds(self, session: Session, caller: Caller = AGENT) -> bool:
        """What a heartbeat says about the session."""
        reply = self.send(HEARTBEAT, Heartbeat(7, NO_TENANT, "m1", session.token or ""), caller)
        assert isinstance(reply.body, HeartbeatReply)
        assert not reply.body.result.is_refusal
        return reply.body.session_valid

    def configure(self, session: Session, job_id: str, area: str = "Custom") -> Configuration:
        reply = self.send(f"KeyfactorAgents/{area}/Configure", Configure(session.token or "", job_id))
        assert isinstance(reply.body, Configuration)
        return reply.body

    def complete(
        self, session: Session, job_id: str, audit_id: int, result: Result = Result.SUCCESS, **more: str
    ) -> CompletionReply:
        reply = self.completion(session, job_id, audit_id, result, **more)
        assert isinstance(reply.body, CompletionReply)
        return reply.body

    def completion(
        self, session: Session, job_id: str, audit_id: int, result: Result = Result.SUCCESS, **more: str
    ) -> AgentReply:
        body = Complete(result, audit_id, job_id, more.pop("message", ""), session.token or "", **more)
        return self.send("KeyfactorAgents/Custom/Complete", body)

    def run(self, session: Session, job_id: str, result: Result = Result.SUCCESS, **more: str) -> int:
        """One whole run; returns its audit id."""
        configuration = self.configure(session, job_id)
        assert not configuration.job_cancelled, job_id
        assert not self.complete(session, job_id, configuration.audit_id, result, **more).result.is_refusal
        return configuration.audit_id

    def failed_management(self, session: Session, *stores: str) -> list[int]:
        """Management jobs that were tried and failed; returns their audit ids."""
        return [self.run(session, job_id, Result.FAILURE) for job_id in self.add_certificate(*stores)]

    # --- the whole state ----------------------------------------------------------------------

    def everything(self) -> list[list[tuple[object, ...]]]:
        """All that the server remembers about work, to be compared."""
        tables = ("job", "run", "run_data", "transition", "certificate_store", "job_type", "store_item")
        tables += ("container", "store_type", "agent_pool", "agent_pool_agent", "certificate")
        tables += ("blueprint", "blueprint_store", "blueprint_job")
        columns = "SELECT agent_id, client_machine, status, auth_certificate_reenrollment, blueprint FROM agent"
        self.store.settle()
        connection = self.store._connection
        return [connection.execute(columns).fetchall()] + [
            connection.execute(f"SELECT * FROM {table}").fetchall() for table in tables
        ]


def failed(outcome: object) -> bool:
    """True if an answer's `Result` refuses."""
    return bool(outcome.result.is_refusal)
