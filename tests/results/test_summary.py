import hashlib
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from agent_sim.protocol.enums import Result
from agent_sim.results.figures import Agents, Message
from agent_sim.results.journal import (
    AgentApproved,
    AgentRefused,
    JobRefused,
    Line,
    PostFailed,
    SendFailed,
    SessionLost,
    StormEnded,
    StormStarted,
)
from agent_sim.results.render.json import render_json
from agent_sim.results.summary import LISTED, Summary, summarise
from tests.results.journals import (
    completed,
    done_job,
    ended,
    phase,
    posted,
    registered,
    run,
    started,
    storm,
    storm_result,
    traffic,
)


def document(summary: Summary) -> str:
    """Everything in a summary, as one comparable value (histograms are not)."""
    return render_json(summary, (), environment={})


# --- requests ---------------------------------------------------------------------------------


def test_requests_are_counted_by_operation_with_their_errors():
    summary = summarise(
        [traffic("heartbeat", ok=3), traffic("heartbeat", ok=1, errors={"reset": 2}), traffic("complete"), ended()]
    )

    heartbeat = summary.whole.operations["heartbeat"]
    assert (heartbeat.ok, heartbeat.failed, heartbeat.errors) == (4, 2, {"reset": 2})
    assert heartbeat.latency.count == heartbeat.ended == 6
    assert set(summary.whole.operations) == {"heartbeat", "complete"}


def test_a_second_belongs_to_the_phase_it_was_spent_in():
    summary = summarise(
        [
            phase("ramp", 0.0, 10.0),
            traffic(t=10.0, ok=1),  # the second before 10
            phase("steady", 10.0, 20.0),
            traffic(t=11.0, ok=5),
            traffic(t=31.0, ok=7),  # after the last phase: the drain
            ended(40.0),
        ]
    )

    ramp, steady = summary.phases
    assert ramp.operations["heartbeat"].ok == 1
    assert steady.operations["heartbeat"].ok == 5
    assert summary.whole.operations["heartbeat"].ok == 13


def test_a_phase_ends_when_the_next_begins_or_the_run_ends():
    summary = summarise([phase("a", 0.0, 30.0), phase("b", 12.0, 0.0), ended(20.0)])

    assert [(each.name, each.start, each.end) for each in summary.phases] == [("a", 0.0, 12.0), ("b", 12.0, 20.0)]
    assert summary.phases[0].seconds == 12.0


def test_a_run_without_an_end_lasts_until_its_last_line():
    assert summarise([started(), traffic(t=17.0)]).whole.seconds == 17.0


# --- agents and jobs --------------------------------------------------------------------------


def test_agents_are_counted_once_however_often_they_register():
    summary = summarise(
        [
            registered("a"),
            registered("b"),
            registered("a", first=False),
            AgentApproved(1.0, "a"),
            AgentRefused(1.0, "lab", "c", "A0020042", "not approved"),
            SessionLost(2.0, "lab", "a"),
        ]
    )

    assert summary.agents == Agents(registered=2, again=1, approved=1, refused=1, sessions_lost=1)


def test_jobs_are_counted_by_type_and_outcome():
    summary = summarise(
        [
            *done_job(1),
            *done_job(2, Result.FAILURE),
            completed(audit=3, accepted=False),
            PostFailed(1.0, "fetch", "LOGS", "a", 503, "busy"),
            completed(audit=4, kind="Inventory", outcome=Result.WARNING, seconds=0.5),
        ]
    )

    inventory, logs = sorted(summary.jobs, key=lambda each: each.type != "Inventory")
    assert (logs.posted, logs.not_posted, logs.started, logs.completed, logs.turned_away) == (2, 1, 2, 2, 1)
    assert logs.outcomes == {Result.SUCCESS: 1, Result.FAILURE: 1}
    assert (inventory.outcomes, inventory.worked.max_us) == ({Result.WARNING: 1}, 500_000)
    assert summary.whole.outcomes[("Inventory", Result.WARNING)] == 1


def test_what_went_wrong_is_told_most_frequent_first():
    summary = summarise(
        [
            SendFailed(1.0, "lab", "a", "heartbeat", "reset"),
            PostFailed(1.0, "fetch", "LOGS", "a", 503, "busy"),
            PostFailed(2.0, "fetch", "LOGS", "b", 503, "busy"),
            PostFailed(3.0, "fetch", "LOGS", "b", 0, ""),
        ]
    )

    assert summary.messages == (
        Message("post LOGS", "503", "busy", 2),
        Message("heartbeat", "reset", "", 1),
        Message("post LOGS", "no answer", "", 1),
    )


