"""The `fleets` block: who takes part."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from agent_sim.scenario.blocks import Block, key, needed
from agent_sim.scenario.fields import Capability, Count, Flag, HeartbeatPeriod, Name, Share, Text
from agent_sim.scenario.server import FleetTransport
from agent_sim.scenario.spreads import NumberSpread, StoreNumberSpread, check_total


class Heartbeat(Block):
    """How often agents ask whether there is news. New work reaches an agent only so."""

    every: HeartbeatPeriod = key(
        "5m", "Time between heartbeats; the embedded server tells the fleet so, other servers tell their own.", "30s"
    )
    jitter: Share = key("10%", "Each beat comes up to this share of the interval late.", "10%")
    align: Flag = key(
        False, "All beat at the same moments, which are multiples of the interval; jitter does not count then.", True
    )


class Change(Block):
    """What happens to a store's certificates from one inventory of it to the next."""

    add: Share = key("0%", "New ones, as a share of how many there were at first.", "1%")
    remove: Share = key("0%", "How many of them are gone.", "1%")
    modify: Share = key("0%", "How many are renewed; where they have names, under the same name.", "2%")


class Stores(Block):
    """Certificate stores, for capabilities that have them."""

    per_agent: StoreNumberSpread = key(
        1,
        "Stores of each agent and capability; shares are kept exactly.",
        2,
        {"dist": "discrete", "values": {"1": "70%", "5": "30%"}},
    )
    certificates: NumberSpread = key(
        3, "Certificates in each store, at its first inventory.", {"dist": "uniform", "min": 1, "max": 9}
    )
    change: Change = key({}, "What changes from one inventory to the next.", {"add": "1%", "remove": "1%"})
    marks: Literal["delta", "full"] = key(
        "delta",
        "How inventories are reported: only what changed comes with its certificates, or everything does, unmarked.",
        "full",
    )
    discovered: StoreNumberSpread = key({"dist": "uniform", "min": 1, "max": 3}, "Stores that a discovery finds.", 5)


class Persona(Block):
    """A kind of agent within a fleet."""

    name: Name = needed("Its name; its agents also carry it as the label `persona`.", "sick")
    share: Share = needed("How many of the fleet's agents, kept exactly; all personas total 100%.", "10%")
    labels: dict[str, Text] = key({}, "Labels besides the fleet's, or instead of them.", {"ring": "canary"})
    behaviour: Name | None = key(None, "The behaviour they follow; unless given, the fleet's.", "flaky")


class Auth(Block):
    """How agents sign in. What they sign in with comes from the environment or a credentials file."""

    kind: Literal["basic", "bearer", "client_cert", "none"] = key(
        "basic",
        "basic: user and password; bearer: a token that is fetched and renewed; client_cert: a certificate of its own,"
        " from --client-cert or enrolled as it registers; none: no header at all.",
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
    endpoints: NumberSpread = key(20, "TLS endpoints that each agent sees, for SSL.", 500)
    heartbeat: Heartbeat = key({}, "How often agents ask.", {"every": "30s"})
    personas: tuple[Persona, ...] = key(
        (),
        "Kinds of agents in it, each with its share; unless given, all are alike.",
        [{"name": "well", "share": "90%"}, {"name": "sick", "share": "10%", "behaviour": "flaky"}],
    )
    stores: Stores = key({}, "Its certificate stores.", {"per_agent": 2})
    transport: FleetTransport | None = key(
        None, "How its agents reach the server; unless given, as the scenario's transport says.", {"kind": "mqtt"}
    )
    auth: Auth = key({}, "How its agents sign in.", {"kind": "bearer"})
    behaviour: Name = key(
        "default", "The behaviour its agents follow; without one named default, every job succeeds in 1s.", "flaky"
    )

    @field_validator("personas")
    @classmethod
    def _check(cls, personas: tuple[Persona, ...]) -> tuple[Persona, ...]:
        if personas:
            check_total(tuple(persona.share for persona in personas), "shares")
        return personas
