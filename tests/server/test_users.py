import stat
from pathlib import Path

import pytest

from agent_sim.credentials import Credentials
from agent_sim.errors import UsageError
from agent_sim.protocol.endpoints import MODIFY_AGENTS, SCHEDULE_STORES
from agent_sim.server.auth import Accounts, Verdict, basic
from agent_sim.server.passwords import Hashed
from agent_sim.server.users import BUILT_IN, Users, add_user, read_users

CHEAP = "$scrypt$ln=10,r=1,p=1$c2FsdHNhbHRzYWx0c2FsdA$" + "A" * 43
HASHED = Hashed.of("open sesame", b"0123456789abcdef")

FULL = f"""\
[roles]
"Storm operators" = ["AgentManagement: Modify", "/certificate_stores/schedule/7"]

[users."DOMAIN\\\\alice"]
roles = ["Storm operators", "Reader"]
password = "{HASHED}"

[users.bob]
roles = ["Agent"]
password = "{CHEAP}"
"""


def users_file(folder: Path, text: str, mode: int = 0o600) -> Path:
    path = folder / "users.toml"
    path.write_text(text, "utf-8")
    path.chmod(mode)
    return path


def accounts(users: Users) -> Accounts:
    return Accounts(Credentials("operator", "secret-1"), Credentials("agent", "secret-2"), users)


# --- reading ----------------------------------------------------------------------------------


def test_users_have_the_permissions_of_all_their_roles(tmp_path):
    held = read_users(users_file(tmp_path, FULL))

    alice, bob = held.users
    assert (alice.name, alice.roles, bob.name, bob.roles) == (
        "DOMAIN\\alice",
        ("Storm operators", "Reader"),
        "bob",
        ("Agent",),
    )
    assert held.permissions(alice.roles) == BUILT_IN["Reader"] | {MODIFY_AGENTS, f"{SCHEDULE_STORES}7/"}


def test_a_user_signs_in_beside_the_two_accounts(tmp_path):
    judge = accounts(read_users(users_file(tmp_path, FULL)))

    alice = judge.verify(basic(Credentials("DOMAIN\\alice", "open sesame"))).caller
    assert alice is not None
    assert (alice.name, alice.may(MODIFY_AGENTS), alice.may(SCHEDULE_STORES)) == ("DOMAIN\\alice", True, False)
    assert judge.verify(basic(Credentials("DOMAIN\\alice", "guess"))) == Verdict(None)
    assert judge.verify(basic(Credentials("operator", "secret-1"))).caller is not None
    assert (judge.roles("bob"), judge.roles("operator"), judge.roles("nobody")) == (("Agent",), ("Administrator",), ())


def test_a_user_may_not_take_the_name_of_one_of_the_two_accounts(tmp_path):
    held = read_users(users_file(tmp_path, FULL.replace("users.bob", "users.operator")))

    with pytest.raises(UsageError, match=r"'operator'.*rename"):
        accounts(held)


