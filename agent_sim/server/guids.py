"""GUIDs as callers write them: any case, with or without braces (command-api 1.6)."""

import re
from typing import Final

_GUID: Final = re.compile(r"\{?([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\}?")


def read_guid(text: str | None) -> str | None:
    """The GUID as it is kept, lower-case and hyphenated; None if the text is none."""
    found = _GUID.fullmatch((text or "").strip().lower())
    return found[1] if found else None
