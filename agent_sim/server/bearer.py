"""Bearer tokens: whether a JWT is one of an issuer that is believed in, and what it permits.

Everything but the network: which keys are held and when others may be fetched is decided here, `http.bearers` does
the fetching. A token is asked, in this order, for its form, its algorithm, its issuer, a signature by one of the
issuer's public keys, its time and its audience; only then are its claims believed. The algorithms allowed are those
with a public key and no others, and each key only has the ones of its own kind: no `none`, no public key used as
a shared secret. Times come from outside. No token is part of an error, a repr or a log line.
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, NoReturn

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.algorithms import AllowedPublicKeys, ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from agent_sim.instants import SECOND, Instant, Span
from agent_sim.server.callers import Caller

_LONGEST_TOKEN: Final = 16 * 1024
_REMEMBERED: Final = 4096
_MOST_KEYS: Final = 100
_SMALLEST_RSA: Final = 2048
_FORM: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_TYPES: Final = ("", "jwt", "at+jwt", "application/jwt", "application/at+jwt")  # not, say, a logout token

_Json = Mapping[str, object]


class Fault(Enum):
    """What is wrong with a token, in words that may be told to whoever sent it."""

    FORM = "The token is not a signed JSON web token."
    ALGORITHM = "The token is signed with an algorithm that is not allowed."
    ISSUER = "The token is from an issuer that is not trusted here."
    KEY = "The token is signed with a key that its issuer does not publish."
    SIGNATURE = "The token's signature is wrong."
    EXPIRED = "The token has expired."
    TOO_EARLY = "The token is not valid yet."
    AUDIENCE = "The token is meant for another audience."
    CLAIMS = "The token lacks a claim, or has one of a wrong type."


class Rejected(Exception):
    """A token that proves nobody."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        super().__init__(fault.value)


# --- keys -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Key:
    """A public key of an issuer, and what it may verify."""

    kid: str | None
    algorithms: frozenset[str]
    public: AllowedPublicKeys = field(repr=False)


_RSA: Final = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
_KINDS: Final[Mapping[tuple[str, str], tuple[Callable[[str], object], frozenset[str]]]] = {
    ("RSA", ""): (RSAAlgorithm.from_jwk, _RSA),
    ("EC", "P-256"): (ECAlgorithm.from_jwk, frozenset({"ES256"})),
    ("EC", "P-384"): (ECAlgorithm.from_jwk, frozenset({"ES384"})),
    ("EC", "P-521"): (ECAlgorithm.from_jwk, frozenset({"ES512"})),
    ("OKP", "Ed25519"): (OKPAlgorithm.from_jwk, frozenset({"EdDSA"})),
}
"""Kind and curve of a key to how it is read and the algorithms it can do."""

ALGORITHMS: Final = frozenset().union(*(algorithms for _, algorithms in _KINDS.values()))
"""All that can be allowed; a shared secret (HS256) or none at all never can."""


def read_keys(text: bytes | str) -> tuple[Key, ...]:
    """The usable keys of a JSON web key set; others in it are passed over. Raises ValueError if it is none."""
    try:
        document = json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    listed = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(listed, list):
        raise ValueError('not a JSON object with a list "keys"')
    return tuple(key for entry in listed[:_MOST_KEYS] if (key := _key(entry)) is not None)


def _key(entry: object) -> Key | None:
    if not isinstance(entry, dict) or "d" in entry or entry.get("use", "sig") != "sig":
        return None
    kind, kid = str(entry.get("kty")), entry.get("kid")
    reader, able = _KINDS.get((kind, "" if kind == "RSA" else str(entry.get("crv"))), (None, frozenset[str]()))
    algorithms = able & {entry["alg"]} if isinstance(entry.get("alg"), str) else able
    if reader is None or not algorithms or not (kid is None or isinstance(kid, str)):
        return None
    try:
        public = reader(json.dumps(entry))
    except (jwt.PyJWTError, ValueError, TypeError, KeyError):  # whatever is wrong with it, it is no key
        return None
    if isinstance(public, RSAPublicKey) and public.key_size < _SMALLEST_RSA:
        return None
    return Key(kid, algorithms, public)  # type: ignore[arg-type]  # with "d" refused, no reader gives a private key


