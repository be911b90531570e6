"""What Prometheus reads: names as promtool lints them, and how many series there are."""

import re

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from agent_sim.protocol.enums import Result
from agent_sim.results.journal import (
    AgentCrashed,
    AgentOffline,
    AgentOnline,
    AgentRefused,
    AgentRegistered,
    JobCompleted,
    StormStarted,
)
from agent_sim.results.render.prometheus import registry_of
from agent_sim.results.tally import INSTRUMENTS, Tally
from agent_sim.storms.taxonomy import ErrorKind
from tests.results.journals import armed, fleet, phase, posted, registered, second, started, traffic

BASE_UNITS = ("_seconds", "_bytes", "_ratio")
OPERATIONS = ("register", "heartbeat", "configure", "upload", "complete", "operator", "pool_wait")
ABBREVIATIONS = re.compile(r"_(ms|us|ns|sec|secs|min|mins|kb|mb|pct|percent|milli|micro|nano|minutes|hours)(_|$)")


def text_of(tally: Tally) -> str:
    tally.second()
    return generate_latest(registry_of(lambda: tally.families)).decode()


# --- promtool's rules -------------------------------------------------------------------------


@pytest.mark.parametrize("told", INSTRUMENTS, ids=lambda told: told.name)
def test_a_name_follows_promtools_rules(told):
    assert re.fullmatch(r"agent_sim_(fleet|storm)_[a-z0-9]+(_[a-z0-9]+)*", told.name)
    assert told.help.endswith(".")
    assert told.help[0].isupper()
    assert not told.name.endswith(("_total", "_count", "_sum", "_bucket"))  # the library adds what belongs there
    assert not re.search(r"gauge|counter|histogram|summary", told.name)
    assert not ABBREVIATIONS.search(told.name)
    assert not {"le", "quantile", "job", "instance"} & set(told.labels)
    assert not any(label in told.name.split("_") for label in told.labels if label not in ("storm", "fleet", "phase"))
    if told.kind == "histogram":
        assert told.name.endswith(BASE_UNITS)


def test_what_is_written_is_what_prometheus_reads():
    tally = Tally()
    for line in (started(), fleet(), registered(), traffic(ok=3, errors={"read_timeout": 1}, milliseconds=9.0)):
        tally.add(line)

    families = {each.name: each for each in text_string_to_metric_families(text_of(tally))}

    assert set(families) == {told.name for told in INSTRUMENTS}
    assert {name: families[name].type for name in families} == {told.name: told.kind for told in INSTRUMENTS}
    durations = families["agent_sim_fleet_request_duration_seconds"].samples
    found = {(sample.name.rsplit("_", 1)[1], sample.labels.get("le")): sample.value for sample in durations}
    assert (
        found.items()
        >= {
            ("bucket", "0.005"): 0,
            ("bucket", "0.01"): 4,
            ("bucket", "+Inf"): 4,
            ("count", None): 4,
            ("sum", None): 0.036,
        }.items()
    )


def test_hostile_names_are_labels_and_nothing_more():
    tally = Tally()
    tally.add(fleet('x"} 1\nagent_sim_forged 1\n#'))

    assert "\nagent_sim_forged" not in text_of(tally)


# --- how many series there are ----------------------------------------------------------------


def test_ten_thousand_agents_and_everything_else_in_plenty_are_fewer_than_2000_series():
    tally = Tally()
    tally.add(started(agents=10_000))
    for number in range(100):
        tally.add(fleet(f"fleet-{number}", agents=100))
        tally.add(armed(f"fault-{number}"))
        tally.add(phase(f"phase-{number}", 0.0, 1.0))
        tally.add(posted(f"job-{number}", kind=f"custom:Type{number}"))
        tally.add(StormStarted(1.0, f"storm-{number}", "reschedule"))
        tally.storm(f"storm-{number}", second(1.0))
        for outcome in (Result.SUCCESS, Result.WARNING, Result.FAILURE):
            tally.add(done(f"custom:Type{number}", outcome))
    for number in range(10_000):
        kind = (AgentOffline, AgentOnline, AgentRegistered, AgentCrashed, AgentRefused)[number // 100 % 5]
        more = {AgentRegistered: (True, 1), AgentCrashed: (9.0, True), AgentRefused: ("1", "no")}.get(kind, ())
        tally.add(kind(1.0, f"fleet-{number % 100}", f"agent-{number}", *more))
    for operation in OPERATIONS:
        tally.add(traffic(operation, errors={kind.value: 1 for kind in ErrorKind}))

    series = [line for line in text_of(tally).splitlines() if not line.startswith("#")]

    assert 1_000 < len(series) <= 2_000


def done(kind: str, outcome: Result) -> JobCompleted:
    return JobCompleted(2.0, "lab", "agent-1", "job-1", 1, kind, "", 1, 1, outcome, True, 1.0)
