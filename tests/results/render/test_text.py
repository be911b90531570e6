import io
import re
from typing import Any

from rich.console import Console

from agent_sim.protocol.enums import Result
from agent_sim.results.checks import Checks, InvariantCheck, Threshold
from agent_sim.results.journal import FaultArmed, FaultOver, StormStarted
from agent_sim.results.judge import judge
from agent_sim.results.render.text import render_text
from agent_sim.results.summary import summarise
from agent_sim.results.verdict import Verdict
from tests.results.demo import demo_journal
from tests.results.journals import done_job, ended, registered, started, storm, traffic

CHECKS = Checks(
    (
        Threshold("latency", {"op": "heartbeat"}, "p95", maximum=0.02, text="latency{op=heartbeat} p95 <= 20ms"),
        Threshold("latency", {"op": "complete"}, "p99", maximum=0.02, text="latency{op=complete} p99 <= 20ms"),
        Threshold("error_rate", maximum=0.0, text="error_rate <= 0%", warn_only=True),
    ),
    (InvariantCheck("no_lost_jobs"), InvariantCheck("at_most_once")),
)


def printed(summary, verdicts, width: int = 110) -> str:
    """What a plain terminal shows, without the blanks at the ends of lines."""
    out = io.StringIO()
    Console(file=out, width=width, color_system=None).print(render_text(summary, verdicts))
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())


GOLDEN = """\
small against http://127.0.0.1:8600, seed 42 · 2 agents · 60.0 s · 2 runs (1 success, 1 failure)

operation           offered  achieved  ids/s        p50        p95          p99      max  errors
again (reschedule)   20.0/s    20.0/s  1,000    25.0 ms    40.0 ms  n/a (n=300)  40.0 ms       0

heartbeat            20.0/s    20.0/s      –    10.0 ms    10.0 ms      10.0 ms  10.0 ms       0
complete            0.083/s   0.067/s      –  n/a (n=5)  n/a (n=5)    n/a (n=5)  12.0 ms       1

held          latency{op=heartbeat} p95 <= 20ms · p95 10.0 ms of 1,200 requests
not measured  latency{op=complete} p99 <= 20ms · p99 needs 1,000 requests, there were 5
warning       error_rate <= 0% · 0.066 % of 1,505 requests
kept          no_lost_jobs · 2 accepted jobs: 2 ended
kept          at_most_once · 2 runs of 2 jobs, each once
BROKEN        storm again: every accepted id changed state exactly once · 1 phantom_transition; 15,000 ids
              sent, 15,000 accepted, 0 refused, 0 unknown, 15,000 checked
              - audit id 17: refused, and changed once
verdict: FAIL"""


def test_a_small_run_is_one_table_and_a_verdict():
    phantom: dict[str, Any] = {
        "reconciliation__violations": {"phantom_transition": 1, "lost_update": 0},
        "reconciliation__examples": [{"id": 17, "rule": "phantom_transition", "detail": "refused, and changed once"}],
    }
    summary = summarise(
        [
            started(),
            registered("agent-1"),
            registered("agent-2"),
            *done_job(1),
            *done_job(2, Result.FAILURE),
            traffic("heartbeat", ok=1200),
            traffic("complete", ok=4, errors={"http_5xx": 1}, milliseconds=12.0),
            *storm(**phantom),
            ended(),
        ]
    )

    assert printed(summary, judge(summary, CHECKS)) == GOLDEN


def test_the_table_fits_into_a_hundred_columns():
    summary = summarise(demo_journal())

    text = printed(summary, judge(summary, CHECKS), width=100)

    assert max(map(len, text.splitlines())) <= 100
    assert "…" not in text


def test_waiting_for_our_own_connections_stands_apart():
    text = printed(summarise([started(), traffic("complete", ok=30), traffic("pool_wait", ok=30), ended()]), ())

    row = text.splitlines()[4]
    assert re.split(r"  +", row) == ["(connection wait)", *"–––", "10.0 ms", "n/a (n=30)", "n/a (n=30)", "10.0 ms", "–"]


def test_a_narrow_terminal_gets_the_whole_table_too():
    summary = summarise(demo_journal())

    text = printed(summary, judge(summary, CHECKS), width=80)

    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    assert "(n=180)" in text


def test_the_last_line_is_the_verdict_alone():
    summary = summarise([started(), ended()])

    assert printed(summary, ()).splitlines()[-2:] == ["no check was asked for", "verdict: PASS"]


def test_a_saturated_generator_is_a_line_of_its_own():
    saturated = {"cpu_percent_max": 99.0, "late_p99_ms": 90.0, "saturated": True}
    summary = summarise([started(), *storm(generator=saturated), ended()])

    assert "warning  storm again: load generator · saturated (CPU up to 99 %" in printed(
        summary, judge(summary, Checks())
    )


def test_a_storm_without_a_result_is_still_a_row():
    summary = summarise([started(), StormStarted(1.0, "again", "reschedule"), ended()])

    assert "again (reschedule)        –         –      –    –    –    –    –       –" in printed(summary, ())


def test_names_can_neither_steer_the_terminal_nor_be_markup():
    summary = summarise([started("[red]x[/red]\x1b[2J"), traffic("\x1b]0;owned\x07[bold]"), ended()])
    verdicts = [Verdict("invariant", "[blink]a", "broken", "b\x1b[1m", ("c\nd",))]

    text = printed(summary, verdicts)

    assert "\x1b" not in text
    assert "[red]x[/red]\ufffd[2J" in text
    assert "[bold]" in text
    assert "[blink]a · b\ufffd[1m" in text
    assert "- c\ufffdd" in text


def test_declared_faults_are_told_with_what_they_met():
    lines = [FaultArmed(1.0, "lost-ack", 0, 9.0, 3), FaultOver(9.0, "lost-ack", 0, 1.0, 1_234, ("a", "b"))]

    said = printed(summarise([started(), *lines, ended(60.0)]), [])

    assert "fault  lost-ack · armed 1 time, met 1,234 requests of 2 agents" in said
