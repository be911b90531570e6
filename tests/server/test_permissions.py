import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_sim.protocol import agent_commands, command, job_commands, store_commands
from agent_sim.protocol.endpoints import BY_OPERATION, MODIFY_AGENTS, READ_AGENTS, READ_STORES, SCHEDULE_STORES
from agent_sim.protocol.enums import Category
from agent_sim.server.callers import AGENT_SESSION, EVERYTHING, Caller
from agent_sim.server.gate import BY_CONTAINER, may_use
from agent_sim.server.permissions import (
    KNOWN,
    LEGACY,
    NEEDS,
    OF_STORES,
    Deed,
    containers,
    in_container,
    may_at,
    may_do,
    narrowed,
    read_permission,
)

PERMISSIONS = st.one_of(
    st.sampled_from(sorted(KNOWN)),
    st.builds(in_container, st.sampled_from(OF_STORES), st.integers(0, 12)),
)
HELD = st.frozensets(PERMISSIONS, max_size=4)
NUMBERS = st.none() | st.integers(0, 12)


def caller(*permissions: str) -> Caller:
    return Caller("alice", frozenset(permissions))


def above(permission: str) -> list[str]:
    return [permission[: place + 1] for place, sign in enumerate(permission) if sign == "/"]


# --- the hierarchy ----------------------------------------------------------------------------


@given(PERMISSIONS)
def test_every_permission_implies_itself_and_is_implied_by_all_above(permission):
    assert all(caller(held).may(permission) for held in above(permission))


@given(PERMISSIONS, PERMISSIONS)
def test_a_permission_implies_exactly_what_begins_with_it(held, wanted):
    assert caller(held).may(wanted) == (held in above(wanted))


@given(PERMISSIONS, PERMISSIONS, PERMISSIONS)
def test_implying_is_transitive(first, second, third):
    if caller(first).may(second) and caller(second).may(third):
        assert caller(first).may(third)


@given(PERMISSIONS, PERMISSIONS)
def test_two_permissions_that_imply_each_other_are_one(first, second):
    if caller(first).may(second) and caller(second).may(first):
        assert first == second


@given(HELD, HELD, PERMISSIONS)
def test_more_permissions_never_permit_less(held, more, wanted):
    if caller(*held).may(wanted):
        assert caller(*held, *more).may(wanted)


@given(HELD, HELD, PERMISSIONS)
def test_together_they_permit_what_either_does(held, more, wanted):
    assert caller(*held, *more).may(wanted) == (caller(*held).may(wanted) or caller(*more).may(wanted))


@given(PERMISSIONS)
def test_nobody_without_permissions_may_do_anything(wanted):
    assert not caller().may(wanted)


# --- containers -------------------------------------------------------------------------------


@given(HELD, st.sampled_from(OF_STORES), NUMBERS)
def test_what_a_listing_shows_is_what_may_be_touched(held, permission, container):
    within = containers(caller(*held), permission)

    assert may_at(caller(*held), permission, container) == (within is None or container in within)


@given(HELD, st.sampled_from(OF_STORES))
def test_a_store_outside_any_container_takes_the_global_permission(held, permission):
    assert may_at(caller(*held), permission, None) == caller(*held).may(permission)


def test_one_container_is_not_another_whose_number_begins_alike():
    alice = caller(in_container(SCHEDULE_STORES, 7))

    assert may_at(alice, SCHEDULE_STORES, 7)
    assert not may_at(alice, SCHEDULE_STORES, 70)
    assert not may_at(caller(in_container(SCHEDULE_STORES, 70)), SCHEDULE_STORES, 7)


@pytest.mark.parametrize(
    ("held", "sql"),
    [
        ((), "0"),
        ((MODIFY_AGENTS,), "0"),
        (("/",), "1"),
        ((READ_STORES,), "1"),
        ((in_container(READ_STORES, 12), in_container(READ_STORES, 3)), "container_id IN (3, 12)"),
        ((in_container(SCHEDULE_STORES, 3),), "0"),
    ],
)
def test_narrowing_as_a_condition(held, sql):
    assert narrowed(caller(*held), READ_STORES) == sql


# --- jobs -------------------------------------------------------------------------------------


def test_the_table_has_every_kind_of_job_and_every_deed():
    assert {category: set(needs) for category, needs in NEEDS.items()} == {category: set(Deed) for category in Category}


@given(HELD, st.sampled_from(Deed), st.sampled_from(Category), NUMBERS)
def test_the_operator_may_do_everything_and_nobody_nothing(held, deed, category, container):
    assert may_do(Caller("operator", EVERYTHING), deed, category, container)
    assert not may_do(Caller("nobody", frozenset()), deed, category, container)


