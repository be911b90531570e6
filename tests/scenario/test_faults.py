"""The `faults` block: what it takes, what it refuses, and the plan that comes of it."""

from pathlib import Path

import pytest

from agent_sim.distributions import Constant, Lognormal
from agent_sim.draws import key
from agent_sim.faults.crash import CrashAtRequest, CrashNow
from agent_sim.faults.drop import Drop
from agent_sim.faults.latency import Latency
from agent_sim.faults.partition import Partition
from agent_sim.faults.plan import Recurrence
from agent_sim.faults.status import Status
from agent_sim.instants import HOUR, MILLISECOND, MINUTE, NEVER, SECOND
from agent_sim.scenario.faults import BUILDERS, POINTS, CrashAt, Do
from agent_sim.scenario.load import Overrides, dump
from agent_sim.scenario.plan import plan
from tests.scenario.files import loaded, problems

BASE = """\
version: 1
name: s
seed: 3
stop: {after: 4m}
fleets:
  - {name: emea, count: 10, labels: {site: fra}, capabilities: [PEM, LOGS]}
  - {name: factory, count: 4, labels: {site: shz}, capabilities: [LOGS]}
phases: [{name: steady, duration: 1m}, {name: outage, duration: 2m}, {name: back, duration: 1m}]
storms: [{name: again, at: back, op: reschedule, load: {rate: 5/s}, for: 10s}]
"""


def planned(fault: str, folder: Path):
    """The plan of one fault, in a run that starts at 0."""
    [one] = plan(loaded(f"{BASE}faults: [{{name: f, {fault}}}]\n", folder), 0).faults
    return one


def found(fault: str, folder: Path) -> list[str]:
    """What is wrong with one fault, without its place."""
    return [text.split(": ", 1)[1] for text in problems(f"{BASE}faults: [{{name: f, {fault}}}]\n", folder)]


# --- the plan ---------------------------------------------------------------------------------


def test_a_partition_of_a_fleet_for_a_while(tmp_path: Path):
    fault = planned("at: outage, for: 2m, select: {fleets: [factory]}, do: {partition: both}", tmp_path)

    assert fault.kinds == (Partition("both"),)
    assert fault.spans == ((MINUTE, 3 * MINUTE),)
    assert (fault.recurrence, fault.probability, fault.operations) == (None, 1.0, frozenset())
    assert fault.crowd.chosen(fault.key, 0) == {f"agentsim-s-factory-0000{n}" for n in range(4)}


def test_latency_of_a_sticky_share(tmp_path: Path):
    do = "{latency: {dist: lognormal, median: 800ms, p95: 4s}}"
    fault = planned(f"at: outage+30s, for: 1m, select: {{percent: 50%, sticky: true}}, do: {do}", tmp_path)

    assert fault.kinds == (Latency(Lognormal(800.0 * MILLISECOND, 4.0 * SECOND)),)
    assert fault.spans == ((90 * SECOND, 150 * SECOND),)
    assert (fault.crowd.shares, fault.crowd.sticky) == ((5, 2), True)


def test_lost_acknowledgements_by_chance_during_a_phase(tmp_path: Path):
    fault = planned("during: [back, steady], probability: 0.5%, on: complete, do: {drop: response}", tmp_path)

    assert fault.kinds == (Drop("response"),)
    assert fault.spans == ((0, MINUTE), (3 * MINUTE, 4 * MINUTE))
    assert (fault.probability, fault.operations) == (0.005, frozenset({"complete"}))


