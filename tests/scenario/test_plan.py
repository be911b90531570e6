"""From a resolved scenario to plain values: exact, the same every time, and each fleet for itself."""

import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent_sim.agent.behaviour import Behaviour, Ending, JobBehaviour
from agent_sim.distributions import Constant, Lognormal
from agent_sim.instants import HOUR, MINUTE, NEVER, SECOND
from agent_sim.protocol.enums import Result
from agent_sim.results.checks import InvariantCheck, Threshold
from agent_sim.results.judge import INVARIANTS
from agent_sim.results.metrics import METRICS
from agent_sim.scenario.checks import Invariants
from agent_sim.scenario.duties import FleetNeed
from agent_sim.scenario.fields import BOUNDS, MOST_NUMBER
from agent_sim.scenario.members import Member
from agent_sim.scenario.plan import MqttPlan, PhaseWindow, Plan, TransportPlan, plan
from agent_sim.scenario.server import Server
from agent_sim.settings import DEFAULT_SETTINGS
from agent_sim.storms import plan as storms
from agent_sim.storms.plan import Stage, StormPlan
from tests.scenario.files import LAB, loaded

START = 1_700_000_000 * SECOND


def planned(text: str, tmp_path: Path, seed: int = 7) -> Plan:
    return plan(loaded(text, tmp_path, seed=seed), START)


# --- agents -----------------------------------------------------------------------------------

FLEETS = """\
version: 1
name: demo
fleets:
  - {name: emea, count: 3, capabilities: [PEM, LOGS, "custom:Patch"], heartbeat: {every: 2s, jitter: 20%},
     stores: {per_agent: 2, certificates: {dist: lognormal, median: 12, p95: 150}}}
  - {name: emea-2, count: 2, heartbeat: {every: 90s}}
"""


def test_an_agent_is_who_its_fleet_and_index_say(tmp_path: Path):
    member = planned(FLEETS, tmp_path).members[1]

    assert (member.identity.fleet, member.identity.machine) == ("emea", "agentsim-demo-emea-00001")
    assert member.identity.capabilities == (
        "CertStores.PEM.Inventory",
        "CertStores.PEM.Management",
        "CertStores.PEM.Reenrollment",
        "CertStores.PEM.Discovery",
        "Custom.FetchLogs",
        "Custom.Patch",
    )
    assert (member.identity.jitter, member.identity.contents.certificates) == (0.2, Lognormal(12, 150, MOST_NUMBER))
    assert (member.online, member.stores) == (START, 2)
    assert member.behaviour == Behaviour("default")


def test_the_operator_learns_what_each_fleet_needs(tmp_path: Path):
    operator = planned(FLEETS, tmp_path).operator

    assert operator.prefix == "agentsim-demo-"
    assert operator.fleets[0] == FleetNeed(
        "emea",
        ("agentsim-demo-emea-00000", "agentsim-demo-emea-00001", "agentsim-demo-emea-00002"),
        ("PEM", "LOGS", "custom:Patch"),
        (2, 2, 2),
    )
    assert operator.fleets[1].stores == (0, 0)  # LOGS needs none


def test_agents_that_never_come_online_are_not_there(tmp_path: Path):
    found = planned(FLEETS + "phases: [{name: ramp, duration: 1m, online: 50%}]\n", tmp_path)

    assert [member.identity.machine for member in found.members] == [
        "agentsim-demo-emea-00000",
        "agentsim-demo-emea-00001",
        "agentsim-demo-emea-2-00000",
    ]
    assert [len(fleet.machines) for fleet in found.operator.fleets] == [2, 1]


def test_heartbeats_go_by_the_longest_prefix_first(tmp_path: Path):
    assert planned(FLEETS, tmp_path).server.heartbeat_by_prefix == (
        ("agentsim-demo-emea-2-", 1.5),
        ("agentsim-demo-emea-", 2 / 60),
    )


def test_no_two_agents_share_a_key_and_another_seed_gives_other_keys(tmp_path: Path):
    keys = [member.identity.key for member in planned(FLEETS, tmp_path).members]
    others = [member.identity.key for member in planned(FLEETS, tmp_path, seed=8).members]

    assert len(set(keys) | set(others)) == 10


