"""The issuer of bearer tokens that the settings name: what it is believed and how its keys are found.

Only reads and checks settings; judging tokens is `bearer`'s business, the network `http.bearers`'.
"""

import difflib
import json
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from agent_sim.errors import UsageError
from agent_sim.server.bearer import ALGORITHMS, Grant, KeyRing, Trust
from agent_sim.server.users import unknown_role
from agent_sim.settings import ServerSettings

DISCOVERY: Final = "/.well-known/openid-configuration"


def named_issuer(settings: ServerSettings, roles: Mapping[str, frozenset[str]]) -> Trust | None:
    """The settings' issuer, if they name one. Raises UsageError for one that cannot be used."""
    if not settings.oauth_issuer:
        _refuse_orphans(settings)
        return None
    _refuse_odd_address("oauth_issuer", settings.oauth_issuer)
    if settings.oauth_jwks:
        _refuse_odd_address("oauth_jwks", settings.oauth_jwks)
    if not settings.oauth_audience:
        raise UsageError("the setting oauth_audience must name what the tokens of oauth_issuer are meant for")
    return Trust(
        settings.oauth_issuer,
        settings.oauth_audience,
        KeyRing(settings.oauth_keys_at_least_every, settings.oauth_keys_old_after),
        tuple(_grant(*row, roles) for row in settings.oauth_roles),
        _algorithms(settings.oauth_algorithms),
        settings.oauth_leeway,
        settings.oauth_name_claim,
    )


def _refuse_orphans(settings: ServerSettings) -> None:
    for name in ("oauth_audience", "oauth_jwks", "oauth_roles", "oauth_algorithms"):
        if getattr(settings, name):
            raise UsageError(f"the setting {name} is given without oauth_issuer: name the issuer, or leave it out")


def _refuse_odd_address(name: str, address: str) -> None:
    try:
        parts = urlsplit(address)
        usable = parts.scheme in ("http", "https") and parts.hostname and not (parts.username or parts.password)
        usable = usable and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise UsageError(f"the setting {name} must be an http or https address without a user name or password")


def _grant(claim: str, value: str, role: str, roles: Mapping[str, frozenset[str]]) -> Grant:
    if role not in roles:
        raise UsageError(f"the setting oauth_roles has an {unknown_role(role, roles)}")
    return Grant(claim, value, roles[role])


def _algorithms(named: tuple[str, ...]) -> frozenset[str]:
    for name in named:
        if name not in ALGORITHMS:
            known = sorted(ALGORITHMS)
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {close[0]}?" if close else f"those with a public key are {', '.join(known)}"
            raise UsageError(f"the setting oauth_algorithms has {name!r}, which is not allowed: {hint}")
    return frozenset(named) or ALGORITHMS


def read_discovery(issuer: str, text: bytes) -> str:
    """Where the keys are, from the issuer's own discovery document. Raises ValueError if it is another's or none."""
    try:
        document = json.loads(text)
    except RecursionError:
        raise ValueError("its discovery document is nested too deeply") from None
    if not isinstance(document, dict) or document.get("issuer") != issuer:
        raise ValueError("its discovery document names another issuer")
    address = document.get("jwks_uri")
    schemes = ("https",) if issuer.startswith("https:") else ("https", "http")
    if not isinstance(address, str) or urlsplit(address).scheme not in schemes:
        raise ValueError(f"its discovery document names no jwks_uri that begins with {' or '.join(schemes)}")
    return address
