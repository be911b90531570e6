"""The storm's own options on Locust's command line, and the one plan that they or a plan file come to.

Parses and checks; connects to nothing. Raises UsageError for whatever cannot be done.
"""

import os
import re
from argparse import SUPPRESS, ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from locust.argument_parser import timespan

from agent_sim.credentials import OPERATOR_NAMES
from agent_sim.errors import UsageError
from agent_sim.instants import SECOND, Instant, Span
from agent_sim.logins import Login, need_operator
from agent_sim.protocol.oig import BASE
from agent_sim.results.checks import Threshold
from agent_sim.scenario.threshold_text import read_threshold
from agent_sim.storms import guard
from agent_sim.storms.catalogue import CATALOGUE
from agent_sim.storms.kinds import WORDS
from agent_sim.storms.meter import SATISFIED
from agent_sim.storms.oig import OIG_OPERATIONS
from agent_sim.storms.operations import OPERATIONS
from agent_sim.storms.plan import Kind, Stage, StormPlan, check, from_json
from agent_sim.storms.pool import ALL_OF_IT
from agent_sim.storms.rates import parse_load
from agent_sim.storms.warm_up import MOST

CHOICES: Final[Mapping[str, Kind]] = {
    "ids": "plain",
    "query": "plain",
    **{kind: kind for kind in WORDS if kind != "plain"},
}
"""What `--kind` takes."""

AUTO: Final = "auto"

OWNER_OPTION: Final = "i-own-this-target"

_PLANNED: Final = (
    *("storm", "rate", "batch", "by", "query", "arrivals", "max_in_flight", "seed", "prefix"),
    *("kind", "copies", "hot", "job_type", "field", "share", "alone", "warm_up"),
)
"""Options that a plan file settles."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line asks for. `users` is a closed loop's number of users, None for an open storm.

    `faults` are a scenario, and when its run began, None for with the storm.
    """

    plan: StormPlan
    users: int | None
    url: str
    api_path: str
    login: Login
    ca: Path | None
    insecure: bool
    timeout: int
    quiet: float
    result: Path | None
    everything: bool
    foreign: tuple[str, ...]
    faults: tuple[Path, Instant | None] | None
    satisfied: Span = SATISFIED
    thresholds: tuple[Threshold, ...] = ()
    report: Path | None = None
    finds_knee: bool = False
    slowest: Span | None = None
    agents_journal: Path | None = None

    def with_users(self, users: int) -> "Asked":
        """The same for another number of users of a closed loop; an open storm has none, whatever is said."""
        if self.users is None:
            return self
        return replace(self, users=users, plan=replace(self.plan, max_in_flight=users))

    @property
    def host(self) -> str:
        """The target's host."""
        return guard.host_of(self.url)