STORES = "{dist: discrete, values: {1: 70%, 5: 25%, 40: 5%}}"


@pytest.mark.parametrize(
    ("agents", "counts"),
    [(20, {1: 14, 5: 5, 40: 1}), (10, {1: 7, 5: 3}), (3, {1: 2, 5: 1}), (1000, {1: 700, 5: 250, 40: 50})],
)
def test_declared_shares_of_stores_are_exact(agents: int, counts: dict[int, int], tmp_path: Path):
    text = LAB.replace("count: 10,", f"count: {agents}, stores: {{per_agent: {STORES}}},")
    members = planned(text, tmp_path).members

    assert Counter(member.stores for member in members) == counts


def test_stores_of_one_kind_are_not_all_on_the_first_agents(tmp_path: Path):
    text = LAB.replace("count: 10,", f"count: 200, stores: {{per_agent: {STORES}}},")
    stores = [member.stores for member in planned(text, tmp_path).members]

    assert stores != sorted(stores)


def test_numbers_of_stores_can_be_by_chance(tmp_path: Path):
    text = LAB.replace("count: 10,", "count: 200, stores: {per_agent: {dist: uniform, min: 1, max: 4}},")
    stores = Counter(member.stores for member in planned(text, tmp_path).members)

    assert set(stores) == {1, 2, 3, 4}


# --- laws -------------------------------------------------------------------------------------


def test_a_plan_with_one_seed_is_always_the_same(tmp_path: Path):
    text = LAB + "phases: [{name: a, duration: 9s, online: 100%, shape: poisson}]\n"

    assert planned(text, tmp_path) == planned(text, tmp_path)
    assert planned(text, tmp_path) != planned(text, tmp_path, seed=8)


def of_fleet(found: Plan, name: str) -> list[Member]:
    return [member for member in found.members if member.identity.fleet == name]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=25)
@given(count=st.integers(1, 40), shape=st.sampled_from(["linear", "step", "poisson", "burst"]), seed=st.integers(0, 99))
def test_adding_a_fleet_changes_no_other(count: int, shape: str, seed: int, tmp_path: Path):
    tail = (
        f"phases: [{{name: ramp, duration: 9s, online: 80%, shape: {shape}}}]\n"
        "schedules: [{name: logs, type: LOGS, every: 3s, select: {percent: 30%}}]\n"
    )
    stores = f"stores: {{per_agent: {STORES}}}"
    one = "version: 1\nname: s\nfleets:\n"
    old = f"  - {{name: old, count: 25, capabilities: [PEM, LOGS], {stores}}}\n"
    new = f"  - {{name: new, count: {count}, capabilities: [PEM, LOGS], {stores}}}\n"

    alone, both = planned(one + old + tail, tmp_path, seed), planned(one + new + old + tail, tmp_path, seed)
    assert of_fleet(both, "old") == of_fleet(alone, "old")
    [before], [after] = alone.operator.postings, both.operator.postings
    assert tuple(name for name in after.machines if "-old-" in name) == before.machines
    assert alone.operator.fleets[0] in both.operator.fleets


def test_more_agents_of_a_fleet_leave_the_first_as_they_were(tmp_path: Path):
    few, many = planned(LAB, tmp_path), planned(LAB.replace("count: 10", "count: 30"), tmp_path)

    assert many.members[:10] == few.members


def test_a_plan_moves_with_its_start(tmp_path: Path):
    scenario = loaded(LAB + "storms: [{name: a, at: 1m, op: reschedule, load: {rate: 1/s}, for: 9s}]\n", tmp_path)

    early, late = plan(scenario, START), plan(scenario, START + HOUR)
    assert late.stop - early.stop == late.storms[0].start - early.storms[0].start == HOUR
    assert [replace(member, online=0) for member in late.members] == [
        replace(member, online=0) for member in early.members
    ]


# --- behaviours, phases, storms, checks -------------------------------------------------------


