"""The `when` of a rule: text parsed to a condition that cannot go wrong later. Never `eval`.

Every name has a kind, and only like is compared with like, so what `check` takes holds or does not hold, whatever the
run brings.
"""

from functools import cache
from importlib.resources import files
from typing import Final

from lark import Lark, Token, Tree, UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from agent_sim.agent.conditions import (
    LABELS,
    NAMES,
    Among,
    Both,
    Compare,
    Condition,
    Either,
    Kind,
    Literal,
    Name,
    Negation,
    Remainder,
    Term,
    Value,
)
from agent_sim.protocol.enums import CAPABILITY_WORDS, CUSTOM_PREFIX, JOB_WORDS
from agent_sim.query.wording import did_you_mean, listed
from agent_sim.scenario.units import duration, exactly

MAX_CHARACTERS: Final = 300
"""Longest condition: keeps recursion small."""

_WORDS: Final = {"job.type": JOB_WORDS, "job.capability": CAPABILITY_WORDS}
"""What a name can be, where that is a closed list (custom types besides)."""

_EXPECTED: Final = "expected a condition such as time >= 10m and job.attempt == 1"


def condition(text: str) -> Condition:
    """The condition that the text says. Raises ValueError with a sentence."""
    if len(text) > MAX_CHARACTERS:
        raise ValueError(f"found a condition of {len(text)} characters, expected at most {MAX_CHARACTERS}")
    try:
        tree = _parser().parse(text)
    except UnexpectedInput as error:
        raise ValueError(_explained(text, error)) from None
    return _condition(tree)


@cache
def _parser() -> Lark:
    grammar = files("agent_sim.scenario").joinpath("condition.lark").read_text(encoding="utf-8")
    return Lark(grammar, parser="lalr", start="either")


def _explained(text: str, error: UnexpectedInput) -> str:
    if not text.strip():
        return f"found an empty condition, {_EXPECTED}"
    if isinstance(error, UnexpectedToken) and error.token.type == "$END":
        return f'found "{text}", which breaks off, {_EXPECTED}'
    if isinstance(error, UnexpectedCharacters | UnexpectedToken):
        at = error.pos_in_stream or 0
        return f'found "{text[at : at + 12]}" in "{text}", {_EXPECTED}; texts stand in quotes'
    return f'found "{text}", {_EXPECTED}'


def _condition(tree: Tree[Token]) -> Condition:
    match tree.data, tree.children:
        case "either", [Tree() as left, Tree() as right]:
            return Either(_condition(left), _condition(right))
        case "both", [Tree() as left, Tree() as right]:
            return Both(_condition(left), _condition(right))
        case "negation", [Tree() as inner]:
            return Negation(_condition(inner))
        case "compare", [Tree() as left, Token() as sign, Tree() as right]:
            return _compare(_term(left), str(sign), _term(right))
        case "among", [Tree() as left, Tree() as choices]:
            return _among(_term(left), choices)
        case "outside", [Tree() as left, Tree() as choices]:
            return Negation(_among(_term(left), choices))
    raise AssertionError(tree)


# --- terms ------------------------------------------------------------------------------------

_Typed = tuple[Term, Kind]


def _term(tree: Tree[Token]) -> _Typed:
    match tree.data, tree.children:
        case "literal", [Token() as token]:
            return _literal(token)
        case "name", [Token() as token]:
            return _name(str(token))
        case "remainder", [Tree() as of, Token() as by]:
            return _remainder(of, str(by))
    raise AssertionError(tree)


def _literal(token: Token) -> _Typed:
    text = str(token)
    if token.type == "TEXT":
        return Literal(text[1:-1]), Kind.TEXT
    if any(character.isalpha() for character in text):
        return Literal(duration(text)), Kind.DURATION
    return Literal(float(exactly(text)) if "." in text else int(exactly(text))), Kind.NUMBER


def _name(name: str) -> _Typed:
    if name.startswith(LABELS):
        return Name(name), Kind.TEXT
    if name not in NAMES:
        raise ValueError(f"found the unknown name {name}, {did_you_mean(name, (*NAMES, f'{LABELS}NAME'))}")
    return Name(name), NAMES[name]


def _remainder(of: Tree[Token], by: str) -> _Typed:
    term, kind = _term(of)
    if kind is not Kind.NUMBER:
        raise ValueError(f"found % after {_shown(term)}, which is {kind.value}, expected it after a number")
    if not by.isdigit() or not exactly(by):
        raise ValueError(f"found % {by}, expected a whole number, 1 or more")
    return Remainder(term, int(exactly(by))), Kind.NUMBER


# --- comparisons ------------------------------------------------------------------------------


def _compare(left: _Typed, sign: str, right: _Typed) -> Condition:
    (one, kind), (other, other_kind) = left, right
    if isinstance(one, Literal) and isinstance(other, Literal):
        raise ValueError(f"found {_shown(one)} {sign} {_shown(other)}, expected a name such as time on one side")
    if kind is not other_kind:
        one_is, other_is = f"{_shown(one)} is {kind.value}", f"{_shown(other)} is {other_kind.value}"
        raise ValueError(f"found {sign} between unlike things: {one_is}, {other_is}")
    if kind is Kind.TEXT and sign not in ("==", "!="):
        raise ValueError(f"found {sign} between texts, expected ==, != or in")
    _check_word(one, other)
    _check_word(other, one)
    return Compare(one, sign, other)


def _among(left: _Typed, choices: Tree[Token]) -> Condition:
    term, kind = left
    if isinstance(term, Literal):
        raise ValueError(f"found {_shown(term)} before in, expected a name such as job.type")
    values: list[Value] = []
    for choice in choices.children:
        assert isinstance(choice, Tree)
        literal, of = _term(choice)
        if of is not kind:
            raise ValueError(f"found {_shown(literal)} in the list, expected {kind.value} as {_shown(term)} is")
        _check_word(term, literal)
        assert isinstance(literal, Literal)
        values.append(literal.value)
    return Among(term, tuple(values))


def _check_word(term: Term, other: Term) -> None:
    """A word that a name can never be is a slip."""
    known = _WORDS.get(term.name) if isinstance(term, Name) else None
    if known is None or not isinstance(other, Literal):
        return
    word = str(other.value)
    if word not in known and not (isinstance(term, Name) and term.name == "job.type" and _is_custom(word)):
        remark = did_you_mean(word, known)
        raise ValueError(f'found "{word}", which {_shown(term)} never is; {remark or f"expected {listed(known)}"}')


def _is_custom(word: str) -> bool:
    return word.startswith(CUSTOM_PREFIX)


def _shown(term: Term) -> str:
    match term:
        case Literal(value):
            return f'"{value}"' if isinstance(value, str) else str(value)
        case Name(name):
            return name
        case Remainder(of, by):
            return f"{_shown(of)} % {by}"
