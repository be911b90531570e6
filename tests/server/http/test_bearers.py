"""Keys fetched when they must be and not more often; an issuer is a function here, except for its HTTP."""

import asyncio
import json
import logging
from dataclasses import dataclass, field

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from agent_sim.instants import MINUTE, SECOND
from agent_sim.server.bearer import Judge, KeyRing
from agent_sim.server.callers import Caller
from agent_sim.server.http.bearers import Bearers, fetch
from agent_sim.server.http.refusals import Refused
from tests.server.test_bearer import EC_KEY, ISSUER, NOW, OTHER_EC_KEY, claims, forged, jwk, token, trust

CI = Caller("ci", frozenset({"/agents/"}))
JWKS = "https://login.example/keys"


@dataclass
class Issuer:
    """Publishes keys, counts how often it is asked, and is down if told so."""

    published: list[dict[str, object]] = field(default_factory=lambda: [jwk(EC_KEY, "ec")])
    discovery: object = field(default_factory=lambda: {"issuer": ISSUER, "jwks_uri": JWKS})
    failure: Exception | None = None
    pause: float = 0.0
    asked: list[str] = field(default_factory=list)

    async def fetch(self, url: str) -> bytes:
        self.asked.append(url)
        await asyncio.sleep(self.pause)
        if self.failure:
            raise self.failure
        return json.dumps({"keys": self.published} if url == JWKS else self.discovery).encode()


class Clock:
    now = NOW

    def __call__(self) -> int:
        return self.now


def door(issuer: Issuer, clock: Clock, jwks: str = JWKS) -> Bearers:
    ring = KeyRing(at_least_every=10 * SECOND, grown_old_after=MINUTE)
    return Bearers(Judge(trust(keys=ring)), clock, jwks, issuer.fetch)


async def refused(bearers: Bearers, text: str) -> tuple[int, str]:
    with pytest.raises(Refused) as caught:
        await bearers.caller(text)
    return caught.value.reason.problem.status, caught.value.reason.message


async def test_keys_are_fetched_once_for_a_fleet_that_arrives_together():
    issuer = Issuer(pause=0.02)
    bearers = door(issuer, Clock())
    tokens = [token(claims(jti=str(number))) for number in range(50)]

    callers = await asyncio.gather(*map(bearers.caller, tokens))

    assert (callers, issuer.asked) == ([CI] * 50, [JWKS])


async def test_where_the_keys_are_is_read_from_the_issuers_discovery_document():
    issuer = Issuer()

    assert await door(issuer, Clock(), jwks="").caller(token()) == CI
    assert issuer.asked == [f"{ISSUER}/.well-known/openid-configuration", JWKS]


@pytest.mark.parametrize(
    "discovery",
    [
        {"issuer": "https://evil.example", "jwks_uri": JWKS},
        {"issuer": ISSUER},
        {"issuer": ISSUER, "jwks_uri": "http://login.example/keys"},  # worse protected than the issuer itself
        {"issuer": ISSUER, "jwks_uri": "file:///etc/passwd"},
        {"issuer": ISSUER, "jwks_uri": ["x"]},
        [],
        None,
    ],
)
async def test_a_discovery_document_that_is_not_the_issuers_gives_no_keys(discovery):
    issuer = Issuer(discovery=discovery)

    assert (await refused(door(issuer, Clock(), jwks=""), token()))[0] == 503
    assert len(issuer.asked) == 1


async def test_a_flood_of_unknown_keys_asks_the_issuer_once_in_a_while():
    issuer, clock = Issuer(), Clock()
    bearers = door(issuer, clock)
    await bearers.caller(token())

    for second in range(25):
        clock.now = NOW + second * SECOND
        for number in range(10):
            assert (await refused(bearers, token(kid=f"{second}-{number}")))[0] == 401

    assert len(issuer.asked) == 3  # at the beginning, after 10 s and after 20 s


async def test_a_flood_of_nonsense_does_not_ask_at_all():
    issuer = Issuer()
    bearers = door(issuer, Clock())
    for text in (
        "x.y.z",
        token(claims(iss="https://evil.example")),
        forged({"alg": "none"}, claims(), b"x"),
        "a" * 20_000,
    ):
        assert (await refused(bearers, text))[0] == 401

    assert issuer.asked == []


async def test_a_new_key_is_found_and_one_withdrawn_is_no_longer_good():
    issuer, clock = Issuer(), Clock()
    bearers = door(issuer, clock)
    old, new = token(claims(exp=NOW // SECOND + 3600)), token(key=OTHER_EC_KEY, kid="new")
    assert await bearers.caller(old) == CI

    issuer.published = [jwk(OTHER_EC_KEY, "new")]
    clock.now += 10 * SECOND

    assert await bearers.caller(new) == CI
    assert (await refused(bearers, old))[0] == 401  # although it was remembered


async def test_old_keys_are_asked_for_again_and_used_while_the_issuer_is_down(caplog):
    issuer, clock = Issuer(), Clock()
    bearers = door(issuer, clock)
    await bearers.caller(token())

    issuer.failure = OSError("no route")
    clock.now += 2 * MINUTE
    with caplog.at_level(logging.WARNING):
        caller = await bearers.caller(token(claims(jti="2")))

    assert (caller, len(issuer.asked)) == (CI, 2)
    assert "no route" in caplog.text


@pytest.mark.parametrize("failure", [OSError("x"), TimeoutError(), ValueError("x")])
async def test_without_any_keys_the_answer_is_try_again_and_then_they_come(failure):
    issuer, clock = Issuer(failure=failure), Clock()
    bearers = door(issuer, clock)

    assert (await refused(bearers, token()))[0] == 503
    assert (await refused(bearers, token()))[0] == 503
    assert len(issuer.asked) == 1
    issuer.failure = None
    clock.now += 10 * SECOND

    assert await bearers.caller(token()) == CI


async def test_those_who_wait_for_an_issuer_that_hangs_do_not_each_ask_again():
    issuer, clock = Issuer(failure=TimeoutError(), pause=0.02), Clock()
    bearers = door(issuer, clock)

    answers = await asyncio.gather(*(refused(bearers, token(kid=str(number))) for number in range(20)))

    assert {status for status, _ in answers} == {503}
    assert len(issuer.asked) == 1


# --- over HTTP --------------------------------------------------------------------------------


@pytest.mark.slow
async def test_fetching_takes_what_is_there_and_nothing_else():
    async def answer(request: web.Request) -> web.Response:
        if request.path == "/moved":
            raise web.HTTPFound("/keys")
        if request.path == "/large":
            return web.Response(body=b" " * (1024 * 1024 + 1))
        return web.Response(status=200 if request.path == "/keys" else 404, text="{}")

    app = web.Application()
    app.router.add_get("/{path}", answer)
    async with TestServer(app) as server:
        assert await fetch(str(server.make_url("/keys"))) == b"{}"
        for path in ("/moved", "/large", "/missing"):
            with pytest.raises(ValueError):
                await fetch(str(server.make_url(path)))
