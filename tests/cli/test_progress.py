"""What a person is told while a run goes on."""

import pytest

from agent_sim.cli.progress import Progress
from agent_sim.protocol.enums import Result
from agent_sim.results import journal


def completed(audit: int, outcome: Result, *, accepted: bool) -> journal.JobCompleted:
    return journal.JobCompleted(
        1.0, "lab", "agentsim-s-lab-00000", f"job-{audit}", audit, "LOGS", "", audit, 1, outcome, accepted, 1.0
    )


def test_a_completion_that_the_server_turns_away_is_no_outcome(capsys: pytest.CaptureFixture[str]):
    progress = Progress("s", 1, 60.0, lambda: 6.0)
    with progress:
        progress.observe(completed(1, Result.SUCCESS, accepted=True))
        progress.observe(completed(2, Result.SUCCESS, accepted=False))
        progress.observe(completed(3, Result.FAILURE, accepted=True))
        progress.second()

    assert "1 success, 0 warning, 1 failure" in capsys.readouterr().err