def add_options(parser: ArgumentParser) -> None:
    """Add ours to Locust's."""
    group = parser.add_argument_group("Storm", "What is asked of the target, how often and within which scope.")
    group.add_argument("--storm", choices=list(CATALOGUE), help="What to ask for.")
    group.add_argument(
        "--rate",
        help="Arrivals: 20/s, 90/min; steps 10/s,20/s; a ramp 10/s..50/s. Without it -u: closed loop.",
    )
    group.add_argument("--batch", type=int, help="Ids in one request (default 50).")
    group.add_argument(
        "--kind", choices=list(CHOICES), help="How requests are made of the ids (default ids); or -T KIND."
    )
    group.add_argument("--copies", type=int, help="Of contended: how often each id is sent at once (default 3).")
    group.add_argument("--hot", type=int, help="Of hot: about how many ids all requests are (default 100).")
    group.add_argument("--job-type", help="Of custom and custom_bulk: the job type's name.")
    group.add_argument("--field", action="append", metavar="NAME=VALUE", help="Of custom types: a field of the job.")
    group.add_argument("--share", metavar="I/N", help="The I-th of N parts of the ids: other storms take theirs.")
    group.add_argument("--alone", action="store_true", default=None,
                       help="Nobody else makes such jobs meanwhile: any other is the target's doing.")  # fmt: skip
    group.add_argument("--by", choices=["ids", "query"], help="Send ids (default) or a query.")
    group.add_argument("--query", help="Query over JobHistory: candidates (by ids) or what is sent (by query).")
    group.add_argument("--arrivals", choices=["uniform", "poisson"], help="Spacing of arrivals (default uniform).")
    group.add_argument("--max-in-flight", type=int, help="Requests under way at once (default 200); more are dropped.")
    group.add_argument("--seed", type=int, help="Of Poisson arrivals (default 1).")
    group.add_argument("--prefix", help=f"Scope: AgentMachine begins so (default {guard.AGENT_PREFIX}).")
    group.add_argument("--scope", choices=["prefix", "all"], default="prefix", help="'all' asks before it goes on.")
    group.add_argument("--plan", type=Path, metavar="FILE", help="A storm plan as JSON, instead of the above.")
    group.add_argument("--result", type=Path, metavar="FILE", help="Where to write the result as JSON.")
    group.add_argument("--find-knee", action="store_true",
                       help="Look for the largest sustained rate, around --rate; -t is then not needed.")  # fmt: skip
    group.add_argument("--slowest", type=float, metavar="SECONDS",
                       help="With --find-knee: what p99 may be at most for a rate to be sustained.")  # fmt: skip
    group.add_argument("--report", type=Path, metavar="FOLDER",
                       help="Where to write result.json, junit.xml, summary.md and report.html.")  # fmt: skip
    group.add_argument("--threshold", action="append", default=[], metavar="TEXT",
                       help="Such as 'latency p99 <= 250ms' or 'error_rate <= 1%%'; may be repeated.")  # fmt: skip
    group.add_argument("--faults", type=Path, metavar="FILE", help="A scenario whose faults meet the requests.")
    group.add_argument(
        "--faults-start",
        type=int,
        metavar="NANOSECONDS",
        help="When its run began, since the epoch (default: with the storm).",
    )
    group.add_argument("--agents-journal", type=Path, metavar="FILE",
                       help="Of a herd: the journal of the run whose agents poll, to compare polls.")  # fmt: skip
    group.add_argument("--api-path", help=f"Of the API (default /KeyfactorAPI, or {BASE} for jobs of the scheduler).")
    group.add_argument("--api-url", metavar="URL", help="Base of the API, instead of --host and --api-path.")
    group.add_argument("--credentials", type=Path, metavar="FILE",
                       help=f"Lines {' and '.join(f'{name}=...' for name in OPERATOR_NAMES)}, mode 0600.")  # fmt: skip
    group.add_argument("--ca", type=Path, metavar="FILE", help="Certificates to trust for TLS, PEM.")
    group.add_argument("--insecure", action="store_true", help="Do not verify the target's certificate.")
    group.add_argument("--timeout", type=timespan, default="30s", help="For one answer (default 30s).")
    group.add_argument("--metrics-port", type=int, metavar="PORT", help="Show /metrics at 127.0.0.1:PORT, 0: any.")
    group.add_argument("--quiet-period", type=float, default=1.0, metavar="SECONDS",
                       help="Between the last answer and the reconciliation (default 1).")  # fmt: skip
    group.add_argument("--warm-up", type=_warm_up_of, metavar="TIME|auto",
                       help="Sent before -t, not measured; auto: until p50 is steady, 10 s at most.")  # fmt: skip
    group.add_argument("--apdex", type=float, default=SATISFIED / SECOND, metavar="SECONDS",
                       help="Apdex's T: answers within it satisfy, within 4 T are tolerated (0.5).")  # fmt: skip
    group.add_argument(f"--{OWNER_OPTION}", metavar="HOST", help="Needed for any target but this machine.")
    group.add_argument("--foreign", action="append", default=[], help=SUPPRESS)  # only ever adds protection


def read(options: Namespace, parser: Any) -> Asked:
    """What the parsed options ask for. Raises UsageError."""
    if options.api_url:
        _take_apart(options)
    if not options.host:
        raise UsageError("where is the target? add --host URL")
    host = guard.host_of(options.host)
    _only_from_the_keyboard(parser)
    named_by_tags(options)
    refusal = guard.refuse(host, options.i_own_this_target, guard.Intent(storms=True), options.foreign)
    if refusal:
        raise UsageError(refusal)
    plan = _plan(options)
    everything = options.scope == "all"
    if not everything and (refusal := guard.refuse_scope(host, plan.prefix, options.foreign)):
        raise UsageError(refusal)
    return Asked(
        plan=replace(plan, prefix="") if everything else plan,
        users=options.num_users,
        url=options.host,
        api_path=options.api_path or (BASE if plan.operation in OIG_OPERATIONS else "/KeyfactorAPI"),
        login=need_operator(os.environ, options.credentials),
        ca=options.ca,
        insecure=options.insecure,
        timeout=max(options.timeout, 1),
        quiet=max(options.quiet_period, 0.0),
        result=options.result,
        everything=everything,
        foreign=tuple(options.foreign),
        faults=None if options.faults is None else (options.faults, options.faults_start),
        satisfied=round(max(options.apdex, 0.001) * SECOND),
        thresholds=tuple(read_threshold(text) for text in options.threshold),
        report=options.report,
        finds_knee=options.find_knee,
        slowest=None if options.slowest is None else round(options.slowest * SECOND),
        agents_journal=_journal(options, plan),
    )


