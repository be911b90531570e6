from agent_sim.results.invariants.stories import Chapter, chapters, is_whole

STORY = (("queued", 1.0, None), ("configured", 2.0, 7), ("completed", 3.0, 7), ("rescheduled", 4.0, 7))


def test_a_story_has_a_chapter_for_each_cause():
    assert list(chapters(STORY)) == [Chapter(STORY[0], STORY[1:3]), Chapter(STORY[3], ())]
    assert next(chapters(STORY)).of("completed") == (STORY[2],)


def test_what_comes_before_the_first_cause_belongs_to_an_earlier_run():
    assert list(chapters(STORY[1:3])) == []
    assert (is_whole(STORY), is_whole(STORY[1:]), is_whole(())) == (True, False, False)
