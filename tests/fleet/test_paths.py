"""The thirteen ways that a job can go, each observed at the server as the scenario declares it, in virtual time."""

import pytest

from agent_sim.instants import SECOND
from agent_sim.protocol.agent import Complete, Configure, Garbled, Register
from agent_sim.protocol.enums import Result, Status
from agent_sim.results import journal
from agent_sim.scenario.behaviours import OutcomeWord
from tests.fleet.replays import START, play

ONE_JOB = """
version: 1
name: one
seed: 5
stop: {after: 10m, drain: 2m}
server: {retries: 0, job_timeout: 2m}
fleets: [{name: lab, count: 1, capabilities: [LOGS, PEM], heartbeat: {every: 10s}}]
behaviours:
  - name: default
    jobs: [{type: KIND, duration: 2s, outcomes: [OUTCOME]}]
schedules: [{name: work, type: KIND, at: 1m}]
checks:
  invariants:
    no_lost_jobs: true
    at_most_once: true
    single_terminal_state: true
    status_agrees: true
    capability_respected: true
    no_job_after_unschedule: true
    acknowledged_stays_acknowledged: true
"""


class Seen:
    """One job of one agent, as the server saw it."""

    def __init__(self, folder, outcome, kind="LOGS", settings=()):
        self.exchanges = []
        text = ONE_JOB.replace("OUTCOME", outcome).replace("KIND", kind)
        self.played = play(folder, text, settings=settings, watch=self._keep)
        self.runs = [(run.result, run.status) for run in self.played.of(journal.ServerRun)]
        self.completions = [
            (now, request.body, reply)
            for now, request, reply in self.exchanges
            if isinstance(request.body, Complete | Garbled)
        ]

    def _keep(self, request, reply, now):
        self.exchanges.append((now - START, request, reply))

    def of(self, kind):
        return [(now, request.body, reply) for now, request, reply in self.exchanges if isinstance(request.body, kind)]

    @property
    def since_configured(self):
        [(configured, _, _)] = self.of(Configure)
        return [round((now - configured) / SECOND) for now, _, _ in self.completions]

    @property
    def accepted(self):
        return [reply.status == 200 and not reply.body.result.is_refusal for _, _, reply in self.completions]


TIMED_OUT = [(Result.FAILURE, Status.COMPLETED)]
TAKEN = [(Result.SUCCESS, Status.COMPLETED)]
KEPT = {"kept"}


@pytest.mark.parametrize("word", ["success", "warning", "failure"])
def test_a_straight_ending_completes_once_with_its_result(tmp_path, word):
    seen = Seen(tmp_path, f"{{result: {word}}}")

    assert seen.runs == [(Result[word.upper()], Status.COMPLETED)]
    assert (seen.since_configured, seen.accepted) == ([2], [True])
    assert set(seen.played.answers.values()) == KEPT


def test_a_rejected_job_completes_at_once_as_a_warning_with_a_text_and_no_upload(tmp_path):
    seen = Seen(tmp_path, "{result: reject}", kind="Inventory")

    assert seen.runs == [(Result.WARNING, Status.COMPLETED)]
    assert (seen.since_configured, seen.accepted) == ([0], [True])
    assert "validation failed" in seen.completions[0][1].message
    assert not [request for _, request, _ in seen.exchanges if request.endpoint.endswith("Update")]
    assert set(seen.played.answers.values()) == KEPT


def test_a_job_that_is_never_started_stays_on_the_list_and_is_never_configured(tmp_path):
    seen = Seen(tmp_path, "{result: never_start}")

    assert seen.of(Configure) == []
    assert [(job.type, job.schedule) for job in seen.played.of(journal.ServerJob)] == [("FetchLogs", None)]
    assert [line.why for line in seen.played.of(journal.JobLeft)] == ["never_start"]
    assert seen.played.answers["no_lost_jobs"] == "kept"


