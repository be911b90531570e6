"""What cores and the server say, as lines of the journal."""

from agent_sim.fleet import lines
from agent_sim.instants import SECOND
from agent_sim.operator.readback import Census, Said
from agent_sim.protocol.command import AgentRecord, Transition
from agent_sim.protocol.enums import AgentStatus
from agent_sim.results.journal import FleetDeclared, ServerAgent, ServerCensus, ServerStory
from agent_sim.scenario.duties import FleetNeed

BEGAN = 1_000 * SECOND


def test_a_fleet_is_declared_with_what_it_can_do():
    fleet = FleetNeed("lab", ("a", "b"), ("PEM", "LOGS"), (1, 1))

    assert lines.of_fleet(fleet) == FleetDeclared(0.0, "lab", 2, ("PEM", "LOGS"))


def test_transitions_become_a_story_for_each_job_in_the_order_of_their_beginnings():
    transitions = [
        Transition(1, BEGAN + SECOND, "queued", "one"),
        Transition(2, BEGAN + 2 * SECOND, "queued", "two"),
        Transition(3, BEGAN + 3 * SECOND, "configured", "one", 7),
    ]

    assert list(lines.of_said(Said(transitions=transitions, census=Census(0, True)), BEGAN, 60.0)) == [
        ServerStory(60.0, "one", (("queued", 1.0, None), ("configured", 3.0, 7))),
        ServerStory(60.0, "two", (("queued", 2.0, None),)),
        ServerCensus(60.0, 0, shows_transitions=True),
    ]


def test_orchestrators_are_listed_with_their_standing_and_when_they_were_heard_of():
    known = AgentRecord("id", "m", "agent", 5, "25.4", AgentStatus.DISAPPROVED, last_seen=BEGAN - SECOND)

    assert list(lines.of_said(Said(agents=[known], census=Census(1, False)), BEGAN, 60.0)) == [
        ServerAgent(60.0, "id", "m", AgentStatus.DISAPPROVED, -1.0),
        ServerCensus(60.0, 1, shows_transitions=False),
    ]


def test_the_servers_times_are_those_of_the_run_whatever_its_scale():
    known = AgentRecord("id", "m", "agent", 5, "25.4", AgentStatus.APPROVED, last_seen=BEGAN + 2 * SECOND)
    queued = Transition(1, BEGAN + SECOND, "queued", "one")

    said = list(lines.of_said(Said(transitions=[queued], agents=[known]), BEGAN, 60.0, scale=10.0))

    assert said[:2] == [
        ServerStory(60.0, "one", (("queued", 10.0, None),)),
        ServerAgent(60.0, "id", "m", AgentStatus.APPROVED, 20.0),
    ]
