"""Who gets what of the pages: cookies, forged requests, permissions, headers."""

import re
from contextlib import asynccontextmanager

import pytest
from aiohttp.test_utils import TestClient, TestServer

from agent_sim.server.callers import Caller
from agent_sim.server.http.app import make_app
from agent_sim.server.web.browsers import COOKIE, Browsers
from agent_sim.server.web.controls import Control
from agent_sim.server.web.remote import RemoteControls, state
from tests.server.bench import OPERATOR, Bench
from tests.server.http.desks import ACCOUNTS

READER = Caller("reader", frozenset({"/agents/management/read/"}))
STRANGER = Caller("stranger", frozenset())


@asynccontextmanager
async def opened(controls=None):
    """A client of a server of its own."""
    bench = Bench()
    browsers = Browsers(lambda: bench.now)
    app = make_app(
        bench.server, bench.store, ACCOUNTS, bench.settings, lambda: bench.now, browsers=browsers, controls=controls
    )
    async with TestClient(TestServer(app)) as client:
        client.browsers = browsers
        yield client


@pytest.fixture
async def web():
    async with opened() as client:
        yield client


def cookie(web, caller=OPERATOR):
    signed = web.browsers.open(caller)
    return signed, {"Cookie": f"{COOKIE}={signed.token}"}


async def test_signing_in_sets_a_cookie_that_scripts_and_other_sites_cannot_use(web):
    form = {"username": "operator", "password": "secret-1"}
    answer = await web.post("/ui/sign-in", data=form, allow_redirects=False)

    assert (answer.status, answer.headers["Location"]) == (303, "/")
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(answer.headers["Set-Cookie"].split("; "))


@pytest.mark.parametrize("path", ["/ui/sign-in", "/ui/sign-out"])
async def test_a_form_of_another_site_is_refused(web, path):
    form = {"username": "operator", "password": "secret-1"}
    answer = await web.post(path, data=form, headers={"Origin": "https://evil.example"}, allow_redirects=False)

    assert answer.status == 403
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("path", ["/ui/live", "/ui/timeline?range=1h", "/ui/session"])
async def test_nothing_is_shown_to_who_is_not_signed_in(web, path):
    answer = await web.get(path)

    assert answer.status == 401
    assert "WWW-Authenticate" not in answer.headers  # the browser's own dialogue would open


async def test_a_cookie_alone_changes_nothing(web):
    _, headers = cookie(web)
    answer = await web.post("/KeyfactorAPI/Agents/Approve", json=[], headers=headers)

    assert answer.status == 401


async def test_the_token_of_another_session_changes_nothing(web):
    _, headers = cookie(web)
    other, _ = cookie(web)
    answer = await web.get("/KeyfactorAPI/Agents", headers={**headers, "X-CSRF-Token": other.forgery_token})

    assert answer.status == 403


async def test_cookie_and_token_are_the_caller_with_its_permissions(web):
    signed, headers = cookie(web, READER)
    headers |= {"X-CSRF-Token": signed.forgery_token, "x-keyfactor-requested-with": "XMLHttpRequest"}

    assert (await web.get("/KeyfactorAPI/Agents", headers=headers)).status == 200
    answer = await web.post(
        "/KeyfactorAPI/Agents/Approve", json=["00000000-0000-0000-0000-000000000001"], headers=headers
    )
    assert answer.status == 403


async def test_a_cookie_is_no_agent(web):
    signed, headers = cookie(web)
    answer = await web.post(
        "/KeyfactorAgents/Session/Register", json={}, headers={**headers, "X-CSRF-Token": signed.forgery_token}
    )

    assert answer.status == 401


async def test_an_account_that_may_read_nothing_is_told_so(web):
    _, headers = cookie(web, STRANGER)
    answer = await web.get("/", headers=headers)

    assert answer.status == 200
    assert "/agents/management/read/" in await answer.text()
    assert (await web.get("/ui/live", headers=headers)).status == 403


async def test_every_page_forbids_foreign_code_and_frames(web):
    _, headers = cookie(web)
    for path in ("/", "/ui/sign-in", "/ui/nothing", "/ui/assets/app.js"):
        policy = (await web.get(path, headers=headers)).headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy


