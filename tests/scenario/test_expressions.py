"""Arithmetic on parameters: exact, typed, and refused with a sentence where it makes no sense."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_sim.instants import SECOND
from agent_sim.scenario.expressions import MAX_CHARACTERS, evaluate, names
from agent_sim.scenario.units import Quantity, Value

VALUES: dict[str, Value] = {
    "agents": Quantity(Fraction(300)),
    "failing": Quantity(Fraction(3, 5)),
    "for": Quantity(Fraction(60 * SECOND), is_duration=True),
    "site": "found",
}


def number(value: str | int) -> Quantity:
    return Quantity(Fraction(value))


def time(seconds: str | int) -> Quantity:
    return Quantity(Fraction(seconds) * SECOND, is_duration=True)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("agents", number(300)),
        ("agents * 0.6", number(180)),
        ("agents*0.29", number(87)),  # a float would make it 86.99999999999999
        ("agents / 7 * 7", number(300)),
        ("1 + 2 * 3", number(7)),
        ("(1 + 2) * 3", number(9)),
        ("10 - 4 - 3", number(3)),
        ("-agents + 301", number(1)),
        ("1 - failing", number("2/5")),
        ("agents * failing", number(180)),
        ("agents * 10%", number(30)),
        ("for", time(60)),
        ("for * 0.25", time(15)),
        ("for / 3", time(20)),
        ("for + 5s", time(65)),
        ("for - 1m", time(0)),
        ("1m30s / 2", time(45)),
        ("for / 5s", number(12)),
        ("2 * (for + 30s)", time(180)),
        ("site", "found"),
    ],
)
def test_an_expression_is_computed_exactly(text: str, value: Quantity | str):
    assert evaluate(text, VALUES) == value


EXPECTED = "expected parameters and numbers with + - * / and parentheses"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("agent", 'found the unknown parameter "agent", did you mean agents?'),
        ("", f"found an empty expression, {EXPECTED}"),
        ("agents *", f'found "agents *", which breaks off, {EXPECTED}'),
        ("agents agents", f'found "a" in "agents agents", {EXPECTED}'),
        ("agents ** 2", f'found "*" in "agents ** 2", {EXPECTED}'),
        ("__import__('os')", f"""found "(" in "__import__('os')", {EXPECTED}"""),
        ("agents.count", f'found "." in "agents.count", {EXPECTED}'),
        ("agents / 0", "found a division by zero, expected another divisor"),
        ("agents / (agents - 300)", "found a division by zero, expected another divisor"),
        ("agents + for", "found 300 and 1m in a sum, expected two durations or two numbers"),
        ("for * for", "found 1m times 1m, expected at most one duration in a product"),
        ("agents / for", "found 300 divided by 1m, expected a duration or a number divided by a number"),
        ("site * 2", 'found the text "found" beside *, expected a number or a duration'),
        ("5parsecs", 'found "5parsecs", expected a duration such as 500ms, 30s, 1m30s, 2h or 1d'),
        ("1" * (MAX_CHARACTERS + 1), f"found an expression of 201 characters, expected at most {MAX_CHARACTERS}"),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_sentence(text: str, message: str):
    with pytest.raises(ValueError) as caught:
        evaluate(text, VALUES)

    assert str(caught.value) == message


def test_the_parameters_of_an_expression_are_named():
    assert names("for * agents / (for + 5s)") == {"for", "agents"}
    assert names("for *") == set()


@given(st.text("agents for()+-*/0123456789.%ms ", max_size=MAX_CHARACTERS))
def test_any_text_is_a_value_or_a_sentence(text: str):
    try:
        outcome: object = evaluate(text, VALUES)
    except ValueError as error:
        outcome = str(error)

    assert isinstance(outcome, Quantity) or str(outcome).startswith("found ")


@given(st.integers(-(10**6), 10**6), st.integers(-(10**6), 10**6), st.integers(1, 10**6))
def test_python_agrees(a: int, b: int, c: int):
    assert evaluate(f"({a}) + ({b}) * 3 / {c} - ({a} - ({b}))", {}) == Quantity(a + Fraction(b * 3, c) - (a - b))
