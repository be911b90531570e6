"""The result of a run as one JSON document, `result.json`: every figure, verdict and histogram.

`schema` names the version: members are added under the same name, and removed or changed only under a new one. Times
are seconds since the run started, latencies microseconds, outcomes and answers words.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from enum import IntEnum
from typing import Final, cast

from agent_sim.histogram import Histogram
from agent_sim.results.figures import Window
from agent_sim.results.plain import Json
from agent_sim.results.summary import Summary
from agent_sim.results.verdict import IfOpen, Verdict, exit_code, overall

SCHEMA: Final = "agent-sim/result/1"


def render_json(
    summary: Summary,
    verdicts: Sequence[Verdict],
    *,
    environment: Mapping[str, str],
    command: str = "",
    replay: str = "",
    inconclusive: IfOpen = None,
) -> str:
    """The document, indented; the same arguments give the same text.

    `command` is how to run it again, `replay` how to do so in virtual time.
    """
    document: dict[str, Json] = {
        "schema": SCHEMA,
        "verdict": overall(verdicts),
        "settled_as": inconclusive if overall(verdicts) == "INCONCLUSIVE" else None,
        "exit_code": exit_code(verdicts, inconclusive),
        "command": command,
        "replay": replay,
        "outcome_digest": summary.outcome_digest,
        "run": _plain(summary.run),
        "ended": _plain(summary.ended),
        "seconds": summary.whole.seconds,
        "verdicts": _plain(tuple(verdicts)),
        "agents": _plain(summary.agents),
        "jobs": _plain(summary.jobs),
        "mix": _plain(summary.mix),
        "whole": _window(summary.whole),
        "phases": [_window(phase) for phase in summary.phases],
        "faults": _plain(summary.faults),
        "storms": _plain(summary.storms),
        "messages": _plain(summary.messages),
        "slowest": _plain(summary.slowest),
        "failed": _plain(summary.failed),
        "timeline": _plain(summary.timeline),
        "environment": dict(environment),
    }
    return json.dumps(document, indent=1, allow_nan=False) + "\n"


def _window(window: Window) -> Json:
    return {
        "name": window.name,
        "start": window.start,
        "end": window.end,
        "operations": _plain(window.operations),
        "outcomes": [
            {"type": kind, "outcome": _plain(result), "count": count}
            for (kind, result), count in window.outcomes.items()
        ],
    }


def _plain(value: object) -> Json:
    match value:
        case Histogram():
            return cast(Json, value.to_json())
        case IntEnum():
            return value.name.lower()
        case float():
            return value if math.isfinite(value) else None
        case None | bool() | int() | str():
            return value
        case Mapping():
            return {str(_plain(name)): _plain(member) for name, member in value.items()}
        case list() | tuple():
            return [_plain(member) for member in value]
        case _ if is_dataclass(value):
            return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
        case _:
            raise TypeError(f"{type(value).__name__} has no form in a result")
