import base64
import stat
from pathlib import Path

import pytest

from agent_sim.credentials import Credentials
from agent_sim.errors import UsageError
from agent_sim.server.auth import Accounts, Verdict, find_pairs, read_basic

OPERATOR = Credentials("operator", "open sesame")
AGENT = Credentials("DOMAIN\\agent", "grüße: 日本")

FULL = {
    "AGENT_SIM_USERNAME": "operator",
    "AGENT_SIM_PASSWORD": "open sesame",
    "AGENT_SIM_AGENT_USERNAME": "DOMAIN\\agent",
    "AGENT_SIM_AGENT_PASSWORD": "grüße: 日本",
}


def basic(username: str, password: str, encoding: str = "utf-8") -> str:
    return "Basic " + base64.b64encode(f"{username}:{password}".encode(encoding)).decode()


def accounts() -> Accounts:
    return Accounts(OPERATOR, AGENT)


def test_the_operator_may_do_everything():
    caller = accounts().verify(basic("operator", "open sesame")).caller

    assert caller is not None
    assert (caller.name, caller.may("/agents/management/modify/"), caller.may("/agents/session/")) == (
        "operator",
        True,
        True,
    )


def test_the_agent_may_only_hold_sessions():
    caller = accounts().verify(basic("DOMAIN\\agent", "grüße: 日本")).caller

    assert caller is not None
    assert (caller.name, caller.may("/agents/session/"), caller.may("/agents/management/read/")) == (
        "DOMAIN\\agent",
        True,
        False,
    )


@pytest.mark.parametrize(
    "header",
    [
        basic("operator", "wrong"),
        basic("operator", ""),
        basic("operator", "open sesame "),  # no trimming inside a password
        basic("OPERATOR", "open sesame"),  # names are compared exactly (our choice)
        basic("DOMAIN\\agent", "open sesame"),  # the other account's password
        basic("nobody", "open sesame"),
        basic("", ""),
        "Bearer " + base64.b64encode(b"operator:open sesame").decode(),
        "Basic not*base64",
        "Basic " + base64.b64encode(b"no colon here").decode(),
        "Basic",
        "",
        "Basic \udcff",
    ],
)
def test_anything_else_proves_nobody(header):
    assert accounts().verify(header) == Verdict(None)


def test_a_header_is_unknown_until_it_was_verified_and_then_remembered():
    judge = accounts()
    good, bad = basic("operator", "open sesame"), basic("operator", "guess")

    assert (judge.recall(good), judge.recall(bad)) == (None, None)
    verdicts = judge.verify(good), judge.verify(bad)

    assert (judge.recall(good), judge.recall(bad)) == verdicts


def test_many_wrong_headers_do_not_make_the_right_one_forgotten(monkeypatch):
    monkeypatch.setattr("agent_sim.server.auth._REMEMBERED", 3)
    judge = accounts()
    good = basic("operator", "open sesame")
    verdict = judge.verify(good)
    for guess in range(5):
        judge.verify(basic("operator", str(guess)))

    assert judge.recall(good) == verdict
    assert judge.recall(basic("operator", "0")) is None
    assert judge.recall(basic("operator", "4")) == Verdict(None)


def test_one_pair_for_both_accounts_may_do_everything():
    caller = Accounts(OPERATOR, OPERATOR).verify(basic("operator", "open sesame")).caller

    assert caller is not None
    assert caller.may("/agents/management/modify/")


def test_nothing_that_can_be_printed_holds_a_password_or_its_hash():
    judge = accounts()
    shown = repr(OPERATOR) + repr(vars(judge)) + repr(find_pairs(FULL, None, terminal=False))

    assert "sesame" not in shown
    assert "hashed" not in shown
    assert "salt" not in shown


@pytest.mark.parametrize(
    ("header", "read"),
    [
        (basic("a", "b:c"), Credentials("a", "b:c")),  # only the first colon parts
        ("bAsIc  " + base64.b64encode(b"a:b").decode() + " ", Credentials("a", "b")),
        (basic("jürgen", "ß", "latin-1"), Credentials("jürgen", "ß")),
        (basic("jürgen", "ß", "utf-8"), Credentials("jürgen", "ß")),
    ],
)
def test_reading_a_basic_header(header, read):
    assert read_basic(header) == read


# --- where the pairs come from ----------------------------------------------------------------


def test_both_pairs_from_the_environment():
    pairs = find_pairs(FULL, None, terminal=False)

    assert (pairs.operator, pairs.agent, pairs.generated) == (OPERATOR, AGENT, ())


def test_both_pairs_from_a_file(tmp_path):
    path = secret_file(tmp_path, "# a comment\n\n AGENT_SIM_USERNAME = operator\nAGENT_SIM_PASSWORD=open sesame\r\n")
    path.write_text(
        path.read_text() + "AGENT_SIM_AGENT_USERNAME=DOMAIN\\agent\nAGENT_SIM_AGENT_PASSWORD=grüße: 日本", "utf-8"
    )

    pairs = find_pairs({}, path, terminal=False)

    assert (pairs.operator, pairs.agent, pairs.generated) == (OPERATOR, AGENT, ())


