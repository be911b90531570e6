"""What an agent is known by, small: its number, its AgentId and the token of its session.

Both are GUIDs with the servers that there are, 36 characters of which 16 bytes say all: a fleet of a million keeps the
three as one whole number, number first. Whatever is written otherwise is kept as it came.
"""

from typing import Final, TypeAlias

from agent_sim.draws import guid_text

Papers: TypeAlias = int | tuple[int, str, str | None]
"""Read by the three functions below. A whole number without AgentId and token has ones in their place."""

_BITS: Final = 128
_LOWER: Final = (1 << _BITS) - 1
_NOTHING: Final = (1 << 2 * _BITS) - 1
_MOST: Final = 1 << 32


def papers(number: int, agent_id: str, token: str | None) -> Papers:
    """`agent_id` is "" and `token` None if it has none."""
    if 0 <= number < _MOST:
        if token is None and not agent_id:
            return number << 2 * _BITS | _NOTHING
        short_id, short_token = _short(agent_id), _short(token)
        if short_id is not None and short_token is not None:
            return (number << _BITS | short_id) << _BITS | short_token
    return number, agent_id, token


def number_of(kept: Papers) -> int:
    """The agent's number."""
    return kept >> 2 * _BITS if isinstance(kept, int) else kept[0]


def agent_id_of(kept: Papers) -> str:
    """The id that the server gave it, "" if it has none."""
    if isinstance(kept, tuple):
        return kept[1]
    return "" if kept & _NOTHING == _NOTHING else guid_text((kept >> _BITS & _LOWER).to_bytes(16, "big"))


def token_of(kept: Papers) -> str | None:
    """The token of the session, None if there is none."""
    if isinstance(kept, tuple):
        return kept[2]
    token = kept & _LOWER
    return None if token == _LOWER and kept & _NOTHING == _NOTHING else guid_text(token.to_bytes(16, "big"))


def has_token(kept: Papers) -> bool:
    """True if there is a session; its token need not be written out for that."""
    return kept[2] is not None if isinstance(kept, tuple) else kept & _NOTHING != _NOTHING


def _short(text: str | None) -> int | None:
    """The bits of a GUID that is written exactly as we would write it."""
    if text is None or len(text) != 36:
        return None
    try:
        found = int(text.replace("-", ""), 16)
        written = guid_text(found.to_bytes(16, "big"))
    except (ValueError, OverflowError):  # no number, or one of all 36 letters
        return None
    return found if written == text and found != _LOWER else None
