"""Where the scenarios and load tests that come with agent-sim are, in a checkout and in an installed wheel."""

from importlib.resources import files
from pathlib import Path
from typing import Final

import typer

from agent_sim.errors import UsageError
from agent_sim.scenario.units import shortened

_PACKAGE: Final = Path(str(files("agent_sim")))


def folder(name: str) -> Path:
    """The folder `scenarios` or `loadtests`: inside the wheel, or at the top of a checkout."""
    inside = _PACKAGE / name
    return inside if inside.is_dir() else _PACKAGE.parent / name


def storm_file() -> Path:
    """The Locust file of all storms."""
    return folder("loadtests") / "storm.py"


def scenario_file(name: str) -> Path:
    """A scenario by path, or by the name of one that comes with agent-sim. Raises UsageError."""
    try:
        return _scenario_file(name)
    except OSError as error:
        raise UsageError(f"{shortened(name)}: cannot be read: {error.strerror}") from None


def _scenario_file(name: str) -> Path:
    given = Path(name)
    if given.exists() or (given.suffix in (".yaml", ".yml") and given.parent == Path() and not _shipped(given.stem)):
        return given
    shipped = _shipped(given.stem)
    if shipped is not None and given.parent in (Path(), Path("scenarios")):
        return shipped
    if given.suffix in (".yaml", ".yml"):
        return given
    names = ", ".join(path.stem for path in scenario_files())
    raise UsageError(f"{shortened(name)}: no such file, and no scenario of that name; there are {names}")


def _names(incomplete: str) -> list[str]:
    """The names that a shell completes; paths it knows itself."""
    return [path.stem for path in scenario_files() if path.stem.startswith(incomplete)]


def scenario_files() -> list[Path]:
    """Every scenario that comes with agent-sim, by name."""
    return sorted(folder("scenarios").glob("*.yaml"))


def _shipped(stem: str) -> Path | None:
    found = folder("scenarios") / f"{stem}.yaml"
    return found if found.is_file() else None


SCENARIO: Final = typer.Argument(
    help="Scenario file, or the name of one that comes with agent-sim.", autocompletion=_names
)
"""The argument that verbs about one scenario take."""
