"""Between columns and values: what a schedule, a job type and a list of texts look like in the database.

JSON is written unescaped, so that half a character (a lone surrogate) is refused here as in every other column.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

from agent_sim.instants import Instant
from agent_sim.protocol.enums import BY_GUID, STORE_CATEGORIES, Category, JobType, custom, store_job
from agent_sim.protocol.schedule import Daily, ExactlyOnce, Immediate, Monthly, Schedule, Weekly, from_wire, to_wire
from agent_sim.server.ports import Values


def schedule_columns(schedule: Schedule) -> Values:
    """`schedule`, the wire's text as queries compare it, and `schedule_time`, which that text would cut short."""
    time = schedule.time if isinstance(schedule, Daily | Weekly | Monthly | ExactlyOnce) else None
    return {"schedule": to_wire(schedule), "schedule_time": time}


@lru_cache(maxsize=4096)
def schedule(text: str | None, time: Instant | None) -> Schedule:
    """The schedule that was stored; null is Immediate."""
    if text is None:
        return Immediate()
    read = from_wire(text)
    if isinstance(read, Daily | Weekly | Monthly | ExactlyOnce) and time is not None:
        return replace(read, time=time)
    return read


def optional(given: Schedule) -> Schedule | None:
    """A schedule as listings show it: Immediate is left out (command-api 4.1, 6)."""
    return None if isinstance(given, Immediate) else given


def job_type(guid: str, name: str, category: Category) -> JobType:
    """The job type behind a job's columns; `category` is how it is run."""
    if category in STORE_CATEGORIES:
        return store_job(name.removesuffix(category.value), category, guid)
    return BY_GUID.get(guid) or custom(name, guid)


def texts(column: str) -> tuple[str, ...]:
    """A JSON array of texts."""
    return tuple(map(str, json.loads(column)))


def named_texts(column: str) -> dict[str, str]:
    """A JSON object of texts."""
    return {str(name): str(value) for name, value in json.loads(column).items()}


def array(items: Sequence[str] | Sequence[int]) -> str:
    """A JSON array, for a column or for `json_each` in a statement."""
    return json.dumps(list(items), ensure_ascii=False)


def document(items: Mapping[str, str]) -> str:
    """A JSON object, for a column."""
    return json.dumps(dict(items), ensure_ascii=False)
