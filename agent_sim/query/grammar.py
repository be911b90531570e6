"""From the text of a query to its nodes, by the grammar in `query.lark`.

Says no more than that the text is well formed: fields, types and values are the business of
`resolve`, which knows the collection. Limits (our choice, command-api 5.2) keep hostile texts cheap.
"""

import re
from collections.abc import Mapping
from functools import cache, lru_cache
from importlib.resources import files
from typing import Final, cast

from lark import Lark, Token, Transformer, UnexpectedCharacters, UnexpectedToken
from lark.parsers.lalr_interactive_parser import InteractiveParser

from agent_sim.errors import QueryError
from agent_sim.query.nodes import All, And, Comparison, Node, Operand, Operator, Or
from agent_sim.query.wording import did_you_mean, excerpt, listed, shortened

MAX_BYTES: Final = 8 * 1024
"""Longest query, in bytes of UTF-8."""

MAX_NESTING: Final = 32
"""Deepest nesting of parentheses."""

_QUOTES: Final = frozenset('"“”„‟')
_DASH: Final = re.compile("^[‐‑–—−]")
_OPERATORS: Final = {operator.value: operator for operator in Operator}

# What the parser could have gone on with, in plain words; several terminals share a phrase.
_VALUE: Final = "a value (in quotes if it holds blanks or parentheses)"
_EXPECTED: Final[Mapping[str, str]] = {
    "FIELD": "a field name",
    "LPAR": "'('",
    "OPERATOR": "an operator such as -eq or -contains",
    "NULL": _VALUE,
    "STRAIGHT": _VALUE,
    "TYPOGRAPHIC": _VALUE,
    "BARE": _VALUE,
    "_AND": "AND",
    "_OR": "OR",
    "RPAR": "')'",
    "$END": "the end of the query",
}

# Backslashes count only before a quote: each pair is one backslash, an odd one makes the quote text.
_ESCAPED: Final[Mapping[str, re.Pattern[str]]] = {
    "STRAIGHT": re.compile(r'((?:\\\\)*)(?:[\\"](")|\Z)'),
    "TYPOGRAPHIC": re.compile(r"((?:\\\\)*)(?:\\([“”„‟])|\Z)"),
}


@lru_cache(maxsize=128)
def parse(text: str) -> Node:
    """The nodes of a query; an empty or blank one is All. Raises QueryError with position and token."""
    _check_text(text)
    if not text.strip():
        return All()
    parser = _parser().parse_interactive(text)
    opened: list[int] = []
    try:
        for token in parser.iter_parse():
            _check_token(token, opened)
        return cast(Node, parser.feed_token(Token("$END", "")))
    except (UnexpectedCharacters, UnexpectedToken) as error:
        raise _explained(text, error, parser, opened) from None


class _Nodes(Transformer[Token, Node]):
    """Builds nodes bottom up while lark parses: nothing recurses, however deep the text."""

    def disjunction(self, children: list[Token | Node]) -> Node:
        return Or(_nodes(children))

    def conjunction(self, children: list[Token | Node]) -> Node:
        terms = _nodes(children)
        return And(terms) if len(terms) > 1 else terms[0]

    def comparison(self, children: list[Token]) -> Node:
        name, operator, operand = children
        spelled = _OPERATORS[_spelling(operator)]
        return Comparison(str(name), spelled, _operand(operand), _at(name), _at(operator))


@cache
def _parser() -> Lark:
    grammar = files("agent_sim.query").joinpath("query.lark").read_text(encoding="utf-8")
    return Lark(grammar, parser="lalr", lexer="contextual", transformer=_Nodes())


def _nodes(children: list[Token | Node]) -> tuple[Node, ...]:
    """Without the parentheses, which have done their work."""
    return tuple(child for child in children if not isinstance(child, Token))


def _spelling(operator: Token) -> str:
    return _DASH.sub("-", operator.lower())


def _operand(token: Token) -> Operand:
    if token.type == "NULL":
        return Operand(None, _at(token))
    escaped = _ESCAPED.get(token.type)
    text = escaped.sub(_unescaped, token[1:-1]) if escaped else str(token)
    return Operand(text, _at(token))


def _unescaped(found: re.Match[str]) -> str:
    return found[1][::2] + (found[2] or "")


def _at(token: Token) -> int:
    return (token.start_pos or 0) + 1


def _check_text(text: str) -> None:
    try:
        encoded = text.encode()
    except UnicodeEncodeError as error:
        # JSON can spell half a surrogate pair; no database takes it.
        half = ascii(text[error.start])[1:-1]
        raise QueryError("a lone surrogate is no character", error.start + 1, half) from None
    if len(encoded) > MAX_BYTES:
        position = len(encoded[:MAX_BYTES].decode(errors="ignore")) + 1
        problem = f"a query may hold {MAX_BYTES} bytes (8 kB), this one has {len(encoded)}: shorten or split it"
        raise QueryError(problem, position, excerpt(text, position) or text[position - 1])


def _check_token(token: Token, opened: list[int]) -> None:
    """What the grammar leaves open, checked in the order of the text; `opened` follows the parentheses."""
    if token.type == "LPAR":
        opened.append(_at(token))
        if len(opened) > MAX_NESTING:
            raise QueryError(f"parentheses nest deeper than {MAX_NESTING}", _at(token), "(")
    elif token.type == "RPAR" and opened:
        opened.pop()
    elif token.type == "OPERATOR" and _spelling(token) not in _OPERATORS:
        remark = did_you_mean(_spelling(token), _OPERATORS)
        raise QueryError(f"unknown operator, {remark}", _at(token), shortened(token))


def _explained(
    text: str, error: UnexpectedCharacters | UnexpectedToken, parser: InteractiveParser, opened: list[int]
) -> QueryError:
    """The parser's complaint in plain words: what was expected, where, and what stands there."""
    accepted: set[str] = parser.accepts()  # type: ignore[no-untyped-call]  # lark leaves it unannotated
    at_end = isinstance(error, UnexpectedToken) and error.token.type == "$END"
    position = len(text) + 1 if at_end else (error.pos_in_stream or 0) + 1
    token = "" if at_end else excerpt(text, position)
    if at_end and "RPAR" in accepted:
        problem = f"the '(' at position {opened[-1]} is never closed, expected ')'"
    elif token == ")" and "$END" in accepted:
        problem = "this ')' closes nothing"
    elif token[:1] in _QUOTES and "STRAIGHT" in accepted:
        problem = _unclosed(text[position - 1 :])
    else:
        # In the table's order: `accepted` is a set, and an error must read the same every time.
        phrases = dict.fromkeys(phrase for name, phrase in _EXPECTED.items() if name in accepted)
        problem = f"expected {listed(phrases)}"
    return QueryError(problem, position, token)


def _unclosed(rest: str) -> str:
    closing = '"' if rest.startswith('"') else "”"
    problem = f"the quote is never closed, expected {closing}"
    if f"\\{closing}" not in rest:
        return problem
    return f"{problem}; \\{closing} is a quote inside the value, a value that ends in \\ ends in \\\\{closing}"
