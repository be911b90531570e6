import base64
import hashlib
import hmac
import itertools
import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from agent_sim.instants import MINUTE, SECOND
from agent_sim.server.bearer import (
    ALGORITHMS,
    FixedRing,
    Grant,
    Judge,
    Key,
    KeyRing,
    Rejected,
    Trust,
    read_keys,
)
from agent_sim.server.callers import Caller

NOW = 1_772_000_000 * SECOND
ISSUER, AUDIENCE = "https://login.example", "agent-sim"
LEEWAY = 30 * SECOND

RSA_KEY = rsa.generate_private_key(65537, 2048)
SMALL_RSA_KEY = rsa.generate_private_key(65537, 1024)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
OTHER_EC_KEY = ec.generate_private_key(ec.SECP256R1())
ED_KEY = ed25519.Ed25519PrivateKey.generate()


def jwk(key: Any, kid: str | None = None, **more: str) -> dict[str, Any]:
    """The public half of a key, as an issuer publishes it."""
    family: dict[type, Any] = {rsa.RSAPrivateKey: RSAAlgorithm, ec.EllipticCurvePrivateKey: ECAlgorithm}
    algorithm = next((made for kind, made in family.items() if isinstance(key, kind)), OKPAlgorithm)
    return {**algorithm.to_jwk(key.public_key(), as_dict=True), **({"kid": kid} if kid else {}), **more}


def keys(*listed: dict[str, Any]) -> tuple[Key, ...]:
    return read_keys(json.dumps({"keys": listed}))


RING = keys(jwk(RSA_KEY, "rsa"), jwk(EC_KEY, "ec"), jwk(ED_KEY, "ed"))
GRANTS = (
    Grant("sub", "ci", frozenset({"/agents/"})),
    Grant("roles", "storm", frozenset({"/certificate_stores/schedule/"})),
    Grant("scope", "read", frozenset({"/agents/management/read/"})),
    Grant("realm_access.roles", "admin", frozenset({"/"})),
)


def trust(**changes: Any) -> Trust:
    given: dict[str, Any] = {"keys": FixedRing(RING), "grants": GRANTS, "leeway": LEEWAY}
    return Trust(ISSUER, AUDIENCE, **given | changes)


def claims(**changes: object) -> dict[str, object]:
    """Good ones; a claim that is changed to None is left out."""
    begins = NOW // SECOND
    good = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ci", "iat": begins, "nbf": begins, "exp": begins + 300}
    return {name: value for name, value in (good | changes).items() if value is not None}


def token(given: object = None, key: Any = EC_KEY, algorithm: str = "ES256", **header: object) -> str:
    """Signed by hand, so that it can be anything."""
    return jwt.PyJWS().encode(
        json.dumps(claims() if given is None else given).encode(), key, algorithm, headers={"kid": "ec"} | header
    )


def forged(header: dict[str, object], given: dict[str, object], secret: bytes = b"") -> str:
    """With an HMAC for a signature, or none."""
    head, body = (_base64(json.dumps(part).encode()) for part in (header, given))
    signature = hmac.digest(secret, f"{head}.{body}".encode(), hashlib.sha256) if secret else b""
    return f"{head}.{body}.{_base64(signature)}"


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def judged(text: str, judge: Judge | None = None, now: int = NOW) -> Caller | str:
    """The caller whom a token proves, or the name of its fault."""
    judge = judge or Judge(trust())
    try:
        return judge.verify(judge.read(text), now)
    except Rejected as rejected:
        return rejected.fault.name


# --- good ones --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "algorithm", "kid"),
    [
        (EC_KEY, "ES256", "ec"),
        (RSA_KEY, "RS256", "rsa"),
        (RSA_KEY, "PS512", "rsa"),
        (ED_KEY, "EdDSA", "ed"),
    ],
)
def test_a_good_token_proves_a_caller_with_what_its_claims_are_granted(key, algorithm, kid):
    text = token(key=key, algorithm=algorithm, kid=kid)

    assert judged(text) == Caller("ci", frozenset({"/agents/"}))


