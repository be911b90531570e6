"""Tokens that this server gives itself, for tests and demonstrations: short-lived JWTs under a key of its own.

Who gets one is decided in `http.oauth`; they are judged like any other issuer's, in `bearer`. The key comes from
outside: a fresh one from the process that serves, a fixed one from a test.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Final

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from jwt.algorithms import ECAlgorithm
from jwt.utils import base64url_encode

from agent_sim.instants import SECOND, Instant, Span
from agent_sim.server.bearer import FixedRing, Grant, Trust, read_keys
from agent_sim.server.ports import Mint

AUDIENCE: Final = "agent-sim"
ROLES: Final = "roles"


class TokenMaker:
    """Signs tokens with one key on the curve P-256."""

    def __init__(self, key: EllipticCurvePrivateKey, lifetime: Span, mint: Mint) -> None:
        self._key, self._mint = key, mint
        self.lifetime_seconds = max(lifetime // SECOND, 1)
        public = ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
        self._kid = _thumbprint(public)
        self.jwks = {"keys": [{**public, "kid": self._kid, "use": "sig", "alg": "ES256"}]}
        """The public half, as a JSON web key set."""

    def make(self, issuer: str, name: str, roles: tuple[str, ...], now: Instant) -> str:
        """A token that says who somebody is and which roles they have."""
        begins = now // SECOND
        claims = {
            "iss": issuer,
            "aud": AUDIENCE,
            "sub": name,
            "client_id": name,
            ROLES: list(roles),
            "iat": begins,
            "nbf": begins,
            "exp": begins + self.lifetime_seconds,
            "jti": self._mint.guid(),
        }
        return jwt.encode(claims, self._key, "ES256", headers={"kid": self._kid, "typ": "at+jwt"})

    def trust(self, issuer: str, roles: Mapping[str, frozenset[str]]) -> Trust:
        """Belief in these tokens and in what these roles permit."""
        grants = tuple(Grant(ROLES, role, permissions) for role, permissions in roles.items())
        ring = FixedRing(read_keys(json.dumps(self.jwks)))
        return Trust(issuer, AUDIENCE, ring, grants, frozenset({"ES256"}), leeway=0)


def _thumbprint(public: Mapping[str, object]) -> str:
    """The key's name: RFC 7638."""
    named = {name: public[name] for name in ("crv", "kty", "x", "y")}
    text = json.dumps(named, separators=(",", ":"), sort_keys=True)
    return base64url_encode(hashlib.sha256(text.encode()).digest()).decode()
