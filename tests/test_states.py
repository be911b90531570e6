from agent_sim.states import JOB, RUN, TERMINAL, JobEvent, JobState, RunEvent, RunState


def _reachable(table, start):
    found, frontier = {start}, [start]
    while frontier:
        state = frontier.pop()
        for (before, _), after in table.items():
            if before is state and after not in found:
                found.add(after)
                frontier.append(after)
    return found


def test_every_state_of_a_job_is_reached_from_waiting():
    assert _reachable(JOB, JobState.WAITING) == set(JobState)


def test_every_state_of_a_run_is_reached_from_in_process():
    assert _reachable(RUN, RunState.IN_PROCESS) == set(RunState)


def test_every_event_has_a_row():
    assert {event for _, event in JOB} == set(JobEvent)
    assert {event for _, event in RUN} == set(RunEvent)


def test_a_job_runs_only_from_waiting_so_it_never_has_two_runs_in_process():
    assert [state for (state, _), after in JOB.items() if after is JobState.RUNNING] == [JobState.WAITING]


def test_no_run_is_in_process_again_and_none_leaves_acknowledged():
    assert RunState.IN_PROCESS not in RUN.values()
    assert RunState.ACKNOWLEDGED not in {state for state, _ in RUN}


def test_a_run_that_will_be_retried_is_not_an_end():
    assert RunState.WILL_RETRY not in TERMINAL
    assert RunState.IN_PROCESS not in TERMINAL