def test_a_behaviour_becomes_the_agents_value(tmp_path: Path):
    text = LAB + (
        "behaviours:\n  - name: default\n    jobs:\n      - type: LOGS\n        duration: 2s\n        size: 2KB\n"
        "        outcomes: [{result: success, weight: 90%}, {result: warning, weight: 6%, message: hm},"
        " {result: failure, weight: 4%, message: '{store} denied'}]\n"
    )
    [behaviour] = {member.behaviour.name: member.behaviour for member in planned(text, tmp_path).members}.values()

    assert behaviour.jobs == {
        "LOGS": JobBehaviour(
            Constant(2e9),
            (
                (Ending(Result.SUCCESS), 0.9),
                (Ending(Result.WARNING, "hm"), 0.06),
                (Ending(Result.FAILURE, "{store} denied"), 0.04),
            ),
            Constant(2000),
        )
    }


def test_phases_become_windows_and_the_run_has_an_end(tmp_path: Path):
    found = planned(
        LAB + "stop: {after: 2m, drain: 5s}\nphases: [{name: a, duration: 1m}, {name: b, duration: 30s}]\n", tmp_path
    )

    assert found.phases == (
        PhaseWindow("a", START, START + MINUTE),
        PhaseWindow("b", START + MINUTE, START + 90 * SECOND),
    )
    assert (found.start, found.stop, found.drain_until) == (START, START + 2 * MINUTE, START + 125 * SECOND)


def test_a_run_that_never_stops_has_no_end(tmp_path: Path):
    found = planned(LAB + "stop: {after: never}\nschedules: [{name: a, type: LOGS, every: 1m}]\n", tmp_path)

    assert (found.stop, found.drain_until, found.operator.postings[0].until) == (NEVER, NEVER, NEVER)


def test_a_storm_with_one_rate_jumps_to_it_and_holds_it(tmp_path: Path):
    text = LAB + "seed: 3\nstorms: [{name: big, at: 1m, op: reschedule, load: {rate: 20/s}, for: 9s}]\n"

    assert planned(text, tmp_path).storms == (
        StormPlan(
            name="big",
            operation="reschedule",
            by="ids",
            batch=50,
            query="",
            stages=(Stage(20.0, 0), Stage(20.0, 9 * SECOND)),
            arrivals="uniform",
            max_in_flight=200,
            prefix="agentsim-s-",
            seed=3,
            start=START + MINUTE,
        ),
    )


def test_a_storm_in_stages_keeps_its_rate_where_it_holds(tmp_path: Path):
    text = LAB + (
        "storms: [{name: big, at: 1m, op: acknowledge, target: {by: query, query: Result -eq 4},"
        " load: {arrivals: poisson, stages: [{to: 50/s, over: 30s}, {hold: 1m}, {to: 0/s, over: 5s}]}}]\n"
    )
    [storm] = planned(text, tmp_path).storms

    assert storm.stages == (Stage(50.0, 30 * SECOND), Stage(50.0, MINUTE), Stage(0.0, 5 * SECOND))
    assert (storm.by, storm.query, storm.arrivals, storm.span) == ("query", "Result -eq 4", "poisson", 95 * SECOND)
    storms.check(storm)


