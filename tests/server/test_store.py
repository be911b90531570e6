"""The database behind the server: what it refuses to open, what it keeps, what it undoes."""

import re
import shutil
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing, suppress
from pathlib import Path

import pytest

from agent_sim.errors import UsageError
from agent_sim.protocol.enums import Result
from agent_sim.server.database import APPLICATION_ID, SCHEMA_VERSION
from agent_sim.server.put_off import in_portions
from agent_sim.server.statements import statements
from agent_sim.server.store import SqliteStore
from agent_sim.server.tables.at_hand import AtHand
from tests.server.bench import Bench

TYPE = {"id": "t1", "job_type_name": "Rotate", "description": None, "job_type_fields": "[]"}


def names(store: SqliteStore) -> list[str]:
    return [row[1] for row in store.rows("job_type_all", {})]


def reopened(path: Path) -> SqliteStore:
    return SqliteStore.open(str(path))


# --- opening ----------------------------------------------------------------------------------


def test_a_new_file_is_made_and_marked_as_ours(tmp_path):
    SqliteStore.open(str(tmp_path / "sim.db")).close()

    connection = sqlite3.connect(tmp_path / "sim.db")
    assert connection.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
    assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)


def test_an_empty_file_is_filled(tmp_path):
    (tmp_path / "sim.db").touch()

    assert names(reopened(tmp_path / "sim.db")) == []


def test_what_was_committed_is_there_after_a_restart(tmp_path):
    store = reopened(tmp_path / "sim.db")
    with store.change():
        store.run("job_type_add", TYPE)
    store.commit()
    store.close()

    assert names(reopened(tmp_path / "sim.db")) == ["Rotate"]


def test_a_newer_schema_is_refused_with_both_versions(tmp_path):
    path = tmp_path / "sim.db"
    reopened(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 9")
    connection.close()

    with pytest.raises(UsageError) as caught:
        reopened(path)
    assert str(caught.value) == (
        f"{path}: this database has schema version 9, this agent-sim knows up to {SCHEMA_VERSION}; "
        "use the newer agent-sim that wrote it, or give --db another file"
    )


def test_a_refused_database_is_left_as_it_was_and_let_go(tmp_path):
    path = tmp_path / "sim.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    before = path.read_bytes()

    with pytest.raises(UsageError, match="belongs to another program"):
        reopened(path)

    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["sim.db"]


def test_a_file_that_is_no_database_is_refused(tmp_path):
    path = tmp_path / "sim.db"
    path.write_text("version: 1\nname: hello\n" * 100)

    with pytest.raises(UsageError) as caught:
        reopened(path)
    assert str(caught.value) == f"{path}: this file is not a database; give --db another file"


def test_a_damaged_database_is_refused(tmp_path):
    path = tmp_path / "sim.db"
    store = reopened(path)
    with store.change():
        for number in range(2000):
            store.run("job_type_add", {**TYPE, "id": f"t{number}", "job_type_name": f"Rotate{number}"})
    store.close()
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 20_000] = b"\xa5" * 20_000
    path.write_bytes(data)

    with pytest.raises(UsageError, match="is damaged"):
        reopened(path)


def test_a_database_in_use_is_refused(tmp_path):
    held = reopened(tmp_path / "sim.db")

    with pytest.raises(UsageError, match="perhaps another server, uses this database"):
        reopened(tmp_path / "sim.db")
    held.close()


def test_a_database_in_use_by_another_program_is_refused_too(tmp_path):
    path = tmp_path / "sim.db"
    reopened(path).close()
    reader = sqlite3.connect(path)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM job").fetchone()

    with pytest.raises(UsageError, match="perhaps another server, uses this database"):
        reopened(path)
    reader.close()


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UsageError, match=r"nowhere/sim\.db: the database cannot be opened or created"):
        reopened(tmp_path / "nowhere" / "sim.db")


