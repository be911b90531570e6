"""How a storm ends before its time, and what it then says of the ids that were under way."""

import signal
import time
from pathlib import Path

import pytest

from agent_sim.instants import SECOND
from agent_sim.storms.plan import Stage
from agent_sim.storms.taxonomy import Violation
from tests.loadtests.fake_command import PAGE, FakeCommand, failed_runs, served
from tests.loadtests.storms import OPEN, Storms, run_plan, wait_for
from tests.storms.examples import plan

pytestmark = pytest.mark.slow


def test_the_first_401_stops_the_storm(storms: Storms):
    with served(FakeCommand(failed_runs(500), status=lambda number: 401 if number == 5 else 204)) as fake:
        ended = storms.run(fake.url, "--storm", "reschedule", "--rate", "20/s", "--batch", "5", "-t", "20s")

    assert ended.result is not None
    assert (ended.code, ended.result["stopped"]) == (1, "first 401/403")
    assert len(fake.asked) <= 6
    assert ended.violations == {}
    assert ended.result["ledger"]["refused"] == 5


def test_a_target_that_fails_a_fifth_of_the_time_is_left_alone(storms: Storms):
    with served(FakeCommand(failed_runs(500), status=lambda number: 500 if number % 4 == 0 else 204)) as fake:
        ended = storms.run(fake.url, "--storm", "reschedule", "--rate", "20/s", "--batch", "1", "-t", "20s")

    assert ended.result is not None
    assert (ended.code, ended.result["stopped"]) == (1, "20 % 5xx or timeouts in 10 s")
    assert 10 <= len(fake.asked) <= 16
    assert ended.violations == {}  # it acted and then failed: unknown, and within the bounds
    assert ended.result["ledger"]["unknown"] >= 2


@pytest.mark.parametrize("acted", [True, False])
def test_a_hanging_answer_is_unknown_and_not_failed(storms: Storms, acted: bool):
    fake = FakeCommand(failed_runs(100), hangs=lambda number: number == 3, acts_before_hanging=acted)
    with served(fake):
        ended = storms.run(fake.url, "--storm", "acknowledge", *OPEN, "--timeout", "1s")

    assert ended.result is not None
    assert (ended.code, ended.violations) == (ended.passing, {})
    assert ended.result["ledger"] == {"sent": 100, "accepted": 95, "refused": 0, "unknown": 5}
    assert ended.result["errors"] == {"read_timeout": 1}
    assert ended.result["response"]["max_us"] >= 1_000_000


def test_a_post_whose_connection_closes_is_never_sent_again(storms: Storms):
    # Every tenth request is read, carried out, and its connection closed without an answer.
    with served(FakeCommand(failed_runs(100), closes=lambda number: number % 10 == 0)) as fake:
        ended = storms.run(fake.url, "--storm", "reschedule", *OPEN)

    assert ended.result is not None
    assert ended.result["started"] == len(fake.asked) == 20
    assert sorted(fake.ids) == list(range(1, 101))  # answered side by side, so in any order
    assert ended.result["errors"] == {"reset_before_response": 2}
    assert ended.result["ledger"]["unknown"] == 10
    assert ended.violations == {}


def test_a_target_that_goes_away_ends_the_storm_and_is_not_judged(storms: Storms):
    with served(FakeCommand(failed_runs(500))) as fake:
        process = storms.start(fake.url, "--storm", "reschedule", "--rate", "20/s", "--batch", "1", "-t", "60s")
        wait_for(lambda: len(fake.asked) >= 5)
    ended = storms.end(process)

    assert ended.result is not None
    assert (ended.code, ended.result["stopped"]) == (1, "20 % 5xx or timeouts in 10 s")
    assert ended.result["reconciliation"]["checked"] == 0
    assert len(ended.result["reconciliation"]["not_checkable"]) == len(Violation)
    assert "connect_refused" in ended.result["errors"]


def test_a_target_that_comes_back_is_compared_after_all(storms: Storms):
    with served(FakeCommand(failed_runs(500))) as fake:
        process = storms.start(fake.url, "--storm", "reschedule", "--rate", "20/s", "--batch", "1", "-t", "60s")
        wait_for(lambda: len(fake.asked) >= 5)
        fake.is_gone = True
        wait_for(lambda: fake.lost >= 12)  # by then the storm has seen enough
        fake.is_gone = False
        ended = storms.end(process)

    assert ended.result is not None
    assert (ended.code, ended.result["stopped"]) == (1, "20 % 5xx or timeouts in 10 s")
    assert ended.result["reconciliation"]["checked"] == 500
    assert ended.violations == {}
    assert ended.result["ledger"]["accepted"] == len(fake.ids)


def test_a_target_that_asks_to_come_back_later_refused_and_broke_nothing(storms: Storms):
    with served(FakeCommand(failed_runs(100), status=lambda number: 429 if number % 3 == 0 else 204)) as fake:
        ended = storms.run(fake.url, "--storm", "acknowledge", *OPEN)

    assert ended.result is not None
    assert (ended.code, ended.violations, ended.result["stopped"]) == (ended.passing, {}, None)
    assert ended.result["ledger"] == {"sent": 100, "accepted": 70, "refused": 30, "unknown": 0}
    assert ended.result["errors"] == {"http_429": 6}
    assert "http_429: 429 answer 429 (Retry-After: 7)" in ended.said


