"""Arithmetic in `${...}`: a parsed expression over parameters, computed exactly.

Fractions throughout, so 0.29 times 100 is 29 and not a little less. Values are plain numbers (shares are 0..1) or
durations; what a result means is decided by the place it stands in. Never `eval`.
"""

from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import cache
from importlib.resources import files
from typing import Final

from lark import Lark, Token, Tree, UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from agent_sim.query.wording import did_you_mean
from agent_sim.scenario.units import Quantity, Value, duration, shortened

MAX_CHARACTERS: Final = 200
"""Longest expression: keeps the parser's recursion small."""


def evaluate(text: str, values: Mapping[str, Value]) -> Value:
    """What the expression comes to. Raises ValueError with a sentence."""
    if len(text) > MAX_CHARACTERS:
        raise ValueError(f"found an expression of {len(text)} characters, expected at most {MAX_CHARACTERS}")
    return _compute(_parsed(text), values)


def names(text: str) -> frozenset[str]:
    """The parameters that an expression uses; none if it cannot be read."""
    try:
        return frozenset(str(token) for token in _parsed(text).scan_values(_is_name))
    except ValueError:
        return frozenset()


def _is_name(token: object) -> bool:
    return isinstance(token, Token) and token.type == "NAME"


@cache
def _parser() -> Lark:
    grammar = files("agent_sim.scenario").joinpath("expression.lark").read_text(encoding="utf-8")
    return Lark(grammar, parser="lalr", start="sum")


def _parsed(text: str) -> Tree[Token]:
    try:
        return _parser().parse(text)
    except UnexpectedInput as error:
        raise ValueError(_explained(text, error)) from None


def _explained(text: str, error: UnexpectedInput) -> str:
    expected = "expected parameters and numbers with + - * / and parentheses"
    if not text.strip():
        return f"found an empty expression, {expected}"
    if isinstance(error, UnexpectedToken) and error.token.type == "$END":
        return f'found "{shortened(text)}", which breaks off, {expected}'
    if isinstance(error, UnexpectedCharacters | UnexpectedToken):
        at = error.pos_in_stream or 0
        return f'found "{text[at]}" in "{shortened(text)}", {expected}'
    return f'found "{shortened(text)}", {expected}'


def _compute(tree: Tree[Token], values: Mapping[str, Value]) -> Value:
    match tree.data, tree.children:
        case "literal", [Token() as token]:
            return _literal(str(token))
        case "parameter", [Token() as token]:
            return _parameter(str(token), values)
        case "negate", [Tree() as operand]:
            quantity = _quantity(operand, values, "-")
            return Quantity(-quantity.amount, quantity.is_duration)
    left, right = (child for child in tree.children if isinstance(child, Tree))
    sign, operation = _OPERATIONS[tree.data]
    return operation(_quantity(left, values, sign), _quantity(right, values, sign))


def _literal(text: str) -> Quantity:
    if text[-1] == "%":
        return Quantity(Fraction(text[:-1]) / 100)
    if any(character.isalpha() for character in text):
        return Quantity(Fraction(duration(text)), is_duration=True)
    return Quantity(Fraction(text))


def _parameter(name: str, values: Mapping[str, Value]) -> Value:
    if name in values:
        return values[name]
    remark = did_you_mean(name, values) if values else "the scenario has no params"
    raise ValueError(f'found the unknown parameter "{name}", {remark}')


def _quantity(tree: Tree[Token], values: Mapping[str, Value], sign: str) -> Quantity:
    value = _compute(tree, values)
    if isinstance(value, str):
        raise ValueError(f'found the text "{value}" beside {sign}, expected a number or a duration')
    return value


def _add(left: Quantity, right: Quantity) -> Quantity:
    return Quantity(left.amount + _same_kind(left, right).amount, left.is_duration)


def _subtract(left: Quantity, right: Quantity) -> Quantity:
    return Quantity(left.amount - _same_kind(left, right).amount, left.is_duration)


def _same_kind(left: Quantity, right: Quantity) -> Quantity:
    if left.is_duration is not right.is_duration:
        raise ValueError(f"found {left} and {right} in a sum, expected two durations or two numbers")
    return right


def _multiply(left: Quantity, right: Quantity) -> Quantity:
    if left.is_duration and right.is_duration:
        raise ValueError(f"found {left} times {right}, expected at most one duration in a product")
    return Quantity(left.amount * right.amount, left.is_duration or right.is_duration)


def _divide(left: Quantity, right: Quantity) -> Quantity:
    if right.amount == 0:
        raise ValueError("found a division by zero, expected another divisor")
    if right.is_duration and not left.is_duration:
        raise ValueError(f"found {left} divided by {right}, expected a duration or a number divided by a number")
    return Quantity(left.amount / right.amount, left.is_duration and not right.is_duration)


_OPERATIONS: Final[Mapping[str, tuple[str, Callable[[Quantity, Quantity], Quantity]]]] = {
    "add": ("+", _add),
    "subtract": ("-", _subtract),
    "multiply": ("*", _multiply),
    "divide": ("/", _divide),
}
