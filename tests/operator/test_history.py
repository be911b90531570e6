"""Reading a server's job history: from servers that take every query, some, or none, and never for ever."""

from dataclasses import replace

import pytest

from agent_sim.errors import TargetError
from agent_sim.instants import SECOND
from agent_sim.operator.history import PAGE, history, orchestrators
from agent_sim.protocol import command
from agent_sim.protocol.enums import AgentStatus, Result, Status


def runs(*ids):
    return tuple(
        command.JobHistoryRecord(
            number, "m", f"job-{number}", "FetchLogs", Result.SUCCESS, Status.COMPLETED, at(number)
        )
        for number in ids
    )


def at(number):
    return number * SECOND


class Server:
    """Answers pages of its runs; `knows` says which queries it takes, `obeys` whether it keeps to them."""

    def __init__(self, held, *, knows=lambda query: True, obeys=True, repeats=False):
        self.held, self.knows, self.obeys, self.repeats = held, knows, obeys, repeats
        self.asked = []

    def __call__(self, operation):
        page = operation.page
        self.asked.append(page)
        if not self.knows(page.query):
            return command.CommandReply(400, command.ApiError("0xA0110003", "malformed query"))
        held = self.held
        if self.obeys and "JobHistoryId -gt " in page.query:
            last = int(page.query.rsplit(" ", 1)[1])
            held = tuple(run for run in held if run.job_history_id > last)
        first = (page.number - 1) * page.limit
        answer = held[first : first + page.limit]
        if not answer and self.repeats:
            answer = held[-page.limit :]
        return command.CommandReply(200, answer, len(held))


def read(reading, server):
    operation = next(reading)
    while True:
        try:
            operation = reading.send(server(operation))
        except StopIteration as end:
            return end.value


MANY = runs(*range(1, 2 * PAGE + 8))


@pytest.mark.parametrize(
    "server",
    [
        Server(MANY),
        # does not know audit ids
        Server(MANY, knows=lambda query: "JobHistoryId" not in query),
        # knows no query at all
        Server(MANY, knows=lambda query: not query),
        # takes every query and ignores it
        Server(MANY, obeys=False),
        # and repeats its last page for ever
        Server(MANY, obeys=False, repeats=True),
        Server(MANY, knows=lambda query: not query, repeats=True),
    ],
)
def test_every_run_is_read_once_in_order_from_every_kind_of_server(server):
    found = read(history(at(1), 10_000), server)

    assert [run.job_history_id for run in found.runs] == [run.job_history_id for run in MANY]
    assert not found.is_cut
    assert len(server.asked) <= 9


def test_runs_that_end_up_on_later_pages_are_walked_along_their_ids():
    server = Server(MANY)
    read(history(at(1), 10_000), server)

    assert [page.query.rsplit(" ", 1)[1] for page in server.asked] == ["0", "1000", "2000", "2007"]
    assert {page.number for page in server.asked} == {1}


def test_a_server_that_sorts_otherwise_is_noticed_by_its_total():
    class Backwards(Server):
        def __call__(self, operation):
            reply = super().__call__(operation)
            return reply if reply.status != 200 else replace(reply, body=reply.body)

    server = Backwards(MANY[::-1])

    assert len(read(history(at(1), 10_000), server).runs) == len(MANY)


def test_no_more_is_read_than_is_wanted():
    server = Server(MANY)
    found = read(history(at(1), PAGE + 5), server)

    assert len(found.runs) == PAGE + 5
    assert found.is_cut
    assert len(server.asked) == 2


def test_what_is_older_is_left_out_even_if_the_server_sends_it():
    found = read(history(at(2005), 10_000), Server(MANY, knows=lambda query: not query))

    assert [run.job_history_id for run in found.runs] == [2005, 2006, 2007]


def test_a_history_that_never_ends_is_given_up():
    class Endless(Server):
        def __call__(self, operation):
            self.asked.append(operation.page)
            first = len(self.asked) * PAGE
            return command.CommandReply(200, runs(*range(first, first + PAGE)))

    server = Endless(())
    found = read(history(at(10**9), 500), server)

    assert found.is_cut
    assert len(server.asked) < 10


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (command.CommandReply(400), "refuses to list its job history"),
        (command.CommandReply(403, command.ApiError("", "no permission")), "status 403): no permission"),
        (command.CommandReply(200), "no list in the answer"),
        (command.CommandReply(500), "status 500"),
    ],
)
def test_a_refusal_is_told(reply, said):
    with pytest.raises(TargetError) as refused:
        read(history(0, 10), lambda operation: reply)

    assert said in str(refused.value)


def test_only_orchestrators_that_are_approved_count():
    def agent(number, status):
        return command.AgentRecord(f"id-{number}", f"m{number}", "u", 1, "1", status)

    agents = (agent(1, AgentStatus.APPROVED), agent(2, AgentStatus.NEW), agent(3, AgentStatus.DISAPPROVED))

    def server(operation):
        return command.CommandReply(200, agents if operation.page.number == 1 else ())

    assert [found.agent_id for found in read(orchestrators(10), server)] == ["id-1"]
