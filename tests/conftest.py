"""What holds for all tests: properties are about values, so no example fails for being slow on a busy machine."""

from pathlib import Path
from typing import Final

import pytest
from hypothesis import settings

settings.register_profile("agent-sim", deadline=None)
settings.load_profile("agent-sim")

LONG: Final = tuple(
    line for line in Path(__file__).with_name("long.txt").read_text().splitlines() if not line.startswith("#")
)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is listed in long.txt."""
    for item in items:
        if item.nodeid.removeprefix("tests/").startswith(LONG):
            item.add_marker(pytest.mark.long)
