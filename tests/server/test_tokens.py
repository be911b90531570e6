import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from agent_sim.instants import MINUTE, SECOND
from agent_sim.server.bearer import Judge, Rejected, read_keys
from agent_sim.server.callers import Caller
from agent_sim.server.tokens import TokenMaker

NOW = 1_772_000_000 * SECOND
ISSUER = "http://127.0.0.1:8600"
ROLES = {"Agent": frozenset({"/agents/session/"}), "Reader": frozenset({"/agents/management/read/"})}


class Mint:
    count = 0

    def guid(self) -> str:
        self.count += 1
        return str(self.count)


def maker(scalar: int = 1) -> TokenMaker:
    """With a key that is the same in every run."""
    return TokenMaker(ec.derive_private_key(scalar, ec.SECP256R1()), 5 * MINUTE, Mint())


def test_a_token_proves_who_it_was_made_for_until_it_expires():
    made = maker()
    judge = Judge(made.trust(ISSUER, ROLES))
    claimed = judge.read(made.make(ISSUER, "DOMAIN\\alice", ("Reader",), NOW))

    assert judge.verify(claimed, NOW) == Caller("DOMAIN\\alice", ROLES["Reader"])
    assert judge.verify(claimed, NOW + 5 * MINUTE - 1) == Caller("DOMAIN\\alice", ROLES["Reader"])
    with pytest.raises(Rejected, match="expired"):
        judge.verify(claimed, NOW + 5 * MINUTE)


def test_no_two_tokens_are_alike():
    made = maker()

    assert made.make(ISSUER, "alice", (), NOW) != made.make(ISSUER, "alice", (), NOW)


def test_a_key_gives_the_same_key_set_every_time_and_another_key_another():
    assert maker().jwks == maker().jwks
    assert maker().jwks != maker(2).jwks
    assert "d" not in maker().jwks["keys"][0]
    assert len(read_keys(json.dumps(maker().jwks))) == 1
