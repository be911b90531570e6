"""The JSON Schema (2020-12) of a scenario file, made from the models, for editors that complete and check.

It says what the file may hold: units as patterns, expressions wherever a value may stand, free `x-` keys, and files
and profiles that are laid over others and need not be whole. What makes sense together only `check` knows.
"""

from collections.abc import Mapping
from typing import Final

from agent_sim.scenario.models import Scenario

Json = dict[str, object]

_EXPRESSION: Final[Json] = {"$ref": "#/$defs/Expression"}
_BOUNDS: Final[Mapping[str, str]] = {"ge": "minimum", "le": "maximum", "lt": "exclusiveMaximum"}
"""What pydantic leaves in its own words where a reader of ours stands before its checks."""

_NUMBER: Final = r"^[0-9]+(\.[0-9]+)?$"

_ALWAYS_NEEDED: Final = frozenset({"name", "type"})
"""What says which item of a list is meant, and so is needed even in a layer."""


def schema() -> Json:
    """The whole schema, as plain JSON values."""
    definitions = _definitions()
    for name in ("NumberDiscrete", "StoreNumberDiscrete"):
        _map(_map(definitions[name]["properties"])["values"])["propertyNames"] = {"pattern": _NUMBER}
    whole = {name: _explained(name, _block(_map(block))) for name, block in definitions.items()}
    layered = {name: block for name, block in whole.items() if "dist" not in _map(block["properties"])}
    layers = {f"#/$defs/{name}": f"#/$defs/{name}Layer" for name in layered}
    layer = {f"{name}Layer": _layer(block, layers) for name, block in layered.items()}
    _give_profiles_their_layer(whole)
    _let_parameters_be_values(layer)
    definitions = {**whole, **layer}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "agent-sim scenario",
        "description": "What agents do, when, what is thrown at the server, and what must hold. Version 1.",
        "type": "object",
        "required": ["version", "name"],
        "if": {"required": ["extends"]},
        "then": {"$ref": "#/$defs/ScenarioLayer"},
        "else": {"$ref": "#/$defs/Scenario"},
        "$defs": {
            "Expression": {
                "type": "string",
                "pattern": r"\$\{[^{}]+\}",
                "description": "Arithmetic on parameters.",
                "examples": ["${agents * 0.5}"],
            },
            **dict(sorted(definitions.items())),
        },
    }


def _definitions() -> dict[str, Json]:
    """What pydantic makes of the models, under their own names: its names for generic ones are a screen wide."""
    made: Json = Scenario.model_json_schema(by_alias=True, mode="validation")
    blocks = {name: _map(block) for name, block in _map(made.pop("$defs")).items()}
    names = {f"#/$defs/{name}": f"#/$defs/{block['title']}" for name, block in blocks.items()}
    renamed = {str(block["title"]): _map(_renamed(block, names)) for block in blocks.values()}
    return {**renamed, "Scenario": _map(_renamed(made, names))}


def _renamed(value: object, names: Mapping[str, str]) -> object:
    """The same with other names for what it refers to."""
    match value:
        case dict():
            return {
                key: names.get(inner, inner) if key == "$ref" else _renamed(inner, names)
                for key, inner in value.items()
            }
        case list():
            return [_renamed(inner, names) for inner in value]
    return value


# --- whole blocks -----------------------------------------------------------------------------


def _block(block: Json) -> Json:
    """A block's schema: `x-` keys are free, and every value may be an expression."""
    properties = {name: _value(_map(value)) for name, value in _map(block.get("properties", {})).items()}
    kept = {name: value for name, value in block.items() if name != "title"}
    return {**kept, "properties": properties, "patternProperties": {"^x-": {}}}


def _value(value: Json) -> Json:
    """A value's schema, tidied: no title, no null, no OpenAPI words; expressions allowed where it is a single one."""
    about = {name: value[name] for name in ("description", "default", "examples") if value.get(name) is not None}
    shape = {name: part for name, part in value.items() if name not in {"title", "discriminator", *about, "default"}}
    choices = [_map(part) for name in ("anyOf", "oneOf") for part in _list(shape.pop(name, []))]
    if "discriminator" in value:
        return {**about, "anyOf": [*_shorthand(choices), *choices]}
    if choices:
        given = [_value(choice) for choice in choices if choice.get("type") != "null"]
        single = given[0] if len(given) == 1 else {"anyOf": [*_flat(given)]}
        return {**single, **about}
    return {**_with_expression(_inside(shape)), **about}


def _inside(shape: Json) -> Json:
    """The same for what a list or map holds."""
    for name in ("items", "additionalProperties"):
        if isinstance(shape.get(name), dict):
            shape = {**shape, name: _value(_map(shape[name]))}
    if "patternProperties" in shape:
        shape = {**shape, "additionalProperties": False}
    return shape


