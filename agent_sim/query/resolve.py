"""A comparison understood: its field found, its operator allowed, its operand read.

The one place that refuses what does not fit the collection, so that SQL and the evaluator cannot
differ in it. Says nothing about how to compare.
"""

from dataclasses import dataclass

from agent_sim.errors import QueryError
from agent_sim.query.fields import OPERATORS, Collection, Field
from agent_sim.query.nodes import Comparison, Operator
from agent_sim.query.values import Context, Value, read
from agent_sim.query.wording import did_you_mean, shortened


@dataclass(frozen=True, slots=True)
class Resolved:
    """`value` is None for NULL, which goes with -eq and -ne only."""

    field: Field
    operator: Operator
    value: Value | None


def resolve(comparison: Comparison, collection: Collection, context: Context) -> Resolved:
    """Raises QueryError for an unknown field, an operator that does not fit, or an unreadable value."""
    field = _field(comparison, collection)
    _check_operator(comparison, field)
    return Resolved(field, comparison.operator, _value(comparison, field, context))


def _field(comparison: Comparison, collection: Collection) -> Field:
    field = collection.find(comparison.field)
    if field is None:
        problem = f"{collection.name} has no such field, {did_you_mean(comparison.field, collection.fields)}"
        raise QueryError(problem, comparison.position, shortened(comparison.field))
    return field


def _check_operator(comparison: Comparison, field: Field) -> None:
    allowed = OPERATORS[field.kind]
    if comparison.operator not in allowed:
        fitting = ", ".join(operator.value for operator in Operator if operator in allowed)
        problem = f"{comparison.field} is {field.kind.value}, expected one of {fitting}"
        raise QueryError(problem, comparison.operator_position, comparison.operator.value)


def _value(comparison: Comparison, field: Field, context: Context) -> Value | None:
    operand = comparison.operand
    if operand.text is None:
        if comparison.operator not in (Operator.EQ, Operator.NE):
            problem = 'NULL goes with -eq and -ne only (the text of four letters is "NULL")'
            raise QueryError(problem, operand.position, "NULL")
        return None
    try:
        return read(field, comparison.operator, operand.text, context)
    except ValueError as error:
        problem = f"{comparison.field} is {field.kind.value}, {error}"
        raise QueryError(problem, operand.position, shortened(operand.text) or '""') from None