def test_nothing_that_can_be_printed_holds_a_hash(tmp_path):
    held = read_users(users_file(tmp_path, FULL))

    shown = repr(held) + repr(vars(accounts(held)))
    assert "hashed" not in shown
    assert "salt" not in shown
    assert "scrypt" not in shown


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o660, 0o604])
def test_a_file_that_others_can_read_is_refused(tmp_path, mode):
    path = users_file(tmp_path, FULL, mode)

    with pytest.raises(UsageError, match=f"the users file {path} has mode {mode:04o}, must be 0600: chmod 600 {path}"):
        read_users(path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[users", "not TOML"),
        ("[users.a]\nroles = []\n[users.a]\n", "line 3"),  # twice
        ("[users.\"a\"]\n[users.'a']\n", "line 2"),  # twice, spelled otherwise
        ("a = " + "[" * 5000, "not TOML"),
        ("colour = 1", "unknown name 'colour': the file has the tables [roles] and [users.NAME]"),
        ("users = 5", "users: must be a table"),
        ("roles = []", "roles: must be a table"),
        ('[roles]\nReader = ["/"]', "role 'Reader' is built in"),
        ("[roles]\na = []", "role 'a': permissions must be a list of one or more texts"),
        ("[roles]\na = [1]", "role 'a': permissions must be a list of one or more texts"),
        ('[roles]\na = ["/agents/managment/"]', "role 'a': '/agents/managment/' is no permission"),
        ("[users]\na = 1", "user 'a': must be a table"),
        (
            f'[users.a]\nroles = ["Raeder"]\npassword = "{CHEAP}"',
            "user 'a': unknown role 'Raeder': did you mean Reader?",
        ),
        (f'[users.a]\nroles = []\npassword = "{CHEAP}"', "user 'a': roles must be a list"),
        (f'[users.a]\npassword = "{CHEAP}"', "user 'a': roles must be a list"),
        ('[users.a]\nroles = ["Reader"]', "user 'a': its password is missing"),
        ('[users.a]\nroles = ["Reader"]\npassword = 7', "user 'a': its password is missing"),
        ('[users.a]\nroles = ["Reader"]\npassword = "hunter2"', "user 'a': its password must look like $scrypt$"),
        ('[users.a]\nrole = ["Reader"]', "user 'a': unknown name 'role': a user has roles and password"),
        (f'[users."a:b"]\nroles = ["Reader"]\npassword = "{CHEAP}"', "the user name 'a:b' must be printable"),
        (f'[users."a\\n"]\nroles = ["Reader"]\npassword = "{CHEAP}"', "the user name 'a\\n' must be printable"),
        (f'[users.""]\nroles = ["Reader"]\npassword = "{CHEAP}"', "the user name '' must be printable"),
    ],
)
def test_a_file_that_cannot_be_used_says_where_and_never_what_the_password_is(tmp_path, text, words):
    path = users_file(tmp_path, text)

    with pytest.raises(UsageError) as caught:
        read_users(path)

    assert str(path) in str(caught.value)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_file_that_is_missing_binary_or_a_folder(tmp_path):
    binary = users_file(tmp_path, "")
    binary.write_bytes(b"\xff\xfe")
    tmp_path.chmod(0o700)

    with pytest.raises(UsageError, match="not UTF-8"):
        read_users(binary)
    with pytest.raises(UsageError, match="does not exist: make it with agent-sim users add"):
        read_users(tmp_path / "missing")
    with pytest.raises(UsageError, match="not a regular file"):
        read_users(tmp_path)


def test_an_empty_file_has_nobody(tmp_path):
    assert read_users(users_file(tmp_path, "")) == Users()


# --- adding -----------------------------------------------------------------------------------


def test_a_file_is_made_for_its_first_user_and_readable_by_its_owner_only(tmp_path):
    path = tmp_path / "users.toml"

    add_user(path, "DOMAIN\\alice", ("Operator",), HASHED)
    add_user(path, 'jürgen "j"', ("Reader", "Agent"), HASHED)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [(user.name, user.roles, user.password) for user in read_users(path).users] == [
        ("DOMAIN\\alice", ("Operator",), HASHED),
        ('jürgen "j"', ("Reader", "Agent"), HASHED),
    ]


def test_what_the_file_holds_stays_as_it_is(tmp_path):
    path = users_file(tmp_path, "# mine\n" + FULL.rstrip())

    add_user(path, "carol", ("Storm operators",), HASHED)

    assert path.read_text().startswith("# mine\n" + FULL.rstrip() + "\n")
    assert [user.name for user in read_users(path).users] == ["DOMAIN\\alice", "bob", "carol"]


@pytest.mark.parametrize(
    ("name", "role", "words"),
    [
        ("bob", "Reader", "user 'bob' exists already"),
        ("carol", "Storm operator", "unknown role 'Storm operator': did you mean Storm operators?"),
        ("carol", "x", "known are Administrator, Agent, Operator, Reader, Storm operators"),
        ("a:b", "Reader", "must be printable, without a colon"),
        (" a", "Reader", "must be printable, without a colon"),
        ("a\x00", "Reader", "must be printable, without a colon"),
    ],
)
def test_a_user_that_cannot_be_added_changes_nothing(tmp_path, name, role, words):
    path = users_file(tmp_path, FULL)

    with pytest.raises(UsageError) as caught:
        add_user(path, name, (role,), HASHED)

    assert words in str(caught.value)
    assert path.read_text("utf-8") == FULL


def test_a_file_with_its_users_on_one_line_is_left_alone(tmp_path):
    text = f'users = {{ bob = {{ roles = ["Agent"], password = "{CHEAP}" }} }}'
    path = users_file(tmp_path, text)

    with pytest.raises(UsageError, match=r"write its users as tables"):
        add_user(path, "carol", ("Reader",), HASHED)

    assert path.read_text() == text
