"""The OpenAPI document: whole, sound, and true of what is answered in every dialect."""

import json
import re
from dataclasses import replace
from itertools import product
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from agent_sim.protocol import command
from agent_sim.protocol.command import CommandReply
from agent_sim.protocol.endpoints import ENDPOINTS, Carries
from agent_sim.protocol.enums import Result
from agent_sim.protocol.schedule import Immediate, Interval, Weekly
from agent_sim.server.http import openapi
from agent_sim.server.http.openapi import document
from agent_sim.server.http.rendering import body_of
from agent_sim.settings import DEFAULT_SETTINGS, ServerSettings
from tests.server.bench import Bench

DESCRIBED = document(ENDPOINTS, DEFAULT_SETTINGS, server="/KeyfactorAPI", version="25")


def operation(name: str, described: dict[str, Any] = DESCRIBED) -> dict[str, Any]:
    """`GET /Agents`."""
    method, path = name.split(" ")
    return described["paths"][path][method.lower()]


def schema_of(name: str, described: dict[str, Any] = DESCRIBED) -> dict[str, Any]:
    """What a successful answer must be, with the schemas that it refers to."""
    [answer] = [row for status, row in operation(name, described)["responses"].items() if status == "200"]
    return {**answer["content"]["application/json"]["schema"], "components": described["components"]}


def test_every_endpoint_is_described_once():
    found = {
        f"{method.upper()} {re.sub('{.*}', '{}', path)}" for path, row in DESCRIBED["paths"].items() for method in row
    }

    assert found == {re.sub("{.*}", "{}", row.name) for row in ENDPOINTS}
    assert sum(map(len, DESCRIBED["paths"].values())) == len(ENDPOINTS)


def test_every_way_to_carry_fields_has_its_query_parameters():
    assert set(openapi._IN_QUERY) == set(Carries)


def test_operation_ids_are_unique():
    ids = [row["operationId"] for paths in DESCRIBED["paths"].values() for row in paths.values()]

    assert len(set(ids)) == len(ids)


def test_every_reference_leads_somewhere_and_every_schema_is_one():
    for reference in re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(DESCRIBED)):
        found: Any = DESCRIBED
        for part in reference.split("/"):
            found = found[part]
    for schema in DESCRIBED["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_both_spellings_of_paging_are_there():
    names = [given["$ref"].rsplit("/", 1)[-1] for given in operation("GET /Agents")["parameters"]]

    assert names[:4] == ["pq.queryString", "QueryString", "pq.pageReturned", "PageReturned"]


def test_a_header_is_required_only_where_it_is():
    def names(settings: ServerSettings, name: str) -> str:
        described = document(ENDPOINTS, settings, server="/", version="25")
        return json.dumps(operation(name, described)["parameters"])

    assert "needed-requested-with" in names(DEFAULT_SETTINGS, "POST /Agents/Approve")
    assert "needed-requested-with" not in names(DEFAULT_SETTINGS, "GET /Agents")
    assert "needed-requested-with" not in names(replace(DEFAULT_SETTINGS, strict_headers=False), "POST /Agents/Approve")


def test_a_body_says_what_is_required_and_that_the_rest_may_be_null():
    schemas = DESCRIBED["components"]["schemas"]

    assert operation("POST /OrchestratorJobs/Custom")["requestBody"]["content"]["application/json"] == {
        "schema": {"$ref": "#/components/schemas/ScheduleJobRequest"}
    }
    assert schemas["ScheduleJobRequest"]["required"] == ["AgentId", "JobTypeName"]
    assert "null" in schemas["RescheduleRequest"]["properties"]["Query"]["type"]


SCHEDULES: list[tuple[object, bool]] = [
    ({"Immediate": True}, True),
    ({"Immediate": True, "Interval": None, "Daily": False}, True),  # as clients with typed objects send it
    ({}, True),
    ({"Interval": {"Minutes": 0}}, False),
    ({"Immediate": True, "Interval": {"Minutes": 5}}, False),
    ({"Hourly": {}}, False),
    ({"Immediate": True, "Hourly": {}}, True),
    ({"Weekly": {"Days": ["Monday", 3], "Time": "2026-01-05T10:00:00Z"}}, True),
    ({"Weekly": {"Days": [7], "Time": "2026-01-05T10:00:00Z"}}, False),
]


@pytest.mark.parametrize(("schedule", "fits"), SCHEDULES, ids=str)
def test_what_a_schedule_may_be(schedule, fits):
    schema = DESCRIBED["components"]["schemas"]["KeyfactorScheduleRequest"]

    assert Draft202012Validator(schema).is_valid(schedule) is fits


# --- what is answered is what is said ---------------------------------------------------------


def busy_bench(settings: ServerSettings) -> Bench:
    """Runs that ended, one that has not, jobs that wait."""
    bench = Bench(
        null_style=settings.null_style,
        enum_style=settings.enum_style,
        timestamp_key=settings.timestamp_key,
        management_needs_certificate=False,
    )
    bench.new_type("Rotate", command.JobTypeField("Colour", 1, "red"))
    bench.register()
    store = bench.new_store(inventory_schedule=Interval(60))
    bench.schedule("Rotate", Weekly((1,), 0))
    bench.schedule("FetchLogs")
    session = bench.register()
    bench.failed_management(session, store.id)
    bench.run(session, bench.schedule("FetchLogs"), Result.SUCCESS, log="lines")
    bench.configure(session, bench.schedule("FetchLogs"))
    return bench


DIALECTS = [
    replace(DEFAULT_SETTINGS, null_style=null, enum_style=enum, timestamp_key=key)
    for null, enum, key in product(("omit", "null"), ("int", "name"), ("both", "sdk", "seed"))
]


@pytest.mark.parametrize(
    "settings", DIALECTS, ids=lambda each: f"{each.null_style}-{each.enum_style}-{each.timestamp_key}"
)
def test_answers_are_what_the_document_says(settings):
    bench = busy_bench(settings)
    described = document(ENDPOINTS, settings, server="/", version="25")
    job = command.ScheduleJob(bench.agent_id(), "Rotate", Immediate(), {"Colour": "blue"})
    asked = {
        "GET /OrchestratorJobs/JobHistory": command.ListJobHistory(),
        "GET /OrchestratorJobs/ScheduledJobs": command.ListScheduledJobs(),
        "GET /Agents": command.ListAgents(),
        "GET /JobTypes/Custom": command.ListJobTypes(),
        "GET /CertificateStores": command.ListStores(),
        "GET /Status/Endpoints": command.GetEndpoints(),
        "POST /OrchestratorJobs/Custom": job,
    }
    for name, wanted in asked.items():
        reply: CommandReply = bench.ask(wanted)
        shown = json.loads(body_of(reply, settings) or b"")
        assert shown
        Draft202012Validator(schema_of(name, described)).validate(shown)


def test_refusals_are_what_the_document_says():
    bench = Bench()
    schema = {**DESCRIBED["components"]["schemas"]["ApiError"], "components": DESCRIBED["components"]}

    for wanted in (command.Reschedule((17,)), command.GetAgent("x"), command.Unschedule()):
        shown = json.loads(body_of(bench.ask(wanted), bench.settings) or b"")
        Draft202012Validator(schema).validate(shown)
