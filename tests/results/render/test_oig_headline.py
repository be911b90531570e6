from agent_sim.results.journal import OigAsked, OigJob, OigRun, RunEnded
from agent_sim.results.render.rows import headline
from agent_sim.results.summary import summarise


def test_a_run_of_the_scheduler_alone_is_headed_by_its_runs():
    lines = [
        OigAsked(1.0, "create", "A", 200, ""),
        OigJob(60.0, "A", "T", 0, False, True, "RUNNING", "None", None),
        OigRun(60.0, 1, "A", "STOPPED", 1.0, 2.0, ""),
        OigRun(60.0, 2, "A", "FAILED", 3.0, 4.0, "no"),
        OigRun(60.0, 3, "A", "RUNNING", 5.0, None, ""),
        RunEnded(61.0, "finished", True, ()),
    ]

    assert headline(summarise(lines)) == "61.0 s · 3 runs of 1 scheduler job (1 failed, 1 running, 1 done)"