class KeyRing:
    """The keys held of one issuer, and when it may be asked again.

    It is asked when a token names a key that is not held or those held have grown old, but never before
    `at_least_every` has passed since the last time, whatever came of that: nobody can make this server hammer an
    issuer by sending tokens. Keys that cannot be replaced stay in use.
    """

    def __init__(self, at_least_every: Span, grown_old_after: Span, keys: tuple[Key, ...] = ()) -> None:
        self._pause, self._old = at_least_every, grown_old_after
        self._keys = keys
        self._asked: Instant | None = None
        self._learned: Instant | None = None

    @property
    def is_empty(self) -> bool:
        return not self._keys

    def find(self, kid: str | None, algorithm: str) -> tuple[Key, ...]:
        """The keys that may have made a signature. Without a name, the issuer's only one for that algorithm."""
        able = tuple(key for key in self._keys if algorithm in key.algorithms)
        if kid is None:
            return able if len(able) == 1 else ()
        return tuple(key for key in able if key.kid == kid)

    def wants(self, *, found: bool, now: Instant) -> bool:
        """True if the issuer should be asked for its keys now."""
        if self._asked is not None and now - self._asked < self._pause:
            return False
        return not found or self._learned is None or now - self._learned >= self._old

    def asked(self, now: Instant) -> None:
        """The issuer is being asked."""
        self._asked = now

    def learned(self, keys: tuple[Key, ...], now: Instant) -> None:
        """The issuer answered."""
        self._keys, self._learned = keys, now


class FixedRing(KeyRing):
    """Keys that never change: this server's own."""

    def __init__(self, keys: tuple[Key, ...]) -> None:
        super().__init__(0, 0, keys)

    def wants(self, *, found: bool, now: Instant) -> bool:
        return False


# --- whom to believe --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Grant:
    """Whoever has this value for this claim, or in its list, has these permissions (Command's security claims)."""

    claim: str
    value: str
    permissions: frozenset[str]


@dataclass(frozen=True, slots=True)
class Trust:
    """One issuer, and what its tokens mean here."""

    issuer: str
    audience: str
    keys: KeyRing = field(repr=False)
    grants: tuple[Grant, ...] = ()
    algorithms: frozenset[str] = ALGORITHMS
    leeway: Span = 30 * SECOND
    name_claim: str = "sub"


@dataclass(frozen=True, slots=True)
class Claimed:
    """A token that was read and not yet believed."""

    trust: Trust
    kid: str | None
    algorithm: str
    text: str = field(repr=False)
    claims: _Json = field(repr=False)

    @property
    def keys(self) -> tuple[Key, ...]:
        """The keys held that may have signed it."""
        return self.trust.keys.find(self.kid, self.algorithm)


