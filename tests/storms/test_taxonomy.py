"""What answers and errors mean."""

import pytest

from agent_sim.storms.taxonomy import DEFINITE, UNANSWERED, ErrorKind, Outcome, classify, outcome_of


@pytest.mark.parametrize(
    ("status", "has_body", "kind"),
    [
        (204, False, None),
        (204, True, ErrorKind.WRONG_2XX),  # a body where none may be
        (200, False, ErrorKind.WRONG_2XX),
        (202, True, ErrorKind.WRONG_2XX),
        (302, False, ErrorKind.WRONG_2XX),  # nothing that a Command server says
        (400, True, ErrorKind.HTTP_4XX_CONTRACT),
        (404, True, ErrorKind.HTTP_4XX_CONTRACT),
        (409, True, ErrorKind.HTTP_4XX_CONTRACT),
        (401, True, ErrorKind.HTTP_401_403),
        (403, True, ErrorKind.HTTP_401_403),
        (429, True, ErrorKind.HTTP_429),
        (500, True, ErrorKind.HTTP_5XX),
        (503, False, ErrorKind.HTTP_5XX),
    ],
)
def test_a_status_is_success_or_one_kind_of_error(status, has_body, kind):
    assert classify(status, has_body, expected=204) is kind


def test_a_read_promises_a_body():
    assert classify(200, has_body=True, expected=200) is None


@pytest.mark.parametrize("kind", ErrorKind)
def test_only_a_definite_error_refuses(kind):
    definite = {
        ErrorKind.CONNECT_REFUSED,
        ErrorKind.CONNECT_TIMEOUT,
        ErrorKind.TLS,
        ErrorKind.HTTP_4XX_CONTRACT,
        ErrorKind.HTTP_401_403,
        ErrorKind.HTTP_429,
        ErrorKind.POOL_EXHAUSTED,
    }

    assert definite == DEFINITE
    assert outcome_of(kind) is (Outcome.REFUSED if kind in definite else Outcome.UNKNOWN)


def test_success_accepts():
    assert outcome_of(None) is Outcome.ACCEPTED


def test_an_error_with_a_status_is_an_answer():
    assert {kind for kind in ErrorKind if kind.startswith(("http", "wrong"))}.isdisjoint(UNANSWERED)
