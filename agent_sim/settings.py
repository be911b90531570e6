"""What the embedded server can be told: every behaviour that the references leave open, by name.

Data only, shared by scenario files (`server:`), the command line and the server. Defaults are the references';
where they are silent the comment says "our choice".
"""

from dataclasses import dataclass
from typing import Literal

from agent_sim.instants import HOUR, MINUTE, Span


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """Settings of the embedded server; sources in the comments."""

    # Agents (command-api 7: names and defaults inferred)
    auto_approve: bool = True  # our choice: a registration handler that allows everybody
    heartbeat_minutes: float = 5.0
    heartbeat_by_prefix: tuple[tuple[str, float], ...] = ()  # ClientMachine prefix -> minutes; our choice
    registration_check_minutes: float = 30.0
    session_length: Span = 1380 * MINUTE
    pending_answer: Literal["error", "no_jobs"] = "error"  # agent-protocol 8.1.5 and 8.3

    # Jobs
    retries: int = 5  # command-api 7
    job_timeout: Span = HOUR  # our choice
    max_log_characters: int = 4000  # agent-protocol 4.4
    max_data_bytes: int = 2_000_000  # command-api 2.1
    age_out_days: int = 7  # command-api 7

    # The management API
    partial_policy: Literal["atomic", "best_effort"] = "atomic"  # command-api 2.10
    acknowledge_again: Literal["refuse", "no_op"] = "refuse"  # command-api 2.9
    reschedule_marks_acknowledged: bool = False  # command-api 2.7
    max_ids: int = 10_000  # command-api 2.10
    max_return_limit: int = 5_000  # command-api 1.5
    enum_style: Literal["int", "name"] = "int"  # command-api 0, rule 1
    null_style: Literal["omit", "null"] = "omit"  # command-api 0, rule 3
    timestamp_key: Literal["both", "sdk", "seed"] = "both"  # command-api 2.3
    strict_headers: bool = True  # command-api 1.2
    sim_api: bool = False  # our own /sim/ endpoints

    # Storage: "normal" survives a killed process, "full" also a power cut
    durability: Literal["normal", "full"] = "normal"  # our choice


DEFAULT_SETTINGS = ServerSettings()
