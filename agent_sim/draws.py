"""Chance, by key: the same key always draws the same number, whatever else happened before.

There is no generator and no state here: a draw is a hash of what is being decided. So an outcome
does not depend on the order of events, on the number of processes or on Python's hash seed.
"""

import hashlib
from functools import lru_cache
from typing import Final, NewType

Key = NewType("Key", bytes)

NO_KEY: Final = Key(b"")
"""Where nothing is drawn."""

_UNIT = 2.0**-53
_WORD: Final = (1 << 64) - 1
_GOLDEN: Final = 0x9E3779B97F4A7C15
_STIR: Final = 0xBF58476D1CE4E5B9
_STIR_AGAIN: Final = 0x94D049BB133111EB


def key(*parts: str | int) -> Key:
    """A key for a thing (seed, fleet, agent, ...); parts of different lists never collide."""
    return _digest(b"", parts)


def sub(parent: Key, *parts: str | int) -> Key:
    """The key of something that belongs to `parent`."""
    return _digest(parent, parts)


def unit(parent: Key, *purpose: str | int) -> float:
    """A number in [0, 1) for this key and purpose: 53 bits of BLAKE2b, evenly spread."""
    return (int.from_bytes(_digest(parent, purpose)[:8], "big") >> 11) * _UNIT


def seed(parent: Key, *purpose: str | int) -> int:
    """What `swift` draws by, for this key and purpose: 64 bits."""
    return int.from_bytes(_digest(parent, purpose)[:8], "big")


def swift(seed: int, number: int, at: int) -> float:
    """A number in [0, 1) for a seed and two whole numbers, for what is drawn with every request of a fleet.

    A fifth of what `unit` costs: the two are mixed in by odd factors, then stirred as SplitMix64 does it (Steele, Lea
    and Flood, 2014).
    """
    mixed = seed + number * _GOLDEN ^ at * _STIR
    mixed = (mixed ^ (mixed & _WORD) >> 30) * _STIR & _WORD
    mixed = (mixed ^ mixed >> 27) * _STIR_AGAIN & _WORD
    return ((mixed ^ mixed >> 31) >> 11) * _UNIT


def guid(parent: Key, *purpose: str | int) -> str:
    """A version-4 shaped GUID, lower case, for this key and purpose."""
    raw = bytearray(_digest(parent, purpose))
    raw[6] = raw[6] & 0x0F | 0x40
    raw[8] = raw[8] & 0x3F | 0x80
    return guid_text(raw)


def guid_text(raw: bytes | bytearray) -> str:
    """Sixteen bytes as a GUID, lower case."""
    text = raw.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def root(*parts: str | int) -> Key:
    """The common part of many keys: `sub(root(a, b), c)` is `key(a, b, c)`."""
    return Key(_told(b"", parts))


def _digest(parent: bytes, parts: tuple[str | int, ...]) -> Key:
    return Key(hashlib.blake2b(_told(parent, parts), digest_size=16).digest())


def _told(parent: bytes, parts: tuple[str | int, ...]) -> bytes:
    # Type and length stand before each part, so ("ab", "c") and ("a", "bc") differ, and so do 1 and "1".
    told = parent
    for part in parts:
        told += _number(part) if isinstance(part, int) else _text(part)
    return told


def _number(part: int) -> bytes:
    data = b"%d" % part
    return (_HEADS[len(data)] if len(data) < len(_HEADS) else b"i%d:" % len(data)) + data


_HEADS = [b"i%d:" % length for length in range(24)]
"""What stands before a number of so many digits: a draw is made for each heartbeat."""


@lru_cache(maxsize=1024)  # most texts are purposes, of which there are few
def _text(part: str) -> bytes:
    data = str(part).encode()
    return b"s%d:%b" % (len(data), data)
