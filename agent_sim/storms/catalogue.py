"""All that storms can do, whatever the target: the tables of both, as one."""

from collections.abc import Mapping
from typing import Final

from agent_sim.storms.oig import OIG_OPERATIONS, OigStorm
from agent_sim.storms.operations import OPERATIONS, StormOperation

CATALOGUE: Final[Mapping[str, StormOperation | OigStorm]] = {**OPERATIONS, **OIG_OPERATIONS}
