"""The description as it is served: to whom, with which headers, and the page."""

import json
import re
from dataclasses import replace
from importlib import resources

import pytest

from agent_sim.protocol.endpoints import ENDPOINTS
from agent_sim.server.http.docs import kind_of, page
from agent_sim.server.http.openapi import document
from agent_sim.settings import DEFAULT_SETTINGS
from tests.server.http.desks import AGENT, OPERATOR, FakeCore, FakeStore, error_of, serving

DESCRIBED = document(ENDPOINTS, DEFAULT_SETTINGS, server="/KeyfactorAPI", version="25")


@pytest.mark.parametrize("path", ["/KeyfactorAPI/openapi.json", "/keyfactorapi/OPENAPI.JSON"])
@pytest.mark.parametrize("who", [OPERATOR, AGENT])
async def test_the_document_is_for_everybody_who_is_signed_in(path, who):
    async with serving(FakeCore(FakeStore())) as client, client.get(path, headers=who) as response:
        assert response.status == 200
        assert response.content_type == "application/json"
        assert json.loads(await response.read())["openapi"] == "3.1.0"


@pytest.mark.parametrize("path", [f"/KeyfactorAPI/{name}" for name in ("openapi.json", "docs", "fidelity")])
async def test_it_is_for_nobody_else(path):
    async with serving(FakeCore(FakeStore())) as client, client.get(path) as response:
        assert await error_of(response) == (401, "0xA0140001")
        assert response.headers["WWW-Authenticate"].startswith("Basic")


async def test_it_is_only_to_be_read_and_nothing_is_below_it():
    async with serving(FakeCore(FakeStore())) as client:
        async with client.post("/KeyfactorAPI/docs", headers=OPERATOR) as response:
            assert (await error_of(response))[0] == 405
            assert response.headers["Allow"] == "GET, HEAD"
        async with client.get("/KeyfactorAPI/docs/more", headers=OPERATOR) as response:
            assert (await error_of(response))[0] == 404


async def test_the_document_names_the_base_that_it_is_served_under():
    bases = ("/KeyfactorAPI", "/Keyfactor/API")
    async with serving(FakeCore(FakeStore()), replace(DEFAULT_SETTINGS, api_bases=bases)) as client:
        for base in bases:
            async with client.get(f"{base}/openapi.json", headers=OPERATOR) as response:
                assert json.loads(await response.read())["servers"] == [{"url": base}]


async def test_how_each_behaviour_is_known_lies_beside_the_document():
    path = "/KeyfactorAPI/Fidelity"
    async with serving(FakeCore(FakeStore())) as client, client.get(path, headers=OPERATOR) as response:
        assert response.content_type == "text/markdown"
        told = await response.text()

    assert told == resources.files("agent_sim.server").joinpath("fidelity.md").read_text(encoding="utf-8")
    assert "fidelity" in DESCRIBED["info"]["description"]


async def test_the_page_may_load_nothing_and_run_nothing():
    async with serving(FakeCore(FakeStore())) as client:
        response = await client.get("/KeyfactorAPI/docs", headers=OPERATOR)
        async with response:
            policy = response.headers["Content-Security-Policy"]
            html = (await response.read()).decode()

    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "<script" not in html
    assert "style=" not in html  # the policy would not let it through
    assert not re.search(r"""(?:src|href)=["'](?!#|data:|openapi\.json)""", html)


def test_the_page_has_every_operation_and_every_schema():
    html = page(DESCRIBED)

    for row in ENDPOINTS:
        name = row.operation.__name__
        assert f'id="{name[0].lower()}{name[1:]}"' in html
    for name in DESCRIBED["components"]["schemas"]:
        assert f'id="schema-{name}"' in html
    for target in re.findall(r'href="#([^"]+)"', html):
        assert f'id="{target}"' in html


def test_what_is_described_is_escaped():
    hostile = "<img src=x onerror=alert(1)>"

    assert hostile not in page({**DESCRIBED, "info": {**DESCRIBED["info"], "title": hostile, "description": hostile}})
    assert kind_of({"type": hostile}) == "&lt;img src=x onerror=alert(1)&gt;"
