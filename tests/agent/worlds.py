"""A hand-played server for agent tests: answers as values, no core, no I/O."""

from agent_sim.agent.behaviour import Behaviour, Ending, JobBehaviour
from agent_sim.agent.core import Agent
from agent_sim.agent.events import Answered, Woken
from agent_sim.agent.identity import Identity, Stock
from agent_sim.distributions import Constant
from agent_sim.draws import root
from agent_sim.instants import MINUTE, SECOND
from agent_sim.protocol.agent import (
    OK,
    AgentReply,
    CompletionReply,
    Configuration,
    HeartbeatReply,
    Outcome,
    Session,
    SessionJob,
    SessionReply,
    refusal,
)
from agent_sim.protocol.enums import BY_GUID, FETCH_LOGS, STORE_JOBS, Category, JobType, Result

START = 1_000 * SECOND
LOGS = FETCH_LOGS
MANAGEMENT = STORE_JOBS["PEM", Category.MANAGEMENT]
INVENTORY = STORE_JOBS["PEM", Category.INVENTORY]


def always(result: Result, *, seconds: float = 2, message: str = "") -> Behaviour:
    return Behaviour(
        otherwise=JobBehaviour(Constant(seconds * SECOND), ((Ending(result, message), 1.0),), Constant(10))
    )


def new_agent(behaviour: Behaviour | None = None, catalogue=BY_GUID) -> Agent:
    stock = Stock("lab", "agentsim-lab-", ("Custom.FetchLogs",), root("test"), jitter=0.1, check_interval=MINUTE)
    return Agent(Identity(stock, 0), behaviour or always(Result.SUCCESS), catalogue, START)


def listed(job_id: str, kind: JobType = LOGS, schedule: str | None = None) -> SessionJob:
    return SessionJob(job_id, kind.guid, schedule, f"KeyfactorAgents/{job_id}/Configure", f"/{job_id}/Complete")


def session(*jobs: SessionJob, token: str = "token-1", minutes: float = 1, result: Outcome = OK) -> AgentReply:
    return AgentReply(200, SessionReply(Session(token, "agent-id", "m", minutes, None, jobs), result))


def refused(code: str = "A0100004") -> AgentReply:
    return AgentReply(200, SessionReply(None, refusal(code, "not approved")))


def beat(*, valid: bool = True, minutes: float = 1) -> AgentReply:
    return AgentReply(200, HeartbeatReply(minutes, valid, OK))


def configured(audit: int = 7, **more) -> AgentReply:
    return AgentReply(200, Configuration(audit, result=OK, **more))


def completed(result: Outcome = OK) -> AgentReply:
    return AgentReply(200, CompletionReply(result))


def online_agent(*jobs: SessionJob, behaviour: Behaviour | None = None):
    """An agent that has registered at START; returns it and what it sends at once."""
    agent = new_agent(behaviour)
    [register] = agent.handle(Woken(), START)
    return agent, agent.handle(Answered(register, session(*jobs)), START)


def working_agent(job: SessionJob | None = None, behaviour: Behaviour | None = None, configuration=None):
    """An agent whose one job was configured at START and is due two seconds later."""
    agent, [configure] = online_agent(job or listed("job-1"), behaviour=behaviour)
    assert agent.handle(Answered(configure, configuration or configured()), START) == []
    return agent


def by_itself(agent: Agent):
    """What the agent sends at its next wake, and when that is."""
    at = agent.next_wake()
    return agent.handle(Woken(), at), at
