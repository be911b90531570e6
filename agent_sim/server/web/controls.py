"""What the page's demo buttons need of whoever runs the demo. Without it the buttons are hidden.

The command line passes an implementation in; nothing here knows fleets, faults or storms.
"""

from dataclasses import dataclass
from typing import Literal, Protocol

ControlKind = Literal["fault", "storm"]


@dataclass(frozen=True, slots=True)
class Control:
    """One thing that can be started: a fault to arm or a storm to run. `note` says what it does or how far it is."""

    kind: ControlKind
    name: str
    note: str
    is_running: bool


class Controls(Protocol):
    """Starts and stops what the scenario declares."""

    def listed(self) -> tuple[Control, ...]:
        """Everything there is, in the scenario's order."""

    def story(self) -> str:
        """What is happening, in a sentence or two; empty if nobody tells."""

    def start(self, kind: ControlKind, name: str) -> None:
        """Arm or run one. Raises KeyError for a name that is none, UsageError for one that cannot start now."""

    def stop(self, kind: ControlKind, name: str) -> None:
        """End one; one that does not run is no error. Raises KeyError."""
