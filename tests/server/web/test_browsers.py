"""Browser sessions and one-time links."""

from agent_sim.instants import MINUTE
from agent_sim.server.web.browsers import IDLE, LINK_LASTS, MOST_SESSIONS, Browsers, proves
from tests.server.bench import OPERATOR


class Clock:
    now = 0

    def __call__(self) -> int:
        return self.now


def test_a_session_lives_on_by_being_used():
    clock = Clock()
    browsers = Browsers(clock)
    signed = browsers.open(OPERATOR)
    clock.now = IDLE - MINUTE
    assert browsers.find(signed.token) is signed

    clock.now += IDLE - MINUTE
    assert browsers.find(signed.token) is signed
    clock.now += IDLE
    assert browsers.find(signed.token) is None


def test_a_closed_session_is_over_and_closing_it_again_is_no_error():
    browsers = Browsers(Clock())
    signed = browsers.open(OPERATOR)
    browsers.close(signed.token)
    browsers.close(signed.token)

    assert browsers.find(signed.token) is None


def test_a_link_works_once():
    browsers = Browsers(Clock())
    link = browsers.link(OPERATOR)
    signed = browsers.redeem(link)

    assert signed is not None
    assert signed.caller is OPERATOR
    assert browsers.redeem(link) is None


def test_a_link_works_soon_or_never():
    clock = Clock()
    browsers = Browsers(clock)
    link = browsers.link(OPERATOR)
    clock.now = LINK_LASTS

    assert browsers.redeem(link) is None


def test_sessions_do_not_pile_up():
    browsers = Browsers(Clock())
    first, *_, last = [browsers.open(OPERATOR) for _ in range(MOST_SESSIONS + 1)]

    assert browsers.find(first.token) is None
    assert browsers.find(last.token) is last


def test_only_the_sessions_own_token_proves_it():
    browsers = Browsers(Clock())
    signed, other = browsers.open(OPERATOR), browsers.open(OPERATOR)

    assert proves(signed, signed.forgery_token)
    assert not proves(signed, other.forgery_token)
    assert not proves(signed, "")
    assert not proves(signed, "\udcff")
    assert signed.token not in repr(signed)
