"""What a run has to tell, as workflow commands of GitHub Actions: an annotation for each check that does not hold.

`::error` for what fails the run, `::warning` for the rest. Values are escaped as the runner unescapes them.
"""

from collections.abc import Iterator, Sequence

from agent_sim.results.verdict import IfOpen, Verdict, is_good, weight
from agent_sim.results.wording import visible


def annotations(verdicts: Sequence[Verdict], *, replay: str = "", inconclusive: IfOpen = None) -> Iterator[str]:
    """One line for each check that does not hold, to be printed."""
    for verdict in verdicts:
        if not is_good(verdict):
            level = "error" if weight(verdict, inconclusive) in ("FAIL", "INCONCLUSIVE") else "warning"
            said = [visible(verdict.detail), *(f"- {visible(each)}" for each in verdict.offenders)]
            said += [f"replay it: {visible(replay)}"] if replay else []
            title = _property(f"agent-sim: {visible(verdict.name)}")
            yield f"::{level} title={title}::{_data(chr(10).join(said))}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