def test_the_file_is_asked_before_the_environment(tmp_path):
    path = secret_file(tmp_path, "AGENT_SIM_USERNAME=filed\nAGENT_SIM_PASSWORD=away\n")

    pairs = find_pairs(FULL, path, terminal=False)

    assert (pairs.operator, pairs.agent) == (Credentials("filed", "away"), AGENT)
    assert path.read_text() == "AGENT_SIM_USERNAME=filed\nAGENT_SIM_PASSWORD=away\n"


def test_what_the_file_lacks_is_generated_into_it(tmp_path):
    path = secret_file(tmp_path, "# mine\nAGENT_SIM_USERNAME=operator\nAGENT_SIM_PASSWORD=open sesame")

    pairs = find_pairs({}, path, terminal=False)
    again = find_pairs({}, path, terminal=False)

    assert pairs == again
    assert (pairs.operator, pairs.agent.username, pairs.generated) == (OPERATOR, "agent", ())
    assert len(pairs.agent.password) >= 24
    assert path.read_text().startswith("# mine\nAGENT_SIM_USERNAME=operator\nAGENT_SIM_PASSWORD=open sesame\n")
    assert [entry.name for entry in tmp_path.iterdir()] == ["credentials"]


def test_a_new_file_is_readable_by_its_owner_only(tmp_path):
    path = tmp_path / "credentials"

    pairs = find_pairs({}, path, terminal=True)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert find_pairs({}, path, terminal=False) == pairs
    assert pairs.generated == ()


def test_a_pair_generated_without_a_file_is_shown_on_a_terminal():
    pairs = find_pairs({}, None, terminal=True)

    assert pairs.generated == (
        f"AGENT_SIM_USERNAME={pairs.operator.username}",
        f"AGENT_SIM_PASSWORD={pairs.operator.password}",
        f"AGENT_SIM_AGENT_USERNAME={pairs.agent.username}",
        f"AGENT_SIM_AGENT_PASSWORD={pairs.agent.password}",
    )


def test_without_file_and_terminal_missing_pairs_are_an_error_that_tells_how_to_give_them():
    given = {name: value for name, value in FULL.items() if "AGENT_SIM_AGENT" not in name}

    with pytest.raises(UsageError) as caught:
        find_pairs(given, None, terminal=False)

    text = str(caught.value)
    assert "AGENT_SIM_AGENT_USERNAME and AGENT_SIM_AGENT_PASSWORD" in text
    assert "--credentials FILE" in text
    assert "AGENT_SIM_USERNAME" not in text


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"AGENT_SIM_PASSWORD": ""}, "AGENT_SIM_USERNAME but not AGENT_SIM_PASSWORD"),
        ({"AGENT_SIM_AGENT_USERNAME": ""}, "AGENT_SIM_AGENT_PASSWORD but not AGENT_SIM_AGENT_USERNAME"),
        ({"AGENT_SIM_USERNAME": "a:b"}, "AGENT_SIM_USERNAME"),
        ({"AGENT_SIM_PASSWORD": "secret\n"}, "AGENT_SIM_PASSWORD"),
        ({"AGENT_SIM_PASSWORD": "secret\udcff"}, "AGENT_SIM_PASSWORD"),
        ({"AGENT_SIM_AGENT_USERNAME": "operator"}, "different names"),
    ],
)
def test_pairs_that_cannot_be_used(change, words):
    with pytest.raises(UsageError) as caught:
        find_pairs(FULL | change, None, terminal=False)

    assert words in str(caught.value)
    assert "se" + "cret" not in str(caught.value)
    assert "sesame" not in str(caught.value)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o660, 0o604])
def test_a_file_that_others_can_read_is_refused(tmp_path, mode):
    path = secret_file(tmp_path, "")
    path.chmod(mode)

    with pytest.raises(UsageError, match=f"has mode {mode:04o}, must be 0600"):
        find_pairs(FULL, path, terminal=False)


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"AGENT_SIM_USERNAME=a\nhunter2\n", 2),  # no name
        (b"PASSWORD=hunter2\n", 1),  # a name that is not known
        (b"\nAGENT_SIM_PASSWORD=x\nAGENT_SIM_PASSWORD=hunter2\n", 3),  # twice
    ],
)
def test_a_file_that_cannot_be_read_names_the_line_and_never_quotes_it(tmp_path, content, line):
    path = secret_file(tmp_path, content.decode())

    with pytest.raises(UsageError) as caught:
        find_pairs({}, path, terminal=False)

    assert str(caught.value).startswith(f"{path}:{line}: ")
    assert "hunter2" not in str(caught.value)


def test_a_folder_or_binary_file_is_refused(tmp_path):
    binary = secret_file(tmp_path, "")
    binary.write_bytes(b"\xff\xfe")

    with pytest.raises(UsageError, match="not UTF-8"):
        find_pairs({}, binary, terminal=False)
    with pytest.raises(UsageError, match=r"folder"):
        find_pairs({}, tmp_path / "folder" / "missing", terminal=False)
    tmp_path.chmod(0o700)
    with pytest.raises(UsageError, match="not a regular file"):
        find_pairs({}, tmp_path, terminal=False)


def secret_file(folder: Path, text: str) -> Path:
    path = folder / "credentials"
    path.write_text(text, "utf-8")
    path.chmod(0o600)
    return path