async def test_every_file_a_page_names_is_there_and_none_comes_from_elsewhere(web):
    _, headers = cookie(web)
    text = await (await web.get("/", headers=headers)).text()
    named = re.findall(r'(?:src|href)="([^"#]+)"', text)

    assert named
    for address in named:
        assert address.startswith("/"), address
        assert (await web.get(address, headers=headers, allow_redirects=False)).status == 200, address


async def test_modules_import_what_is_there(web):
    text = await (await web.get("/ui/assets/app.js")).text()
    for name in re.findall(r'from "\./([^"]+)"', text):
        assert (await web.get(f"/ui/assets/{name}")).status == 200


@pytest.mark.parametrize(
    "path", ["/ui/assets/../side.py", "/ui/assets/%2e%2e/side.py", "/ui/assets/", "/ui/assets/nothing.js"]
)
async def test_no_other_file_can_be_had(web, path):
    assert (await web.get(path)).status == 404


async def test_a_demos_controls_do_not_exist_without_a_demo(web):
    signed, headers = cookie(web)
    body = {"kind": "fault", "name": "x", "do": "start"}
    answer = await web.post("/ui/controls", json=body, headers={**headers, "X-CSRF-Token": signed.forgery_token})

    assert answer.status == 404
    assert (await web.post("/ui/controls", json=body, headers=headers)).status == 403


DOWN = Control("fault", "shz-down", "agents of shz: cut off", is_running=False)


@pytest.mark.parametrize(
    ("caller", "name", "status", "said"),
    [
        (OPERATOR, "shz-down", 204, ["control start fault shz-down"]),
        (OPERATOR, "nosuch", 404, []),
        (OPERATOR, "shz-down\ncontrol start fault shz-down", 404, []),
        (READER, "shz-down", 403, []),  # who may only look
        (STRANGER, "shz-down", 403, []),
    ],
)
async def test_a_demos_button_is_for_who_may_change_things_and_names_what_there_is(caller, name, status, said):
    passed_on = []
    remote = RemoteControls(passed_on.append)
    remote.feed(f"{state((DOWN,), '')}\n".encode())
    async with opened(remote) as web:
        signed, headers = cookie(web, caller)
        headers["X-CSRF-Token"] = signed.forgery_token
        answer = await web.post("/ui/controls", json={"kind": "fault", "name": name, "do": "start"}, headers=headers)

    assert (answer.status, passed_on) == (status, said)


@pytest.mark.parametrize(
    "body", [{}, [], 7, {"kind": "fleet", "name": "a", "do": "start"}, {"kind": "fault", "name": 1}]
)
async def test_a_button_that_makes_no_sense_presses_nothing(body):
    async with opened(RemoteControls(lambda line: None)) as web:
        signed, headers = cookie(web)
        headers["X-CSRF-Token"] = signed.forgery_token

        assert (await web.post("/ui/controls", json=body, headers=headers)).status == 404


async def test_what_a_demo_tells_is_text_on_the_page(web):
    remote = RemoteControls(lambda line: None)
    evil = Control("fault", "<b>x</b>", "</script><script>alert(1)</script>", is_running=True)
    remote.feed(f"{state((evil,), '<img src=x onerror=alert(1)>')}\n".encode())
    async with opened(remote) as demo:
        _, headers = cookie(demo)
        text = await (await demo.get("/", headers=headers)).text()

    assert "<b>x" not in text
    assert "<script>alert" not in text
    assert "<img src=x" not in text


async def test_signing_out_ends_the_session(web):
    signed, headers = cookie(web)
    await web.post("/ui/sign-out", headers=headers, allow_redirects=False)

    assert web.browsers.find(signed.token) is None


async def test_the_feed_begins_with_everything(web):
    _, headers = cookie(web)
    async with web.get("/ui/live", headers=headers) as answer:
        lines = [await answer.content.readline() for _ in range(3)]

    assert lines == [b"retry: 2000\n", b"\n", b"event: picture\n"]
