"""How many examples a property is tried on: few in `make test`, AGENT_SIM_THOROUGH times as many in `make soak`."""

import os
from typing import Final

THOROUGH: Final = int(os.environ.get("AGENT_SIM_THOROUGH", "1"))


def examples(few: int) -> int:
    """So many times `few` as this run can afford."""
    return few * THOROUGH
