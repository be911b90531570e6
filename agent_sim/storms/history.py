"""Job history as servers send it, made what `protocol.codec` reads: enumerations by number.

A real Command 10 was seen to answer names ("Failure", "Completed") where documents and newer servers have
numbers, and a load tester must take both (command-api 0, rule 1).
"""

import json
from collections.abc import Mapping
from enum import IntEnum
from typing import Final

from agent_sim.protocol import command
from agent_sim.protocol.codec import read_reply
from agent_sim.protocol.enums import Result, Status


def _numbers(names: type[IntEnum]) -> dict[str, int]:
    return {member.name.replace("_", "").casefold(): member.value for member in names}


_NUMBERS: Final[Mapping[str, Mapping[str, int]]] = {"result": _numbers(Result), "status": _numbers(Status)}


def read_history(asked: command.ListJobHistory, status: int, body: bytes, total: int | None) -> command.CommandReply:
    """What a server answered to a question about its history. Raises MalformedMessage."""
    return read_reply(asked, status, _by_number(body), total)


def _by_number(body: bytes) -> bytes:
    try:
        runs = json.loads(body)
    except (ValueError, RecursionError):
        return body  # the codec says what is wrong with it
    if not isinstance(runs, list) or not any(_is_named(run) for run in runs):
        return body
    return json.dumps([_numbered(run) for run in runs]).encode()


def _is_named(run: object) -> bool:
    return isinstance(run, dict) and any(
        isinstance(value, str) for name, value in run.items() if name.casefold() in _NUMBERS
    )


def _numbered(run: object) -> object:
    if not isinstance(run, dict):
        return run
    return {name: _number(name, value) for name, value in run.items()}


def _number(name: str, value: object) -> object:
    numbers = _NUMBERS.get(name.casefold())
    if numbers is None or not isinstance(value, str):
        return value
    return numbers.get(value.casefold(), value)
