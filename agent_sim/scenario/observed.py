"""A server's job history in the words of scenarios: what ran where, how long and how it ended, under other names.

Names may tell whose server it was, so custom job types are called `Type1`, `Type2`, ... unless they are to be kept;
machines are only counted. What a scenario cannot say is counted, too, and told.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from agent_sim.instants import Instant, Span
from agent_sim.protocol.command import AgentRecord, JobHistoryRecord
from agent_sim.protocol.enums import (
    BUILT_IN,
    CAPABILITY_WORDS,
    CUSTOM_PREFIX,
    FETCH_LOGS,
    STORE_CATEGORIES,
    STORE_TYPE_IDS,
    Category,
    JobType,
    Result,
    Status,
    category_by_suffix,
)
from agent_sim.protocol.schedule import Schedule, recurs

ENDS: Final = (Result.SUCCESS, Result.WARNING, Result.FAILURE)

SUBSTITUTE: Final = "PEM"
"""The store type that stands for those that the embedded server does not know (our choice)."""

_HISTORY: Final[Mapping[str, JobType]] = {job.history.lower(): job for job in BUILT_IN}
_STORE_WORDS: Final = frozenset(category.value for category in Category) - {"LOGS", "custom"}
_ODD: Final = re.compile(r"[^A-Za-z0-9_-]", re.ASCII)


@dataclass(frozen=True, slots=True)
class Observation:
    """One run that ended; `store` is "" for jobs of an agent, `recurrence` None for work that was posted once."""

    machine: str
    job: str
    word: str
    capability: str
    store: str
    result: Result
    start: Instant
    duration: Span
    recurrence: Schedule | None
    will_retry: bool
    message: str


@dataclass(frozen=True, slots=True)
class Observed:
    """All runs that ended in order, what each machine can do, and what was left out."""

    runs: tuple[Observation, ...]
    machines: Mapping[str, frozenset[str]]
    remarks: tuple[str, ...]


def observe(
    records: Iterable[JobHistoryRecord], agents: Iterable[AgentRecord], postable: tuple[str, ...], *, keep_names: bool
) -> Observed:
    """The history in scenario words; `postable` are the words of work that an operator can post."""
    names = _Names(keep_names)
    runs: list[Observation] = []
    left_out: Counter[str] = Counter()
    for record in records:
        if record.result not in ENDS or record.operation_start is None or record.operation_end is None:
            left_out["runs that had not ended"] += 1
            continue
        run = _observation(record, names)
        if run.word in postable or run.word.startswith(CUSTOM_PREFIX):
            runs.append(run)
        else:
            left_out[f"{run.word} runs, which agent-sim cannot post"] += 1
    remarks = [f"left out: {count:,} {what}" for what, count in left_out.items()]
    if substituted := sorted(names.substituted):
        remarks.append(f"{SUBSTITUTE} stands for {', '.join(substituted)}, which agent-sim does not know")
    return Observed(tuple(runs), _machines(runs, agents, names), tuple(remarks))


def _observation(record: JobHistoryRecord, names: "_Names") -> Observation:
    assert record.operation_start is not None
    assert record.operation_end is not None
    word, capability = names.job(record.job_type, has_store=bool(record.store_path))
    schedule = record.schedule
    return Observation(
        machine=record.agent_machine,
        job=record.job_id.lower(),
        word=word,
        capability=capability,
        store=(record.store_path or "") if word in _STORE_WORDS else "",
        result=record.result,
        start=record.operation_start,
        duration=max(record.operation_end - record.operation_start, 0),
        recurrence=schedule if schedule is not None and recurs(schedule) else None,
        will_retry=record.status is Status.COMPLETED_WILL_RETRY,
        message=record.message or "",
    )


def _machines(runs: list[Observation], agents: Iterable[AgentRecord], names: "_Names") -> dict[str, frozenset[str]]:
    """Every machine with its capabilities: as the server lists them, and as its runs show them."""
    found: dict[str, set[str]] = {}
    for run in runs:
        found.setdefault(run.machine, set()).add(run.capability)
    for agent in agents:
        words = {word for name in agent.capabilities if (word := names.capability(name)) is not None}
        found.setdefault(agent.client_machine, set()).update(words)
    return {machine: frozenset(words or {SUBSTITUTE}) for machine, words in found.items()}


class _Names:
    """From a server's names to a scenario's; the same name is always given the same one."""

    def __init__(self, keep: bool) -> None:
        self._keep = keep
        self._custom: dict[str, str] = {}
        self._foreign: set[str] = set()
        self.substituted: set[str] = set()

    def job(self, history: str, *, has_store: bool) -> tuple[str, str]:
        """The scenario's word for a job type of JobHistory, and the capability that it needs."""
        known = _HISTORY.get(history.lower())
        if known is not None:
            return known.word, known.capability
        category = category_by_suffix(history) if has_store else None
        if category is None:
            word = self._custom_word(history)
            return word, word
        if category not in STORE_CATEGORIES:
            return category.value, ""
        return category.value, self._store_type(history.removesuffix(category.value))

    def capability(self, name: str) -> str | None:
        """The scenario's word for a capability in a list of orchestrators; None for one that no job needed."""
        bare = name.removeprefix("CertStores.").removeprefix("Custom.").split(".")[0].lower()
        if bare in _CAPABILITIES:
            return _CAPABILITIES[bare]
        if bare in self._custom:
            return CUSTOM_PREFIX + self._custom[bare]
        return SUBSTITUTE if bare in self._foreign else None

    def _store_type(self, name: str) -> str:
        if name.lower() in _STORE_TYPES:
            return _STORE_TYPES[name.lower()]
        self._foreign.add(name.lower())
        self.substituted.add(name if self._keep else "store types of the server's own")
        return SUBSTITUTE

    def _custom_word(self, name: str) -> str:
        if name.lower() not in self._custom:
            plain = _ODD.sub("-", name)[:40]
            kept = plain if plain[:1].isalpha() else f"T{plain}"
            self._custom[name.lower()] = kept if self._keep else f"Type{len(self._custom) + 1}"
        return CUSTOM_PREFIX + self._custom[name.lower()]


_STORE_TYPES: Final[Mapping[str, str]] = {word.lower(): word for word in STORE_TYPE_IDS}
_CAPABILITIES: Final[Mapping[str, str]] = {
    **{word.lower(): word for word in CAPABILITY_WORDS},
    FETCH_LOGS.history.lower(): FETCH_LOGS.capability,
}
