"""Queries made of other queries' text: a condition added to one, a value quoted for one.

For callers that narrow what somebody else asked for, on any target that speaks the language.
Texts in, texts out, each checked by the grammar; nothing here knows a field.
"""

import re

from agent_sim.errors import QueryError
from agent_sim.query.nodes import All, Or


def conjoin(query: str, clause: str) -> str:
    """A query for what satisfies both: `(query) AND clause`; just the clause if the query is empty.

    Raises QueryError if either does not parse, if the clause is empty (it would not narrow anything),
    or if both together exceed the language's limits.
    """
    from agent_sim.query.grammar import parse  # it brings a parser: who only quotes needs none

    condition = parse(clause)
    if isinstance(condition, All):
        raise QueryError("the condition to add is empty", 1, "")
    if isinstance(parse(query), All):
        return clause
    # Both parse by themselves, so no quote or parenthesis of the query reaches beyond its own.
    added = f"({clause})" if isinstance(condition, Or) else clause
    joined = f"({query}) AND {added}"
    parse(joined)
    return joined


def quote(value: str) -> str:
    """A quoted operand that means exactly `value`."""
    # Backslashes before a quote, the closing one included, come in pairs; elsewhere they are plain.
    return '"' + re.sub(r'(\\*)("|\Z)', _escaped, value) + '"'


def _escaped(found: re.Match[str]) -> str:
    return found[1] * 2 + ('\\"' if found[2] else "")
