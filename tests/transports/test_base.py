from pathlib import Path

import pytest

from agent_sim.credentials import Credentials
from agent_sim.errors import UsageError
from agent_sim.transports.base import Target


def test_an_address_implies_the_vendors_paths():
    target = Target.at("https://command.example/", ca=Path("ca.pem"))

    assert target == Target(
        "https://command.example/KeyfactorAgents",
        "https://command.example/KeyfactorAPI",
        "https://command.example",
        Path("ca.pem"),
        "https://command.example/iam/governance/selfservice/api/v1/scheduler",
    )


def test_both_paths_can_be_overridden():
    target = Target.at("https://a.example", "https://b.example/Keyfactor/Agents/", "https://c.example/Api/")

    assert (target.agents_url, target.api_url) == ("https://b.example/Keyfactor/Agents", "https://c.example/Api")


@pytest.mark.parametrize("address", ["http://127.0.0.1:8600", "https://[::1]:8443", "http://h/a/b", "HTTP://h"])
def test_these_are_addresses(address):
    assert Target.at(address).sim_url == address


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        ("command.example", "the address 'command.example' is not one; expected http://HOST[:PORT] or"),
        ("command.example:443", "is not one"),  # reads as a scheme
        ("ftp://command.example", "is not one"),
        ("", "is not one"),
        ("https://", "is not one"),
        ("https:///KeyfactorAPI", "is not one"),
        ("http://h:70000", "Port out of range 0-65535"),
        ("http://h:x", "Port could not be cast"),
        ("http://h:0", "names port 0"),
        ("http://[::1", "Invalid IPv6 URL"),
        ("http://h?x=1", "has a query or fragment"),
        ("http://h#x", "has a query or fragment"),
    ],
)
def test_what_is_no_address_is_refused(address, problem):
    with pytest.raises(UsageError) as refused:
        Target(address, address, address)

    assert problem in str(refused.value)


@pytest.mark.parametrize(
    "address", ["https://user:s3cret@h", "https://user:s3cret@[::1", "https://us@er:s3cret@h:x", "user:s3cret@h"]
)
def test_a_password_in_an_address_is_refused_and_not_repeated(address):
    with pytest.raises(UsageError) as refused:
        Target.at(address)

    assert "s3cret" not in repr(refused.value)
    assert refused.value.__cause__ is None


def test_an_overriding_address_is_checked_too():
    with pytest.raises(UsageError):
        Target.at("https://h", api_url="h/KeyfactorAPI")


def test_a_login_never_shows_its_password():
    login = Credentials("DOMAIN\\operator", "s3cret")

    assert [repr(login), str(login), f"{login}", f"{[login]}"] == [
        "Credentials(username='DOMAIN\\\\operator')",
        "Credentials(username='DOMAIN\\\\operator')",
        "Credentials(username='DOMAIN\\\\operator')",
        "[Credentials(username='DOMAIN\\\\operator')]",
    ]
