"""Whether a `select`, or a rule, asks for agents and labels that there are."""

from collections.abc import Collection, Iterator, Mapping

from agent_sim.protocol.enums import CUSTOM_PREFIX
from agent_sim.query.wording import did_you_mean
from agent_sim.scenario.fields import agent_parts
from agent_sim.scenario.job_types import JobType, misfit
from agent_sim.scenario.models import Scenario
from agent_sim.scenario.personas import labels_of
from agent_sim.scenario.schedules import Select
from agent_sim.scenario.units import found
from agent_sim.scenario.wording import Way


def of_select(scenario: Scenario, select: Select) -> Iterator[tuple[Way, str]]:
    """Ids and labels that nobody has."""
    if (wrong := _beyond(scenario, select.ids)) is not None:
        yield ("ids",), wrong
    known = labels(scenario)
    for name, word in select.labels.items():
        if name not in known:
            yield ("labels", name), nobody_has(name, known)
        elif word not in known[name]:
            yield ("labels", name), f"{found(word)}, which nobody has as {name}; {did_you_mean(word, known[name])}"


def labels(scenario: Scenario) -> Mapping[str, Collection[str]]:
    """The labels of all agents, and what they say."""
    known: dict[str, dict[str, None]] = {}
    for fleet in scenario.fleets:
        for persona in fleet.personas or (None,):
            for name, word in labels_of(fleet, persona).items():
                known.setdefault(name, {})[word] = None
    return known


def nobody_has(name: str, known: Collection[str]) -> str:
    """That there is no such label."""
    return f"no agent has the label {name}; {did_you_mean(name, known) if known else 'there are no labels at all'}"


def _beyond(scenario: Scenario, ids: tuple[str, ...]) -> str | None:
    """What is wrong with the first agent that there is not."""
    sizes = {fleet.name: fleet.count for fleet in scenario.fleets}
    for reference in ids:
        fleet, index = agent_parts(reference)
        if fleet not in sizes:
            return f"found {reference}, but there is no fleet of that name; {did_you_mean(fleet, sizes)}"
        if index >= sizes[fleet]:
            return f"found {reference}, expected {fleet}-0 to {fleet}-{sizes[fleet] - 1}"
    return None


def of_fields(
    scenario: Scenario, word: str, given_fields: Mapping[str, int | float | str | bool]
) -> Iterator[tuple[Way, str]]:
    """What is given to the fields of a job type, and what is owed them."""
    name = word.removeprefix(CUSTOM_PREFIX)
    if name == word:
        return
    known = next((one for one in scenario.job_types if one.name.casefold() == name.casefold()), JobType(name=name))
    for field, value in given_fields.items():
        said = known.field(field)
        if said is None:
            of = [one.name for one in known.fields]
            remark = did_you_mean(field, of) if of else f"add it to job_types, where {name} is to be said"
            yield ("fields", field), f"found a field that {name} does not have; {remark}"
        elif (wrong := misfit(said.type, value)) is not None:
            yield ("fields", field), wrong
    missing = [one.name for one in known.fields if one.required and one.default is None]
    given = {field.casefold() for field in given_fields}
    if owed := [field for field in missing if field.casefold() not in given]:
        yield ("fields",), f"lacks {' and '.join(owed)}, which {name} requires"
