from dataclasses import replace

import pytest

from agent_sim.errors import UsageError
from agent_sim.server.bearer import ALGORITHMS, Grant
from agent_sim.server.issuers import named_issuer
from agent_sim.server.users import BUILT_IN
from agent_sim.settings import DEFAULT_SETTINGS

GOOD = replace(
    DEFAULT_SETTINGS,
    oauth_issuer="https://login.example/realms/test",
    oauth_audience="agent-sim",
    oauth_roles=(("sub", "ci", "Operator"), ("roles", "fleet", "Agent")),
)


def test_no_issuer_is_named_unless_the_settings_do():
    assert named_issuer(DEFAULT_SETTINGS, BUILT_IN) is None


def test_an_issuer_as_the_settings_have_it():
    trust = named_issuer(GOOD, BUILT_IN)

    assert trust is not None
    assert (trust.issuer, trust.audience, trust.algorithms, trust.name_claim, trust.leeway) == (
        GOOD.oauth_issuer,
        "agent-sim",
        ALGORITHMS,
        "sub",
        GOOD.oauth_leeway,
    )
    assert trust.grants == (Grant("sub", "ci", BUILT_IN["Operator"]), Grant("roles", "fleet", BUILT_IN["Agent"]))


def test_algorithms_can_be_fewer():
    trust = named_issuer(replace(GOOD, oauth_algorithms=("RS256",)), BUILT_IN)

    assert trust is not None
    assert trust.algorithms == {"RS256"}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"oauth_issuer": ""}, "oauth_audience is given without oauth_issuer"),
        ({"oauth_issuer": "login.example"}, "oauth_issuer must be an http or https address"),
        ({"oauth_issuer": "https://"}, "oauth_issuer must be an http or https address"),
        ({"oauth_issuer": "https://me:hunter2@login.example"}, "without a user name or password"),
        ({"oauth_issuer": "https://[::1"}, "oauth_issuer must be an http or https address"),
        ({"oauth_jwks": "file:///etc/passwd"}, "oauth_jwks must be an http or https address"),
        ({"oauth_audience": ""}, "oauth_audience must name"),
        ({"oauth_algorithms": ("none",)}, "'none', which is not allowed"),
        ({"oauth_algorithms": ("HS256",)}, "'HS256', which is not allowed: did you mean"),
        ({"oauth_roles": (("sub", "ci", "Operators"),)}, "unknown role 'Operators': did you mean Operator?"),
    ],
)
def test_settings_that_cannot_be_used_name_the_mend(changes, words):
    with pytest.raises(UsageError) as caught:
        named_issuer(replace(GOOD, **changes), BUILT_IN)

    assert words in str(caught.value)
    assert "hunter2" not in str(caught.value)
