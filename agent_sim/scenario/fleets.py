"""The `fleets` block: who takes part."""

from typing import Annotated, Literal

from pydantic import Field

from agent_sim.scenario.blocks import Block, key, needed
from agent_sim.scenario.fields import Capability, Count, HeartbeatPeriod, Name, Share, Text
from agent_sim.scenario.spreads import NumberSpread


class Heartbeat(Block):
    """How often agents ask whether there is news. New work reaches an agent only so."""

    every: HeartbeatPeriod = key(
        "5m", "Time between heartbeats; the embedded server tells the fleet so, other servers tell their own.", "30s"
    )
    jitter: Share = key("10%", "Each beat comes up to this share of the interval late.", "10%")


class Stores(Block):
    """Certificate stores, for capabilities that have them."""

    per_agent: NumberSpread = key(
        1,
        "Stores of each agent and capability; shares are kept exactly.",
        2,
        {"dist": "discrete", "values": {"1": "70%", "5": "30%"}},
    )
    certificates: NumberSpread = key(3, "Certificates in each store.", {"dist": "uniform", "min": 1, "max": 9})


class Auth(Block):
    """How agents sign in. What they sign in with comes from the environment or a credentials file."""

    kind: Literal["basic", "bearer", "none"] = key(
        "basic",
        "basic: user and password; bearer: a token that is fetched and renewed; none: no header at all.",
        "bearer",
    )


class Fleet(Block):
    """Agents that are alike."""

    name: Name = needed("Its name, part of every agent's ClientMachine.", "emea")
    count: Annotated[Count, Field(le=1_000_000)] = needed("How many agents.", 100)
    labels: dict[str, Text] = key({}, "Words to select agents by.", {"site": "fra"})
    capabilities: tuple[Capability, ...] = key(
        ("LOGS",),
        "What its agents can do. PEM and other stores bring inventory and management.",
        ["PEM", "LOGS", "custom:Patch"],
        min_length=1,
    )
    heartbeat: Heartbeat = key({}, "How often agents ask.", {"every": "30s"})
    stores: Stores = key({}, "Its certificate stores.", {"per_agent": 2})
    auth: Auth = key({}, "How its agents sign in.", {"kind": "bearer"})
    behaviour: Name = key(
        "default", "The behaviour its agents follow; without one named default, every job succeeds in 1s.", "flaky"
    )
