"""Words that errors of the query language share. No rule of the language is decided here."""

import re
from collections.abc import Collection, Iterable
from difflib import get_close_matches
from typing import Final

_LONGEST: Final = 40
_WORD: Final = re.compile(r"[()]|[^\s()]+")


def excerpt(text: str, position: int) -> str:
    """The word, or parenthesis, of `text` that stands at a 1-based position; empty at its end."""
    word = _WORD.match(text, position - 1)
    return shortened(word[0]) if word else ""


def shortened(token: str) -> str:
    """A token fit for one line of an error."""
    return str(token) if len(token) <= _LONGEST else f"{token[: _LONGEST - 1]}…"


def did_you_mean(word: str, known: Collection[str]) -> str:
    """A remark that names the known word most like `word`, or all of them if none is like it."""
    if not known:
        return "there is none to choose from"
    names = {name.casefold(): name for name in known}
    # Comparing is quadratic in the length, and no name is that long.
    close = get_close_matches(word.casefold()[:_LONGEST], names, n=1)
    return f"did you mean {names[close[0]]}?" if close else f"expected one of {', '.join(names.values())}"


def listed(phrases: Iterable[str]) -> str:
    """The phrases as an alternative: a, b or c."""
    *most, last = phrases
    return f"{', '.join(most)} or {last}" if most else last
