"""`agent-sim check --golden`: jobs given to an agent, and what it must send."""

from pathlib import Path

import pytest
from typer.testing import Result

from tests.cli.test_check import run
from tests.scenario.files import LAB, written

SCENARIO = (
    LAB.replace("count: 10", "count: 10, heartbeat: {every: 5s}")
    + "server: {retries: 1}\nseed: 5\n"
    + "behaviours: [{name: default, jobs: [{type: LOGS, duration: 2s, size: 2KB,"
    + " outcomes: [{result: failure, message: 'attempt {attempt}'}]}]}]\n"
)
GOLDEN = """\
# Kept: what people write.
scenario: s.yaml
cases:
  - name: a fetch that fails
    input: {fleet: lab, agent: 3, type: LOGS, at: 5s} # so is this
    output:
      - {after: 0s, send: configure, answer: ok}
      - {after: 2.001s, send: complete, result: failure, message: attempt 1, size: 2KB, answer: ok}
"""


def check(folder: Path, golden: str, *options: str, scenario: str = SCENARIO) -> Result:
    written(scenario, folder)
    return run("check", "--golden", written(golden, folder, "golden.yaml"), *options)


def test_what_is_written_today_holds_until_the_behaviour_changes(tmp_path: Path):
    fresh = check(tmp_path, GOLDEN.split("    output")[0], "--update")
    assert fresh.stdout.endswith("golden.yaml: 1 case written, 1 changed\n")
    text = (tmp_path / "golden.yaml").read_text()
    assert text.startswith("# Kept: what people write.\n")
    assert "# so is this" in text
    assert text.count("send: complete, result: failure, message: attempt") == 2

    assert check(tmp_path, text).exit_code == 0
    changed = check(tmp_path, text, scenario=SCENARIO.replace("result: failure", "result: warning"))

    assert changed.exit_code == 1
    assert "a fetch that fails: comes out otherwise" in changed.stderr
    assert "-after: 2.001s, send: complete, result: failure, message: attempt 1" in changed.stderr
    assert "+after: 2.001s, send: complete, result: warning, message: attempt 1" in changed.stderr


def test_another_agent_or_seed_is_another_chance(tmp_path: Path):
    scenario = SCENARIO.replace("duration: 2s", "duration: {dist: uniform, min: 1s, max: 9s}")
    texts = set()
    for golden in (GOLDEN, GOLDEN.replace("agent: 3", "agent: 4"), GOLDEN.replace("s.yaml", "s.yaml\nseed: 6")):
        check(tmp_path, golden, "--update", scenario=scenario)
        texts.add((tmp_path / "golden.yaml").read_text().partition("output:")[2])

    assert len(texts) == 3


def test_a_job_may_be_given_several_times(tmp_path: Path):
    more = GOLDEN.split("    output")[0].replace("at: 5s", "at: 5s, times: 3, every: 1m")
    check(tmp_path, more, "--update", scenario=SCENARIO.replace("retries: 1", "retries: 0"))

    assert (tmp_path / "golden.yaml").read_text().count("send: complete") == 3


@pytest.mark.parametrize(
    ("golden", "said"),
    [
        (GOLDEN.replace("agent: 3", "agnt: 3"), ":5:25: cases[0].input.agnt: unknown key, did you mean agent?"),
        (GOLDEN.replace("LOGS", "LGOS"), "which is no job type that this version knows; did you mean LOGS?"),
        (GOLDEN.replace("fleet: lab", "fleet: lap"), 'cases[0].input.fleet: found "lap", expected one of lab'),
        (GOLDEN.replace("agent: 3", "agent: 10"), "cases[0].input.agent: found 10, expected less than 10"),
        (GOLDEN.replace("at: 5s", "at: steady"), 'cases[0].input.at: found "steady", which is no phase'),
        (GOLDEN.replace("s.yaml", "t.yaml"), "t.yaml: no such file"),
        ("scenario: s.yaml\ncases: []\n", ":2:8: cases: found none, expected at least one"),
        ("", "found an empty file"),
    ],
)
def test_a_golden_file_that_is_wrong_is_told(golden: str, said: str, tmp_path: Path):
    result = check(tmp_path, golden)

    assert result.exit_code == 2
    assert said in result.stderr


def test_the_options_belong_together():
    for arguments in ([], ["demo", "--golden", "golden.yaml"], ["--update"]):
        assert run("check", *arguments).exit_code == 2