@pytest.mark.parametrize("deed", [Deed.RESCHEDULE, Deed.UNSCHEDULE])
@pytest.mark.parametrize(
    ("held", "container", "may"),
    [
        ((MODIFY_AGENTS, SCHEDULE_STORES), 7, True),  # seed: the global pair
        ((MODIFY_AGENTS, SCHEDULE_STORES), None, True),
        ((MODIFY_AGENTS, in_container(SCHEDULE_STORES, 7)), 7, True),  # seed: the pair for a container
        ((MODIFY_AGENTS, in_container(SCHEDULE_STORES, 7)), 8, False),
        ((MODIFY_AGENTS, in_container(SCHEDULE_STORES, 7)), None, False),
        ((MODIFY_AGENTS,), 7, False),  # either half alone
        ((SCHEDULE_STORES,), 7, False),
        ((READ_AGENTS, SCHEDULE_STORES), 7, False),  # reading is not modifying
        (("/agents/", "/certificate_stores/"), 7, True),
    ],
)
def test_management_jobs_as_the_seed_has_it(deed, held, container, may):
    assert may_do(caller(*held), deed, Category.MANAGEMENT, container) is may


@pytest.mark.parametrize("category", [Category.CUSTOM, Category.FETCH_LOGS])
@pytest.mark.parametrize("deed", Deed)
def test_jobs_of_agents_take_modify_only(deed, category):
    assert may_do(caller(MODIFY_AGENTS), deed, category, None)
    assert not may_do(caller(READ_AGENTS, SCHEDULE_STORES), deed, category, None)


@pytest.mark.parametrize("category", Category)
def test_acknowledging_takes_modify_only(category):
    assert may_do(caller(MODIFY_AGENTS), Deed.ACKNOWLEDGE, category, 7)


@pytest.mark.parametrize(
    ("operation", "category"),
    [
        (command.AddCertificate, Category.MANAGEMENT),
        (command.RemoveCertificate, Category.MANAGEMENT),
        (command.ScheduleInventory, Category.INVENTORY),
        (store_commands.ReenrollStore, Category.REENROLLMENT),
        (store_commands.ScheduleDiscovery, Category.DISCOVERY),
        (command.ScheduleJob, Category.CUSTOM),
        (job_commands.ScheduleBulkJob, Category.CUSTOM),
        (agent_commands.FetchLogs, Category.FETCH_LOGS),
    ],
)
def test_endpoints_that_schedule_ask_for_what_the_table_says(operation, category):
    need = NEEDS[category][Deed.SCHEDULE]

    assert BY_OPERATION[operation].permissions == (*need.everywhere, *need.at_store)
    assert (operation in BY_CONTAINER) == (need.at_store != () and category is not Category.DISCOVERY)


# --- endpoints --------------------------------------------------------------------------------


def test_a_permission_for_a_container_opens_only_what_looks_at_containers():
    alice = caller(*(in_container(permission, 7) for permission in OF_STORES))

    opened = {row.operation for row in BY_OPERATION.values() if row.permissions and may_use(alice, row)}

    assert opened == set(BY_CONTAINER)


def test_an_agent_may_use_no_endpoint_that_asks_for_anything():
    agent = caller(AGENT_SESSION)

    assert [row.name for row in BY_OPERATION.values() if may_use(agent, row)] == ["GET /Status/Endpoints"]


def test_every_permission_of_an_endpoint_is_known():
    assert all(read_permission(each) == each for row in BY_OPERATION.values() for each in row.permissions)


# --- names ------------------------------------------------------------------------------------


@given(PERMISSIONS)
def test_a_permission_reads_as_itself_in_any_case_and_without_its_last_slash(permission):
    assert {read_permission(text) for text in (permission, permission.upper())} == {permission}
    assert permission == "/" or read_permission(permission.rstrip("/")) == permission


@pytest.mark.parametrize(
    ("text", "permission"),
    [
        ("AgentManagement: Read", READ_AGENTS),
        ("AgentManagement:Modify", MODIFY_AGENTS),
        ("agentmanagement : modify", MODIFY_AGENTS),
        ("CertificateStoreManagement: Schedule", SCHEDULE_STORES),
    ],
)
def test_legacy_names(text, permission):
    assert read_permission(text) == permission


def test_legacy_names_are_names_of_known_permissions():
    assert set(LEGACY.values()) <= KNOWN


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("/agents/managment/read/", "did you mean /agents/management/read/?"),
        ("agents/management/read/", "did you mean /agents/management/read/?"),  # not from the root
        ("/agents/management/read/7/", "did you mean"),  # no containers there
        ("/certificate_stores/schedule/seven/", "did you mean /certificate_stores/schedule/?"),
        ("/certificate_stores/schedule/7/8/", "did you mean"),
        ("/certificate_stores/schedule/-7/", "did you mean"),
        ("/certificate_stores/schedule/07/", "did you mean"),
        ("/certificate_stores/schedule/" + "9" * 30, "did you mean"),
        ("", "known are"),
        ("*", "known are"),
        ("AgentManagement: Delete", "did you mean"),
        ("//", "known are"),
    ],
)
def test_permissions_that_mean_nothing(text, hint):
    with pytest.raises(ValueError) as caught:
        read_permission(text)

    assert hint in str(caught.value)
