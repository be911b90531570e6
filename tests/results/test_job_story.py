from agent_sim.protocol.enums import Result
from agent_sim.results.job_story import AFTER, BEFORE, Moment, story_of
from agent_sim.results.summary import summarise
from tests.results.journals import completed, configured, ended, posted, run, started, story


def test_a_job_is_told_from_its_post_to_its_end():
    lines = [
        started(),
        posted(t=1.0),
        configured(t=2.0),
        completed(t=4.0, outcome=Result.FAILURE),
        run(result=Result.FAILURE),
        story(("queued", 1, 1.0), ("configured", 1, 2.0), ("completed", 1, 4.0), ("rescheduled", 1, 9.0)),
        ended(),
    ]
    summary = summarise(lines)

    told = story_of(summary.facts, summary.failed[0])

    assert (told.waited, told.worked, told.left_out) == (1.0, 2.0, 0)
    assert [(each.t, each.who, each.what) for each in told.moments if each.who != "server"] == [
        (1.0, "operator", "posted by fetch"),
        (2.0, "agent", "handed to agent-1, attempt 1"),
        (4.0, "agent", "completed: failure"),
    ]
    assert told.moments[-1] == Moment(9.0, "server", "rescheduled", 1)


def test_a_second_attempt_waited_only_since_the_first_one_ended():
    lines = [started(), posted(t=1.0)]
    for audit, begin in ((1, 2.0), (2, 30.0)):
        lines += [configured(audit=audit, t=begin), completed(audit=audit, t=begin + 5, outcome=Result.FAILURE)]
        lines += [run(audit=audit, start=begin, end=begin + 5)]
    summary = summarise([*lines, ended()])

    assert [story_of(summary.facts, job).waited for job in summary.failed] == [1.0, 23.0]


def test_a_job_that_recurs_for_days_is_cut_to_what_is_near_the_run():
    lines = [started()]
    for audit in range(1, 500):
        lines += [configured(audit=audit, t=audit * 10.0), completed(audit=audit, t=audit * 10.0 + 2)]
        lines += [run(audit=audit, start=audit * 10.0, end=audit * 10.0 + 2)]
    summary = summarise([*lines, ended(6000.0)])
    job = summary.facts.completions[250][0]

    told = story_of(summary.facts, job)

    assert len(told.moments) == BEFORE + 1 + AFTER
    assert told.moments[BEFORE] == Moment(2502.0, "agent", "completed: success", 250)
    assert told.left_out == 2 * 499 - len(told.moments)


def test_a_journal_that_tells_only_the_end_still_makes_a_story():
    summary = summarise([started(), completed(t=4.0, seconds=2.0), ended()])

    told = story_of(summary.facts, summary.slowest[0])

    assert (told.waited, told.worked) == (None, 2.0)
    assert told.moments == (Moment(4.0, "agent", "completed: success", 1),)
