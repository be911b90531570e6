"""The tables of fields: what the reference lists is there, and the tables agree with each other."""

import pytest

from agent_sim.query.fields import (
    AGENTS,
    CERTIFICATE_STORES,
    JOB_HISTORY,
    JOB_TYPES,
    OPERATORS,
    RESULTS,
    SCHEDULED_JOBS,
    STATUSES,
    Collection,
    Field,
    Kind,
)

COLLECTIONS = [JOB_HISTORY, SCHEDULED_JOBS, AGENTS, JOB_TYPES, CERTIFICATE_STORES]

LISTED = [  # command-api 5.4 and 9
    (JOB_HISTORY, "AgentId Agent JobId Result Status JobType Message OperationStart ScheduleType TargetPath"),
    (JOB_HISTORY, "JobHistoryId AgentMachine OperationEnd StorePath ClientMachine"),
    (SCHEDULED_JOBS, "JobType AgentId Agent ClientMachine JobId Id Target TargetPath Requested ScheduleType"),
    (AGENTS, "Identity LastSeen Platform Status Version Capabilities AgentId ClientMachine AgentPlatform"),
    (AGENTS, "Username Blueprint Thumbprint"),
    (JOB_TYPES, "JobTypeName Id Description"),
    (CERTIFICATE_STORES, "Id ClientMachine StorePath Storepath CertStoreType ContainerId ContainerName Approved"),
    (CERTIFICATE_STORES, "AgentId AgentAssigned DisplayName"),
]


@pytest.mark.parametrize(("collection", "names"), LISTED)
def test_every_field_of_the_reference_is_found(collection: Collection, names: str):
    assert [name for name in names.split() if collection.find(name) is None] == []


def test_names_are_found_in_any_case():
    assert JOB_HISTORY.find("JobID") == JOB_HISTORY.find("jobid") == JOB_HISTORY.fields["JobId"]
    assert JOB_HISTORY.find("JobIds") is None


def test_the_agent_of_a_history_record_is_the_orchestrator_and_its_client_machine_the_stores():
    assert JOB_HISTORY.fields["Agent"].column == "agent_machine"
    assert JOB_HISTORY.fields["ClientMachine"].column == "client_machine"
    assert SCHEDULED_JOBS.fields["ClientMachine"].column == "agent_machine"


def test_every_kind_has_its_operators():
    assert set(OPERATORS) == set(Kind)


def test_names_of_enums_are_those_of_the_reference():
    assert RESULTS == {"Unknown": 0, "InProcess": 1, "Success": 2, "Warning": 3, "Failure": 4, "Failed": 4}
    assert STATUSES == {
        "Unknown": 0,
        "Waiting": 1,
        "InProcess": 2,
        "Completed": 3,
        "Acknowledged": 4,
        "CompletedWillRetry": 5,
    }


@pytest.mark.parametrize("collection", COLLECTIONS, ids=lambda collection: collection.name)
def test_a_column_holds_one_kind_of_thing(collection: Collection):
    kinds: dict[str, set[Kind]] = {}
    for field in collection.fields.values():
        kinds.setdefault(field.column, set()).add(field.kind)

    assert [column for column, found in kinds.items() if len(found) > 1] == []


def test_a_store_may_choose_its_own_columns():
    joined = Collection("JobHistory", {"Result": Field(Kind.ENUM, "run.result", RESULTS)})

    assert joined.find("result") == Field(Kind.ENUM, "run.result", RESULTS)
