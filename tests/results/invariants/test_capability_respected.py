import pytest

from agent_sim.results.journal import JobConfigured
from tests.results.invariants.judging import judged, said
from tests.results.journals import configured, done_job, fleet, posted, registered, run

LAW = "capability_respected"


def handed(kind, job="job-1", audit=1):
    return JobConfigured(2.0, "lab", "agent-1", job, audit, kind, "", 1, 1)


KEPT = {
    "its fleet can fetch logs": [fleet(), registered(), configured(), run()],
    "its fleet has such stores": [fleet("lab", ["PEM"]), registered(), handed("Management"), run(kind="PEMManagement")],
    "its custom job differs in case alone": [
        *(fleet("lab", ["custom:Patch"]), registered()),
        *(handed("custom:PATCH"), run(kind="patch")),
    ],
    "the machine is none of ours": [fleet(), *done_job(2), run("x", 9, machine="stranger", kind="JKSInventory")],
}


@pytest.mark.parametrize("lines", KEPT.values(), ids=KEPT)
def test_kept_if(lines):
    assert judged(LAW, *lines).answer == "kept"


BROKEN = {
    "its fleet has other stores": (
        [fleet("lab", ["PEM"]), registered(), handed("Inventory"), run(kind="JKSInventory")],
        "job-1 (JKSInventory on agent-1)",
    ),
    "its fleet has no stores at all, which the agent's side shows": (
        [fleet(), registered(), handed("Inventory")],
        "job-1 (Inventory on agent-1)",
    ),
    "it is a custom job of another name": (
        [fleet("lab", ["custom:Patch"]), registered(), run(kind="Other"), handed("custom:Other")],
        "job-1 (Other on agent-1)",
    ),
}


@pytest.mark.parametrize(("lines", "who"), BROKEN.values(), ids=BROKEN)
def test_broken_if(lines, who):
    assert said(judged(LAW, *lines)) == ("broken", "1 run by an agent that cannot do it", (who,))


def test_unknown_if_the_journal_does_not_say_what_fleets_can_do():
    assert judged(LAW, *done_job()).answer == "unknown"


def test_broken_if_an_agent_is_handed_a_job_that_was_posted_for_another_agent():
    both = [fleet(), registered("agent-1"), registered("agent-2"), posted(machine="agent-1")]

    verdict = judged(LAW, *both, configured(agent="agent-2"))

    assert said(verdict) == (
        "broken",
        "1 run by another agent than it was posted for",
        ("job-1 (of agent-1, on agent-2)",),
    )
    assert judged(LAW, *both, configured(agent="agent-1")).answer == "kept"


def test_a_machine_that_is_no_agent_of_ours_may_be_served_by_any():
    lines = [fleet(), registered("agent-2"), posted(machine="a-host"), configured(agent="agent-2")]

    assert judged(LAW, *lines).answer == "kept"