def test_checks_become_thresholds_and_invariants(tmp_path: Path):
    text = LAB + (
        "phases: [{name: work, duration: 5m}]\n"
        "storms: [{name: a, at: 1s, for: 5s, op: reschedule, load: {rate: 50/s}}]\n"
        "checks:\n  thresholds:\n"
        '    - {metric: "latency{op=complete}", max: 250ms, during: [work]}\n'
        "    - {metric: error_rate, max: 0.1%, warn_only: true}\n"
        "    - {metric: error_rate, max: 1%, exclude_faults: true, abort_on_fail: true, abort_delay: 3s}\n"
        '    - {metric: "throughput{op=reschedule}", min: 40/s, max: 60/s}\n'
        '    - {metric: "jobs{type=LOGS, outcome=failure}", min: 3}\n'
        "  invariants: {no_lost_jobs: {settle: 2m}, at_most_once: true}\n"
    )
    found = planned(text, tmp_path).checks

    assert found.thresholds == (
        Threshold(
            "latency",
            {"op": "complete"},
            "p95",
            maximum=0.25,
            during=("work",),
            text="latency{op=complete} p95 <= 250ms during work",
        ),
        Threshold("error_rate", {}, "", maximum=0.001, text="error_rate <= 0.1%", warn_only=True),
        Threshold(
            *("error_rate", {}, ""),
            maximum=0.01,
            text="error_rate <= 1% without faults",
            exclude_faults=True,
            abort_on_fail=True,
            abort_delay=3 * SECOND,
        ),
        Threshold(
            "throughput",
            {"op": "reschedule"},
            "",
            minimum=40.0,
            maximum=60.0,
            text="throughput{op=reschedule} >= 40/s and <= 60/s",
        ),
        Threshold(
            "jobs",
            {"type": "LOGS", "outcome": "failure"},
            "",
            minimum=3,
            text="jobs{type=LOGS, outcome=failure} >= 3",
        ),
    )
    beat = round(5.5 * MINUTE)  # every 5m unless told otherwise, and up to 10 % late
    assert found.invariants == (
        InvariantCheck("no_lost_jobs", 2 * MINUTE, heartbeat=beat),
        InvariantCheck("at_most_once", heartbeat=beat),
    )


def test_every_metric_has_bounds_that_can_be_written_and_every_invariant_a_key():
    assert set(BOUNDS) == set(METRICS)
    assert set(Invariants.model_fields) == set(INVARIANTS)


# --- the server and the way to it -------------------------------------------------------------


def test_an_empty_server_block_is_the_servers_own_defaults(tmp_path: Path):
    assert replace(planned(LAB, tmp_path).server, heartbeat_by_prefix=()) == DEFAULT_SETTINGS


def test_every_setting_of_the_server_block_reaches_the_server(tmp_path: Path):
    text = LAB + (
        "server: {heartbeat: 1m, auto_approve: false, registration_check: 2m, session_length: 3h,"
        " pending_answer: no_jobs, retries: 0, job_timeout: 4m, max_log_characters: 10, max_data: 5KB, age_out: 6d,"
        " history_kept: 9,"
        " partial_policy: best_effort, acknowledge_again: no_op, reschedule_marks_acknowledged: true, max_ids: 7,"
        " max_return_limit: 8, count_most: 9,"
        " enum_style: name, null_style: 'null', timestamp_key: sdk, strict_headers: false,"
        " oig_unknown_job: 400, oig_run_disabled: run, oig_retries: next_fire, oig_retry_delay: 5s,"
        " durability: full}\n"
    )
    found = planned(text, tmp_path)
    said = dict.fromkeys(Server.model_fields)

    names = {"heartbeat": "heartbeat_minutes", "registration_check": "registration_check_minutes"}
    names |= {"max_data": "max_data_bytes", "age_out": "age_out_days", "history_kept": "job_history_most"}
    for key in said:
        name = names.get(key, key)
        assert getattr(found.server, name) != getattr(DEFAULT_SETTINGS, name), key
    assert (found.server.heartbeat_minutes, found.server.age_out_days, found.server.session_length) == (
        1.0,
        6,
        3 * HOUR,
    )
    assert found.members[0].identity.check_interval == 2 * MINUTE


def test_the_transport_block_becomes_a_value(tmp_path: Path):
    text = LAB + "transport: {connections: {mode: per_agent, limit: 9}, timeouts: {connect: 1s, request: 2s}}\n"

    assert planned(text, tmp_path).transport == TransportPlan(
        "per_agent", 9, SECOND, 2 * SECOND, MqttPlan(4, 5 * MINUTE, False, 0, 30 * SECOND)
    )


def wires(text: str, tmp_path: Path) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for member in planned(text, tmp_path).members:
        found.setdefault(member.identity.fleet, set()).add(member.wire)
    return found


def test_a_fleet_may_travel_otherwise_than_the_scenario_says(tmp_path: Path):
    text = LAB + "  - {name: far, count: 2, transport: {kind: mqtt}}\n"

    assert wires(text, tmp_path) == {"lab": {"http"}, "far": {"mqtt"}}


