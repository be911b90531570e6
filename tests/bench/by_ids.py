"""What an id of a storm costs the server's core: all in one request, and one request and one commit for each.

Both go through the same core on the same database in this process, without HTTP: what a web request costs would make
the single one dear and the ratio fair-seeming. What the core puts off for later is run before the clock stops. Beside
both stand bare transactions on the same tables, which write the same rows for one id and commit, and no core
(reference: performance S4).
"""

import time
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import Final

from agent_sim.instants import DAY
from agent_sim.protocol import command
from agent_sim.server.database import connected
from agent_sim.server.store import SqliteStore
from tests.server.bench import OPERATOR, START, Bench

WARM: Final = 20
SINGLES: Final = 200
BULK, ONE, BARE = "in bulk", "one request and one commit each", "bare SQL and a commit each"


def needed(count: int) -> int:
    """How many ids it uses up: those of `costs`."""
    return 2 * count + 2 * (WARM + SINGLES)


def costs(path: Path, ids: Sequence[int], count: int) -> dict[str, float]:
    """Microseconds of CPU for each id rescheduled in one of these ways, `count` of them in bulk."""
    store = SqliteStore.open(str(path), "full")
    bench = Bench(store, max_ids=count, job_timeout=1000 * DAY)

    def storm(those: Sequence[int]) -> None:
        reply = bench.server.handle(command.Reschedule(tuple(those)), OPERATOR, bench.now)
        assert reply.status == 204, reply
        store.commit()

    def settled(work: Callable[[], None]) -> float:
        began = time.process_time()
        work()
        store.settle()
        store.commit()
        return time.process_time() - began

    taking = iter(ids)
    take = lambda number: list(islice(taking, number))  # noqa: E731  # as short as its use
    one_by_one(storm, take(WARM))
    storm(take(count))
    singles, bulk = take(SINGLES), take(count)
    found = {ONE: settled(lambda: one_by_one(storm, singles)) / SINGLES, BULK: settled(lambda: storm(bulk)) / count}
    store.close()
    bare(path, take(WARM))
    found[BARE] = bare(path, take(SINGLES))
    return {f"reschedule, {way}": 1e6 * spent for way, spent in found.items()}


def one_by_one(storm: Callable[[Sequence[int]], None], ids: Sequence[int]) -> None:
    for audit_id in ids:
        storm([audit_id])


def bare(path: Path, ids: Sequence[int]) -> float:
    """Seconds for each of these by hand: its job waits again, and that is noted, in a transaction of its own."""
    connection = connected(str(path), "full")
    ask = connection.execute
    began = time.process_time()
    for audit_id in ids:
        ask("BEGIN IMMEDIATE")
        [(job_id,)] = ask("SELECT job_id FROM run WHERE job_history_id = ?", (audit_id,))
        ask("UPDATE job SET state = 'waiting', at_once = 1, failures = 0 WHERE job_id = ?", (job_id,))
        noted = (START, "rescheduled", job_id, audit_id)
        ask("INSERT INTO transition (at, kind, job_id, audit_id) VALUES (?, ?, ?, ?)", noted)
        ask("COMMIT")
    spent = time.process_time() - began
    connection.close()
    return spent / len(ids)