def test_a_job_that_hangs_is_taken_and_settled_by_the_servers_timeout(tmp_path):
    seen = Seen(tmp_path, "{result: hang}")

    assert len(seen.of(Configure)) == 1
    assert (seen.completions, seen.runs) == ([], TIMED_OUT)
    assert set(seen.played.answers.values()) == KEPT


def test_an_inventory_that_hangs_after_its_upload_has_uploaded(tmp_path):
    seen = Seen(tmp_path, "{result: hang, at: after_upload}", kind="Inventory")

    assert len([request for _, request, _ in seen.exchanges if request.endpoint.endswith("Update")]) == 1
    assert (seen.completions, seen.runs) == ([], TIMED_OUT)


def test_a_job_that_hangs_when_the_run_ends_first_is_not_lost(tmp_path):
    seen = Seen(tmp_path, "{result: hang}", settings=[("server.job_timeout", "1h")])

    assert seen.runs == [(Result.UNKNOWN, Status.IN_PROCESS)]
    assert seen.played.answers["no_lost_jobs"] != "broken"


def test_an_agent_whose_job_hangs_goes_on_with_others(tmp_path):
    seen = Seen(
        tmp_path,
        "{result: hang}",
        settings=[
            ("behaviours.default.jobs.LOGS.sequence", "{results: [hang, success, late]}"),
            ("behaviours.default.jobs.LOGS.sequence.results[2]", "{result: late, by: 5m}"),
            ("schedules.work", "{type: LOGS, at: ~, every: 1m, from: 1m, until: 5m}"),
        ],
    )

    assert sorted(seen.runs) == [TAKEN[0], *TIMED_OUT * 3]


def test_a_late_completion_comes_after_the_timeout_and_changes_nothing(tmp_path):
    seen = Seen(tmp_path, "{result: late, by: 4m}")

    assert (seen.since_configured, seen.accepted) == ([4 * 60 + 2], [False])
    assert seen.runs == TIMED_OUT
    assert set(seen.played.answers.values()) == KEPT


def test_a_job_is_completed_twice_alike_and_counts_once(tmp_path):
    seen = Seen(tmp_path, "{result: complete_twice, gap: 30s}")

    [(_, first, _), (_, second, _)] = seen.completions
    assert first == second
    assert (seen.since_configured, seen.accepted) == ([2, 32], [True, True])
    assert seen.runs == TAKEN
    assert [line.accepted for line in seen.played.of(journal.CompletionRepeated)] == [True]
    assert set(seen.played.answers.values()) == KEPT


def test_a_job_is_completed_under_a_session_that_a_newer_one_superseded(tmp_path):
    seen = Seen(tmp_path, "{result: stale_session}")

    [(at, complete, _)] = seen.completions
    tokens = [reply.body.session.token for now, _, reply in seen.of(Register) if now < at]
    assert tokens.index(complete.session_token) == len(tokens) - 2
    assert (seen.accepted, seen.runs) == ([True], TAKEN)
    assert set(seen.played.answers.values()) == KEPT


def test_a_completion_whose_answer_is_lost_is_sent_again_and_counts_once(tmp_path):
    seen = Seen(tmp_path, "{result: lost_ack}")

    [(_, first, _), (_, second, _)] = seen.completions
    assert first == second
    assert (seen.accepted, seen.runs) == ([True, True], TAKEN)
    assert len(seen.played.of(journal.JobCompleted)) == 1
    assert set(seen.played.answers.values()) == KEPT


def test_a_crash_before_completing_leaves_the_run_to_the_timeout_and_the_agent_comes_back(tmp_path):
    seen = Seen(tmp_path, "{result: crash, restart_after: 20s}")

    [(configured, _, _)] = seen.of(Configure)
    came_back = next(body for now, body, _ in seen.of(Register) if now > configured)
    [crash] = seen.played.of(journal.AgentCrashed)
    assert crash.restart * SECOND == configured + 22 * SECOND + 1_000_000
    assert came_back.agent_id != ""
    assert (seen.completions, seen.runs) == ([], TIMED_OUT)
    assert set(seen.played.answers.values()) == KEPT


