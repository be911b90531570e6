"""From a YAML file to a Scenario in which everything is said, and back.

    parents ── file ── profile ── --set ──> behaviours inherit ──> ${...} ──> names ──> blocks ──> sense

All problems are told at once, each with its place. What `dump` writes is a scenario too, and loads as an equal one.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Final

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from agent_sim.errors import Problem, ScenarioError
from agent_sim.scenario import layers, references, sense, wording
from agent_sim.scenario.models import Scenario
from agent_sim.scenario.parameters import substitute
from agent_sim.scenario.tree import Fields, Leaf, option, plain, without_extras

_WIDTH: Final = 120


@dataclass(frozen=True, slots=True)
class Overrides:
    """What the command line says about a scenario."""

    profile: str | None = None
    params: Mapping[str, str] = field(default_factory=dict)
    settings: tuple[tuple[str, str], ...] = ()
    seed: int | None = None


NOTHING: Final = Overrides()


def overrides(
    profile: str | None = None,
    params: tuple[str, ...] | list[str] = (),
    settings: tuple[str, ...] | list[str] = (),
    seed: int | None = None,
) -> Overrides:
    """Overrides from options as typed: NAME=VALUE and PATH=VALUE. Raises UsageError."""
    return Overrides(
        profile,
        dict(layers.setting(text, "--param") for text in params),
        tuple(layers.setting(text, "--set") for text in settings),
        seed,
    )


def load(path: Path, given: Overrides = NOTHING, seed: int = 0) -> Scenario:
    """The scenario in that file, with every default filled in; `seed` is used if neither file nor option has one.

    Raises ScenarioError with everything that is wrong.
    """
    return _scenario(_layered(path, given), given, seed)


def profiles(path: Path) -> tuple[str, ...]:
    """The profiles that the file offers. Raises ScenarioError."""
    return layers.profile_names(layers.with_parents(path, str(path)))


def dump(scenario: Scenario) -> str:
    """The scenario as YAML that loads as an equal one; profiles and parents are already in it."""
    return written(as_tree(scenario))


def as_tree(scenario: Scenario) -> dict[str, object]:
    """The scenario as plain values, as a file holds them."""
    return scenario.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"extends", "profiles"})


def written(whole: Mapping[str, object]) -> str:
    """Such values as YAML."""
    yaml = YAML()
    yaml.width = _WIDTH
    yaml.default_flow_style = False
    yaml.indent(mapping=2, sequence=4, offset=2)
    out = StringIO()
    yaml.dump(_escaped(dict(whole)), out)
    return out.getvalue()


# --- the steps --------------------------------------------------------------------------------


def _layered(path: Path, given: Overrides) -> Fields:
    whole = without_extras(layers.with_parents(path, str(path)))
    assert isinstance(whole, Fields)
    problems = list(_files_in_profiles(whole))
    if problems:
        raise ScenarioError(problems)
    tree = layers.with_profile(whole, given.profile)
    for way, text in given.settings:
        if way.split(".")[0].split("[")[0] in _OF_FILES:
            problems.append(option(f"--set {way}={text}").problem(_TOO_LATE))
            continue
        try:
            tree = layers.with_setting(tree, way, text)
        except ScenarioError as error:
            problems.extend(error.problems)
    if problems:
        raise ScenarioError(problems)
    whole = without_extras(tree)
    assert isinstance(whole, Fields)
    return whole


_OF_FILES: Final = ("extends", "profiles")
_TOO_LATE: Final = "found what only a file itself can say, expected another key: parents and profiles are read first"


def _files_in_profiles(tree: Fields) -> Iterator[Problem]:
    """A profile is laid over a file whose parents are already in, and has no profiles of its own."""
    profiles = tree.fields.get("profiles")
    for name, profile in profiles.fields.items() if isinstance(profiles, Fields) else ():
        for key in _OF_FILES:
            if isinstance(profile, Fields) and key in profile.fields:
                yield profile.keys[key].problem(f"profiles.{name}.{key}: {_TOO_LATE}")


def _scenario(tree: Fields, given: Overrides, seed: int) -> Scenario:
    tree, inherited = layers.with_inheritance(_with_seed(tree, given, seed))
    filled = substitute(tree, given.params)
    problems = [*inherited, *filled.problems, *references.broken(filled.tree)]
    try:
        scenario = Scenario.model_validate(plain(filled.tree))
    except ValidationError as error:
        raise ScenarioError([*problems, *wording.problems(error, filled.tree, filled.failed)]) from None
    if not problems:
        problems = [
            wording.problem(wording.at(filled.tree, way), way, message) for way, message in sense.findings(scenario)
        ]
    if problems:
        raise ScenarioError(problems)
    return _with_length(scenario)


def _with_seed(tree: Fields, given: Overrides, seed: int) -> Fields:
    if given.seed is not None:
        place = option(f"--seed {given.seed}")
        return tree.put("seed", Leaf(given.seed, place), place)
    return tree if "seed" in tree.fields else tree.put("seed", Leaf(seed, tree.place), tree.place)


def _with_length(scenario: Scenario) -> Scenario:
    stop = scenario.stop.model_copy(update={"after": scenario.length})
    return scenario.model_copy(update={"stop": stop})


def _escaped(value: object) -> object:
    """Texts in which `${` stands for itself say so, or they would be read as expressions."""
    match value:
        case str():
            return _quoted(value.replace("${", "$${"))
        case list():
            return [_escaped(item) for item in value]
        case dict():
            return {_quoted(key): _escaped(item) for key, item in value.items()}
    return value


def _quoted(text: str) -> str:
    """Only double quotes have escapes for all that does not print, such as line breaks of other alphabets."""
    return text if text.isprintable() else DoubleQuotedScalarString(text)
