"""Declared faults around the requests of a storm: carried out by Locust, told apart from what the target does."""

import time
from pathlib import Path

import pytest

from tests.loadtests.fake_command import FakeCommand, failed_runs, served
from tests.loadtests.storms import OPEN, Ended, Storms

pytestmark = pytest.mark.slow

SCENARIO = """\
version: 1
name: s
seed: 3
stop: {after: 1h}
fleets: [{name: lab, count: 1, capabilities: [LOGS]}]
storms: [{name: again, at: 0s, op: reschedule, load: {rate: 20/s}, for: 1s}]
faults:
"""


def stormed(folder: Path, fake: FakeCommand, *faults: str) -> Ended:
    scenario = folder / "scenario.yaml"
    scenario.write_text(SCENARIO + "".join(f"  - {{{fault}}}\n" for fault in faults))
    declared = ("--faults", str(scenario), "--faults-start", str(time.time_ns()))
    with served(fake):
        return Storms(folder).run(fake.url, "--storm", "reschedule", *OPEN, *declared, "--timeout", "1s")


def test_a_proxy_that_fails_half_of_the_requests_does_not_stop_the_storm(tmp_path: Path):
    fake = FakeCommand(failed_runs(120))

    ended = stormed(tmp_path, fake, "name: busy, at: 0s, on: reschedule, probability: 50%, do: {status: 503}")

    assert ended.result is not None
    met = ended.result["faults"]["busy"]
    assert 4 <= met <= 16
    assert ended.result["errors"] == {"http_5xx": met}
    assert ended.result["stopped"] is None
    assert len(fake.asked) == 20 - met
    assert (ended.code, ended.violations) == (ended.passing, {})
    assert ended.result["ledger"] == {"sent": 100, "accepted": 5 * (20 - met), "refused": 0, "unknown": 5 * met}


def test_lost_answers_are_unknown_and_the_target_has_acted(tmp_path: Path):
    fake = FakeCommand(failed_runs(120))

    ended = stormed(
        tmp_path,
        fake,
        "name: unheard, at: 0s, on: reschedule, do: {drop: response, latency: 100ms}",
        "name: others, at: 0s, do: {refuse: true}",  # agents' requests, of which a storm has none
    )

    assert ended.result is not None
    assert ended.result["faults"] == {"unheard": 20}
    assert ended.result["errors"] == {"read_timeout": 20}
    assert sorted(fake.ids) == list(range(1, 101))
    assert (ended.result["stopped"], ended.violations) == (None, {})
    assert ended.result["ledger"]["unknown"] == 100
    assert ended.result["response"]["max_us"] >= 1_000_000
