"""A storm against a hand-played target, from the reading of its pool to its result."""

import pytest

from agent_sim.errors import ConnectFailed, ReplyTimeout
from agent_sim.instants import MILLISECOND, MINUTE, NEVER, SECOND
from agent_sim.operator.events import StopRequested, Woken
from agent_sim.operator.storm import QUIET, Answered, SendFailed, Storm
from agent_sim.operator.storm_reader import narrowed
from agent_sim.protocol import command
from agent_sim.protocol.enums import Result
from agent_sim.results.storm import read_storm
from agent_sim.storms.plan import Stage
from tests.storms.examples import plan, run

START = 1_000 * SECOND
STEADY = (Stage(10, 0), Stage(10, 2 * SECOND))
"""Ten requests a second for two seconds."""

REQUESTS = (command.Reschedule, command.Acknowledge)


class Target:
    """A management API over a list of runs; `answers` replaces the n-th answer to the storm's own requests."""

    def __init__(self, runs, *, page=1000, answers=None, forgets=()):
        self.runs, self.page, self.answers, self.forgets = list(runs), page, answers or {}, set(forgets)
        self.transitions, self.asked = [], 0

    def event(self, shot, now):
        if not isinstance(shot.operation, REQUESTS):
            return Answered(shot, self.read(shot.operation))
        self.asked += 1
        answer = self.answers.get(self.asked, 204)
        if isinstance(answer, Exception):
            return SendFailed(shot, answer)
        if answer == 204:
            self.act(shot.operation, now)
        return Answered(shot, command.CommandReply(answer))

    def act(self, operation, now):
        kind = "rescheduled" if isinstance(operation, command.Reschedule) else "acknowledged"
        ids = operation.job_audit_ids or tuple(run.job_history_id for run in self.runs)
        for audit_id in set(ids) - self.forgets:
            seq = len(self.transitions) + 1
            self.transitions.append(command.Transition(seq, now, kind, f"job-{audit_id}", audit_id))

    def read(self, operation):
        match operation:
            case command.ListJobHistory(page):
                first = (page.number - 1) * self.page
                return command.CommandReply(200, tuple(self.runs[first : first + self.page]), len(self.runs))
            case command.ListTransitions(after, limit):
                shown = tuple(event for event in self.transitions if event.seq > after)[: min(limit, self.page)]
                return command.CommandReply(200, command.Transitions(len(self.transitions), shown))
        raise AssertionError(operation)


def storm(**changed):
    return Storm(plan(**{"start": START, "stages": STEADY, "batch": 2, **changed}))


def play(core, target, latency=MILLISECOND, until=NEVER):
    """Drive a storm to its end, or until an instant; returns what it sent and when, since its start."""
    arriving, sent = [], []
    while not core.is_over:
        wake = core.next_wake()
        now, event = arriving.pop(0) if arriving and arriving[0][0] <= wake else (wake, Woken())
        if now > until:
            break
        for shot in core.handle(event, now):
            sent.append((now - START, shot.operation))
            arriving.append((now + latency, target.event(shot, now)))
    return sent


def requests(sent):
    return [(when, operation) for when, operation in sent if isinstance(operation, REQUESTS)]


def test_nothing_is_asked_before_the_planned_start():
    core = storm()

    assert core.next_wake() == START
    assert core.handle(Woken(), START - 1) == []