@pytest.mark.slow
def test_what_was_committed_survives_a_killed_process(tmp_path):
    path = tmp_path / "sim.db"
    script = (
        "import os, sys\n"
        "from agent_sim.server.store import SqliteStore\n"
        f"store = SqliteStore.open({str(path)!r})\n"
        "add = lambda n: store.run('job_type_add',"
        " {'id': n, 'job_type_name': n, 'description': None, 'job_type_fields': '[]'})\n"
        "with store.change(): add('kept')\n"
        "store.commit()\n"
        "with store.change(): add('not committed')\n"
        "os.kill(os.getpid(), 9)\n"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == -9

    assert names(reopened(path)) == ["kept"]


# --- changes ----------------------------------------------------------------------------------


class Bug(Exception):
    """What a request may raise."""


def add_and_raise(store: SqliteStore, name: str) -> None:
    store.run("job_type_add", {**TYPE, "id": name, "job_type_name": name})
    raise Bug


def test_a_change_that_raises_is_undone_and_earlier_ones_stay():
    store = SqliteStore.open(":memory:")
    with store.change():
        store.run("job_type_add", TYPE)
    with pytest.raises(Bug), store.change():
        add_and_raise(store, "Other")

    store.commit()
    assert names(store) == ["Rotate"]


def test_a_count_is_remembered_until_something_changes_or_is_undone():
    store = SqliteStore.open(":memory:")

    def count() -> int:
        return store.count("job_type_count", {"where": "job_type_name <> ?"}, ("x",))

    def add(name: str) -> None:
        columns = {"id": name, "job_type_name": name, "description": None, "job_type_fields": "[]"}
        store.run("job_type_add", columns)

    asked: list[str] = []
    store._connection.set_trace_callback(asked.append)
    counts = [count(), count()]
    assert len(asked) == 1
    add("a")
    counts.append(count())
    with suppress(ZeroDivisionError), store.change():
        add("b")
        counts.append(count())
        _ = 1 / 0
    counts.append(count())

    assert counts == [0, 0, 1, 2, 1]


def test_a_change_inside_a_change_is_undone_alone_if_its_error_is_handled():
    store = SqliteStore.open(":memory:")
    with store.change():
        with pytest.raises(Bug), store.change():
            add_and_raise(store, "Other")
        store.run("job_type_add", TYPE)

    assert names(store) == ["Rotate"]


def change_inside(store: SqliteStore) -> None:
    with store.change():
        store.run("job_type_add", TYPE)
    raise Bug


def test_a_change_inside_a_change_goes_with_it():
    store = SqliteStore.open(":memory:")
    with pytest.raises(Bug), store.change():
        change_inside(store)

    assert names(store) == []


def test_reading_leaves_nothing_to_commit():
    store = SqliteStore.open(":memory:")
    with store.change():
        names(store)

    assert not store.dirty
    assert not store._connection.in_transaction


def test_a_change_is_dirty_until_it_is_committed():
    store = SqliteStore.open(":memory:")
    with store.change():
        store.run("job_type_add", TYPE)

    assert store.dirty
    store.commit()
    assert not store.dirty


def test_closing_commits(tmp_path):
    store = reopened(tmp_path / "sim.db")
    with store.change():
        store.run("job_type_add", TYPE)
    store.close()

    assert names(reopened(tmp_path / "sim.db")) == ["Rotate"]


def test_durability_decides_how_hard_a_commit_is_written(tmp_path):
    normal = SqliteStore.open(str(tmp_path / "a.db"), "normal")
    full = SqliteStore.open(str(tmp_path / "b.db"), "full")

    assert normal._connection.execute("PRAGMA synchronous").fetchone() == (1,)
    assert full._connection.execute("PRAGMA synchronous").fetchone() == (2,)
    assert full._connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_an_audit_id_is_never_given_again_even_if_its_run_is_deleted():
    store = SqliteStore.open(":memory:")
    columns = {"agent_id": "a", "username": "u", "client_machine": "m", "agent_platform": 7, "version": "1"}
    store.run(
        "agent_add", {**columns, "status": 2, "registered": "[]", "capabilities": "[]", "client_parameters": "{}"}
    )
    job = {"job_id": "j", "agent_id": "a", "type_guid": "g", "job_type": "t", "job_category": "custom"}
    job |= {"type_category": "custom", "requested": 1}
    job |= {"schedule": None, "schedule_time": None, "state": "running", "at_once": 1, "failures": 0}
    store.run("job_add", {**job, "store_id": None, "details": "{}"})
    first = AtHand(store).next_audit_id()
    store.later("run_add", (first, "j", 1, 2, 3, 2, "", 0))
    store.settle()
    store._connection.execute("DELETE FROM run")

    assert (first, AtHand(store).next_audit_id()) == (1, 2)


def test_a_new_database_is_for_its_owner_alone_with_what_lies_beside_it(tmp_path):
    store = SqliteStore.open(str(tmp_path / "a.db"))
    store.later("transition_add", (1, "k", "j", None))
    store.commit()

    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}
    store.close()


