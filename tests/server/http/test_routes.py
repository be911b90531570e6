import re

import pytest

from agent_sim.protocol import command
from agent_sim.protocol.endpoints import ENDPOINTS
from agent_sim.server.http.command import Routes
from agent_sim.server.http.refusals import Refused

ROUTES = Routes(ENDPOINTS)


@pytest.mark.parametrize("row", ENDPOINTS, ids=lambda row: row.name)
def test_every_endpoint_is_found_in_any_case(row):
    path = re.sub(r"\{\w+\}", "4F6C", row.path)

    for spelled in (path, path.lower(), path.upper()):
        found, fields = ROUTES.find(row.method, spelled)
        assert found == row
        given = re.search("4F6C", spelled, re.IGNORECASE)
        assert fields == {name: given[0] for name in re.findall(r"\{(\w+)\}", row.path) if given}


@pytest.mark.parametrize("path", ["", "/", "/Nothing", "/Agents/1/2", "/OrchestratorJobs", "/AgentsX"])
def test_an_unknown_path_is_not_found(path):
    with pytest.raises(Refused) as caught:
        ROUTES.find("GET", path)

    assert caught.value.reason.problem.status == 404


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/Agents", "GET"),
        ("PATCH", "/CertificateStores", "DELETE, GET, POST, PUT"),
        ("GET", "/OrchestratorJobs/Custom", "POST"),
        ("POST", "/Agents/4f6c", "GET"),
        ("HEAD", "/Agents", "GET"),
    ],
)
def test_a_wrong_method_is_told_the_right_ones(method, path, allowed):
    with pytest.raises(Refused) as caught:
        ROUTES.find(method, path)

    assert caught.value.reason.problem.status == 405
    assert dict(caught.value.reason.headers) == {"Allow": allowed}


def test_a_fixed_path_wins_over_one_with_a_field():
    row, _ = ROUTES.find("POST", "/agents/approve")

    assert row.operation is command.ApproveAgents
