"""Which failures are tried again by themselves (command-api 7, inferred there).

With a limit of R a job has up to R + 1 runs: the first R that fail end as CompletedWillRetry, the next as
Completed. Warning and Success are final at once. Recurring inventory waits for its next occurrence instead.
"""

from typing import Final

from agent_sim.protocol.enums import Category, Result
from agent_sim.states import JobState

RETRIED: Final = frozenset(
    {
        Category.MANAGEMENT,
        Category.DISCOVERY,
        Category.REENROLLMENT,
        Category.CUSTOM,
        Category.FETCH_LOGS,  # our choice: log fetching is the built-in custom job
    }
)


_FAILURE: Final = Result.FAILURE
_RUNNING: Final = JobState.RUNNING


def will_retry(category: Category, state: JobState, failures: int, result: Result, limit: int) -> bool:
    """True if a run that ended with `result` is followed by another one.

    `failures` counts the failed runs before this one. A job that was unscheduled while it ran is not retried.
    """
    return result is _FAILURE and category in RETRIED and state is _RUNNING and failures < limit
