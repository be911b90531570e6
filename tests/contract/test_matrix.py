"""Every endpoint of the management API times every rule that holds for all of them: a table without a hole.

A column is one documented behaviour (command-api 0, 1 and the tables of 2, 3 and 9), a row an endpoint. A rule that an
endpoint has no use for says so by its kind. `python -m tests.contract.test_matrix` prints the counts.
"""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from urllib.parse import quote, urlencode

import pytest

from agent_sim.protocol.endpoints import ENDPOINTS, WITH_BODY, WITH_PAGE, Carries, Endpoint
from tests.contract.valid import CAPABILITIES, VALID, Request, World
from tests.end_to_end import by_hand
from tests.end_to_end.by_hand import Answer, call
from tests.end_to_end.conftest import ACCOUNTS, ServerProcess, starting

pytestmark = pytest.mark.slow

OPERATOR = (ACCOUNTS["AGENT_SIM_USERNAME"], ACCOUNTS["AGENT_SIM_PASSWORD"])
AGENT = (ACCOUNTS["AGENT_SIM_AGENT_USERNAME"], ACCOUNTS["AGENT_SIM_AGENT_PASSWORD"])
JSON = {"Content_Type": "application/json", "x_keyfactor_requested_with": "APIClient"}
NOWHERE = "11111111-2222-4333-8444-555555555555"
GUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
RESET = "POST /Agents/{agent_id}/Reset"  # documents 400 for every failure (3.1)
HEX = r"0x[0-9A-F]{8}"


@dataclass(frozen=True)
class Ask:
    """A request to one endpoint as it goes out."""

    row: Endpoint
    path: str
    query: str
    body: bytes | None

    def send(self, url: str, account: tuple[str, str] | tuple[None, str] = OPERATOR, **headers: str) -> Answer:
        address = f"{url}/KeyfactorAPI{self.path}" + (f"?{self.query}" if self.query else "")
        return call(self.row.method, address, *account, self.body, **JSON | headers)

    def paged(self, **parameters: object) -> "Ask":
        return replace(self, query="&".join(filter(None, (self.query, urlencode(parameters)))))


def ask(row: Endpoint, request: Request) -> Ask:
    path = re.sub(r"\{\w+\}", quote(str(request.place)), row.path)
    body = json.dumps(request.body).encode() if row.carries in WITH_BODY else None
    return Ask(row, path, urlencode(request.query), body)


def refused(answer: Answer, status: int, code: str = HEX) -> None:
    """A refusal is a JSON object with a Message and a code in hexadecimal, and says nothing of null operations."""
    assert answer.status == status, answer
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
    assert answer.json["Message"]
    assert re.fullmatch(code, answer.json["ErrorCode"]), answer
    assert answer.json.get("FailedOperations", [{"Reason": "x"}])


def succeeded(answer: Answer, row: Endpoint) -> None:
    assert answer.status == row.success, answer
    assert (answer.body == b"") == (row.success == 204)


# --- the rules --------------------------------------------------------------------------------


def answers_as_documented(world: World, row: Endpoint) -> None:
    """Its status, JSON that says so, the headers of a real server, a total on lists only (1.3, 1.4)."""
    answer = ask(row, VALID[row.name](world)).send(world.server.url)

    succeeded(answer, row)
    assert re.fullmatch(r"25\.4\.1\+.+", answer.headers["X-Keyfactor-Product-Version"])
    assert re.fullmatch(GUID, answer.headers["X-Keyfactor-Correlation-Id"])
    assert answer.headers["Api-Supported-Versions"] == "1.0"
    if row.success == 200:
        assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
        assert isinstance(answer.json, list if row.many else dict)
        assert ("X-Total-Count" in answer.headers) == (row.carries in WITH_PAGE)
        assert "null" not in json.dumps([entry for entry in answer.json if _is_of_jobs(row)])


def _is_of_jobs(row: Endpoint) -> bool:
    return row.name in ("GET /OrchestratorJobs/JobHistory", "GET /OrchestratorJobs/ScheduledJobs")


