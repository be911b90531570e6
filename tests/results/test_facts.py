import pytest

from agent_sim.protocol.enums import BUILT_IN
from agent_sim.results.facts import Facts, FactsFold, word_of
from agent_sim.results.journal import NotReadBack
from tests.results.journals import (
    census,
    completed,
    configured,
    ended,
    in_process,
    posted,
    run,
    started,
    story,
    waiting,
)


def facts(*lines) -> Facts:
    fold = FactsFold()
    for line in lines:
        fold.add(line)
    return fold.finish()


def test_job_ids_do_not_depend_on_case():
    found = facts(posted("JOB-1"), run("Job-1"), waiting("jOb-1"))

    assert set(found.posted) == set(found.runs) == set(found.waiting) == {"job-1"}


def test_runs_stand_in_the_order_of_their_starts_wherever_they_stood():
    found = facts(run(audit=2, start=8.0), run(audit=3, start=None), run(audit=1, start=2.0))

    assert [each.audit for each in found.runs["job-1"]] == [1, 2, 3]


def test_a_run_that_two_pages_showed_is_one_run():
    found = facts(in_process(audit=1), run(audit=1))

    assert found.runs["job-1"] == (run(audit=1),)


def test_what_was_read_of_the_server_counts_for_nothing_if_the_reading_broke_off():
    read = (run(audit=1), waiting("job-2"), story("queued"))

    assert not facts(*read, NotReadBack(9.0)).was_read_back
    assert facts(*read, census(), NotReadBack(9.0)).was_read_back  # it was whole: something else broke off


def test_a_story_that_came_in_pages_is_one():
    found = facts(story("queued"), story(("configured", 7), begin=2.0))

    assert found.stories["job-1"] == (("queued", 1.0, None), ("configured", 2.0, 7))


def test_only_accepted_completions_are_facts():
    found = facts(completed(audit=1), completed(audit=2, accepted=False))

    assert set(found.completions) == {1}


def test_posts_whose_answer_named_no_job_are_kept_once_for_machine_and_type():
    found = facts(posted(None, t=1.0), posted(None, t=2.0), posted(None, machine="agent-2"))

    assert [(each.machine, each.t) for each in found.unnamed] == [("agent-1", 1.0), ("agent-2", 1.0)]


def test_a_run_without_an_end_was_cut_short():
    assert facts(started()).was_cut_short
    assert facts(started(), ended(reason="interrupted")).was_cut_short
    assert not facts(started(), ended()).was_cut_short


def test_a_fleet_that_nobody_gave_work_is_idle():
    assert facts(started(), ended()).is_idle
    assert not facts(configured()).is_idle


@pytest.mark.parametrize("job", BUILT_IN, ids=lambda job: job.history)
def test_a_word_is_found_from_the_word_and_from_the_name_in_history(job):
    assert word_of(job.word) == job.word
    assert word_of(job.history) == job.word


def test_any_other_type_is_a_custom_one():
    assert word_of("Rotate") == word_of("custom:Rotate") == "custom:Rotate"
