"""Pages of all history are the slices of it that they say they are, also while runs come and are forgotten."""

from hypothesis import given, settings
from hypothesis import strategies as st

from agent_sim.protocol import command
from agent_sim.protocol.command import Page
from agent_sim.protocol.enums import Result
from tests.server.bench import Bench

steps = st.lists(st.one_of(st.just("run"), st.integers(1, 9), st.just("undone")), max_size=12)
pages = st.builds(Page, number=st.integers(1, 6), limit=st.integers(1, 5), descending=st.booleans(), skip=st.just(0))


def slice_of(everything: list[int], page: Page) -> list[int]:
    ordered = everything[::-1] if page.descending else everything
    return ordered[(page.number - 1) * page.limit :][: page.limit]


@settings(max_examples=60, deadline=None)
@given(steps, st.lists(pages, min_size=1, max_size=4))
def test_a_page_is_a_slice_whatever_was_forgotten(steps, wanted):
    bench = Bench()
    session = bench.register()
    runs = bench.server._work.runs
    for number in range(8):
        audit_id = bench.run(session, bench.schedule(), Result.SUCCESS, log="")
        end = (number * 5) % 8  # not in the order of audit ids, so that gaps come
        bench.store.settle()
        bench.store._connection.execute("UPDATE run SET operation_end = ? WHERE job_history_id = ?", (end, audit_id))
    for step in [*steps, "look"]:
        if step == "run":
            bench.run(session, bench.schedule(), Result.SUCCESS, log="")
        elif step == "undone":
            _begin_and_undo(bench)
        elif isinstance(step, int):
            runs.expire(step)
        bench.store.settle()
        rows = bench.store._connection.execute("SELECT job_history_id FROM run ORDER BY 1").fetchall()
        everything = [audit_id for (audit_id,) in rows]
        for page in wanted:
            reply = bench.ask(command.ListJobHistory(page))
            assert [run.job_history_id for run in reply.body] == slice_of(everything, page)
            assert reply.total == len(everything)


def _begin_and_undo(bench: Bench) -> None:
    job = bench.server._work.jobs.by_id(bench.schedule())
    try:
        with bench.store.change():
            bench.server._work.runs.begin(job, 0)
            bench.server._work.runs.total()
            raise ZeroDivisionError
    except ZeroDivisionError:
        pass