def takes_any_case_and_a_slash(world: World, row: Endpoint) -> None:
    """Paths match in any case, one more slash is tolerated (1.1)."""
    given = ask(row, VALID[row.name](world))
    shouted = re.sub(r"[a-z]+", lambda found: found[0].upper(), row.path.split("{")[0])
    path = shouted + given.path[len(shouted) :] + "/"

    succeeded(replace(given, path=path).send(world.server.url), row)


def takes_any_case_of_members_and_more_of_them(world: World, row: Endpoint) -> None:
    """camelCase members are understood, unknown ones and parameters passed over (1.5, 1.6)."""
    request = VALID[row.name](world)
    given = ask(row, replace(request, body=_camel(request.body))).paged(**{"pq.start": 1})

    succeeded(given.send(world.server.url), row)


def _camel(value: object) -> object:
    if isinstance(value, dict):
        return {name[0].lower() + name[1:]: _camel(inner) for name, inner in value.items()} | {"somethingNew": 1}
    return [_camel(inner) for inner in value] if isinstance(value, list) else value


def takes_versions_1_and_2(world: World, row: Endpoint) -> None:
    """1.0 and 2 are versions, 9 is none (1.2)."""
    given = ask(row, VALID[row.name](world))

    refused(given.send(world.server.url, x_keyfactor_api_version="9"), 400)
    succeeded(given.send(world.server.url, x_keyfactor_api_version="2"), row)


def knows_nobody_without_credentials(world: World, row: Endpoint) -> None:
    """401 for none and for wrong ones (1.4)."""
    given = ask(row, Request(NOWHERE))

    refused(given.send(world.server.url, (None, "")), 401)
    refused(given.send(world.server.url, ("operator", "wrong")), 401)


def refuses_who_may_not(world: World, row: Endpoint) -> None:
    """403 with the code that was recorded (1.4)."""
    refused(ask(row, VALID[row.name](world)).send(world.server.url, AGENT), 403, "0xA0140002")


def wants_the_header_on_writes(world: World, row: Endpoint) -> None:
    """Writes are refused without x-keyfactor-requested-with, reads are not (1.2)."""
    given = ask(row, VALID[row.name](world))
    answer = given.send(world.server.url, x_keyfactor_requested_with="")

    if row.method == "GET":
        succeeded(answer, row)
    else:
        refused(answer, 400, "0xA0110007")


def refuses_what_is_no_json(world: World, row: Endpoint) -> None:
    """A body that is not JSON, is of another shape, or does not say that it is JSON (1.2, 1.4)."""
    given = ask(row, VALID[row.name](world))
    other = b"[]" if row.carries is Carries.OBJECT else b"{}"

    refused(replace(given, body=b'{"a": ').send(world.server.url), 400)
    refused(replace(given, body=other).send(world.server.url), 400)
    refused(replace(given, body=b"\xff\xfe").send(world.server.url), 400)
    refused(given.send(world.server.url, Content_Type="text/csv"), 415)


def ignores_the_body_null(world: World, row: Endpoint) -> None:
    """go-client sends `null` with what has no body (0.6)."""
    succeeded(replace(ask(row, VALID[row.name](world)), body=b"null").send(world.server.url), row)


def pages(world: World, row: Endpoint) -> None:
    """Both spellings, a total before paging, an empty page past the end, long pages clamped (1.5)."""
    given = ask(row, VALID[row.name](world))
    first = given.paged(**{"pq.returnLimit": 1, "pq.pageReturned": 1}).send(world.server.url)
    whole = given.paged(RETURNLIMIT=1_000_000).send(world.server.url)
    past = given.paged(ReturnLimit=1, PageReturned=10**6).send(world.server.url)

    assert len(first.json) == 1, first
    assert int(first.headers["X-Total-Count"]) == len(whole.json) == int(past.headers["X-Total-Count"])
    assert (past.status, past.json) == (200, [])