# --- what is written later --------------------------------------------------------------------

NOTED = (1, "k", "j", None)


def noting(kind: str | None) -> tuple[int, str | None, str, None]:
    return (1, kind, "j", None)


def noted(store: SqliteStore) -> list[str]:
    return [row[2] for row in store.rows("transition_page", {"after": 0, "limit": 100})]


def test_what_is_written_later_is_seen_by_whoever_reads_and_is_there_after_a_restart(tmp_path):
    store = reopened(tmp_path / "sim.db")
    store.later("transition_add", NOTED)
    assert store.dirty
    seen = noted(store)
    store.later("transition_add", noting("l"))
    store.commit()
    assert not store.dirty
    store.close()

    assert (seen, noted(reopened(tmp_path / "sim.db"))) == (["k"], ["k", "l"])


@pytest.mark.parametrize("looked", [False, True])
def test_what_a_failed_request_put_off_is_dropped_and_that_of_earlier_ones_stays(looked):
    store = SqliteStore.open(":memory:")
    with store.change():
        store.later("transition_add", NOTED)
    with suppress(ZeroDivisionError), store.change():
        store.later("transition_add", noting("undone"))
        if looked:
            assert noted(store) == ["k", "undone"]
        _ = 1 / 0

    assert noted(store) == ["k"]


@pytest.mark.parametrize("value", ["half a character: \ud800", 2**63])
def test_what_no_database_takes_is_refused_before_it_is_put_off(value):
    store = SqliteStore.open(":memory:")
    with pytest.raises((UnicodeEncodeError, OverflowError)), store.change():
        store.later("transition_add", (value, "k", "j", None) if isinstance(value, int) else noting(value))

    assert (store.dirty, noted(store)) == (False, [])


def test_if_what_was_put_off_cannot_be_written_nothing_lasts_and_the_next_commit_says_so_once():
    store = SqliteStore.open(":memory:")
    told: list[str] = []
    store.tell(("job",), lambda: told.append("forget"))
    store.run("job_type_add", TYPE)
    store.commit()
    store.run("job_type_add", {**TYPE, "id": "t2", "job_type_name": "Gone"})
    store.later("transition_add", noting(None))  # NOT NULL
    with pytest.raises(sqlite3.IntegrityError), store.change():
        noted(store)
    assert (store.dirty, told) == (True, ["forget"])
    with pytest.raises(sqlite3.OperationalError, match="changes were lost: NOT NULL"):
        store.commit()

    assert (store.dirty, names(store)) == (False, ["Rotate"])


def killed(store: SqliteStore) -> None:
    """As by kill -9: whatever is not committed is gone."""
    if store._connection.in_transaction:
        store._connection.execute("ROLLBACK")
    store._connection.close()


