"""The client-credentials grant: what is sent, what is read, and when the next token is fetched."""

import json
from urllib.parse import parse_qs

import pytest

from agent_sim.errors import TargetError
from agent_sim.logins import OAuthClient
from agent_sim.protocol.oauth import Granted, read_grant, request_body

URL = "https://idp.example/token"


def answer(**fields: object) -> bytes:
    return json.dumps({"access_token": "ey.J", "token_type": "Bearer", "expires_in": 300} | fields).encode()


def test_the_form_says_who_asks_for_what():
    client = OAuthClient(URL, "my id", "s&cr=t ü", ("openid", "email"), "kf")

    assert parse_qs(request_body(client).decode()) == {
        "grant_type": ["client_credentials"],
        "client_id": ["my id"],
        "client_secret": ["s&cr=t ü"],
        "scope": ["openid email"],
        "audience": ["kf"],
    }
    assert b"scope" not in request_body(OAuthClient(URL, "a", "b"))


@pytest.mark.parametrize(
    ("body", "lifetime", "renewed"),
    [
        (answer(), 300.0, 225.0),
        (answer(token_type="bearer", expires_in=2), 2.0, 1.5),
        (answer(expires_in=0.5), 0.5, 1.0),  # never in a hurry without end
        (answer(expires_in="soon"), 300.0, 225.0),
        (answer(expires_in=None), 300.0, 225.0),
        (answer(expires_in=-5), 300.0, 225.0),
    ],
)
def test_a_token_is_renewed_before_it_ends(body: bytes, lifetime: float, renewed: float):
    granted = read_grant(URL, 200, body)

    assert (granted.lifetime, granted.renew_after, granted.header) == (lifetime, renewed, "Bearer ey.J")


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (401, b'{"error": "invalid_client", "error_description": "SECRET"}', "gives no token: invalid_client"),
        (400, b'{"error": {"SECRET": 1}}', "gives no token: status 400"),
        (502, b"<html>SECRET</html>", "gives no token: status 502"),
        (200, b"<html>SECRET</html>", "is no token endpoint"),
        (200, answer(access_token=""), "is no token endpoint"),
        (200, answer(access_token="a\nb"), "is no token endpoint"),
        (200, answer(token_type="mac"), "gives no bearer token"),
        (200, b"[]", "is no token endpoint"),
    ],
)
def test_what_is_no_token_is_one_sentence_that_repeats_nothing(status: int, body: bytes, said: str):
    with pytest.raises(TargetError, match=said) as caught:
        read_grant(URL, status, body)
    assert "SECRET" not in str(caught.value)


def test_a_token_is_not_shown():
    assert "ey.J" not in repr(Granted("ey.J", 1.0))
