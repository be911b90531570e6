"""Heads of agents' messages that were read before: an agent says the same ones all its life, and so does its fleet.

A message whose head is known to the last byte needs no parser: who sends it, what it asks and how long its body is
were found out the first time. Kept by a keyed hash, as passwords are in there.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from agent_sim.protocol.agent import AgentRequest
from agent_sim.server.callers import Caller

END: Final = b"\r\n\r\n"
_REMEMBERED: Final = 4096


@dataclass(frozen=True, slots=True)
class Head:
    """What it means: `read` makes a request of the body, `length` bytes, or raises MalformedMessage."""

    caller: Caller
    read: Callable[[bytes], AgentRequest]
    length: int


class Heads:
    """Those of plain messages, whose senders have proved who they are."""

    def __init__(self) -> None:
        self._keyed = blake2b(key=secrets.token_bytes(32), digest_size=16)
        self._known: dict[bytes, Head] = {}

    def find(self, message: bytes) -> tuple[Head, bytes] | None:
        """The head and the body of a message that is whole and has nothing behind it; None if it is not known."""
        end = message.find(END) + len(END)
        head = self._known.get(self._digest(message[:end]))
        return None if head is None or len(message) != end + head.length else (head, message[end:])

    def keep(self, message: bytes, head: Head) -> None:
        """This is what this one's head means."""
        while len(self._known) >= _REMEMBERED:
            del self._known[next(iter(self._known))]
        self._known[self._digest(message[: message.find(END) + len(END)])] = head

    def _digest(self, head: bytes) -> bytes:
        hashing = self._keyed.copy()  # a third cheaper than to begin with the key each time
        hashing.update(head)
        return hashing.digest()
