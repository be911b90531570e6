"""YAML as a tree with places, and the files that are refused before anything is made of them."""

from pathlib import Path

import pytest

from agent_sim.errors import ScenarioError
from agent_sim.scenario.tree import Fields, Items, Leaf, parse, places, plain, read, scalar, without_extras
from tests.scenario.files import written


def test_every_value_and_key_knows_its_place():
    tree = parse("name: demo\nfleets:\n  - {name: lab,\n     count: 3}\n", "s.yaml")

    at = {way: (leaf.value, leaf.place.line, leaf.place.column) for way, leaf in places(tree)}
    assert at == {
        ("name",): ("demo", 1, 7),
        ("fleets", 0, "name"): ("lab", 3, 12),
        ("fleets", 0, "count"): (3, 4, 13),
    }
    assert tree.keys["fleets"].line == 2


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12", 12),
        ("-3", -3),
        ("0o17", 15),
        ("0xff", 255),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        (".inf", float("inf")),
        ("true", True),
        ("~", None),
        ("", None),
        ("on", "on"),  # a truth of YAML 1.1
        ("yes", "yes"),
        ("02:00", "02:00"),  # base 60 in YAML 1.1
        ("2026-01-02", "2026-01-02"),
        ("1_000", "1_000"),
        ("12%", "12%"),
    ],
)
def test_plain_scalars_follow_the_core_schema_of_yaml_1_2(text: str, value: object):
    assert scalar(text) == value


def test_a_quoted_scalar_is_a_text_and_a_key_is_always_one():
    tree = parse('on: "12"\ntrue: 1\n', "s.yaml")

    assert {key: leaf.value for key, leaf in tree.fields.items() if isinstance(leaf, Leaf)} == {"on": "12", "true": 1}


def test_an_alias_stands_for_what_its_anchor_holds():
    tree = parse("a: &x [1, 2]\nb: *x\n", "s.yaml")

    assert plain(tree) == {"a": [1, 2], "b": [1, 2]}


def test_keys_of_values_that_look_like_numbers_are_numbers_once_the_places_are_gone():
    assert plain(parse("{values: {1: 70%, 2.5: 30%, 5s: x}, labels: {1: a}}", "s.yaml")) == {
        "values": {1: "70%", 2.5: "30%", "5s": "x"},
        "labels": {"1": "a"},
    }


def test_extra_keys_are_dropped_everywhere_but_among_labels():
    tree = parse("x-shared: 1\nlist: [{x-note: 2, labels: {x-site: fra}}]\n", "s.yaml")

    assert plain(without_extras(tree)) == {"list": [{"labels": {"x-site": "fra"}}]}


BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{below}'] * 10)}]\n" for below, name in zip("abcdef", "bcdefg", strict=True)
)

REFUSED = [
    # a file's outside
    (b"", "1:1: found an empty file, expected a map with version, name and fleets"),
    (b" \n\n", "1:1: found an empty file, expected a map with version, name and fleets"),
    (b"x" * (10 << 20), "1:1: found more than 1 MiB, expected a scenario of at most 1 MiB"),
    (b"name: caf\xe9\n", "1:10: found the byte 0xe9, expected UTF-8"),
    (b"\xff\xfen\x00", "1:1: found the byte 0xff, expected UTF-8"),
    (b"a: 1\nb: \x07\n", "2:4: found the control character 0x07, expected text"),
    # what YAML says
    (
        b"a: b: c\n",
        (
            "1:5: is not YAML: mapping values are not allowed here;"
            " indent keys of one map alike, and quote texts that hold a colon and a blank"
        ),
    ),
    (b"a: [1, 2\nb: 3\n", "2:2: is not YAML: while parsing a flow sequence expected ',' or ']', but got ':'"),
    (
        b"a:\n\t- 1\n",
        (
            "2:1: is not YAML: while scanning for the next token found character '\\t' that cannot start any token;"
            " indent with blanks, not with tabs"
        ),
    ),
    # what we do not take
    (b"- 1\n- 2\n", "1:1: found a list, expected a map with version, name and fleets"),
    (b"just words\n", '1:1: found "just words", expected a map with version, name and fleets'),
    (b"# only a comment\n", "1:1: found nothing, expected a map with version, name and fleets"),
    (b"a: 1\n---\nb: 2\n", "2:1: found a second document, expected one scenario in a file"),
    (b"a: 1\nb: 2\na: 3\n", '3:1: found the key "a" again, first on line 1'),
    (b"a: &x {b: 1}\nc: {<<: *x}\n", '2:5: found "<<", which is not YAML 1.2: use extends, or write it out'),
    (
        b"a: !!python/object:os.system x\n",
        "1:4: found the tag tag:yaml.org,2002:python/object:os.system, expected no tags",
    ),
    (b"? [a]\n: 1\n", "1:3: found a list or map as a key, expected a word"),
    (b"a: *nobody\n", "1:4: found the alias *nobody, expected an anchor &nobody before it"),
    (b"a: &a [*a]\n", "1:8: found the alias *a, expected an anchor &a before it"),
    # bombs
    (b"a: " + b"[" * 200_000, "1:43: nests deeper than 40 levels"),
    (b"".join(b" " * n + b"a:\n" for n in range(50)), "41:41: nests deeper than 40 levels"),
    (b"a: &a 1\nb: [" + b"*a, " * 1001 + b"]\n", "2:4005: found more than 1,000 aliases"),
    (BOMB.encode(), "5:4: holds more than 100,000 values once aliases are followed"),
]


@pytest.mark.parametrize(("data", "problem"), REFUSED, ids=[problem for _, problem in REFUSED])
def test_what_is_no_scenario_is_refused_with_its_place(data: bytes, problem: str, tmp_path: Path):
    with pytest.raises(ScenarioError) as caught:
        read(written(data, tmp_path), "s.yaml")

    assert str(caught.value) == f"s.yaml:{problem}"


def test_a_file_that_is_not_there_has_no_lines(tmp_path: Path):
    with pytest.raises(ScenarioError) as caught:
        read(tmp_path / "none.yaml", "none.yaml")

    assert str(caught.value) == "none.yaml: no such file"


def test_a_folder_is_no_scenario(tmp_path: Path):
    with pytest.raises(ScenarioError) as caught:
        read(tmp_path, "folder")

    assert str(caught.value) == "folder: is no file, expected a scenario"


def test_a_byte_order_mark_is_passed_over(tmp_path: Path):
    tree = read(written(b"\xef\xbb\xbfname: s\n", tmp_path))

    assert tree.keys["name"].column == 1


def test_every_problem_before_the_last_is_told_too():
    with pytest.raises(ScenarioError) as caught:
        parse("a: 1\na: 2\nb: !x 3\nc: [\n", "s.yaml")

    assert [problem.line for problem in caught.value.problems] == [2, 3, 5]


def test_lists_and_maps_keep_where_they_begin():
    tree = parse("a:\n  - 1\nb: {}\n", "s.yaml")

    first, second = tree.fields["a"], tree.fields["b"]
    assert isinstance(first, Items)
    assert (first.place.line, first.place.column) == (2, 3)
    assert isinstance(second, Fields)
    assert (second.place.line, second.place.column) == (3, 4)