def test_the_pool_is_read_first_and_then_requests_leave_when_they_are_due():
    sent = play(storm(), Target(run(number) for number in range(1, 101)))

    assert [type(operation) for _, operation in sent[:3]] == [
        command.ListJobHistory,
        command.ListJobHistory,  # empty: there are no more
        command.ListTransitions,
    ]
    began = 3 * MILLISECOND
    assert [when - began for when, _ in requests(sent)] == [number * SECOND // 10 for number in range(20)]
    assert [operation.job_audit_ids for _, operation in requests(sent)[:2]] == [(1, 2), (3, 4)]


def test_the_pool_is_read_to_its_end_however_small_the_pages_are():
    core = storm()
    play(core, Target((run(number) for number in range(1, 31)), page=7))

    assert core.result["pool"]["eligible"] == 30


def test_no_id_out_of_scope_or_not_eligible_is_ever_sent():
    mixed = [run(1), run(2, agent_machine="web-1"), run(3, result=Result.SUCCESS), run(4)]
    core = storm(batch=1)
    sent = play(core, Target(mixed))

    assert [operation.job_audit_ids for _, operation in requests(sent)] == [(1,), (4,)]
    assert core.result["pool"] == {"eligible": 2, "out_of_scope": 1, "used": 2, "exhausted_at": 0.2}
    assert core.result["seconds"] == 0.2


def test_the_query_is_narrowed_to_the_scope_and_sent_as_it_is():
    core = storm(by="query", query="Result -eq 4", operation="acknowledge", stages=(Stage(1, 0), Stage(1, SECOND)))
    [(_, sent)] = requests(play(core, Target([run(1), run(2)])))

    assert sent == command.Acknowledge(query=narrowed("Result -eq 4", "agentsim-"))
    assert core.result["ledger"] == {"sent": 2, "accepted": 2, "refused": 0, "unknown": 0}
    assert core.result["reconciliation"]["checked"] == 2


def test_every_accepted_id_that_changed_once_is_clean():
    core = storm()
    play(core, Target(run(number) for number in range(1, 101)))

    assert core.result["ledger"] == {"sent": 40, "accepted": 40, "refused": 0, "unknown": 0}
    assert core.result["reconciliation"]["checked"] == 100
    assert sum(core.result["reconciliation"]["violations"].values()) == 0


def test_an_update_that_the_target_forgets_is_found():
    core = storm()
    play(core, Target((run(number) for number in range(1, 101)), forgets={7}))

    assert core.result["reconciliation"]["violations"]["lost_update"] == 1
    assert core.result["reconciliation"]["examples"][-1]["id"] == 7


def test_all_transitions_are_read_even_in_small_pages():
    core = storm()
    play(core, Target((run(number) for number in range(1, 101)), page=3))

    assert core.result["reconciliation"]["violations"] == dict.fromkeys(core.result["reconciliation"]["violations"], 0)
    assert core.result["ledger"]["accepted"] == 40


@pytest.mark.parametrize(
    ("answer", "kind", "counted"),
    [
        (400, "http_4xx_contract", "refused"),
        (429, "http_429", "refused"),
        (ConnectFailed("no"), "connect_refused", "refused"),  # never sent
        (500, "http_5xx", "unknown"),  # it may have acted
        (200, "wrong_2xx", "unknown"),
        (ReplyTimeout("no"), "read_timeout", "unknown"),
    ],
)
def test_what_becomes_of_a_request_decides_how_its_ids_count(answer, kind, counted):
    core = storm()
    play(core, Target((run(number) for number in range(1, 101)), answers={3: answer}))

    assert core.result["errors"] == {kind: 1}
    assert (core.result["ledger"]["accepted"], core.result["ledger"][counted]) == (38, 2)
    assert core.result["stopped"] is None


def test_it_stops_itself_at_the_first_403():
    core = storm()
    sent = play(core, Target((run(number) for number in range(1, 101)), answers={3: 403}))

    assert len(requests(sent)) == 3
    assert core.result["stopped"] == "first 401/403"
    assert core.result["seconds"] == 0.201


def test_more_than_allowed_in_flight_are_dropped_and_bounded_from_below():
    core = storm(max_in_flight=2)
    sent = play(core, Target(run(number) for number in range(1, 101)), latency=SECOND)

    assert core.result["planned"] == 20
    assert (core.result["started"], core.result["dropped"]) == (len(requests(sent)), 20 - len(requests(sent)))
    assert core.result["dropped"] > 10
    assert core.result["response"]["count"] == 20


def test_there_is_a_line_for_each_second_and_they_add_up():
    core = storm()
    play(core, Target(run(number) for number in range(1, 101)))

    assert [entry["t"] for entry in core.result["series"]] == [1.0, 2.0]
    assert [entry["offered"] for entry in core.result["series"]] == [10, 10]
    assert sum(entry["ids"] for entry in core.result["series"]) == core.result["ledger"]["accepted"]


def test_the_target_is_left_in_peace_before_it_is_compared():
    sent = play(storm(), Target(run(number) for number in range(1, 101)))
    last_request, first_read = (
        requests(sent)[-1][0],
        next(when for when, operation in sent if isinstance(operation, command.ListTransitions) and when > SECOND),
    )

    assert first_read - last_request >= QUIET


def test_a_storm_that_is_told_to_stop_waits_for_its_answers_and_compares():
    core, target = storm(), Target(run(number) for number in range(1, 101))
    play(core, target, until=START + SECOND // 2)
    assert core.handle(StopRequested(), START + SECOND // 2) == []
    play(core, target)

    assert core.result["stopped"] == "interrupted"
    assert core.result["ledger"]["accepted"] == core.result["reconciliation"]["checked"] - 90 == 10


def test_a_storm_that_is_stopped_while_it_reads_sent_nothing():
    core = storm()
    [read] = core.handle(Woken(), START)
    core.handle(StopRequested(), START)

    assert (core.is_over, core.result["stopped"], core.result["started"]) == (True, "interrupted", 0)
    assert core.handle(Answered(read, command.CommandReply(200, (run(1),))), START) == []


def test_a_storm_that_is_stopped_before_it_began_has_no_result():
    core = storm()
    core.handle(StopRequested(), START - MINUTE)

    assert (core.is_over, core.result, core.problem) == (True, None, "")
    assert core.next_wake() == NEVER


def test_without_an_eligible_id_it_is_over_at_once():
    core = storm()
    sent = play(core, Target([run(1, result=Result.SUCCESS)]))

    assert requests(sent) == []
    assert (core.result["pool"]["eligible"], core.result["planned"]) == (0, 0)


def test_a_pool_that_cannot_be_read_is_a_problem_in_words():
    core = storm()
    [read] = core.handle(Woken(), START)
    refused = command.CommandReply(403, command.ApiError("0xA0010003", "no permission"))

    assert core.handle(Answered(read, refused), START) == []
    assert (core.is_over, core.result) == (True, None)
    assert core.problem == "the target would not answer ListJobHistory (status 403): no permission"


def test_a_pool_whose_answer_was_lost_is_a_problem_too():
    core = storm()
    [read] = core.handle(Woken(), START)
    core.handle(SendFailed(read, ReplyTimeout("no answer within 30 s")), START)

    assert (core.is_over, core.problem) == (True, "no answer within 30 s")


def test_a_target_that_cannot_be_read_afterwards_leaves_figures_but_nothing_checked():
    core, target = storm(), Target(run(number) for number in range(1, 101))
    play(core, target, until=START + 3 * SECOND)
    [read] = core.handle(Woken(), core.next_wake())
    core.handle(SendFailed(read, ReplyTimeout("gone")), START + MINUTE)

    assert core.result["ledger"]["accepted"] == 40
    assert core.result["reconciliation"]["checked"] == 0
    assert "lost_update: gone" in core.result["reconciliation"]["not_checkable"]


def test_the_result_is_one_that_reports_can_read():
    core = storm()
    play(core, Target(run(number) for number in range(1, 101)))

    read = read_storm(core.result)
    assert (read.completed, read.model, read.lateness.max_us) == (20, "open", 0)
    assert read.service.min_us == read.service.max_us == 1000


@pytest.mark.parametrize("seed", range(20))
def test_whatever_goes_wrong_each_id_is_sent_once_at_most_and_the_books_agree(seed):
    answers = {n: (204, 500, 429, ReplyTimeout("lost"), 204)[(n * (seed + 3)) % 5] for n in range(1, 60, 3 + seed % 4)}
    core = storm(arrivals="poisson", seed=seed, batch=1 + seed % 5, max_in_flight=1 + seed % 3)
    sent = play(core, Target((run(n) for n in range(1, 41)), page=9, answers=answers), latency=80 * MILLISECOND)

    ids = [number for _, operation in requests(sent) for number in operation.job_audit_ids]
    assert len(ids) == len(set(ids)) == core.result["ledger"]["sent"]
    ledger = core.result["ledger"]
    assert ledger["sent"] == ledger["accepted"] + ledger["refused"] + ledger["unknown"]
    assert sum(core.result["reconciliation"]["violations"].values()) == 0
