"""Words of errors."""

from agent_sim.query.wording import did_you_mean, excerpt, listed, shortened


def test_an_excerpt_is_the_word_at_a_position():
    text = 'Status -eq (2 OR "x y")'

    assert [excerpt(text, at) for at in (1, 8, 12, 13, 18, 24)] == ["Status", "-eq", "(", "2", '"x', ""]


def test_a_long_token_is_shortened_to_forty_characters():
    assert shortened("x" * 40) == "x" * 40
    assert shortened("x" * 41) == "x" * 39 + "…"


def test_a_near_word_is_offered_and_otherwise_all():
    known = ["Result", "Status"]

    assert did_you_mean("STATSU", known) == "did you mean Status?"
    assert did_you_mean("zzz" * 3000, known) == "expected one of Result, Status"


def test_alternatives_are_listed_with_or():
    assert (listed(["a"]), listed(["a", "b"]), listed(["a", "b", "c"])) == ("a", "a or b", "a, b or c")
