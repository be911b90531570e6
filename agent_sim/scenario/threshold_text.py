"""A threshold as one line, for command lines: `latency{op=reschedule} p99 <= 250ms`, `error_rate <= 1%`."""

import re
from typing import Final

from pydantic import ValidationError

from agent_sim.errors import UsageError
from agent_sim.results.checks import Threshold
from agent_sim.scenario import checks
from agent_sim.scenario.plan import threshold

_LINE: Final = re.compile(
    r"\s*(?P<metric>[a-z_]+(?:\{[^{}]*\})?)\s+(?:(?P<stat>[a-z0-9.]+)\s*)?(?P<sign><=|>=)\s*(?P<bound>\S.*?)\s*"
)
_BOUNDS: Final = {"<=": "max", ">=": "min"}


def read_threshold(text: str) -> Threshold:
    """The threshold that a line says. Raises UsageError."""
    parts = _LINE.fullmatch(text)
    if parts is None:
        raise UsageError(f"threshold {text!r} must be like 'latency p99 <= 250ms' or 'error_rate <= 1%'")
    said = {"metric": parts["metric"], "stat": parts["stat"], _BOUNDS[parts["sign"]]: parts["bound"]}
    try:
        return threshold(checks.Threshold.model_validate({name: value for name, value in said.items() if value}))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise UsageError(f"threshold {text!r}: {first['msg'].removeprefix('Value error, ')}") from error