def test_what_the_operator_could_not_prepare_is_no_job():
    summary = summarise([PostFailed(1.0, "setup", "job type Rotate", "", 403, "no")])

    assert summary.jobs == ()
    assert summary.facts.refused_posts == 0
    assert summary.messages == (Message("prepare job type Rotate", "403", "no", 1),)


def test_a_job_that_the_server_would_not_configure_is_told_of():
    summary = summarise([JobRefused(1.0, "lab", "a", "job-1", "no such job")])

    assert summary.messages == (Message("configure", "refused", "no such job", 1),)


def test_the_slowest_and_the_first_failed_jobs_are_listed():
    jobs = [completed(audit=each, t=each, seconds=each, outcome=Result.FAILURE) for each in range(1, 301)]

    summary = summarise(jobs)

    assert [job.audit for job in summary.slowest] == list(range(300, 300 - LISTED, -1))
    assert [job.audit for job in summary.failed] == list(range(1, 1 + LISTED))


# --- storms -----------------------------------------------------------------------------------


def test_a_storm_begins_when_it_says_so_not_when_its_process_was_started():
    summary = summarise([started(), *storm()])

    [found] = summary.storms
    assert (found.name, found.operation, found.at) == ("again", "reschedule", 30.0)
    assert found.result is not None
    assert found.result.ids_per_second == 1000.0


def test_a_storm_that_left_no_result_is_still_there():
    [found] = summarise([started(), StormStarted(29.0, "again", "reschedule")]).storms

    assert (found.at, found.result, found.problem) == (29.0, None, "")


def test_a_result_that_cannot_be_read_does_not_lose_the_rest_of_the_run():
    summary = summarise([StormEnded(46.0, "again", {**storm_result(), "ledger": 7}), traffic(), ended()])

    assert summary.storms[0].result is None
    assert summary.storms[0].problem == "ledger: must be an object, is 7"
    assert summary.whole.operations["heartbeat"].ok == 1


# --- the outcome digest -----------------------------------------------------------------------


def test_the_digest_is_that_of_the_sorted_outcomes():
    summary = summarise([completed(audit=2, outcome=Result.FAILURE, agent="b"), completed(audit=1, agent="a")])

    text = '["lab","a","LOGS","",1,1,"success"]\n["lab","b","LOGS","",1,1,"failure"]\n'
    assert summary.outcome_digest == hashlib.sha256(text.encode()).hexdigest()


def test_the_digest_knows_neither_ids_nor_times():
    one = summarise([completed("job-1", audit=1, t=4.0, seconds=2.0)])
    other = summarise([completed("job-9", audit=9, t=44.0, seconds=3.0)])

    assert one.outcome_digest == other.outcome_digest


def test_the_digest_knows_every_part_of_an_outcome():
    line = completed()
    changes: list[dict[str, Any]] = [
        {"fleet": "x"},
        {"agent": "x"},
        {"type": "x"},
        {"store": "x"},
        {"occurrence": 2},
        {"attempt": 2},
        {"outcome": Result.WARNING},
    ]

    digests = {summarise([replace(line, **change)]).outcome_digest for change in [{}, *changes]}

    assert len(digests) == 1 + len(changes)


def test_a_completion_that_was_turned_away_is_no_outcome():
    assert summarise([completed(accepted=False)]).outcome_digest == summarise([]).outcome_digest


@given(st.permutations(range(12)), st.data())
def test_the_order_of_different_jobs_changes_nothing(order, data):
    outcomes = data.draw(st.lists(st.sampled_from([Result.SUCCESS, Result.WARNING, Result.FAILURE]), min_size=12))
    jobs = [done_job(number, outcomes[number]) for number in range(12)]
    around: list[Line] = [started(), phase("all", 0.0, 60.0)]

    straight = summarise([*around, *[line for job in jobs for line in job], ended()])
    shuffled = summarise([*around, *[line for place in order for line in jobs[place]], ended()])

    assert document(shuffled) == document(straight)


def test_an_empty_journal_is_a_summary_of_nothing():
    summary = summarise([])

    assert (summary.run, summary.ended, summary.whole.seconds, summary.jobs) == (None, None, 0.0, ())


def test_what_the_server_says_is_not_counted_as_done_by_agents():
    summary = summarise([posted(), run()])

    assert [(job.posted, job.completed) for job in summary.jobs] == [(1, 0)]
