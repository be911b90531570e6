"""Job history with numbers or with names."""

import json

import pytest

from agent_sim.errors import MalformedMessage
from agent_sim.protocol.command import JobHistoryRecord, ListJobHistory
from agent_sim.protocol.enums import Result, Status
from agent_sim.storms.history import read_history

RUN = {"JobHistoryId": 1, "AgentMachine": "m", "JobId": "j", "JobType": "PEMManagement"}


@pytest.mark.parametrize(
    ("result", "status", "expected"),
    [
        (4, 3, (Result.FAILURE, Status.COMPLETED)),
        ("Failure", "CompletedWillRetry", (Result.FAILURE, Status.COMPLETED_WILL_RETRY)),
        ("unknown", "inprocess", (Result.UNKNOWN, Status.IN_PROCESS)),
        ("Warning", 4, (Result.WARNING, Status.ACKNOWLEDGED)),
    ],
)
def test_numbers_and_names_are_the_same(result, status, expected):
    body = json.dumps([{**RUN, "Result": result, "Status": status}]).encode()

    reply = read_history(ListJobHistory(), 200, body, None)

    assert reply.body == (JobHistoryRecord(1, "m", "j", "PEMManagement", *expected),)


@pytest.mark.parametrize(
    "body", [b"<html>", b"{}", b"[1]", json.dumps([{**RUN, "Result": "Odd", "Status": 3}]).encode(), b"[{}]"]
)
def test_anything_else_is_malformed(body):
    with pytest.raises(MalformedMessage):
        read_history(ListJobHistory(), 200, body, None)
