"""A server that is killed under load, again and again, keeps every change that it acknowledged."""

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import pytest

from tests.end_to_end.kills.check import COMPLETED, Account, check
from tests.end_to_end.kills.rounds import Rounds

pytestmark = pytest.mark.slow

ROUNDS = 10


@pytest.fixture(scope="module")
def lives(tmp_path_factory: pytest.TempPathFactory) -> Rounds:
    """A database that went through ten kills, five under each durability, and what it was told meanwhile."""
    rounds = Rounds(Path(tmp_path_factory.mktemp("kills")), "ten")
    rounds.survive(ROUNDS)
    return rounds


def test_every_acknowledged_change_survives_ten_kills(lives):
    found_again = lives.ledger.acknowledged

    assert lives.survived == {"normal": ROUNDS // 2, "full": ROUNDS // 2}
    assert min(found_again.values()) > 0, found_again
    assert sum(found_again.values()) > 30 * ROUNDS, found_again


def _forget_a_row(account: Account) -> None:
    account.history.popitem()


def _forget_an_agent(account: Account) -> None:
    del account.agents["m-1"]


def _disapprove(account: Account) -> None:
    account.agents["m-1"]["Status"] = 3


def _forget_a_job(account: Account) -> None:
    queued = next(line for line in account.transitions if line["Kind"] == "queued")
    account.transitions = [line for line in account.transitions if line["JobId"] != queued["JobId"]]


def _show_what_is_done_as_waiting(account: Account) -> None:
    done = {row["JobId"] for row in account.history.values()} - account.scheduled.keys()
    account.scheduled[done.pop()] = {"JobType": "FetchLogs"}


def _take_back_an_acknowledgement(account: Account) -> None:
    audit = next(line["AuditId"] for line in account.transitions if line["Kind"] == "acknowledged")
    account.history[audit]["Status"] = COMPLETED


def _take_back_half_a_storm(account: Account) -> None:
    acknowledged = [line for line in account.transitions if line["Kind"] == "acknowledged"]
    account.transitions.remove(acknowledged[0])
    account.history[acknowledged[0]["AuditId"]]["Status"] = COMPLETED


def _end_a_run_twice(account: Account) -> None:
    account.transitions.append(next(line for line in account.transitions if line["Kind"] == "completed"))


def _change_a_message(account: Account) -> None:
    next(row for row in account.history.values() if row["Result"] == 4)["Message"] = "another"


LIES = [
    _forget_a_row,
    _forget_an_agent,
    _disapprove,
    _forget_a_job,
    _show_what_is_done_as_waiting,
    _take_back_an_acknowledgement,
    _take_back_half_a_storm,
    _end_a_run_twice,
    _change_a_message,
]


@pytest.mark.parametrize("lie", LIES)
def test_a_server_that_forgot_something_would_be_found_out(lives: Rounds, lie: Callable[[Account], None]):
    account = deepcopy(lives.account)
    check(account, lives.ledger)

    lie(account)

    with pytest.raises((AssertionError, KeyError)):
        check(account, lives.ledger)
