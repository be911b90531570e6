from agent_sim.results.render.github import annotations
from agent_sim.results.verdict import Verdict

BROKEN = Verdict("invariant", "at_most_once", "broken", "50% of it,\nall", ("job-1",))
OPEN = Verdict("invariant", "x", "unknown", "not read back")


def test_what_fails_the_run_is_an_error_escaped_as_the_runner_reads_it():
    [line] = annotations([Verdict("threshold", "a", "held", ""), BROKEN], replay="agent-sim replay x")

    assert line == (
        "::error title=agent-sim%3A at_most_once::50%25 of it,\N{REPLACEMENT CHARACTER}all%0A- job-1%0A"
        "replay it: agent-sim replay x"
    )


def test_what_does_not_count_is_a_warning():
    warned = Verdict("threshold", "t", "broken", "d", warn_only=True)
    declared = Verdict("invariant", "i", "unknown", "d", is_declared=True)

    assert [line.split(" ")[0] for line in annotations([warned, declared])] == ["::warning", "::warning"]


def test_what_could_not_be_decided_is_what_the_user_says():
    assert [next(annotations([OPEN], inconclusive=how)).split(" ")[0] for how in (None, "fail", "pass")] == [
        "::error",
        "::error",
        "::warning",
    ]


def test_a_name_cannot_begin_a_command_of_its_own():
    hostile = Verdict("invariant", "x::\n::set-env name=A::b", "broken", "\n::error::no")

    [line] = annotations([hostile])
    assert len(line.splitlines()) == 1
    assert line.startswith("::error title=agent-sim%3A x%3A%3A")
