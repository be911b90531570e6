from agent_sim.results.judge import judge
from agent_sim.results.render.markdown import escaped, render_markdown
from agent_sim.results.summary import summarise
from agent_sim.results.verdict import Verdict
from tests.results.demo import demo_journal
from tests.results.journals import completed, done_job, ended, started, traffic
from tests.results.test_judge import ALL

SUMMARY = summarise([started(), *done_job(), traffic(), ended()])
REPLAY = "agent-sim replay x.yaml"
BROKEN = Verdict("invariant", "at_most_once", "broken", "1 job run again", ("job-1",))


def test_it_begins_with_the_verdict_and_has_a_row_for_each_check():
    text = render_markdown(SUMMARY, [BROKEN, Verdict("threshold", "a | b", "held", "fine")], replay=REPLAY)

    lines = text.splitlines()
    assert lines[0] == "## agent-sim · small: FAIL"
    assert r"| at\_most\_once | ❌ **broken** | 1 job run again |" in lines
    assert r"| a \| b | ✅ held | fine |" in lines
    assert "$ agent-sim replay x.yaml" in lines
    assert r"- job\-1" in lines
    assert lines[-1] == f"outcome digest: `{SUMMARY.outcome_digest}`"


def test_a_good_run_says_nothing_of_replays():
    assert "Replay it" not in render_markdown(SUMMARY, [Verdict("threshold", "x", "held", "")], replay=REPLAY)


def test_a_warning_is_told_as_one():
    assert "⚠️ warning" in render_markdown(SUMMARY, [Verdict("threshold", "x", "broken", "", warn_only=True)])


def test_nothing_in_a_name_is_taken_for_markup():
    hostile = "<script>|[x](http://evil)`@team` **b** \x1b\n# h"

    safe = escaped(hostile)
    assert not {"<", ">", "\n", "\x1b", "@"} & set(safe)
    assert "://" not in safe
    assert r"\|\[x\]\(http" in safe


def test_every_table_of_a_whole_run_has_the_same_number_of_cells_in_each_line():
    summary = summarise(demo_journal())
    text = render_markdown(summary, judge(summary, ALL))

    tables = text.split("\n\n")
    for table in tables:
        widths = {line.replace(r"\|", "").count("|") for line in table.splitlines() if line.startswith("|")}
        assert len(widths) <= 1


def test_outcomes_errors_and_ledgers_are_folded_away_below_the_figures():
    text = render_markdown(summarise(demo_journal()), [])

    titles = [line.split("<summary>")[1].split("<")[0] for line in text.splitlines() if "<summary>" in line]
    assert titles == ["Requests", "Outcomes by fleet and type", "Errors", "Storms and their ledgers"]
    assert "| emea | LOGS |" in text
    assert r"| heartbeat | read\_timeout | 5 |" in text
    assert "| again (reschedule)".replace("(", r"\(").replace(")", r"\)") in text


def test_a_table_without_end_is_cut_and_says_so():
    lines = [completed(audit=number, kind=f"custom:{number}") for number in range(130)]

    text = render_markdown(summarise([started(), *lines, ended()]), [])

    assert "and 30 more in result.json" in text


def test_a_run_of_nothing_folds_nothing_away():
    assert "<details>" not in render_markdown(summarise([]), [])
