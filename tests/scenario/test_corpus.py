"""A corpus of broken scenario files, each with what is said about it beside it: every slip is told, with its place.

`corpus/NAME.yaml` is the file, `corpus/NAME.txt` all that `agent-sim check NAME.yaml` prints; in it `…` stands for
words that grow with the format, such as the list of all keys. What would be too large to keep is made here.
"""

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
import typer
from typer.testing import CliRunner, Result

from agent_sim.cli.check import check
from tests.scenario.files import LAB

CORPUS: Final = Path(__file__).parent / "corpus"
FILES: Final = sorted(CORPUS.glob("*.yaml"))
SECONDS: Final = 20
"""Of processor time: far more than any file needs, far less than a hang."""

APP = typer.Typer()
APP.command()(check)


def told(path: str | Path) -> Result:
    began = time.process_time()
    result = CliRunner().invoke(APP, [str(path)])
    assert time.process_time() - began < SECONDS
    return result


def assert_refused(result: Result, expected: str) -> None:
    assert isinstance(result.exception, SystemExit), result.exception
    assert (result.exit_code, result.stdout) == (2, "")
    assert re.fullmatch(re.escape(expected).replace("…", "[^\n]+"), result.stderr), result.stderr


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_broken_file_is_told_in_the_words_beside_it(path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(CORPUS)

    assert_refused(told(path.name), path.with_suffix(".txt").read_text(encoding="utf-8"))


def test_the_corpus_is_large_and_says_something_about_each_file():
    assert len(FILES) >= 50
    assert {path.stem for path in CORPUS.glob("*.txt")} == {path.stem for path in FILES}
    for path in FILES:
        for line in path.with_suffix(".txt").read_text(encoding="utf-8").splitlines():
            assert re.match(r"(parents/)?[a-z0-9-]+\.yaml:\d+:\d+: \S", line), line


def large() -> Iterator[tuple[str, bytes, str]]:
    """Files too large to keep: a name, the bytes, and what is said after the file's name."""
    size = "1:1: found more than 1 MiB, expected a scenario of at most 1 MiB\n"
    yield "ten megabytes", LAB.encode() + b"# " + b"x" * 10_000_000 + b"\n", size
    yield "ten megabytes of zeros", bytes(10_000_000), size
    deep = LAB + "x-deep: " + "[" * 500_000 + "\n"
    yield "half a million brackets", deep.encode(), "5:48: nests deeper than 40 levels\n"
    word = LAB.replace("count: 10", "count: " + "9" * 900_000)
    yield "a number of a million digits", word.encode(), "4:24: fleets[0].count: found …, expected …\n"


@pytest.mark.parametrize(("data", "said"), [case[1:] for case in large()], ids=[case[0] for case in large()])
def test_a_file_of_great_size_is_told_as_soon(data: bytes, said: str, tmp_path: Path):
    path = tmp_path / "large.yaml"
    path.write_bytes(data)

    assert_refused(told(path), f"{path}:{said}")


@pytest.mark.parametrize("ending", ["", ".yaml"])
def test_a_name_that_no_file_can_have_is_told(ending: str):
    shown = "a" * 59 + "…"

    assert_refused(told("a" * 300 + ending), f"{shown}: cannot be read: File name too long\n")