@pytest.mark.parametrize(
    ("changes", "permissions"),
    [
        ({"sub": "nobody"}, ()),
        ({"sub": "nobody", "roles": ["x", "storm"]}, ("/certificate_stores/schedule/",)),
        ({"sub": "nobody", "roles": "storm"}, ("/certificate_stores/schedule/",)),
        ({"sub": "nobody", "roles": "storm troopers"}, ()),  # only scopes are lists with spaces
        ({"sub": "nobody", "scope": "openid read"}, ("/agents/management/read/",)),
        ({"sub": "nobody", "scope": "openid unread"}, ()),
        ({"sub": "nobody", "realm_access": {"roles": ["admin"]}}, ("/",)),
        ({"sub": "nobody", "realm_access": ["admin"]}, ()),
        ({"sub": "nobody", "roles": {"storm": True}}, ()),
        ({"roles": ["storm"]}, ("/agents/", "/certificate_stores/schedule/")),
    ],
)
def test_claims_are_mapped_to_permissions(changes, permissions):
    caller = judged(token(claims(**changes)))

    assert isinstance(caller, Caller)
    assert caller.permissions == frozenset(permissions)


def test_a_caller_is_called_by_the_claim_that_is_chosen():
    judge = Judge(trust(name_claim="client_id"))

    assert judged(token(claims(client_id="runner")), judge) == Caller("runner", frozenset({"/agents/"}))
    assert judged(token(), judge) == "CLAIMS"


def test_a_token_without_a_key_id_is_tried_with_the_only_key_that_fits():
    text = jwt.encode(claims(), EC_KEY, "ES256")

    assert isinstance(judged(text), Caller)
    two = Judge(trust(keys=FixedRing(keys(jwk(EC_KEY, "ec"), jwk(OTHER_EC_KEY, "other")))))
    assert judged(text, two) == "KEY"


def test_two_issuers_do_not_vouch_for_each_other():
    other = Trust("https://other.example", AUDIENCE, FixedRing(keys(jwk(OTHER_EC_KEY, "ec"))), GRANTS)
    judge = Judge(trust(), other)

    assert isinstance(judged(token(), judge), Caller)
    assert isinstance(judged(token(claims(iss=other.issuer), OTHER_EC_KEY), judge), Caller)
    assert judged(token(claims(iss=other.issuer)), judge) == "SIGNATURE"
    assert judged(token(key=OTHER_EC_KEY), judge) == "SIGNATURE"


