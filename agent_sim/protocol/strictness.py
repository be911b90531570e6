"""Whether a JSON value is of the plain type that a field says, before anything is made of it.

Pydantic would take `"5"` for 5 and `true` for 1; a request that says such things is refused (our choice: the vendor's
sources are silent, and a typing error that passes is found late). What other servers answer is read liberally instead.
"""

from collections.abc import Mapping
from types import NoneType, UnionType
from typing import Final, Union, get_args, get_origin

from agent_sim.errors import MalformedMessage

_TAKES: Final[Mapping[object, tuple[type, ...]]] = {str: (str,), int: (int,), float: (float, int), bool: (bool,)}
_WORDS: Final[Mapping[object, str]] = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
}


def check(hint: object, value: object, place: str) -> None:
    """Raise MalformedMessage, naming `place`, if `value` has another JSON type than `hint` says.

    Only for plain types, unions of them and maps to them; other hints are not judged here.
    """
    origin, parts = get_origin(hint), get_args(hint)
    if isinstance(origin, type) and issubclass(origin, Mapping) and isinstance(value, Mapping):
        for name, member in value.items():
            check(parts[1], member, f"{place}.{name}")
        return
    allowed = [part for part in parts if part is not NoneType] if origin in (Union, UnionType) else [hint]
    if all(part in _TAKES for part in allowed) and not any(type(value) in _TAKES[part] for part in allowed):
        raise MalformedMessage(f"{place} must be {' or '.join(_WORDS[part] for part in allowed)}")
