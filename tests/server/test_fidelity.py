"""The table of what the server does and how we know: complete, and its counts are right."""

import re
from collections import Counter
from dataclasses import dataclass, fields
from importlib import resources

import pytest

from agent_sim.settings import ServerSettings

TEXT = resources.files("agent_sim.server").joinpath("fidelity.md").read_text(encoding="utf-8")
SETTINGS = {item.name for item in fields(ServerSettings)}
BASES = ("seed", "docs", "client", "inferred")


@dataclass(frozen=True)
class Row:
    behaviour: str
    source: str
    basis: str
    setting: str

    @property
    def names(self) -> list[str]:
        return re.findall(r"`(\w+)`", self.setting) if not self.setting.startswith("fixed:") else []


def _rows() -> list[Row]:
    cells = [line.strip("| ").split(" | ") for line in TEXT.splitlines() if line.startswith("| ")]
    return [Row(*[*cell, ""][:4]) for cell in cells if len(cell) in (3, 4) and cell[2].strip(" |") in BASES]


ROWS = [Row(row.behaviour, row.source, row.basis.strip(" |"), row.setting.strip(" |")) for row in _rows()]


def test_the_table_is_read_whole():
    listed = [line for line in TEXT.splitlines() if line.startswith("| ") and not line.startswith("| Behaviour")]

    assert len(ROWS) == len(listed) - 1  # the counts at the top


def test_the_counts_at_the_top_are_right():
    found = Counter(row.basis for row in ROWS)
    settable = sum(bool(row.names) for row in ROWS if row.basis == "inferred")
    told = [len(ROWS), *(found[basis] for basis in BASES), settable]

    assert "| " + " | ".join(map(str, told)) + " |" in TEXT


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.behaviour[:50])
def test_what_is_inferred_has_a_setting_or_says_why_not(row):
    assert set(row.names) <= SETTINGS
    if row.basis == "inferred":
        assert row.names or len(row.setting) > len("fixed: because")


def test_every_setting_is_in_the_table():
    assert {name for row in ROWS for name in row.names} == SETTINGS


def test_the_table_names_no_source_that_is_no_section():
    for row in ROWS:
        assert row.source == "our choice" or re.match(r"(command-api|agent-protocol) \d", row.source), row