def told(said: Mapping[str, Any], login: Login, ca: Path | None) -> Asked:
    """What a worker's master asks for; whom to trust is the worker's own business if it says so."""
    return Asked(
        plan=from_json(said["plan"]),
        users=said["users"],
        url=said["url"],
        api_path=said["api_path"],
        login=login,
        ca=ca or (Path(said["ca"]) if said["ca"] else None),
        insecure=said["insecure"],
        timeout=said["timeout"],
        quiet=0.0,
        result=None,
        everything=False,
        foreign=(),
        faults=None,
        satisfied=said["satisfied"],
    )


def _journal(options: Namespace, plan: StormPlan) -> Path | None:
    journal: Path | None = options.agents_journal
    if journal is not None and plan.kind != "herd":
        raise UsageError("--agents-journal is for a herd: add --kind herd")
    if journal is not None and not os.access(journal, os.R_OK):
        raise UsageError(f"--agents-journal {journal}: there is no such file to read")
    return journal


def _take_apart(options: Namespace) -> None:
    """`--api-url` as a host and a path."""
    if options.host or options.api_path:
        raise UsageError("--api-url says where the API is: leave out --host and --api-path")
    guard.host_of(options.api_url)  # or it is no URL
    parts = urlsplit(options.api_url)
    options.host, options.api_path = f"{parts.scheme}://{parts.netloc}", parts.path.rstrip("/") or "/"


def _only_from_the_keyboard(parser: Any) -> None:
    """A file that lies about must not speak for the person."""
    for source, settings in parser.get_source_to_settings_dict().items():
        if source != "command_line" and any(OWNER_OPTION in str(name) for name in settings):
            raise UsageError(f"--{OWNER_OPTION} counts on the command line only; remove it from {source}")


def _plan(options: Namespace) -> StormPlan:
    if options.plan is not None:
        return _plan_file(options)
    if options.storm is None:
        raise UsageError(f"which storm? add --storm {'|'.join(CATALOGUE)}")
    kind = options.kind or "ids"
    if options.by is not None and kind in ("ids", "query") and options.kind is not None and options.by != kind:
        raise UsageError(f"--kind {kind} is by {kind}: leave out --by {options.by}")
    plan = StormPlan(
        name=options.storm,
        operation=options.storm,
        by="query" if "query" in (options.by, kind) else "ids",
        batch=_or(options.batch, _batch(options.storm)),
        query=_or(options.query, ""),
        stages=_stages(options),
        arrivals=_or(options.arrivals, "uniform"),
        max_in_flight=options.num_users or _or(options.max_in_flight, 200),
        prefix=_or(options.prefix, guard.AGENT_PREFIX),
        seed=_or(options.seed, 1),
        start=0,
        kind=CHOICES[kind],
        copies=_or(options.copies, 3),
        hot=_or(options.hot, 100),
        job_type=_or(options.job_type, ""),
        fields=_fields(options.field or []),
        share=_share(options.share),
        alone=options.alone,
        warm_up=_warm_up(options),
        settles=options.warm_up == AUTO,
    )
    check(plan)
    return plan


def _batch(operation: str) -> int:
    """Ids in a request, unless somebody says: one, where the API takes no more."""
    row = OPERATIONS.get(operation)
    return 50 if row is not None and row.largest is None else 1


def _fields(given: list[str]) -> dict[str, str | int | float | bool]:
    """`--field NAME=VALUE`, as often as there are fields."""
    fields: dict[str, str | int | float | bool] = {}
    for text in given:
        name, sign, value = text.partition("=")
        if not sign or not name:
            raise UsageError(f"--field {text!r} must be NAME=VALUE")
        fields[name] = value
    return fields