def sorts_either_way(world: World, row: Endpoint) -> None:
    """0 is ascending; the last of several parameters wins (1.5)."""
    given = ask(row, VALID[row.name](world)).paged(ReturnLimit=5000)
    up = given.paged(sortAscending=1).paged(SortAscending=0).send(world.server.url).json
    down = given.paged(**{"pq.sortAscending": 1}).send(world.server.url).json

    assert up == down[::-1]


def refuses_pages_that_make_no_sense(world: World, row: Endpoint) -> None:
    """Numbers that are none, fields that are none, queries that do not parse (1.4, 1.5, 5.3)."""
    given = ask(row, VALID[row.name](world))

    for name, value in (("ReturnLimit", 0), ("PageReturned", -1), ("pq.returnLimit", "many")):
        refused(given.paged(**{name: value}).send(world.server.url), 400)
    refused(given.paged(SortField="Nonsense").send(world.server.url), 400, "0xA011004A")
    refused(given.paged(QueryString="Status -eq").send(world.server.url), 400, "0xA0110003")
    refused(given.paged(QueryString="Nonsense -eq 1").send(world.server.url), 400, "0xA0110003")


def does_not_know_what_is_not_there(world: World, row: Endpoint) -> None:
    """404 for an id in the path that nobody has, also for one that is none (1.4)."""
    for place in (NOWHERE, 987_654, "nonsense"):
        answer = ask(row, Request(place)).send(world.server.url)
        assert answer.status in (400, 404), answer
        refused(answer, answer.status)
    refused(ask(row, Request(987_654)).send(world.server.url), 400 if row.name == RESET else 404)


def refuses_other_methods(world: World, row: Endpoint) -> None:
    """A method that the path does not have (our choice: 405 with Allow)."""
    answer = replace(ask(replace(row, method="PATCH"), Request(NOWHERE)), body=b"{}").send(world.server.url)

    refused(answer, 405)
    assert row.method in answer.headers["Allow"]


IN_PATH = frozenset({Carries.PATH, Carries.PATH_AND_PAGE})

RULES: dict[Callable[[World, Endpoint], None], Callable[[Endpoint], bool]] = {
    answers_as_documented: lambda row: True,
    takes_any_case_and_a_slash: lambda row: True,
    takes_any_case_of_members_and_more_of_them: lambda row: True,
    takes_versions_1_and_2: lambda row: True,
    knows_nobody_without_credentials: lambda row: True,
    refuses_who_may_not: lambda row: bool(row.permissions),
    wants_the_header_on_writes: lambda row: True,
    refuses_what_is_no_json: lambda row: row.carries in WITH_BODY,
    ignores_the_body_null: lambda row: row.carries not in WITH_BODY,
    pages: lambda row: row.carries in WITH_PAGE,
    sorts_either_way: lambda row: row.carries in WITH_PAGE,
    refuses_pages_that_make_no_sense: lambda row: row.carries in WITH_PAGE,
    does_not_know_what_is_not_there: lambda row: row.carries in IN_PATH,
    refuses_other_methods: lambda row: True,
}
"""Each rule, and which endpoints it is about."""

CELLS = [(rule, row) for rule, is_about in RULES.items() for row in ENDPOINTS if is_about(row)]


@pytest.fixture(scope="module")
def server() -> Iterator[ServerProcess]:
    with starting() as start:
        yield start()


@pytest.fixture
def world(server: ServerProcess, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(by_hand, "CAPABILITIES", list(CAPABILITIES))
    return World(server)


def test_there_is_a_valid_request_for_every_endpoint():
    assert list(VALID) == [row.name for row in ENDPOINTS]


@pytest.mark.parametrize(("rule", "row"), CELLS, ids=lambda part: getattr(part, "name", getattr(part, "__name__", "")))
def test_a_cell(rule, row, world):
    rule(world, row)


def main() -> None:
    for rule, is_about in RULES.items():
        told = (rule.__doc__ or "").strip()
        print(f"{sum(map(is_about, ENDPOINTS)):3} of {len(ENDPOINTS)}  {rule.__name__}: {told}")
    print(f"{len(CELLS)} cells")


if __name__ == "__main__":
    main()
