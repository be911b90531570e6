"""Where logins are found, in which order, and that they stay out of sight."""

from pathlib import Path

import pytest

from agent_sim.credentials import Credentials
from agent_sim.errors import UsageError
from agent_sim.logins import AccessToken, OAuthClient, clear, find_agent, find_operator, need_operator, variables

PASSWORD = {"AGENT_SIM_USERNAME": "op", "AGENT_SIM_PASSWORD": "pw"}
CLIENT = {
    "AGENT_SIM_TOKEN_URL": "https://idp.example/token",
    "AGENT_SIM_CLIENT_ID": "me",
    "AGENT_SIM_CLIENT_SECRET": "hush",
}
VENDORS_PASSWORD = {"KEYFACTOR_USERNAME": "svc", "KEYFACTOR_PASSWORD": "kf"}
VENDORS_CLIENT = {
    "KEYFACTOR_AUTH_CLIENT_ID": "kf-id",
    "KEYFACTOR_AUTH_CLIENT_SECRET": "kf-hush",
    "KEYFACTOR_AUTH_TOKEN_URL": "https://kf.example/token",
}


@pytest.mark.parametrize(
    ("environment", "login"),
    [
        ({}, None),
        (PASSWORD, Credentials("op", "pw")),
        (CLIENT, OAuthClient("https://idp.example/token", "me", "hush")),
        (
            CLIENT | {"AGENT_SIM_TOKEN_SCOPES": "a b", "AGENT_SIM_TOKEN_AUDIENCE": "kf"},
            OAuthClient("https://idp.example/token", "me", "hush", ("a", "b"), "kf"),
        ),
        # the vendor's: as its own clients read them
        (VENDORS_PASSWORD, Credentials("svc", "kf")),
        (VENDORS_PASSWORD | {"KEYFACTOR_DOMAIN": "CORP"}, Credentials("CORP\\svc", "kf")),
        (VENDORS_PASSWORD | {"KEYFACTOR_DOMAIN": "b", "KEYFACTOR_USERNAME": "a\\s"}, Credentials("a\\s", "kf")),
        (VENDORS_PASSWORD | {"KEYFACTOR_DOMAIN": "b", "KEYFACTOR_USERNAME": "s@a"}, Credentials("s@a", "kf")),
        (VENDORS_CLIENT, OAuthClient("https://kf.example/token", "kf-id", "kf-hush")),
        (VENDORS_PASSWORD | VENDORS_CLIENT, OAuthClient("https://kf.example/token", "kf-id", "kf-hush")),
        (
            VENDORS_CLIENT
            | {
                "KEYFACTOR_AUTH_SCOPES": "openid,email",
                "KEYFACTOR_AUTH_AUDIENCE": "x",
                "KEYFACTOR_AUTH_CA_CERT": "ca.pem",
            },
            OAuthClient("https://kf.example/token", "kf-id", "kf-hush", ("openid", "email"), "x", "ca.pem"),
        ),
        ({"KEYFACTOR_AUTH_ACCESS_TOKEN": "ey.J.x"}, AccessToken("ey.J.x")),
        # ours first
        (PASSWORD | VENDORS_CLIENT, Credentials("op", "pw")),
        (CLIENT | VENDORS_PASSWORD, OAuthClient("https://idp.example/token", "me", "hush")),
        # never the target
        ({"KEYFACTOR_HOSTNAME": "command.example", "KEYFACTOR_API_PATH": "x"}, None),
    ],
)  # fmt: skip  # a row, a line
def test_the_operators_login(environment: dict[str, str], login: object):
    assert find_operator(environment, None) == login


def test_agents_have_accounts_of_their_own(tmp_path: Path):
    theirs = {"AGENT_SIM_AGENT_USERNAME": "agent", "AGENT_SIM_AGENT_PASSWORD": "pw"}
    client = {
        "AGENT_SIM_AGENT_CLIENT_ID": "a",
        "AGENT_SIM_AGENT_CLIENT_SECRET": "s",
        "AGENT_SIM_TOKEN_URL": "https://i/t",
    }

    assert find_agent(PASSWORD | VENDORS_PASSWORD | CLIENT, None) is None
    assert find_agent(theirs, None) == Credentials("agent", "pw")
    assert find_agent(client, None) == OAuthClient("https://i/t", "a", "s")


def test_a_file_comes_before_the_environment(tmp_path: Path):
    file = tmp_path / "credentials"
    file.touch(mode=0o600)
    file.write_text("".join(f"{name}={value}\n" for name, value in CLIENT.items()))

    assert find_operator(PASSWORD, file) == OAuthClient("https://idp.example/token", "me", "hush")


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        (PASSWORD | CLIENT, "both AGENT_SIM_USERNAME and AGENT_SIM_CLIENT_ID: give one of them"),
        ({"AGENT_SIM_CLIENT_ID": "me"}, "not AGENT_SIM_CLIENT_SECRET and AGENT_SIM_TOKEN_URL: give all three"),
        ({"KEYFACTOR_AUTH_CLIENT_ID": "me"}, "not KEYFACTOR_AUTH_CLIENT_SECRET and KEYFACTOR_AUTH_TOKEN_URL"),
        ({"KEYFACTOR_USERNAME": "me"}, "has KEYFACTOR_USERNAME but not KEYFACTOR_PASSWORD"),
        (CLIENT | {"AGENT_SIM_TOKEN_URL": "idp.example"}, "the token URL in the environment is none"),
        (CLIENT | {"AGENT_SIM_TOKEN_URL": "https://me:pw@idp"}, "the token URL in the environment is none"),
        ({"KEYFACTOR_AUTH_ACCESS_TOKEN": "two words"}, "holds a character that no token has"),
        ({}, "credentials are missing: set AGENT_SIM_USERNAME and AGENT_SIM_PASSWORD, or"),
    ],
)
def test_half_a_login_is_told_and_how_to_mend_it(environment: dict[str, str], said: str):
    with pytest.raises(UsageError) as caught:
        need_operator(environment, None)
    assert said in str(caught.value)
    assert not any(secret in str(caught.value) for secret in ("hush", "pw@", "two words"))


@pytest.mark.parametrize("environment", [PASSWORD, CLIENT, {"KEYFACTOR_AUTH_ACCESS_TOKEN": "ey.J.x"}])
def test_a_process_of_ours_finds_the_login_that_it_is_told_and_no_other(environment: dict[str, str]):
    login = find_operator(environment, None)
    assert login is not None
    others = PASSWORD | CLIENT | VENDORS_CLIENT | VENDORS_PASSWORD | {"PATH": "/bin"}

    told = clear(others) | variables(login)

    assert find_operator(told, None) == login
    assert told["PATH"] == "/bin"


def test_no_secret_is_shown():
    for environment in (PASSWORD, CLIENT, VENDORS_CLIENT, {"KEYFACTOR_AUTH_ACCESS_TOKEN": "hush"}):
        assert not any(secret in repr(find_operator(environment, None)) for secret in ("pw", "hush"))