def in_the_table(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return [kind for (kind,) in connection.execute("SELECT kind FROM transition ORDER BY seq")]


def test_a_commit_writes_down_what_was_put_off_and_its_table_has_it_once_after_a_kill(tmp_path):
    path = tmp_path / "sim.db"
    store = reopened(path)
    for kind in "ab":
        with store.change():
            store.later("transition_add", noting(kind))
        store.commit()
    with store.change():
        store.later("transition_add", noting("nobody was told"))
    killed(store)
    before = in_the_table(path)

    killed(reopened(path))
    assert (before, in_the_table(path)) == ([], ["a", "b"])
    assert noted(reopened(path)) == ["a", "b"]


def test_what_was_being_written_to_its_table_when_the_server_was_killed_is_not_lost_and_not_there_twice(tmp_path):
    path = tmp_path / "sim.db"
    store = reopened(path)
    store.later("transition_add", NOTED)
    store.commit()
    assert noted(store) == ["k"]  # in its table, and not committed there
    killed(store)

    assert noted(reopened(path)) == ["k"]


def test_what_was_committed_outlives_a_later_change_that_cannot_be_written(tmp_path):
    store = reopened(tmp_path / "sim.db")
    store.later("transition_add", NOTED)
    store.commit()
    store.later("transition_add", noting(None))  # NOT NULL
    with pytest.raises(sqlite3.IntegrityError):
        noted(store)

    assert noted(store) == ["k"]


def test_a_request_that_fails_takes_nothing_along_that_was_committed_before(tmp_path):
    store = reopened(tmp_path / "sim.db")
    store.later("transition_add", NOTED)
    store.commit()
    with suppress(ZeroDivisionError), store.change():
        store.run("job_type_add", TYPE)
        store.later("transition_add", noting("undone"))
        _ = 1 / 0
    store.commit()
    killed(store)

    assert noted(reopened(tmp_path / "sim.db")) == ["k"]


@pytest.mark.parametrize(("times", "kind"), [(6000, "k"), (4, "a whole log " * 80_000)])
def test_what_is_much_does_not_stay_in_memory(tmp_path, times, kind):
    store = reopened(tmp_path / "sim.db")
    for _ in range(times):
        store.later("transition_add", noting(kind))
        assert store._later
        store.commit() if kind != "k" else None
    store.commit()

    assert store._behind == []
    assert noted(store) == [kind] * min(times, 100)


@pytest.mark.parametrize("brought", [1, 30, 300])
def test_what_is_behind_stays_bounded_however_much_each_commit_brings(tmp_path, monkeypatch, brought):
    monkeypatch.setattr("agent_sim.server.store._MOST_BEHIND", 120)
    monkeypatch.setattr("agent_sim.server.store._IN_A_TURN", 20)
    store = reopened(tmp_path / "sim.db")

    most = 0
    for commit in range(1500 // brought + 10):
        for number in range(brought):
            store.later("job_update", (f"job-{commit}-{number}", "running", 0, 0))
        store.commit()
        in_turns = sum(rows.count("(") for turn in store._turns for _, rows, _ in turn)
        most = max(most, len(store._behind) + in_turns)

    assert most <= 2 * (120 + brought)
    store.close()


def test_whenever_a_server_dies_its_next_one_knows_what_was_answered_and_nothing_twice(tmp_path, monkeypatch):
    """What was put off goes to its tables in many turns here, and agents take and complete jobs between any two."""
    monkeypatch.setattr("agent_sim.server.store._MOST_BEHIND", 12)
    monkeypatch.setattr("agent_sim.server.store._IN_A_TURN", 2)
    both = bench, twin = Bench(reopened(tmp_path / "sim.db"), retries=0), Bench(retries=0)
    session, _ = (one.register() for one in both)
    jobs = [max(one.schedule() for one in both) for _ in range(45)]
    running: dict[str, int] = {}
    unfinished = 0
    for step in range(90):
        job = jobs[max(step // 2 - step % 2 * 4, 0)]  # each ends some steps after it began
        if job not in running:
            running[job] = max(one.configure(session, job).audit_id for one in both)
        else:
            result = (Result.SUCCESS, Result.FAILURE)[step % 2]
            for one in both:
                one.complete(session, job, running[job], result, log="the log" if step % 3 else "")
        bench.store.commit()
        unfinished += bool(bench.store._turns)
        copied = copy_of(tmp_path / "sim.db", tmp_path / f"{step}.db")
        assert Bench(copied).everything() == twin.everything()
        assert copied.rows("put_off_all", {}) == []
        copied.close()
    assert unfinished > 20


def copy_of(path: Path, to: Path) -> SqliteStore:
    """The database as a kill would leave it now."""
    for end in ("", "-wal"):
        if (beside := path.with_name(path.name + end)).exists():
            shutil.copy(beside, to.with_name(to.name + end))
    return reopened(to)


def test_who_asks_for_other_tables_does_not_make_it_write_what_was_put_off():
    store = SqliteStore.open(":memory:")
    store.later("transition_add", NOTED)

    assert (names(store), store._later) == ([], [("transition_add", NOTED)])


@pytest.mark.parametrize(
    ("name", "columns"), [("job_update", 4), ("run_add", 8), ("run_end", 6), ("run_data_add", 2), ("transition_add", 4)]
)
@pytest.mark.parametrize("records", [1, 64])
def test_what_was_put_off_finds_its_records_by_their_ids_however_many_there_are(name, columns, records):
    store = SqliteStore.open(":memory:")
    [(rows, parameters)] = in_portions([(None,) * columns] * records)
    plan = store._connection.execute("EXPLAIN QUERY PLAN " + statements()[name].sql.format(rows=rows), parameters)

    steps = [step for *_, step in plan]
    assert [step for step in steps if re.match("SCAN (job|run|agent|store)", step)] == []


def test_every_statement_that_looks_at_what_is_written_later_waits_for_it():
    found = statements()

    waiting = {
        "run_with_job",
        "store_by_id",
        "scheduled_page",
        "run_given",
        "transition_last",
        "run_known",
        "upload_of",
    }
    assert {name for name in waiting if found[name].looks_at_records} == waiting
    assert not found["agent_by_id"].looks_at_records


def test_what_was_counted_is_remembered_while_agents_are_seen_unless_it_asks_when_they_were():
    bench = Bench()
    told: list[str] = []
    asked = [("job_type_count", "job_type_name <> 'x'"), ("agent_count", "last_seen < 20")]
    agent_id = bench.register().agent_id
    bench.store._connection.set_trace_callback(lambda sql: told.append(sql.split()[3]) if "count" in sql else None)

    def counts() -> list[int]:
        return [bench.store.count(name, {"where": where}, ()) for name, where in asked]

    for at, seen in ((10, 1), (11, 1), (30, 0)):
        bench.store.run_many("agent_seen", [{"agent_id": agent_id, "last_seen": at}])
        assert counts() == counts() == [0, seen]
    assert told == ["job_type", "agent", "agent", "agent"]


def test_what_a_request_writes_waits_for_what_was_put_off_and_what_nobody_asked_for_does_not():
    store = SqliteStore.open(":memory:")
    store.later("transition_add", NOTED)

    store.run_many("agent_seen", [{"agent_id": "a", "last_seen": 1}])
    assert store._later == [("transition_add", NOTED)]
    with store.change():
        store.run_many("agent_seen", [{"agent_id": "a", "last_seen": 1}])
    assert store._later == []


def test_who_keeps_records_in_memory_hears_of_changes_to_their_table_and_of_no_others():
    store = SqliteStore.open(":memory:")
    told: list[str] = []
    store.tell(("job_type",), lambda: told.append("forget"))
    store.run("job_type_add", TYPE)  # a new record changes none that is there
    store.later("transition_add", NOTED)
    store.run("job_type_change", {**TYPE, "description": "d"})

    assert told == ["forget"]
