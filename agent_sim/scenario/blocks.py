"""What every block of a scenario has in common, and how its keys are declared."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Block(BaseModel):
    """A map of a scenario: what it does not know, it refuses."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, defer_build=True)


def key(default: object, description: str, *examples: object, **rules: Any) -> Any:
    """A key that may be left out; its default is written as a scenario would write it."""
    return Field(default=default, description=description, examples=list(examples), **rules)


def needed(description: str, *examples: object, **rules: Any) -> Any:
    """A key that must be there."""
    return Field(description=description, examples=list(examples), **rules)
