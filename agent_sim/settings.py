"""What the embedded server can be told: every behaviour that the references leave open, by name.

Data only, shared by scenario files (`server:`), the command line and the server. Defaults are the references';
where they are silent the comment says "our choice".
"""

from dataclasses import dataclass
from typing import Literal

from agent_sim.instants import DAY, HOUR, MINUTE, SECOND, Span


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

    mac_deprecated_since: int = 11  # seed command-unschedule: from which product version on Mac agents are warned of
    product_version: int = 25  # the major number of the product that this server stands for; our choice
    list_only_due: bool = False  # agent-protocol 5: single-shot agents run at once whatever they are listed
    spare_loop_builds: bool = False  # agent-protocol 8.1.10: hold sessions of C agents up to 2.17 that have jobs listed

    # Agents' own certificates
    certificate_lifetime: Span = 365 * DAY  # our choice
    certificate_warning: Span = 30 * DAY  # before its end renewal is requested; agent-protocol 2.4, length our choice
    certificate_error: Span = 7 * DAY  # before its end renewal is required; agent-protocol 2.4, length our choice
    requested_code: Literal["A0100007", "A0100008"] = "A0100007"  # agent-protocol 2.4: which is which is not known
    required_code: Literal["A0100007", "A0100008"] = "A0100008"  # agent-protocol 2.4
    revoke_old_certificate: bool = False  # command-api 7: refuse the one that a renewal replaced
    demand_certificate: bool = False  # refuse an agent that has one and does not show it; our choice
    trust_certificate_header: bool = False  # believe X-ARR-ClientCert, which a proxy must then set; agent-protocol 1
    accept_bootstrap_certificates: bool = False  # valid ones that we did not issue name their subject; agent-protocol 1
    management_needs_certificate: bool = True  # agent-protocol 8.1.6: a C agent without one crashes on management
    registration_enrolls_stores: bool = False  # agent-protocol 2.1: what a registration handler may do when asked

    # Jobs
    retries: int = 5  # command-api 7
    job_timeout: Span = HOUR  # our choice
    max_log_characters: int = 4000  # agent-protocol 4.4
    max_data_bytes: int = 2_000_000  # command-api 2.1
    age_out_days: int = 7  # command-api 7
    inventory_after_change: bool = True  # agent-protocol 4.0: InventoryJob when management or re-enrolment is done
    cancel_unscheduled: bool = False  # command-api 2.8: JobCancelled for a run whose job was unscheduled meanwhile
    job_history_retention_days: int | None = None  # command-api 7; None keeps history for ever
    job_history_most: int | None = None  # our choice: most runs kept; None keeps all
    custom_category: Literal["suffix", "type"] = "suffix"  # command-api 4.6: what a custom job named ...Sync counts as

    # The management API
    partial_policy: Literal["atomic", "best_effort"] = "atomic"  # command-api 2.10
    acknowledge_again: Literal["refuse", "no_op"] = "refuse"  # command-api 2.9
    reschedule_marks_acknowledged: bool = False  # command-api 2.7
    max_ids: int = 10_000  # command-api 2.10
    max_return_limit: int = 5_000  # command-api 1.5
    count_most: int | None = None  # matching runs counted for X-Total-Count, then at-least; our choice; None: all
    enum_style: Literal["int", "name"] = "int"  # command-api 0, rule 1
    null_style: Literal["omit", "null"] = "omit"  # command-api 0, rule 3
    timestamp_key: Literal["both", "sdk", "seed"] = "both"  # command-api 2.3
    strict_headers: bool = True  # command-api 1.2
    sim_api: bool = False  # our own /sim/ endpoints
    metrics_open: bool = False  # /metrics without an account; our choice

    # At a broker (our own contract)
    mqtt_clean_start: bool = False  # whether a connection forgets what its predecessor missed
    mqtt_session_expiry: Span = 5 * MINUTE  # how long the broker keeps that

    # Where the two APIs are (command-api 1.1, agent-protocol 1: hosted servers add /Keyfactor/API, /Keyfactor/Agents)
    api_bases: tuple[str, ...] = ("/KeyfactorAPI",)
    agents_bases: tuple[str, ...] = ("/KeyfactorAgents",)

    # Oracle Identity Governance's scheduler (command-api 8: all of these inferred)
    oig_unknown_job: Literal[404, 400] = 404  # the status for a job that does not exist; the product may use 400
    oig_run_disabled: Literal["refuse", "run"] = "refuse"  # what a request to run a disabled job does
    oig_retries: Literal["by_itself", "next_fire"] = "by_itself"  # when a run that failed is tried again
    oig_retry_delay: Span = MINUTE  # by itself: after so long

    # Bearer tokens (command-api 1.2 names the header; all else is our choice)
    oauth_issuer: str = ""  # whose tokens are taken besides our own, as `iss` has it; "" is nobody's
    oauth_audience: str = ""  # what its tokens must name as `aud`
    oauth_jwks: str = ""  # where its keys are; "" is where its discovery document says
    oauth_algorithms: tuple[str, ...] = ()  # what it may sign with; none named means every one with a public key
    oauth_roles: tuple[tuple[str, str, str], ...] = ()  # claim, value, role: who has the value has the role
    oauth_name_claim: str = "sub"  # what its callers are called by
    oauth_leeway: Span = 30 * SECOND  # how far clocks may differ
    oauth_keys_at_least_every: Span = 10 * SECOND  # the least time between two requests for its keys
    oauth_keys_old_after: Span = 10 * MINUTE  # keys held for longer are asked for again
    oauth_token_lifetime: Span = 5 * MINUTE  # of the tokens that `serve --oauth` gives
    oauth_address: str = ""  # what `serve --oauth` calls itself; "" is where it listens

    # Storage: "normal" survives a killed process, "full" also a power cut
    durability: Literal["normal", "full"] = "normal"  # our choice


DEFAULT_SETTINGS = ServerSettings()