def test_a_crash_after_completing_leaves_a_completed_run_that_the_agent_does_not_know_of(tmp_path):
    seen = Seen(tmp_path, "{result: crash, point: after_complete, keeps_identity: false}")

    [(completed, _, _)] = seen.completions
    came_back = next(body for now, body, _ in seen.of(Register) if now > completed)
    assert came_back.agent_id == ""
    assert (seen.accepted, seen.runs) == ([True], TAKEN)
    assert seen.played.of(journal.JobCompleted) == []
    assert set(seen.played.answers.values()) == KEPT


def test_an_oversize_log_is_refused_and_the_run_left_to_the_timeout(tmp_path):
    seen = Seen(tmp_path, "{result: oversize}")

    [(_, complete, reply)] = seen.completions
    assert (len(complete.log), reply.status) == (2_000_001, 413)
    assert seen.runs == TIMED_OUT
    assert [line.why for line in seen.played.of(journal.JobLeft)] == ["oversize"]
    assert set(seen.played.answers.values()) == KEPT


def test_a_log_beyond_what_was_asked_for_but_within_what_is_taken_is_kept_whole(tmp_path):
    seen = Seen(tmp_path, "{result: oversize, size: 5KB}")

    [(_, complete, _)] = seen.completions
    assert (len(complete.log), seen.accepted, seen.runs) == (5000, [True], TAKEN)


def test_a_log_of_any_declared_size_is_cut_to_what_was_asked_for(tmp_path):
    for size, sent in (("3999B", 3999), ("4001B", 4000)):
        seen = Seen(tmp_path, "{result: success}", settings=[("behaviours.default.jobs.LOGS.size", size)])

        assert len(seen.completions[0][1].log) == sent


def test_a_malformed_completion_is_refused_and_the_run_left_to_the_timeout(tmp_path):
    seen = Seen(tmp_path, "{result: malformed}")

    [(_, body, reply)] = seen.completions
    assert isinstance(body, Garbled)
    assert reply.status == 400
    assert seen.runs == TIMED_OUT
    assert set(seen.played.answers.values()) == KEPT


@pytest.mark.parametrize("word", OutcomeWord.__args__)
def test_with_retries_no_path_loses_a_job_or_runs_it_twice(tmp_path, word):
    by = ", by: 3m" if word == "late" else ""
    seen = Seen(
        tmp_path,
        "{result: success}",
        settings=[
            ("server.retries", "1"),
            ("behaviours.default.jobs.LOGS.sequence", f"{{results: [{{result: {word}{by}}}]}}"),
        ],
    )

    assert set(seen.played.answers.values()) == KEPT
    ended = [result for result, _ in seen.runs]
    assert ended in ([Result.SUCCESS], [Result.WARNING], [Result.FAILURE, Result.SUCCESS], [])
    assert ended or word == "never_start"


def test_the_cause_is_cured_in_the_middle_of_the_run(tmp_path):
    rules = "{name: default, rules: [{when: \"time < 4m and job.type == 'LOGS'\", result: failure, message: ill}]}"
    text = ONE_JOB.replace("OUTCOME", "{result: success}").replace("KIND", "LOGS")
    played = play(
        tmp_path,
        text,
        settings=[
            ("behaviours.default", rules),
            ("schedules.work", "{type: LOGS, at: ~, every: 1m, from: 1m, until: 7m}"),
        ],
    )

    assert [line.outcome for line in played.of(journal.JobCompleted)] == [Result.FAILURE] * 3 + [Result.SUCCESS] * 3


def test_a_job_fails_twice_and_then_works(tmp_path):
    seen = Seen(
        tmp_path,
        "{result: success}",
        settings=[
            ("server.retries", "5"),
            ("behaviours.default.jobs.LOGS.sequence", "{per: job, results: [failure, failure, success]}"),
        ],
    )

    assert [result for result, _ in seen.runs] == [Result.FAILURE, Result.FAILURE, Result.SUCCESS]
    assert [line.attempt for line in seen.played.of(journal.JobCompleted)] == [1, 2, 3]
