"""What a condition says besides, in the words of the database's partial indexes: without these, no index is used.

A record has one value of a field, so `Status -eq 3` says as well that the status is not 2. SQLite does not conclude
that by itself; said beside the condition it changes nothing in what is selected.
"""

from agent_sim.query.fields import Collection
from agent_sim.query.nodes import All, And, Comparison, Node, Operator, Or
from agent_sim.query.resolve import resolve
from agent_sim.query.sql import Sql
from agent_sim.query.values import Context


def with_implied(where: Sql, node: Node, collection: Collection, context: Context) -> Sql:
    """`where`, which `node` was compiled to, and beside it what `node` implies. Raises QueryError."""
    said = sorted(_implied(node, collection, context))
    return Sql(" AND ".join((where.where, *said)), where.params)


def _implied(node: Node, collection: Collection, context: Context) -> frozenset[str]:
    match node:
        case And(terms):
            return frozenset[str]().union(*(_implied(term, collection, context) for term in terms))
        case Or((first, *others)):
            rest = (_implied(term, collection, context) for term in others)
            return _implied(first, collection, context).intersection(*rest)
        case Comparison(operator=Operator.EQ):
            return _of_equality(node, collection, context)
        case Comparison() | All() | Or():
            return frozenset()


def _of_equality(node: Comparison, collection: Collection, context: Context) -> frozenset[str]:
    found = resolve(node, collection, context)
    apart = found.field.apart
    if apart is None or not isinstance(found.value, int):
        return frozenset()
    return frozenset({f"{found.field.column} {'=' if found.value == apart else '<>'} {int(apart)}"})
