"""Time as the cores see it: whole nanoseconds since 1970-01-01T00:00:00Z.

Integers, because sums of floats differ between orders of addition and a replay must be exact.
No clock is read here: shells read clocks and pass the instant in.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

Instant = int
"""A point in time, nanoseconds since the Unix epoch (UTC)."""

Span = int
"""A length of time in nanoseconds."""

MILLISECOND: Final[Span] = 1_000_000
SECOND: Final[Span] = 1_000_000_000
MINUTE: Final[Span] = 60 * SECOND
HOUR: Final[Span] = 60 * MINUTE
DAY: Final[Span] = 24 * HOUR

NEVER: Final[Instant] = 2**63 - 1
"""Later than anything: what `next_wake` says when only a message can move something."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def seconds(value: float) -> Span:
    """A span from seconds, rounded to whole milliseconds (finer would differ between platforms)."""
    return round(value * 1000) * MILLISECOND


def to_datetime(at: Instant) -> datetime:
    """The same instant as an aware datetime in UTC, cut to microseconds."""
    return _EPOCH + timedelta(microseconds=at // 1000)


def from_datetime(moment: datetime) -> Instant:
    """The instant of a datetime; one without a zone is taken as UTC."""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * SECOND + since.microseconds * 1000


def to_iso(at: Instant) -> str:
    """RFC 3339 in UTC with `Z`, milliseconds, trailing zeros trimmed (command-api 0, rule 2)."""
    text = to_datetime(at).isoformat(timespec="seconds").removesuffix("+00:00")  # strftime takes ten times as long
    fraction = f"{at // MILLISECOND % 1000:03d}".rstrip("0")
    return f"{text}.{fraction}Z" if fraction else f"{text}Z"


def from_iso(text: str) -> Instant:
    """Read an ISO 8601 time; without a zone it is UTC. Raises ValueError."""
    return from_datetime(datetime.fromisoformat(text.strip()))
