"""Two storms by hand at once that ask the same of the same ids could not tell their own doing from each other's.

Each claims what it asks for, on this machine, for as long as its process lives; the second one is refused, unless both
say which share of the ids is theirs. Locks of the operating system: nothing is left behind by a process that is killed.
"""

import fcntl
import hashlib
import os
import tempfile
from pathlib import Path
from typing import IO, Final
from urllib.parse import urlsplit

from agent_sim.errors import UsageError
from agent_sim.storms.kinds import parts
from agent_sim.storms.made import type_of
from agent_sim.storms.operations import OPERATIONS
from agent_sim.storms.plan import StormPlan
from agent_sim.storms.pool import ALL_OF_IT

_HELD: Final[list[IO[str]]] = []  # as long as the process lives


def claim(url: str, plan: StormPlan, *, must: bool) -> None:
    """Claim what the storm asks for. Raises UsageError if somebody has it and it `must` be ours."""
    for what in sorted(asks(plan)):
        if not _has(url, what, plan) and must:
            raise UsageError(
                f"another storm on this machine asks the same of {urlsplit(url).netloc} ({what} of {plan.prefix}*):"
                " wait for its end, or give each its part of the ids with --share 1/2 and --share 2/2"
            )


def asks(plan: StormPlan) -> frozenset[str]:
    """What two storms could be in each other's way about."""
    if plan.operation in OPERATIONS and OPERATIONS[plan.operation].creates:
        return frozenset({f"new {type_of(plan.operation, plan.job_type).casefold()} jobs"})
    return frozenset(part.operation for part in parts(plan))


def _has(url: str, what: str, plan: StormPlan) -> bool:
    whole = _lock(url, what, plan.prefix, "", fcntl.LOCK_EX if plan.share == ALL_OF_IT else fcntl.LOCK_SH)
    return whole and _lock(url, what, plan.prefix, str(plan.share), fcntl.LOCK_EX)


def _lock(url: str, what: str, prefix: str, share: str, how: int) -> bool:
    folder = Path(tempfile.gettempdir()) / f"agent-sim-storms-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    told = "\n".join((urlsplit(url).netloc.casefold(), what, prefix.casefold(), share))
    file = (folder / hashlib.sha256(told.encode()).hexdigest()).open("w")
    try:
        fcntl.flock(file, how | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return False
    _HELD.append(file)
    return True