class Judge:
    """Says who a token proves. Remembers tokens that were good, by their hash, for as long as they are."""

    def __init__(self, *trusts: Trust) -> None:
        self._trusts = trusts
        self._known: dict[bytes, tuple[Caller, Instant]] = {}

    @property
    def is_idle(self) -> bool:
        """True if nobody's tokens are believed."""
        return not self._trusts

    def believe(self, trust: Trust) -> None:
        """Believe one more issuer."""
        self._trusts = (*self._trusts, trust)

    def read(self, token: str) -> Claimed:
        """Take a token apart, believing nothing. Raises Rejected."""
        if len(token) > _LONGEST_TOKEN or not _FORM.fullmatch(token):
            raise Rejected(Fault.FORM)
        header, claims = _parts(token)
        algorithm, kid = header.get("alg"), header.get("kid")
        kind = header.get("typ", "")
        # An extension that must be understood is not; and there is no other content than claims.
        if "crit" in header or "b64" in header or not isinstance(kind, str) or kind.lower() not in _TYPES:
            raise Rejected(Fault.FORM)
        trust = next((trust for trust in self._trusts if trust.issuer == claims.get("iss")), None)
        if not isinstance(algorithm, str) or algorithm not in (trust.algorithms if trust else ALGORITHMS):
            raise Rejected(Fault.ALGORITHM)
        if trust is None:
            raise Rejected(Fault.ISSUER)
        if not (kid is None or isinstance(kid, str)):
            raise Rejected(Fault.FORM)
        return Claimed(trust, kid, algorithm, token, claims)

    def recall(self, token: str, now: Instant) -> Caller | None:
        """Who a token was found to prove before; None if that is not known or no longer so."""
        digest = _digest(token)
        caller, until = self._known.get(digest, (None, 0))
        return caller if now < until else None

    def verify(self, claimed: Claimed, now: Instant) -> Caller:
        """Who it proves, with what it permits, which may be nothing. Raises Rejected."""
        keys = claimed.keys
        if not keys:
            raise Rejected(Fault.KEY)
        if not any(_is_signed(claimed, key) for key in keys):
            raise Rejected(Fault.SIGNATURE)
        trust, claims = claimed.trust, claimed.claims
        until = _until(claims, trust.leeway, now)
        if not _is_for(trust.audience, claims.get("aud")):
            raise Rejected(Fault.AUDIENCE)
        name = claims.get(trust.name_claim)
        if not isinstance(name, str) or not name.isprintable() or not name:
            raise Rejected(Fault.CLAIMS)
        caller = Caller(name, _permissions(trust.grants, claims))
        self._remember(claimed.text, caller, until)
        return caller

    def forget(self) -> None:
        """Judge every token anew: keys have changed."""
        self._known.clear()

    def _remember(self, token: str, caller: Caller, until: Instant) -> None:
        while len(self._known) >= _REMEMBERED:
            del self._known[next(iter(self._known))]
        self._known[_digest(token)] = (caller, until)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()


def _parts(token: str) -> tuple[_Json, _Json]:
    try:
        parts = _JWS.decode_complete(token, options={"verify_signature": False})
        claims = json.loads(parts["payload"], parse_constant=_refuse_constant)
    except (jwt.PyJWTError, ValueError, RecursionError):  # all the ways in which bytes are no token
        raise Rejected(Fault.FORM) from None
    if not isinstance(claims, dict):
        raise Rejected(Fault.FORM)
    return parts["header"], claims


_JWS: Final = jwt.PyJWS(algorithms=sorted(ALGORITHMS))


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _is_signed(claimed: Claimed, key: Key) -> bool:
    try:
        _JWS.decode_complete(claimed.text, key.public, algorithms=[claimed.algorithm])
    except (jwt.PyJWTError, ValueError, TypeError):  # a key and a signature that do not even fit together
        return False
    return True


def _until(claims: _Json, leeway: Span, now: Instant) -> Instant:
    """When the token will have expired, leeway included. Raises Rejected if it has, or has not begun."""
    expires = _instant(claims.get("exp"))
    if now >= expires + leeway:
        raise Rejected(Fault.EXPIRED)
    for name in ("nbf", "iat"):
        if name in claims and now < _instant(claims[name]) - leeway:
            raise Rejected(Fault.TOO_EARLY)
    return expires + leeway


_LATEST: Final = 2**40  # seconds; also keeps NaN and infinity out


def _instant(value: object) -> Instant:
    if not isinstance(value, int | float) or isinstance(value, bool) or not -_LATEST < value < _LATEST:
        raise Rejected(Fault.CLAIMS)
    return int(value * SECOND)


def _is_for(audience: str, named: object) -> bool:
    return audience in named if isinstance(named, list) else audience == named


def _permissions(grants: tuple[Grant, ...], claims: _Json) -> frozenset[str]:
    return frozenset().union(*(grant.permissions for grant in grants if _has(claims, grant)))


def _has(claims: _Json, grant: Grant) -> bool:
    held = _claim(claims, grant.claim)
    if isinstance(held, str) and grant.claim in _SPACED:
        held = held.split(" ")
    return grant.value in held if isinstance(held, list) else grant.value == held


_SPACED: Final = ("scope", "scp")  # one text that is a list (RFC 8693, 4.2)


def _claim(claims: _Json, name: str) -> object:
    """A claim by its name, which may lead into objects: `realm_access.roles`."""
    if name in claims:
        return claims[name]
    outer, _, inner = name.partition(".")
    below = claims.get(outer)
    return _claim(below, inner) if inner and isinstance(below, dict) else None
