"""What a storm may ask of whom: nothing out of scope, and no target that is somebody else's."""

import os
import pty

import pytest

from tests.loadtests.fake_command import FakeCommand, failed_runs, served
from tests.loadtests.storms import CREDENTIALS, OPEN, Storms

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("operation", ["reschedule", "acknowledge"])
def test_no_foreign_id_is_ever_sent(storms: Storms, operation: str):
    theirs = failed_runs(60, machine="web", first=1) + failed_runs(60, machine="x-agentsim-", first=61)
    ours = failed_runs(60, first=121)
    with served(FakeCommand(theirs + ours)) as fake:  # which answers foreign runs whatever the query says
        ended = storms.run(fake.url, "--storm", operation, "--rate", "20/s", "--batch", "10", "-t", "1s")

    assert ended.result is not None
    assert sorted(fake.ids) == list(range(121, 181))
    assert all('Agent -startswith "agentsim-"' in query for query in fake.queries)
    assert ended.result["pool"]["out_of_scope"] == 120
    assert ended.result["pool"]["exhausted_at"] == pytest.approx(0.3)  # visible, and never recycled
    assert ended.result["seconds"] == pytest.approx(0.3)


def test_a_foreign_target_is_refused_unless_its_host_is_named(storms: Storms):
    foreign = ("--storm", "acknowledge", *OPEN, "--foreign", "127.0.0.2")
    with served(FakeCommand(failed_runs(20)), "127.0.0.2") as fake:
        refused = storms.run(fake.url, *foreign)
        unnamed = storms.run(fake.url, *foreign, "--i-own-this-target", "127.0.0.3")
        too_wide = storms.run(fake.url, *foreign, "--i-own-this-target", "127.0.0.2", "--prefix", "web")
        by_environment = storms.run(
            fake.url, *foreign, environment={**CREDENTIALS, "LOCUST_I_OWN_THIS_TARGET": "127.0.0.2"}
        )
        (storms.folder / "locust.conf").write_text("i-own-this-target = 127.0.0.2\n")
        by_file = storms.run(fake.url, *foreign)
        (storms.folder / "locust.conf").unlink()
        asked_before = len(fake.asked) + len(fake.queries)
        allowed = storms.run(fake.url, *foreign, "--i-own-this-target", "127.0.0.2")

    assert [ended.code for ended in (refused, unnamed, too_wide, by_environment, by_file)] == [2] * 5
    assert "add --i-own-this-target 127.0.0.2" in refused.complaint
    assert "counts on the command line only" in by_file.complaint
    assert asked_before == 0
    assert allowed.code == allowed.passing
    assert len(fake.ids) == 20


def test_the_whole_of_a_target_is_not_in_scope_without_a_person(storms: Storms):
    with served(FakeCommand(failed_runs(25, machine="web"))) as fake:
        ended = storms.run(fake.url, "--storm", "acknowledge", *OPEN, "--scope", "all")

    assert ended.code == 2
    assert "--scope all: 25 ids on 127.0.0.1" in ended.said
    assert ended.said.count("PEMManagement") == 10
    assert "no terminal to ask on" in ended.complaint
    assert fake.ids == []


@pytest.mark.parametrize(("typed", "sent"), [("127.0.0.1", 25), ("yes", 0)])
def test_the_whole_of_a_target_is_in_scope_once_a_person_typed_its_host(storms: Storms, typed: str, sent: int):
    person, terminal = pty.openpty()
    options = ("--storm", "acknowledge", "--rate", "20/s", "--batch", "5", "-t", "1s", "--scope", "all")
    with served(FakeCommand(failed_runs(25, machine="web"))) as fake:
        process = storms.start(fake.url, *options, stdin=terminal)
        os.write(person, f"{typed}\n".encode())
        ended = storms.end(process)
    os.close(person)
    os.close(terminal)

    assert len(fake.ids) == sent
    assert ended.code == (ended.passing if sent else 2)
    assert not any("startswith" in query for query in fake.queries)