def test_a_page_for_people_is_no_yes_and_no_no(storms: Storms):
    with served(FakeCommand(failed_runs(100), html=lambda number: number % 5 == 0)) as fake:
        ended = storms.run(fake.url, "--storm", "acknowledge", *OPEN)

    assert ended.result is not None
    assert (ended.code, ended.violations) == (ended.passing, {})
    assert ended.result["errors"] == {"wrong_2xx": 4}
    assert ended.result["ledger"] == {"sent": 100, "accepted": 80, "refused": 0, "unknown": 20}


def test_a_target_that_is_all_pages_is_none_before_the_storm_and_unreadable_after_it(storms: Storms):
    with served(FakeCommand(failed_runs(5), endpoints=PAGE)) as fake:
        before = storms.run(fake.url, "--storm", "acknowledge", *OPEN)
    with served(FakeCommand(failed_runs(20), shows_transitions=False, html_history=True)) as fake:
        after = storms.run(fake.url, "--storm", "acknowledge", *OPEN)

    assert (before.code, before.result) == (4, None)
    assert "is not a Command server" in before.complaint
    assert after.result is not None
    assert after.code == 4
    assert after.result["ledger"]["accepted"] == 20
    assert after.result["reconciliation"]["checked"] == 0


def test_two_storms_at_once_that_ask_the_same_need_shares_and_then_count_nothing_twice(storms: Storms, tmp_path: Path):
    (tmp_path / "other").mkdir()
    other = Storms(tmp_path / "other")
    asked = ("--storm", "acknowledge", "--rate", "10/s", "--batch", "1")
    with served(FakeCommand(failed_runs(2000))) as fake:
        first = storms.start(fake.url, *asked, "-t", "90s", "--share", "1/2")
        wait_for(lambda: len(fake.asked) >= 3)
        refused = other.run(fake.url, *asked, "-t", "2s")
        second = other.run(fake.url, *asked, "-t", "2s", "--share", "2/2")
        first.send_signal(signal.SIGINT)
        ended = storms.end(first)

    assert refused.code == 2
    assert "another storm on this machine asks the same" in refused.complaint
    assert "--share 1/2 and --share 2/2" in refused.complaint
    assert ended.violations == second.violations == {}
    assert second.result is not None
    assert ended.result is not None
    assert len(fake.ids) == len(set(fake.ids))
    assert ended.result["ledger"]["accepted"] + second.result["ledger"]["accepted"] == len(fake.ids)
    assert min(ended.result["ledger"]["accepted"], second.result["ledger"]["accepted"]) > 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_storm_still_compares_and_writes_its_result(storms: Storms, number: signal.Signals):
    with served(FakeCommand(failed_runs(500))) as fake:
        process = storms.start(fake.url, "--storm", "reschedule", "--rate", "20/s", "--batch", "5", "-t", "60s")
        wait_for(lambda: len(fake.asked) >= 5)
        process.send_signal(number)
        ended = storms.end(process)

    assert ended.result is not None
    assert ended.result["stopped"] == "interrupted"
    assert (ended.code, ended.violations) == (ended.passing, {})
    assert ended.result["ledger"]["sent"] == ended.result["ledger"]["accepted"] == len(fake.ids)
    assert ended.result["reconciliation"]["checked"] == 500


def test_a_person_who_insists_waits_for_nothing(storms: Storms):
    with served(FakeCommand(failed_runs(500), hangs=lambda number: number > 2)) as fake:
        process = storms.start(fake.url, "--storm", "reschedule", "--rate", "2/s", "--batch", "5", "-t", "60s")
        wait_for(lambda: len(fake.asked) >= 3)
        process.send_signal(signal.SIGINT)
        time.sleep(2.3)
        process.send_signal(signal.SIGINT)
        insisted = time.monotonic()
        ended = storms.end(process)
        waited = time.monotonic() - insisted

    assert waited < 2
    assert ended.result is not None
    assert ended.result["stopped"] == "interrupted"
    assert ended.result["ledger"]["accepted"] == 10
    assert ended.result["ledger"]["unknown"] == len(fake.ids) - 10 > 0
    assert "lost_update: interrupted twice" in ended.result["reconciliation"]["not_checkable"]


def test_overload_drops_arrivals_and_says_so(storms: Storms):
    overload = plan(operation="acknowledge", batch=1, stages=(Stage(50, 0), Stage(50, SECOND)), max_in_flight=2)
    with served(FakeCommand(failed_runs(100), delay=0.1)) as fake:  # two at once, 0.1 s each: 20 a second
        ended = run_plan(storms, fake, overload)

    assert ended.result is not None
    assert ended.result["planned"] == 50
    assert ended.result["started"] + ended.result["dropped"] == 50
    assert ended.result["dropped"] >= 20
    assert len(fake.asked) == ended.result["started"]  # a dropped arrival uses up no ids
    assert ended.result["pool"]["used"] == ended.result["started"]
    assert ended.result["response"]["count"] == 50  # and still leaves a latency behind
    assert "dropped" in ended.said