def _with_expression(shape: Json) -> Json:
    if "$ref" in shape or "const" in shape or shape.get("type") in ("object", "array"):
        return shape
    examples = {"examples": shape["examples"]} if "examples" in shape else {}
    bare = {_BOUNDS.get(name, name): part for name, part in shape.items() if name != "examples"}
    return {**examples, "anyOf": [bare, _EXPRESSION]}


def _flat(choices: list[Json]) -> list[Json]:
    """Alternatives of alternatives as one list, without repetition."""
    flat: list[Json] = []
    for choice in choices:
        for one in _list(choice["anyOf"]) if set(choice) <= {"anyOf", "examples"} else [choice]:
            if one not in flat:
                flat.append(_map(one))
    return flat


def _shorthand(choices: list[Json]) -> list[Json]:
    """A distribution that never varies may be written as its value."""
    name = next(str(choice["$ref"]) for choice in choices if str(choice["$ref"]).endswith("Constant"))
    return [{"$ref": f"{name}/properties/value"}]


# --- explanations -----------------------------------------------------------------------------

_VALUES: Final[Mapping[str, tuple[object, ...]]] = {
    "Duration": ("3s", "20s", "5m"),
    "Size": ("200KB", "2MB", "4MB"),
    "Number": (12, 150, 400),
    "StoreNumber": (2, 5, 20),
}
"""Of each kind of value that a distribution is of: a middling, a large and a very large one."""

_EXAMPLES: Final[Mapping[str, int]] = {"value": 0, "min": 0, "median": 0, "mean": 0, "p95": 1, "max": 2}


def _explained(name: str, block: Json) -> Json:
    """The block with examples of a distribution's keys, and with what a key is when nothing is written."""
    kind = next((kind for kind in _VALUES if name.startswith(kind)), None)
    properties = {key: _map(value) for key, value in _map(block["properties"]).items()}
    if kind is not None:
        properties = {key: {**value, **_about_spread(kind, key, value)} for key, value in properties.items()}
    needed = _list(block.get("required", []))
    return {
        **block,
        "properties": {key: value if key in needed else _with_default(value) for key, value in properties.items()},
    }


def _about_spread(kind: str, key: str, value: Json) -> Json:
    usual = _VALUES[kind]
    if key in _EXAMPLES:
        return {"examples": [usual[_EXAMPLES[key]]]}
    if key == "values":
        return {"examples": [{str(usual[0]): "70%", str(usual[1]): "30%"}]}
    parts = [{"weight": "90%", "of": _constant(usual[0])}, {"weight": "10%", "of": _constant(usual[1])}]
    said: Mapping[str, Json] = {
        "dist": {"description": "The kind of distribution.", "examples": [value.get("const")]},
        "parts": {"examples": [parts]},
        "of": {"examples": [_constant(usual[0])]},
    }
    return said.get(key, {})


def _constant(value: object) -> Json:
    return {"dist": "constant", "value": value}


def _with_default(value: Json) -> Json:
    """An editor should say what happens without the key: by its default, or in words."""
    about = str(value.get("description", ""))
    if "default" in value or "unless given" in about:
        return value
    return {**value, "description": f"{about.removesuffix('.')}; not set unless given."}


# --- layers -----------------------------------------------------------------------------------


def _layer(block: Json, layers: Mapping[str, str]) -> Json:
    """A block that is laid over another: little is needed, and `~` takes a key back to its default."""
    needed = [name for name in _list(block.get("required", [])) if name in _ALWAYS_NEEDED]
    properties = {name: _or_null(_map(_renamed(value, layers))) for name, value in _map(block["properties"]).items()}
    kept = {name: part for name, part in block.items() if name not in ("if", "then")}
    return {**kept, "required": needed, "properties": properties}


def _or_null(value: Json) -> Json:
    # Not `anyOf`: an editor would mark the whole value for a slip inside it.
    return {"if": {"not": {"type": "null"}}, "then": value}


def _give_profiles_their_layer(definitions: dict[str, Json]) -> None:
    profiles = _map(_map(definitions["Scenario"]["properties"])["profiles"])
    named = {name: {"$ref": "#/$defs/ProfileLayer"} for name in _map(profiles["patternProperties"])}
    _map(definitions["Scenario"]["properties"])["profiles"] = {**profiles, "patternProperties": named}


def _let_parameters_be_values(definitions: dict[str, Json]) -> None:
    """In a profile `params: {agents: 200}` gives a declared parameter its value."""
    whole = definitions["ParameterLayer"]
    definitions["ParameterLayer"] = {"anyOf": [whole, {"type": ["integer", "number", "string"]}]}
    definitions["ProfileLayer"] = {**definitions["ScenarioLayer"], "required": []}


# --- plain JSON -------------------------------------------------------------------------------


def _map(value: object) -> Json:
    assert isinstance(value, dict)
    return value


def _list(value: object) -> list[object]:
    assert isinstance(value, list)
    return value
