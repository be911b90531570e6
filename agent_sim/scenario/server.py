"""The `server` and `transport` blocks: the embedded server's settings, and how agents reach any server."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from agent_sim.instants import DAY, Span
from agent_sim.scenario.blocks import Block, key
from agent_sim.scenario.fields import Count, Duration, Flag, HeartbeatPeriod, Period, Size, Whole
from agent_sim.scenario.units import duration_text


class Server(Block):
    """Settings of the embedded server; any other target ignores them."""

    heartbeat: HeartbeatPeriod = key("5m", "HeartbeatInterval for agents of no fleet of this scenario.", "5m")
    auto_approve: Flag = key(True, "Approve orchestrators as they register.", False)
    registration_check: Period = key("30m", "How often an agent that is not approved asks again.", "30m")
    session_length: Period = key("23h", "How long a session lasts.", "23h")
    pending_answer: Literal["error", "no_jobs"] = key("error", "What an agent that is not approved is told.", "no_jobs")
    retries: Annotated[Whole, Field(ge=0, le=1000)] = key(
        5, "How often a failed job is tried again before it counts as failed.", 0
    )
    job_timeout: Period = key("1h", "How long a job may stay in process.", "10m")
    max_log_characters: Count = key(4000, "Of a log that is fetched.", 4000)
    max_data: Size = key("2MB", "Largest result of a custom job.", "2MB")
    age_out: Duration = key("7d", "How long a failure counts, in whole days.", "7d")
    history_kept: Count | None = key(
        None, "Most runs that the job history holds; the oldest make way. Unless given, it holds all.", 100_000
    )
    partial_policy: Literal["atomic", "best_effort"] = key(
        "atomic", "What happens to the good ids beside a bad one.", "best_effort"
    )
    acknowledge_again: Literal["refuse", "no_op"] = key("refuse", "What acknowledging twice does.", "no_op")
    reschedule_marks_acknowledged: Flag = key(False, "Whether rescheduling acknowledges the failed run.", True)
    max_ids: Count = key(10_000, "Most ids in one request.", 10_000)
    max_return_limit: Count = key(5_000, "Most records in one page.", 5_000)
    count_most: Count | None = key(
        None,
        "Most runs that a search of the history counts; X-Total-Count is then at least so many. Unless given, all.",
        10_000,
    )
    enum_style: Literal["int", "name"] = key("int", "How enumerations are written.", "name")
    null_style: Literal["omit", "null"] = key("omit", "How members without a value are written.", "null")
    timestamp_key: Literal["both", "sdk", "seed"] = key(
        "both", "How the answer to Custom spells RequestTimestamp.", "sdk"
    )
    strict_headers: Flag = key(True, "Refuse writes without x-keyfactor-requested-with.", False)
    oig_unknown_job: Literal[404, 400] = key(404, "The scheduler's status for a job that does not exist.", 400)
    oig_run_disabled: Literal["refuse", "run"] = key("refuse", "What asking a disabled job to run does.", "run")
    oig_retries: Literal["by_itself", "next_fire"] = key(
        "by_itself",
        "When the scheduler tries a failed run again: after a while, or at its trigger's next time.",
        "next_fire",
    )
    oig_retry_delay: Duration = key("1m", "By itself: after so long.", "5s")
    durability: Literal["normal", "full"] = key(
        "normal", "normal survives a killed process, full also a power cut.", "full"
    )

    @field_validator("age_out")
    @classmethod
    def _check(cls, age_out: Span) -> Span:
        if age_out % DAY or not age_out:
            raise ValueError(f"found {duration_text(age_out)}, expected whole days such as 7d")
        return age_out


class Connections(Block):
    """How agents connect."""

    mode: Literal["auto", "shared", "per_agent", "per_request"] = key(
        "auto",
        "shared: a pool; per_agent: one each; per_request: a new one each time, as the vendor's agent does;"
        " auto: shared with the embedded server, per_request with any other.",
        "per_request",
    )
    limit: Count = key(100, "Most connections at once, for each process of a fleet in several.", 200)


class Timeouts(Block):
    """How long a request may take."""

    connect: Period = key("5s", "Until there is a connection.", "5s")
    request: Period = key("30s", "Until the answer is there, in all.", "30s")


class Mqtt(Block):
    """How agents use a broker, where they do (our own contract: the vendor's product has no MQTT)."""

    gateways: Annotated[Count, Field(le=1000)] = key(
        4, "Connections that carry all agents, unless connections.mode is per_agent.", 8
    )
    session_expiry: Duration = key("5m", "How long the broker keeps what a connection that is away has missed.", "1m")
    clean_start: Flag = key(False, "Whether a connection forgets what its predecessor missed.", True)
    will_delay: Duration = key(
        "0s", "How long the broker waits for a connection to come back before it says that its agents are gone.", "2s"
    )
    keepalive: Period = key("30s", "How long a connection may be silent before the broker takes it for lost.", "10s")


Wire = Literal["http", "mqtt"]


class Transport(Block):
    """How agents reach the server."""

    kind: Wire = key("http", "The wire: http, or mqtt through a broker.", "mqtt")
    connections: Connections = key({}, "How agents connect.", {"mode": "shared"})
    timeouts: Timeouts = key({}, "How long a request may take.", {"request": "30s"})
    mqtt: Mqtt = key({}, "How agents use a broker.", {"gateways": 8})


class FleetTransport(Block):
    """How the agents of one fleet reach the server."""

    kind: Wire = key("http", "The wire, instead of the scenario's.", "mqtt")
