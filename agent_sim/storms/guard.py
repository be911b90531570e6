"""Somebody else's server: what is refused there, unless the person at the keyboard named it.

A storm, an approval or more than a few agents may hurt, so on any target but this machine they need
`--i-own-this-target HOST` with exactly that host. Nothing here reads an environment variable, and what is
declared foreign only ever adds to what is protected.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from agent_sim.errors import UsageError

MAX_AGENTS: Final = 10
"""As many agents may be tried on a foreign target without owning it."""

AGENT_PREFIX: Final = "agentsim-"
"""Begins the ClientMachine of every simulated agent."""


@dataclass(frozen=True, slots=True)
class Intent:
    """What a run is about to do to its target."""

    storms: bool = False
    approvals: bool = False
    agents: int = 0
    jobs: int = 0  # of the second target's scheduler


def host_of(url: str) -> str:
    """The host that a URL names, lower case, without brackets or port. Raises UsageError."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise UsageError(f"target {url!r} is not a URL: {error}") from error
    if parts.scheme not in ("http", "https", "mqtt", "mqtts") or not host:
        raise UsageError(f"target {url!r} must be a URL such as https://command.example")
    if parts.username is not None or parts.password is not None:
        raise UsageError("the target's URL must not hold credentials: they come from the environment or a file")
    return host


def is_loopback(host: str) -> bool:
    """True for `localhost` and loopback addresses as such; a name that merely resolves to one may lie."""
    if host.casefold() == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def is_foreign(host: str, declared: Collection[str] = ()) -> bool:
    """True for every host that is not this machine, and for those declared so (for tests)."""
    return not is_loopback(host) or host.casefold() in {name.casefold() for name in declared}


def refuse(host: str, i_own: str | None, intent: Intent, declared: Collection[str] = ()) -> str | None:
    """Why this may not be done to `host`, as a sentence, or None if it may.

    `i_own` is what the person said after `--i-own-this-target`.
    """
    wanted = _wanted(intent)
    if not wanted or not is_foreign(host, declared):
        return None
    if i_own is None:
        return f"{wanted} on {host}: that is not this machine; if it is yours, add --i-own-this-target {host}"
    if i_own.casefold() != host.casefold():
        return f"{wanted} on {host}: --i-own-this-target names {i_own}, not {host}"
    return None


def refuse_scope(host: str, prefix: str, declared: Collection[str] = ()) -> str | None:
    """Why a scope is too wide for `host`, or None: on a foreign target it stays within simulated agents."""
    if not is_foreign(host, declared) or prefix.casefold().startswith(AGENT_PREFIX):
        return None
    return (
        f"prefix {prefix!r} on {host} would reach real orchestrators: it must begin with {AGENT_PREFIX}"
        " (--scope all asks for all of them)"
    )


def is_confirmed(answer: str, host: str) -> bool:
    """True if the person typed the host again."""
    return answer.strip().casefold() == host.casefold()


def repeats_posts(version: str) -> bool:
    """True for a geventhttpclient that sends a POST again by itself if the answer is lost (load-testing 2.2)."""
    found = re.match(r"(\d+)\.(\d+)", version)
    return found is None or (int(found[1]), int(found[2])) < (2, 6)


def _wanted(intent: Intent) -> str:
    wanted = [
        words
        for words, does in (
            ("a storm", intent.storms),
            ("approving agents", intent.approvals),
            (f"{intent.agents} agents", intent.agents > MAX_AGENTS),
            (f"{intent.jobs} jobs", intent.jobs > MAX_AGENTS),
        )
        if does
    ]
    return " and ".join(wanted)