def _share(given: str | None) -> tuple[int, int]:
    """`--share 1/2`: the first of two."""
    if given is None:
        return ALL_OF_IT
    found = re.fullmatch(r"([0-9]{1,3})/([0-9]{1,3})", given)
    if found is None or not 1 <= int(found[1]) <= int(found[2]):
        raise UsageError(f"--share {given!r} must be like 1/2: the first of two")
    return int(found[1]) - 1, int(found[2])


def named_by_tags(options: Namespace) -> None:
    """`-T acknowledge -T mixed` says what `--storm acknowledge --kind mixed` says, and `-E` takes words away.

    All storms are one task, so tags are read here and not left to choose among tasks. Raises UsageError.
    """
    wanted, unwanted = set(options.tags or ()), set(options.exclude_tags or ())
    options.tags = options.exclude_tags = None
    if unknown := sorted((wanted | unwanted) - set(CATALOGUE) - set(CHOICES)):
        raise UsageError(f"there is no tag {unknown[0]!r}; there are {', '.join([*CATALOGUE, *CHOICES])}")
    for option, words in (("storm", CATALOGUE), ("kind", CHOICES)):
        chosen = [word for word in words if word in wanted - unwanted]
        said = getattr(options, option)
        if len(chosen) > 1:
            raise UsageError(f"-T names {' and '.join(chosen)}: one storm at a time")
        if chosen and said not in (None, *chosen):
            raise UsageError(f"-T {chosen[0]} and --{option} {said} are two: leave out one of them")
        if chosen:
            setattr(options, option, chosen[0])
        if getattr(options, option) in unwanted:
            raise UsageError(f"-E {getattr(options, option)} takes away what was asked for: nothing is left to do")


def _stages(options: Namespace) -> tuple[Stage, ...]:
    if options.rate is not None and options.num_users is not None:
        raise UsageError("--rate is an open storm and -u a closed loop: give one of them")
    if options.find_knee:
        return _around(options)
    if options.run_time is None:
        raise UsageError("how long? add -t 30s")
    span = options.run_time * SECOND
    if options.rate is not None:
        return _open_stages(options, span)
    if options.num_users is None:
        raise UsageError("how much? add --rate 20/s for arrivals, or -u 10 for a closed loop")
    if options.num_users < 1:
        raise UsageError(f"-u must be 1 or more, is {options.num_users}")
    return (Stage(0, _warm_up(options) + span),)


def _around(options: Namespace) -> tuple[Stage, ...]:
    """The rate around which the knee is looked for."""
    if options.rate is None or options.run_time is not None or options.warm_up is not None:
        raise UsageError("--find-knee takes --rate, around which it looks, and neither -u nor -t nor --warm-up")
    rates, is_ramp = parse_load(options.rate)
    if is_ramp or len(rates) > 1:
        raise UsageError(f"--find-knee takes one rate, found {options.rate}")
    return (Stage(rates[0], 0), Stage(rates[0], SECOND))


def _open_stages(options: Namespace, span: Span) -> tuple[Stage, ...]:
    """Steps of equal length, or a ramp; before them the warm-up at the first rate."""
    rates, is_ramp = parse_load(options.rate)
    warm_up = (Stage(rates[0], 0), Stage(rates[0], _warm_up(options)))
    if is_ramp:
        return (*warm_up, Stage(rates[-1], span))
    steps = ((Stage(rate, 0), Stage(rate, span // len(rates))) for rate in rates)
    return (*(warm_up if _warm_up(options) else ()), *chain.from_iterable(steps))


def _warm_up(options: Namespace) -> Span:
    return MOST if options.warm_up == AUTO else (options.warm_up or 0) * SECOND


def _warm_up_of(text: str) -> int | str:
    """A time span, or `auto`."""
    try:
        return AUTO if text == AUTO else int(timespan(text))
    except (ValueError, ArgumentTypeError):
        raise ArgumentTypeError(f"{text!r} must be a time such as 5s, or {AUTO}") from None


def _plan_file(options: Namespace) -> StormPlan:
    extra = [name for name in _PLANNED if getattr(options, name) is not None]
    extra += ["users"] if options.num_users is not None else []
    extra += ["run_time"] if options.run_time is not None else []
    if extra:
        raise UsageError(
            f"--plan settles it all: leave out {', '.join('--' + name.replace('_', '-') for name in extra)}"
        )
    try:
        return from_json(options.plan.read_bytes())
    except OSError as error:
        raise UsageError(f"--plan {options.plan}: {error.strerror}") from error


def _or(value: Any, default: Any) -> Any:
    return default if value is None else value
