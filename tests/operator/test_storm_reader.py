"""Questions put to pages that somebody else brings."""

import pytest

from agent_sim.errors import TargetError
from agent_sim.operator.storm_reader import narrowed, reading
from agent_sim.protocol import command
from tests.storms.examples import run

PREFIX = "agentsim-"


def answered(question, answer, asked=None):
    """Put a question to a target that is a function; `asked` is told of every operation."""
    read = reading(question, PREFIX)
    operation = next(read)
    while True:
        if asked is not None:
            asked.append(operation)
        try:
            operation = read.send(answer(operation))
        except StopIteration as end:
            return end.value


def pages(records, size):
    def answer(operation):
        first = (operation.page.number - 1) * size
        return command.CommandReply(200, tuple(records[first : first + size]), len(records))

    return answer


def test_all_pages_are_read_each_of_them_once():
    runs, asked = [run(number) for number in range(1, 8)], []

    found = answered(lambda target: list(target.history("")), pages(runs, 3), asked)

    assert found == runs
    assert [operation.page.number for operation in asked] == [1, 2, 3, 4]


def test_every_reading_of_the_history_is_narrowed_to_the_scope():
    asked = []
    answered(lambda target: target.history("Result -eq 4"), pages([], 3), asked)

    assert asked[0].page.query == narrowed("Result -eq 4", PREFIX) == '(Result -eq 4) AND Agent -startswith "agentsim-"'
    assert narrowed("Result -eq 4", "") == "Result -eq 4"


def test_whoever_wants_the_newest_run_reads_one_page():
    asked = []
    newest = answered(lambda target: next(iter(target.history("", newest_first=True))), pages([run(9)], 1), asked)

    assert newest == run(9)
    assert [(operation.page.sort_field, operation.page.descending) for operation in asked] == [("JobHistoryId", True)]


def test_a_target_that_repeats_its_last_page_is_read_to_its_end():
    def answer(operation):
        return command.CommandReply(200, (run(min(operation.page.number, 3)),))

    assert answered(lambda target: list(target.history("")), answer) == [run(1), run(2), run(3)]


def test_a_target_without_transitions_says_so():
    not_found = command.CommandReply(404, command.ApiError("0x1", "started without --sim-api"))

    assert answered(lambda target: target.last_transition(), lambda _: not_found) is None


def test_transitions_are_read_in_order_until_the_newest():
    def answer(operation):
        shown = [command.Transition(seq, seq, "queued", f"job-{seq}") for seq in range(1, 6) if seq > operation.after]
        return command.CommandReply(200, command.Transitions(5, tuple(shown[:2])))

    found = answered(lambda target: target.transitions(1), answer)

    assert [event.seq for event in found] == [2, 3, 4, 5]


@pytest.mark.parametrize(
    "question", [lambda target: target.history(""), lambda target: target.scheduled(), lambda t: t.transitions(0)]
)
def test_a_refusal_is_an_error_that_says_why(question):
    refused = command.CommandReply(403, command.ApiError("0x1", "no permission"))

    with pytest.raises(TargetError, match=r"status 403\): no permission"):
        answered(question, lambda _: refused)
