"""Somebody else's server is safe from a slip."""

import pytest

from agent_sim.errors import UsageError
from agent_sim.storms.guard import (
    Intent,
    host_of,
    is_confirmed,
    is_foreign,
    is_loopback,
    refuse,
    refuse_scope,
    repeats_posts,
)

STORM = Intent(storms=True)


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "127.0.0.1", "127.8.9.10", "::1"])
def test_this_machine_is_loopback(host):
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host",
    [
        "command.example",
        "10.0.0.1",
        "0.0.0.0",
        "localhost.example",
        "127.0.0.1.example",
        "127.1",  # some resolvers take it for 127.0.0.1; we do not guess
        "2130706433",
        "::",
        "::ffff:10.0.0.1",
        "",
    ],
)
def test_everything_else_is_foreign(host):
    assert not is_loopback(host)
    assert is_foreign(host)


@pytest.mark.parametrize("intent", [STORM, Intent(approvals=True), Intent(agents=11), Intent(storms=True, agents=500)])
def test_whatever_may_hurt_needs_the_owner(intent):
    assert refuse("command.example", None, intent)
    assert refuse("command.example", "other.example", intent)
    assert refuse("command.example", "command.example.", intent)
    assert refuse("command.example", "", intent)
    assert refuse("command.example", "Command.Example", intent) is None
    assert refuse("127.0.0.1", None, intent) is None


def test_ten_agents_may_try_any_target():
    assert refuse("command.example", None, Intent(agents=10)) is None


def test_the_refusal_names_what_where_and_the_mend():
    assert refuse("command.example", None, Intent(storms=True, approvals=True, agents=11)) == (
        "a storm and approving agents and 11 agents on command.example: that is not this machine;"
        " if it is yours, add --i-own-this-target command.example"
    )
    assert (
        refuse("a.example", "b.example", STORM)
        == "a storm on a.example: --i-own-this-target names b.example, not a.example"
    )


def test_a_declared_foreign_address_is_protected_and_nothing_is_unprotected_by_it():
    assert refuse("127.0.0.2", None, STORM, ["127.0.0.2"])
    assert refuse("127.0.0.2", "127.0.0.2", STORM, ["127.0.0.2"]) is None
    assert refuse("127.0.0.1", None, STORM, ["127.0.0.2"]) is None
    assert refuse("command.example", None, STORM, [])


@pytest.mark.parametrize(
    ("host", "prefix", "allowed"),
    [
        ("command.example", "agentsim-", True),
        ("command.example", "AgentSim-demo-", True),
        ("command.example", "", False),
        ("command.example", "web", False),
        ("command.example", "agentsim", False),
        ("127.0.0.1", "", True),  # our own server holds nobody else's agents
    ],
)
def test_on_a_foreign_target_the_scope_stays_within_simulated_agents(host, prefix, allowed):
    assert (refuse_scope(host, prefix) is None) is allowed


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://Command.Example/path", "command.example"),
        ("http://127.0.0.1:8600", "127.0.0.1"),
        ("http://[::1]:8600/", "::1"),
        ("http://127.0.0.1@evil.example", None),  # looks like loopback and is not
        ("https://user:secret@command.example", None),
        ("command.example", None),
        ("ftp://command.example", None),
        ("http://", None),
        ("http://host:port", None),
    ],
)
def test_the_host_is_read_off_a_url_or_refused(url, host):
    if host is None:
        with pytest.raises(UsageError):
            host_of(url)
    else:
        assert host_of(url) == host


def test_a_url_with_credentials_is_not_repeated_in_the_error():
    with pytest.raises(UsageError) as caught:
        host_of("https://user:secret@command.example")

    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("answer", "expected"), [("command.example\n", True), (" Command.Example", True), ("y", False)]
)
def test_the_host_typed_again_confirms(answer, expected):
    assert is_confirmed(answer, "command.example") is expected


@pytest.mark.parametrize(
    ("version", "expected"),
    [("2.5.0", True), ("2.3.9", True), ("1.9", True), ("", True), ("2.6.0", False), ("2.10.1", False), ("3.0", False)],
)
def test_a_client_that_repeats_posts_is_known_by_its_version(version, expected):
    assert repeats_posts(version) is expected
