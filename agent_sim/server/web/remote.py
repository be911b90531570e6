"""A demo's buttons when the fleet runs in another process: a line of JSON each way.

    whoever runs the fleet ── {"controls": [...], "story": "..."} ──> the server     (its standard input)
                          <── control start fault shz-down ────────                  (its standard output)
                          <── looked ──────────────────────────────                  (once: somebody sees the page)

What is pressed is passed on and not waited for: the next line says what has become of it.
"""

import json
from collections.abc import Callable
from typing import Final

from agent_sim.errors import UsageError
from agent_sim.server.web.controls import Control, ControlKind

PRESSED: Final = "control"
LOOKED: Final = "looked"
_LONGEST: Final = 1 << 20


class RemoteControls:
    """`say` passes a line on. Lines that make no sense are dropped: what was known stays."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._listed: tuple[Control, ...] = ()
        self._story = ""
        self._looked = False
        self._rest = b""

    def feed(self, data: bytes) -> None:
        """Bytes as they come in, in any thread."""
        *lines, rest = (self._rest + data).split(b"\n")
        self._rest = rest if len(rest) <= _LONGEST else b""
        for line in lines:
            self._take(line)

    def listed(self) -> tuple[Control, ...]:
        if not self._looked:
            self._looked = True
            self._say(LOOKED)
        return self._listed

    def story(self) -> str:
        return self._story

    def start(self, kind: ControlKind, name: str) -> None:
        if self._named(kind, name).is_running:
            raise UsageError(f"{name} is under way already")
        self._say(f"{PRESSED} start {kind} {name}")

    def stop(self, kind: ControlKind, name: str) -> None:
        self._named(kind, name)
        self._say(f"{PRESSED} stop {kind} {name}")

    def _named(self, kind: ControlKind, name: str) -> Control:
        for control in self._listed:
            if (control.kind, control.name) == (kind, name):
                return control
        raise KeyError(name)

    def _take(self, line: bytes) -> None:
        try:
            said = json.loads(line)
            listed = tuple(
                Control(one["kind"], one["name"], one["note"], is_running=one["running"]) for one in said["controls"]
            )
            self._listed, self._story = listed, str(said["story"])
        except (ValueError, TypeError, KeyError):
            return


def state(controls: tuple[Control, ...], story: str) -> str:
    """The line that tells what there is."""
    listed = [{"kind": one.kind, "name": one.name, "note": one.note, "running": one.is_running} for one in controls]
    return json.dumps({"controls": listed, "story": story}, separators=(",", ":"))


def pressed(line: str) -> tuple[ControlKind, str, bool] | None:
    """What a line asks for: kind, name, and whether it is to start; None for any other line."""
    match line.split(" "):
        case ["control", ("start" | "stop") as does, ("fault" | "storm") as kind, name]:
            return kind, name, does == "start"
    return None
