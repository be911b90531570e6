"""How somebody signs in at a target: by password, as an OAuth client, or with a token; and where that is found.

Our own variables come first, then the vendor's KEYFACTOR_* (for the operator and storms): those of its clients, but
for the ones that name the target, which only the command line does. Nothing here is shown in a repr.
Source: the public README of keyfactor-auth-client-go.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from agent_sim.credentials import AGENT_NAMES, OPERATOR_NAMES, TOKEN_NAMES, Credentials, pair, read_file
from agent_sim.errors import UsageError

TOKEN_URL, SCOPES, AUDIENCE = TOKEN_NAMES[:3]
OPERATOR_CLIENT: Final = TOKEN_NAMES[3:5]
AGENT_CLIENT: Final = TOKEN_NAMES[5:7]

AGENT_ACCOUNT: Final = "agent"
"""Who agents sign in as where nobody says (our choice)."""


@dataclass(frozen=True, slots=True)
class OAuthClient:
    """Fetches bearer tokens by client credentials (RFC 6749, 4.4). `ca` is a PEM file that TLS trusts there as well."""

    token_url: str
    client_id: str
    client_secret: str = field(repr=False)
    scopes: tuple[str, ...] = ()
    audience: str = ""
    ca: str = ""


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A bearer token that somebody else fetched; it is used until it expires."""

    token: str = field(repr=False)


Login = Credentials | OAuthClient | AccessToken


def find_operator(environment: Mapping[str, str], file: Path | None) -> Login | None:
    """How the operator and storms sign in. Raises UsageError."""
    return _find(OPERATOR_NAMES, OPERATOR_CLIENT, environment, file) or _vendors(environment)


def find_agent(environment: Mapping[str, str], file: Path | None) -> Login | None:
    """How agents sign in. Raises UsageError."""
    return _find(AGENT_NAMES, AGENT_CLIENT, environment, file)


def need_operator(environment: Mapping[str, str], file: Path | None) -> Login:
    """The same; raises UsageError, with the mend, if there is none."""
    return _needed(find_operator(environment, file), OPERATOR_NAMES, OPERATOR_CLIENT, file)


def need_agent(environment: Mapping[str, str], file: Path | None) -> Login:
    """The same; raises UsageError, with the mend, if there is none."""
    return _needed(find_agent(environment, file), AGENT_NAMES, AGENT_CLIENT, file)


def agent_variables(login: Login) -> dict[str, str]:
    """The agents' login as environment variables, for a process of our own: never argv."""
    return variables(login, AGENT_NAMES, AGENT_CLIENT)


def variables(
    login: Login, names: tuple[str, str] = OPERATOR_NAMES, client: tuple[str, ...] = OPERATOR_CLIENT
) -> dict[str, str]:
    """An operator's login (or whose names these are) as environment variables, for a process of our own: never argv."""
    match login:
        case Credentials(username, password):
            return dict(zip(names, (username, password), strict=True))
        case AccessToken(token):
            return {_ACCESS_TOKEN: token}
        case OAuthClient():
            said = (login.token_url, " ".join(login.scopes), login.audience, login.client_id, login.client_secret)
            return dict(zip((TOKEN_URL, SCOPES, AUDIENCE, *client), said, strict=True)) | (
                {_CA: login.ca} if login.ca else {}
            )


def clear(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment without anybody's login: a process is told one, and finds no other."""
    mine = {*OPERATOR_NAMES, *AGENT_NAMES, *TOKEN_NAMES}
    return {
        name: value for name, value in environment.items() if name not in mine and not name.startswith("KEYFACTOR_")
    }


def _find(
    names: tuple[str, str], client: tuple[str, ...], environment: Mapping[str, str], file: Path | None
) -> Login | None:
    held = read_file(file) if file is not None else {}
    for source, where in ((held, str(file)), (environment, "the environment")):
        password, oauth = pair(names, source, where), _client(client, source, where)
        if password is not None and oauth is not None:
            raise UsageError(f"{where} has both {names[0]} and {client[0]}: give one of them")
        if password is not None or oauth is not None:
            return password or oauth
    return None


def _client(names: tuple[str, ...], source: Mapping[str, str], where: str) -> OAuthClient | None:
    client_id, secret, url = (source.get(name, "") for name in (*names, TOKEN_URL))
    if not client_id and not secret:
        return None
    missing = [name for name in (*names, TOKEN_URL) if not source.get(name)]
    if missing:
        raise UsageError(f"{where} has an OAuth client but not {' and '.join(missing)}: give all three")
    return _checked(
        OAuthClient(url, client_id, secret, tuple(source.get(SCOPES, "").split()), source.get(AUDIENCE, "")), where
    )


def _needed(found: Login | None, names: tuple[str, str], client: tuple[str, ...], file: Path | None) -> Login:
    if found is None:
        where = f"in {file}" if file is not None else "in the environment (or name a file with --credentials)"
        oauth = f"{', '.join(client)} and {TOKEN_URL}"
        raise UsageError(f"credentials are missing: set {' and '.join(names)}, or {oauth}, {where}")
    return found


# --- the vendor's variables -------------------------------------------------------------------

_ACCESS_TOKEN: Final = "KEYFACTOR_AUTH_ACCESS_TOKEN"  # the name of a variable
_CA: Final = "KEYFACTOR_AUTH_CA_CERT"
_VENDORS_CLIENT: Final = ("KEYFACTOR_AUTH_CLIENT_ID", "KEYFACTOR_AUTH_CLIENT_SECRET", "KEYFACTOR_AUTH_TOKEN_URL")
_VENDORS_BASIC: Final = ("KEYFACTOR_USERNAME", "KEYFACTOR_PASSWORD")
_IN_DOMAIN: Final = ("\\", "@")


def _vendors(environment: Mapping[str, str]) -> Login | None:
    """What the vendor's own clients would sign in with: an OAuth client, a token, or a password."""
    where = "the environment"
    given = [environment.get(name, "") for name in _VENDORS_CLIENT]
    if all(given):
        client_id, secret, url = given
        scopes = tuple(filter(None, environment.get("KEYFACTOR_AUTH_SCOPES", "").replace(",", " ").split()))
        audience = environment.get("KEYFACTOR_AUTH_AUDIENCE", "")
        return _checked(OAuthClient(url, client_id, secret, scopes, audience, environment.get(_CA, "")), where)
    if token := environment.get(_ACCESS_TOKEN, ""):
        if not token.isascii() or not token.isprintable() or " " in token:
            raise UsageError(f"{_ACCESS_TOKEN} holds a character that no token has")
        return AccessToken(token)
    found = pair(_VENDORS_BASIC, environment, where)
    if found is None:
        if any(given):
            missing = [name for name, value in zip(_VENDORS_CLIENT, given, strict=True) if not value]
            raise UsageError(f"{where} has an OAuth client but not {' and '.join(missing)}: give all three")
        return None
    domain = environment.get("KEYFACTOR_DOMAIN", "")
    has_domain = any(sign in found.username for sign in _IN_DOMAIN)
    return found if has_domain or not domain else Credentials(f"{domain}\\{found.username}", found.password)


def _checked(client: OAuthClient, where: str) -> OAuthClient:
    if not client.token_url.startswith(("https://", "http://")) or "@" in client.token_url:
        raise UsageError(f"the token URL in {where} is none: expected https://HOST/PATH")
    return client
