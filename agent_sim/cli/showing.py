"""How a verb shows what it does: to a person, to a program (`--json`), to metrics, or to nobody.

With `--json` standard output has one JSON object and nothing else, whatever comes of it:

| member      | is                                                                              | of               |
|-------------|---------------------------------------------------------------------------------|------------------|
| `schema`    | "agent-sim/said/1": members are added under the same name, never removed         | every verb       |
| `verb`      | "run", "replay", "report", "check", "compare", "compare-storms", "doctor"        | every verb       |
| `exit_code` | as the process exits                                                             | every verb       |
| `errors`    | sentences; what standard error says after "error: "                              | every verb       |
| `verdict`, `settled_as`, `because`, `checks`, `figures`, `outcome_digest`, `folder`, `files`, `replay` | the end of a run | run, replay, report |
| `file`, `summary`, `remarks`, `problems` | the scenario; problems have path, line, column, message             | check            |
| `a`, `b`, `tolerance`, `differences`, `regressed`, `rows` | side by side                                       | compare          |
| `answer`, `decided_by`, `verdict`, `figures`, `failed_or_dropped`, `broken`, `pairs` | two targets in turn        | compare-storms   |
| `target`, `version`, `told`, `missing` | what was found there                                                  | doctor           |

Only a command line that cannot be read at all (exit code 2, usage on standard error) leaves standard output empty.
"""  # noqa: E501  # a table

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Final

import typer

from agent_sim.errors import AgentSimError, ScenarioError
from agent_sim.results.plain import Json

SCHEMA: Final = "agent-sim/said/1"
VERBS: Final = frozenset({"run", "replay", "report", "check", "compare", "compare-storms", "doctor"})
"""Those that take `--json` in this shape."""

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text, for programs.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress on standard error.")]
MetricsPort = Annotated[
    int | None,
    typer.Option(min=0, max=65535, help="Show the fleet's and storms' metrics at http://127.0.0.1:PORT/metrics."),
]
Otel = Annotated[
    bool,
    typer.Option("--otel", help="Send them to the OpenTelemetry collector that OTEL_EXPORTER_OTLP_ENDPOINT names."),
]


class IfInconclusive(StrEnum):
    """What a run counts as if a check could not be decided."""

    PASS = "pass"
    FAIL = "fail"


Inconclusive = Annotated[
    IfInconclusive | None, typer.Option(help="What checks that could not be decided count as; else exit code 3.")
]


@dataclass(frozen=True, slots=True)
class Showing:
    """What the command line said of it. `metrics_port` 0 takes a free port."""

    as_json: bool = False
    is_quiet: bool = False
    metrics_port: int | None = None
    otel: bool = False


def say(verb: str, exit_code: int, errors: Sequence[str] = (), **members: Json) -> None:
    """The object, on standard output."""
    made: dict[str, Json] = {"schema": SCHEMA, "verb": verb, "exit_code": exit_code, "errors": list(errors), **members}
    sys.stdout.write(json.dumps(made, indent=1, allow_nan=False) + "\n")


def say_failed(words: Sequence[str], error: AgentSimError, exit_code: int) -> None:
    """The object of a verb that came to nothing, if the words of its command line ask for one."""
    ours = list(words[: words.index("--")]) if "--" in words else list(words)
    if ours and ours[0] in VERBS and "--json" in ours:
        more: dict[str, Json] = {"problems": problems(error)} if isinstance(error, ScenarioError) else {}
        say(ours[0], exit_code, str(error).splitlines(), **more)


def problems(error: ScenarioError) -> list[Json]:
    """What is wrong with a file, each with its place."""
    return [
        {"path": each.path, "line": each.line, "column": each.column, "message": each.message}
        for each in error.problems
    ]