def test_all_fleets_travel_as_the_scenario_says_unless_they_say_otherwise(tmp_path: Path):
    text = LAB + "  - {name: near, count: 1, transport: {kind: http}}\ntransport: {kind: mqtt}\n"

    assert wires(text, tmp_path) == {"lab": {"mqtt"}, "near": {"http"}}


STORMY = """\
version: 1
name: s
stop: {after: 10m}
fleets: [{name: lab, count: 4, capabilities: [LOGS, "custom:Patch", PEM]}]
"""


def _storms(text: str, tmp_path: Path) -> tuple[StormPlan, ...]:
    return plan(loaded(STORMY + text, tmp_path), 0).storms


def _storm_of(name: str, at: str, op: str, target: str = "") -> str:
    return f"  - {{name: {name}, at: {at}, op: {op}, target: {{{target}}}, load: {{rate: 1/s}}, for: 10s}}\n"


def test_storms_that_ask_the_same_at_once_each_get_their_share_of_the_ids(tmp_path: Path):
    text = "storms:\n" + "".join(
        _storm_of(name, at, op, target)
        for name, at, op, target in (
            ("a", "10s", "acknowledge", ""),
            ("b", "15s", "acknowledge", ""),
            ("c", "24s", "acknowledge", ""),  # meets b only, and so shares with a as well
            ("d", "5m", "acknowledge", ""),
            ("e", "10s", "unschedule", ""),
            ("f", "15s", "fetch_logs", ""),
            ("g", "15s", "custom", "type: LOGS"),
        )
    )

    assert [storm.share for storm in _storms(text, tmp_path)] == [
        *((0, 3), (1, 3), (2, 3), (0, 1), (0, 1)),
        *((0, 2), (1, 2)),
    ]


@pytest.mark.parametrize(
    ("schedule", "alone"),
    [
        ("", True),
        ("schedules: [{name: x, type: LOGS, at: 5s}]\n", False),  # some may still be on their way
        ("schedules: [{name: x, type: LOGS, every: 1m, from: 30s}]\n", False),  # before it has been compared
        ("schedules: [{name: x, type: LOGS, at: 5m}]\n", True),
        ("schedules: [{name: x, type: 'custom:Patch', at: 5s}]\n", True),
    ],
)
def test_a_storm_knows_whether_anybody_else_makes_such_jobs(tmp_path: Path, schedule: str, alone: bool):
    [fetch, other] = _storms(
        schedule + "storms:\n" + _storm_of("a", "10s", "fetch_logs") + _storm_of("b", "10s", "unschedule"), tmp_path
    )

    assert (fetch.alone, other.alone) == (alone, None)
    assert (fetch.batch, other.batch) == (1, 50)


def test_whom_a_storm_approves_the_operator_leaves_to_it(tmp_path: Path):
    approving = loaded(STORMY + "storms:\n" + _storm_of("a", "10s", "approve"), tmp_path)

    assert not plan(approving, 0).operator.may_approve


# --- a plan's agents --------------------------------------------------------------------------


def test_the_agents_of_a_plan_are_a_sequence_like_any_other(tmp_path: Path):
    churned = "phases: [{name: day, duration: 60m, churn: {restart: 5%/min, down: 7s}}]\n"
    members = planned(LAB + churned, tmp_path).members
    as_tuple = tuple(members[number] for number in range(len(members)))

    assert tuple(members) == as_tuple
    assert members == as_tuple
    assert members != as_tuple[1:]
    assert members[-1] == as_tuple[-1]
    assert tuple(members[::-1]) == as_tuple[::-1]
    assert members[2:5] == as_tuple[2:5]
    assert as_tuple[3] in members
    assert len({member.timetable for member in members}) > 1  # some are restarted, each at its time
    with pytest.raises(IndexError):
        members[len(members)]


def test_an_agent_of_a_plan_that_is_like_others_costs_some_bytes(tmp_path: Path):
    members = planned(LAB.replace("count: 10", "count: 20000"), tmp_path).members
    spent = sum(sys.getsizeof(getattr(members, name)) for name in ("_kind", "_number", "_online"))

    assert len(members._kinds) < 10
    assert spent < 30 * len(members)
