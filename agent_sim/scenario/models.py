"""A scenario file as a whole: its blocks in the order in which they are read aloud.

Who (fleets), what they do (behaviours), when (phases, schedules), what goes wrong (faults), what is thrown at the
server (storms), what must hold (checks). Each key has its description, default and an example, which
`agent-sim schema` gives to editors. Only what this version carries out is here; rules between blocks are `references`
and `sense`.
"""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, ValidationInfo, field_validator
from pydantic_core import PydanticKnownError

from agent_sim.instants import MINUTE, Span
from agent_sim.scenario.behaviours import Behaviour
from agent_sim.scenario.blocks import Block, key, needed
from agent_sim.scenario.checks import Checks
from agent_sim.scenario.faults import Fault
from agent_sim.scenario.fields import AnyScalar, Duration, Lifetime, Name, Text, Whole
from agent_sim.scenario.fleets import Fleet
from agent_sim.scenario.history import History
from agent_sim.scenario.job_types import JobType
from agent_sim.scenario.oig import Oig
from agent_sim.scenario.schedules import Phase, Schedule
from agent_sim.scenario.server import Server, Transport
from agent_sim.scenario.storms import Storm


class Parameter(Block):
    """A value that `${name}` puts in place, and that `--param name=value` changes."""

    type: Literal["int", "float", "duration", "share", "string"] = needed("What kind of value it is.", "int")
    default: AnyScalar = needed("Its value unless another is given.", 200, "60s")
    min: AnyScalar | None = key(None, "The smallest value allowed.", 1)
    max: AnyScalar | None = key(None, "The largest value allowed.", 1000)
    help: Text = key("", "What it is for, in a few words.", "orchestrators in all")


class Stop(Block):
    """When the run ends."""

    after: Lifetime | None = key(
        None, "How long the run lasts, or never; unless given, as long as the phases, or 5m without phases.", "5m"
    )
    drain: Duration = key("1m", "How long jobs in flight may take to finish after the end.", "30s")


class Scenario(Block):
    """A scenario: who does what, when, what goes wrong, what is thrown at the server, and what must hold."""

    model_config = ConfigDict(
        json_schema_extra={
            "if": {"not": {"required": ["oig"]}},
            "then": {"required": ["fleets"], "properties": {"fleets": {"minItems": 1}}},
        }
    )

    version: Literal[1] = needed("The version of this format.", 1)
    name: Name = needed("Its name, part of every agent's ClientMachine.", "hello")
    description: Text = key("", "What it shows.", "A site goes dark and comes back.")
    seed: Annotated[Whole, Field(ge=0, lt=2**63)] = key(
        0,
        "What chance depends on; unless given, one is made up, told and stored.",
        42,
        json_schema_extra=lambda schema: schema.pop("default"),
    )
    extends: Text | None = key(None, "A scenario file beside this one that it is laid over.", "base.yaml")
    params: dict[Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")], Parameter] = key(
        {}, "Values to put in place of ${name}.", {"agents": {"type": "int", "default": 200}}
    )
    stop: Stop = key({}, "When the run ends.", {"after": "5m", "drain": "30s"})
    history: History | None = key(
        None, "What the embedded server remembers as the run begins: the scenario, in slow motion.", {"backfill": "30d"}
    )
    server: Server = key({}, "The embedded server.", {"retries": 0})
    transport: Transport = key({}, "How agents reach the server.", {"kind": "http"})
    oig: Oig | None = key(None, "The second target: jobs of Oracle Identity Governance's scheduler.", {"jobs": []})
    fleets: tuple[Fleet, ...] = key((), "Who takes part; needed unless there is oig.", [{"name": "lab", "count": 100}])
    job_types: tuple[JobType, ...] = key(
        (), "Custom job types that have fields.", [{"name": "Patch", "fields": [{"name": "Target"}]}]
    )
    behaviours: tuple[Behaviour, ...] = key((), "How agents do their jobs.", [])
    phases: tuple[Phase, ...] = key((), "Stretches of the run.", [])
    schedules: tuple[Schedule, ...] = key((), "Work to hand out.", [])
    faults: tuple[Fault, ...] = key((), "What goes wrong.", [])
    storms: tuple[Storm, ...] = key((), "What is thrown at the server.", [])
    checks: Checks = key({}, "What must hold.", {"invariants": {"no_lost_jobs": True}})
    profiles: dict[Name, dict[str, object]] = key(
        {}, "What `--profile NAME` changes.", {"ci": {"params": {"agents": 20}}}
    )

    @field_validator("fleets", mode="before")
    @classmethod
    def _check_fleets(cls, fleets: object, info: ValidationInfo) -> object:
        if "oig" in info.data and info.data["oig"] is None:
            if fleets == ():  # the default, as a file has lists
                raise PydanticKnownError("missing")
            if fleets == []:
                raise PydanticKnownError("too_short", {"field_type": "Tuple", "min_length": 1, "actual_length": 0})
        return fleets

    @property
    def length(self) -> Span:
        """How long the run lasts, without the drain."""
        if self.stop.after is not None:
            return self.stop.after
        return sum(phase.duration for phase in self.phases) or 5 * MINUTE