def test_crashes_again_and_again_meet_the_requests_of_their_point(tmp_path: Path):
    crash = "{crash: {point: before_complete, restart_after: 15s}}"
    fault = planned(f"every: 20s, during: [steady], select: {{count: 1}}, do: {crash}", tmp_path)

    assert fault.kinds == (CrashAtRequest(False, 15 * SECOND, True),)
    assert fault.recurrence == Recurrence(Constant(20.0 * SECOND), None)
    assert (fault.operations, fault.crowd.count) == (frozenset({"complete"}), 1)
    assert [window.begin // SECOND for window in fault.windows()] == [20, 40]


def test_a_crash_may_come_at_any_point_there_is(tmp_path: Path):
    assert set(POINTS) == set(CrashAt.model_fields["point"].annotation.__args__)
    now = planned("at: 1m, for: 1s, do: {crash: {}}", tmp_path)
    assert now.kinds == (CrashNow(15 * SECOND, True),)


def test_a_fault_without_a_length_lasts_to_the_runs_end(tmp_path: Path):
    assert planned("at: 1m, do: {drop: request}", tmp_path).spans == ((MINUTE, 4 * MINUTE),)


def test_a_fault_of_a_run_without_an_end_has_none_either(tmp_path: Path):
    text = f"{BASE}faults: [{{name: f, at: 1m, do: {{refuse: true}}}}]\n".replace("after: 4m", "after: never")

    assert plan(loaded(text, tmp_path), 0).faults[0].spans == ((MINUTE, NEVER),)


def test_labels_select_fleets(tmp_path: Path):
    fault = planned("at: 1m, select: {labels: {site: fra}}, do: {drop: request}", tmp_path)

    assert {name[11:15] for name in fault.crowd.chosen(fault.key, 0)} == {"emea"}


def test_a_fault_of_a_storm_is_about_no_agent(tmp_path: Path):
    fault = planned("at: back, on: reschedule, do: {status: 503}", tmp_path)

    assert (fault.kinds, fault.crowd, fault.operations) == ((Status(503),), None, frozenset({"reschedule"}))


def test_chance_depends_on_the_seed_and_the_faults_name_alone(tmp_path: Path):
    assert planned("at: 1m, do: {drop: request}", tmp_path).key == key(3, "fault", "f")


def test_every_fault_has_its_builder():
    assert set(BUILDERS) == set(Do.model_fields)


SAID = {
    "latency": "200ms",
    "jitter": "200ms",
    "bandwidth": "16KB/s",
    "drop": "response",
    "reset": "request",
    "refuse": "true",
    "status": "{code: 429, retry_after: 30s}",
    "truncate": "50%",
    "garbage": "200B",
    "partition": "in",
    "dns": "timeout",
    "tls": "expired",
    "duplicate": "{dist: uniform, min: 0s, max: 2s}",
    "reorder": "2s",
    "clock": "{offset: -1h30m, drift: -0.5%}",
    "broker_disconnect": "5s",
    "will": "{dist: uniform, min: 1s, max: 9s}",
    "session_takeover": "true",
    "duplicate_delivery": "true",
    "broker_restart": "3s",
    "crash": "{point: after_upload, restart_after: 1m, keeps_identity: false}",
}


def test_the_table_of_examples_is_whole():
    assert set(SAID) == set(Do.model_fields)


@pytest.mark.parametrize("name", SAID)
def test_a_resolved_fault_reads_back_the_same(name: str, tmp_path: Path):
    base = f"{BASE}transport: {{kind: mqtt}}\n"
    scenario = loaded(f"{base}faults: [{{name: f, at: 1m, for: 30s, do: {{{name}: {SAID[name]}}}}}]\n", tmp_path)

    again = loaded(dump(scenario), tmp_path)

    assert again.faults == scenario.faults
    assert plan(again, 0).faults == plan(scenario, 0).faults


def test_so_does_a_resolved_fault_of_a_storm(tmp_path: Path):
    scenario = loaded(f"{BASE}faults: [{{name: f, at: back, on: reschedule, do: {{status: 503}}}}]\n", tmp_path)

    assert loaded(dump(scenario), tmp_path).faults == scenario.faults


def test_a_wrong_clock_may_be_behind(tmp_path: Path):
    [clock] = planned(f"at: 1m, do: {{clock: {SAID['clock']}}}", tmp_path).kinds

    assert (clock.offset, clock.drift) == (-90 * MINUTE, -0.005)
    [clock] = planned("at: 1m, do: {clock: {offset: 2h}}", tmp_path).kinds
    assert (clock.offset, clock.drift) == (2 * HOUR, 0.0)


def test_faults_of_a_profile_change_the_one_of_their_name(tmp_path: Path):
    fault = "faults: [{name: f, at: 1m, do: {drop: request}}]\n"
    text = f"{BASE}{fault}profiles: {{ci: {{faults: [{{name: f, at: 2m}}]}}}}\n"

    scenario = loaded(text, tmp_path, Overrides(profile="ci"))

    assert (scenario.faults[0].at.offset, scenario.faults[0].do.drop) == (2 * MINUTE, "request")


# --- what is refused --------------------------------------------------------------------------

REFUSED = [
    ("at: 1m", "faults[0].do: found nothing, expected a value"),
    ("do: {drop: request}", "faults[0]: found no time, expected one of at, during and every"),
    ("at: 1m, during: [back], do: {drop: request}", "faults[0]: found both at and during, expected one of them"),
    ("at: 1m, do: {}", "faults[0].do: found nothing, expected one of latency, jitter"),
    ("at: 1m, do: {latncy: 1s}", "faults[0].do.latncy: unknown key, did you mean latency?"),
    (
        "at: 1m, do: {drop: requests}",
        'faults[0].do.drop: found "requests", expected request or response; did you mean request?',
    ),
    ("at: 1m, do: {latency: 5}", "faults[0].do.latency: found 5, expected a duration with its unit: write 5s"),
    ("at: 1m, do: {bandwidth: 16KB}", 'faults[0].do.bandwidth: found "16KB", expected bytes per second such as 16KB/s'),
    ("at: 1m, do: {bandwidth: 0B/s}", 'faults[0].do.bandwidth: found "0B/s", expected at least 1B/s'),
    ("at: 1m, do: {status: 700}", "faults[0].do.status: found 700, expected at most 599"),
    ("at: 1m, do: {truncate: 100%}", "faults[0].do.truncate: found 100%, expected less: that is a whole answer"),
    ("at: 1m, do: {garbage: 0B}", "faults[0].do.garbage: found 0B, expected 1B to 1MiB"),
    ("at: 1m, do: {refuse: false}", "faults[0].do.refuse: found false, expected true, or leave it out"),
    ("at: 1m, do: {clock: {}}", "faults[0].do.clock: found a clock that is right, expected an offset or a drift"),
    ("at: 1m, do: {crash: {point: before_lunch}}", 'faults[0].do.crash.point: found "before_lunch"'),
    ("at: 1m, probability: 0%, do: {drop: request}", "faults[0].probability: found 0%, expected more"),
    (
        "at: 1m, on: completes, do: {drop: request}",
        'faults[0].on: found "completes", which is no operation; did you',
    ),
    ("at: 4m, do: {drop: request}", "faults[0].at: found 4m, expected a time before the run ends, at 4m"),
    (
        "at: back, for: 2m, do: {drop: request}",
        "faults[0].for: ends at 5m, expected an end before that of the run, at 4m",
    ),
    ("during: [back], for: 5s, do: {drop: request}", "faults[0]: found `for` beside during, which ends with the phase"),
    ("during: [bak], do: {drop: request}", 'faults[0].during[0]: found "bak", but there is no phase of that name'),
    (
        "at: bak+5s, do: {drop: request}",
        'faults[0].at: found "bak+5s", but there is no phase of that name; did you mean',
    ),
    ("every: 5m, do: {drop: request}", "faults[0].every: never happens: even the first time would be after the end"),
    (
        "at: 1m, select: {fleets: [emae]}, do: {drop: request}",
        'faults[0].select.fleets[0]: found "emae", but there is no',
    ),
    (
        "at: 1m, select: {labels: {site: x}}, do: {drop: request}",
        'faults[0].select.labels.site: found "x", which nobody has as site',
    ),
    ("at: 1m, select: {percent: 1%}, do: {drop: request}", "faults[0].select: matches nobody: 1% of 10 and 4 agents"),
    ("at: 1m, select: {count: 15}, do: {drop: request}", "faults[0].select.count: found 15, expected at most the 14"),
    ("at: 1m, on: acknowledge, do: {status: 503}", "faults[0].on[0]: found acknowledge, but no storm asks for that"),
    (
        "at: 1m, on: [complete, reschedule], do: {status: 503}",
        "faults[0].on[0]: found complete beside reschedule, expected requests of agents or of storms, not both",
    ),
    (
        "at: 1m, on: reschedule, select: {count: 1}, do: {status: 503}",
        "faults[0].select: found beside a storm's requests, which come from no agent; expected none",
    ),
    ("at: 1m, on: reschedule, do: {crash: {}}", "faults[0].do.crash: found for a storm's requests, expected something"),
    (
        "at: 1m, on: heartbeat, do: {crash: {point: after_complete}}",
        "faults[0].on: found heartbeat beside a crash at after_complete, expected complete, or nothing",
    ),
]


@pytest.mark.parametrize(("fault", "said"), REFUSED, ids=[fault for fault, _ in REFUSED])
def test_what_makes_no_sense_is_told_with_its_place(fault: str, said: str, tmp_path: Path):
    [message] = found(fault, tmp_path)

    assert message.startswith(said)


def test_two_faults_of_one_name_are_told(tmp_path: Path):
    one = "{name: f, at: 1m, do: {drop: request}}"

    [message] = problems(f"{BASE}faults: [{one}, {one}]\n", tmp_path)

    assert 'faults[1].name: found "f" again, first on line 10' in message