# --- time -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "after", "verdict"),
    [
        ({}, 300 * SECOND + LEEWAY - 1, Caller("ci", frozenset({"/agents/"}))),
        ({}, 300 * SECOND + LEEWAY, "EXPIRED"),
        ({"nbf": NOW // SECOND + 60}, 60 * SECOND - LEEWAY - 1, "TOO_EARLY"),
        ({"nbf": NOW // SECOND + 60}, 60 * SECOND - LEEWAY, Caller("ci", frozenset({"/agents/"}))),
        ({"iat": NOW // SECOND + 60}, 0, "TOO_EARLY"),
        ({"nbf": None, "iat": None}, 0, Caller("ci", frozenset({"/agents/"}))),
        ({"exp": NOW // SECOND + 0.5}, LEEWAY, Caller("ci", frozenset({"/agents/"}))),
        ({"exp": None}, 0, "CLAIMS"),
        ({"exp": "never"}, 0, "CLAIMS"),
        ({"exp": True}, 0, "CLAIMS"),
        ({"exp": 10**300}, 0, "CLAIMS"),
        ({"exp": 1e300}, 0, "CLAIMS"),
        ({"nbf": "now"}, 0, "CLAIMS"),
        ({"nbf": [1]}, 0, "CLAIMS"),
    ],
)
def test_when_a_token_is_good(changes, after, verdict):
    assert judged(token(claims(**changes)), now=NOW + after) == verdict


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_numbers_that_are_none(number):
    text = json.dumps(claims()).replace(str(NOW // SECOND + 300), number)

    assert judged(jwt.PyJWS().encode(text.encode(), EC_KEY, "ES256", headers={"kid": "ec"})) in ("FORM", "CLAIMS")


def test_a_token_is_remembered_until_it_expires_or_keys_change():
    judge = Judge(trust())
    text = token()
    caller = judged(text, judge)

    assert judge.recall(text, NOW + 300 * SECOND + LEEWAY - 1) == caller
    assert judge.recall(text, NOW + 300 * SECOND + LEEWAY) is None
    assert judge.recall(text + "x", NOW) is None
    judge.forget()
    assert judge.recall(text, NOW) is None


def test_bad_tokens_are_never_remembered():
    judge = Judge(trust())
    text = token(key=OTHER_EC_KEY)

    assert judged(text, judge) == "SIGNATURE"
    assert judge.recall(text, NOW) is None


# --- bad ones ---------------------------------------------------------------------------------

PUBLIC_PEM = RSA_KEY.public_key().public_bytes(
    serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
)
PUBLIC_DER = RSA_KEY.public_key().public_bytes(
    serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "FORM"),
        ("x", "FORM"),
        ("a.b", "FORM"),
        ("..", "FORM"),
        ("a.b.c", "FORM"),
        ("a.b.c.d.e", "FORM"),  # encrypted
        ("ü.ü.ü", "FORM"),
        ("\udcff.a.b", "FORM"),
        (token() + "=", "FORM"),
        (token() + ".", "FORM"),
        (" " + token(), "FORM"),
        ("a" * 100_000, "FORM"),
        (token(claims(pad="x" * 20_000)), "FORM"),
        (f"{_base64(b'[' * 4000)}.{_base64(b'{}')}.AA", "FORM"),
        (f"{_base64(b'null')}.{_base64(b'{}')}.AA", "FORM"),
        (token([1, 2]), "FORM"),
        (token("claims"), "FORM"),
        (jwt.PyJWS().encode(b"[" * 8000, EC_KEY, "ES256", headers={"kid": "ec"}), "FORM"),
        (jwt.PyJWS().encode(b"\xff", EC_KEY, "ES256", headers={"kid": "ec"}), "FORM"),
        (token(typ="logout+jwt"), "FORM"),
        (token(crit=["exp"]), "FORM"),
        (forged({"alg": "none"}, claims()) + "AA", "ALGORITHM"),
        (forged({"alg": "none"}, claims()), "FORM"),
        (forged({"alg": "None", "kid": "rsa"}, claims(), b"x"), "ALGORITHM"),
        (forged({"alg": "HS256", "kid": "rsa"}, claims(), PUBLIC_PEM), "ALGORITHM"),
        (forged({"alg": "HS256", "kid": "rsa"}, claims(), PUBLIC_DER), "ALGORITHM"),
        (forged({"alg": "RS256", "kid": "rsa"}, claims(), PUBLIC_PEM), "SIGNATURE"),
        (forged({"alg": ["RS256"], "kid": "rsa"}, claims(), b"x"), "ALGORITHM"),
        (forged({"kid": "rsa"}, claims(), b"x"), "ALGORITHM"),
        (forged({"alg": "ES256", "kid": 5}, claims(), b"x"), "FORM"),
        (token(kid="rsa"), "KEY"),  # an algorithm that this key cannot do
        (token(key=RSA_KEY, algorithm="RS256", kid="ec"), "KEY"),
        (token(kid="unknown"), "KEY"),
        (token(kid="../../dev/null"), "KEY"),
        (token(key=OTHER_EC_KEY), "SIGNATURE"),
        (token(key=OTHER_EC_KEY, jwk=jwk(OTHER_EC_KEY)), "SIGNATURE"),  # a key of its own is not believed
        (token(key=OTHER_EC_KEY, jku="https://evil.example/jwks.json"), "SIGNATURE"),
        (token(claims(iss="https://evil.example")), "ISSUER"),
        (token(claims(iss=ISSUER + "/")), "ISSUER"),
        (token(claims(iss=None)), "ISSUER"),
        (token(claims(iss=[ISSUER])), "ISSUER"),
        (token(claims(aud="somebody-else")), "AUDIENCE"),
        (token(claims(aud=["a", "b"])), "AUDIENCE"),
        (token(claims(aud=AUDIENCE + "x")), "AUDIENCE"),
        (token(claims(aud=None)), "AUDIENCE"),
        (token(claims(aud={AUDIENCE: 1})), "AUDIENCE"),
        (token(claims(sub=None)), "CLAIMS"),
        (token(claims(sub="")), "CLAIMS"),
        (token(claims(sub=5)), "CLAIMS"),
        (token(claims(sub="a\r\nb")), "CLAIMS"),
    ],
)
def test_tokens_that_prove_nobody(text, fault):
    assert judged(text) == fault


@given(st.text(max_size=200) | st.from_regex(r"[A-Za-z0-9_-]{1,80}\.[A-Za-z0-9_-]{1,80}\.[A-Za-z0-9_-]{1,80}"))
def test_nonsense_is_a_fault_and_never_a_crash(text):
    assert isinstance(judged(text), str)


@given(st.integers(0, 10_000), st.integers(0, 63))
def test_a_token_with_one_letter_changed_proves_nobody(place, letter):
    text = token()
    place %= len(text) - 1  # the last letter of base64 has bits that mean nothing
    changed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[letter]
    if changed != text[place] and text[place] != ".":
        assert isinstance(judged(text[:place] + changed + text[place + 1 :]), str)


def test_an_algorithm_that_is_not_allowed_here():
    assert judged(token(), Judge(trust(algorithms=frozenset({"RS256"})))) == "ALGORITHM"


def test_neither_none_nor_a_shared_secret_can_be_allowed():
    assert not {name for name in ALGORITHMS if name.startswith("HS") or name.lower() == "none"}


def test_nobody_is_believed_unless_told():
    judge = Judge()

    assert judge.is_idle
    assert judged(token(), judge) == "ISSUER"


def test_nothing_that_can_be_printed_holds_a_token():
    judge = Judge(trust())
    text = token()
    claimed = judge.read(text)
    judge.verify(claimed, NOW)

    shown = repr(judge) + repr(vars(judge)) + repr(claimed) + repr(trust())
    assert not any(part in shown for part in text.split("."))


# --- key sets ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "entry",
    [
        {"kty": "oct", "k": "c2VjcmV0", "kid": "x", "alg": "HS256"},  # a shared secret
        jwk(RSA_KEY, "x", use="enc"),
        jwk(RSA_KEY, "x", alg="HS256"),
        jwk(RSA_KEY, "x", alg="RSA-OAEP"),
        jwk(SMALL_RSA_KEY, "x"),
        jwk(RSA_KEY, "x", d="AQAB"),  # a private key, given away
        jwk(RSA_KEY, "x") | {"kid": 5},
        jwk(EC_KEY, "x") | {"crv": "P-384"},
        jwk(EC_KEY, "x") | {"x": "AAAA"},
        jwk(EC_KEY, "x", alg="RS256"),
        {"kty": "EC", "crv": "P-256"},
        {"kty": ["RSA"]},
        "no object",
        None,
        {},
    ],
)
def test_entries_that_are_no_usable_key_are_passed_over(entry):
    assert keys(entry, jwk(EC_KEY, "ec")) == keys(jwk(EC_KEY, "ec"))


@pytest.mark.parametrize("text", ["", "[]", "null", "{}", '{"keys": {}}', "<html>", "[" * 5000, b"\xff\xfe\xfd"])
def test_texts_that_are_no_key_set(text):
    with pytest.raises(ValueError):
        read_keys(text)


def test_a_key_with_an_algorithm_of_its_own_does_no_other():
    [key] = keys(jwk(RSA_KEY, "rsa", alg="RS384"))

    assert key.algorithms == {"RS384"}


# --- when an issuer is asked ------------------------------------------------------------------


def ring() -> KeyRing:
    return KeyRing(at_least_every=10 * SECOND, grown_old_after=10 * MINUTE)


def test_a_fresh_ring_wants_keys_and_then_only_for_unknown_ones_after_a_pause():
    held = ring()

    assert held.wants(found=False, now=NOW)
    held.asked(NOW)
    assert not held.wants(found=False, now=NOW)
    held.learned(RING, NOW)
    assert not held.wants(found=False, now=NOW + 10 * SECOND - 1)
    assert held.wants(found=False, now=NOW + 10 * SECOND)
    assert not held.wants(found=True, now=NOW + 10 * SECOND)


def test_keys_grow_old_and_stay_in_use_until_there_are_others():
    held = ring()
    held.asked(NOW)
    held.learned(RING, NOW)

    assert not held.wants(found=True, now=NOW + 10 * MINUTE - 1)
    assert held.wants(found=True, now=NOW + 10 * MINUTE)
    assert held.find("ec", "ES256") == keys(jwk(EC_KEY, "ec"))
    held.asked(NOW + 10 * MINUTE)
    assert not held.wants(found=True, now=NOW + 10 * MINUTE)
    held.learned(keys(jwk(OTHER_EC_KEY, "new")), NOW + 10 * MINUTE)
    assert (held.find("ec", "ES256"), len(held.find("new", "ES256"))) == ((), 1)


@given(st.lists(st.tuples(st.integers(0, 5 * SECOND), st.booleans(), st.booleans()), max_size=60))
def test_no_sequence_of_tokens_asks_more_often_than_allowed(steps):
    held, now = ring(), NOW
    asked: list[int] = []
    for step, found, answered in steps:
        now += step
        if held.wants(found=found, now=now):
            held.asked(now)
            asked.append(now)
            if answered:
                held.learned(RING, now)

    assert all(later - earlier >= 10 * SECOND for earlier, later in itertools.pairwise(asked))


def test_own_keys_are_never_asked_for():
    assert not FixedRing(RING).wants(found=False, now=NOW)
