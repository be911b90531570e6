"""Heads that were read before: known to the last byte, or not at all."""

from agent_sim.protocol.codec import agent_reader
from agent_sim.server.http.heads import Head, Heads
from tests.server.http.desks import ACCOUNTS

HEAD = b"POST /KeyfactorAgents/Custom/Configure HTTP/1.1\r\nContent-Length: 2\r\n\r\n"
MEANT = Head(ACCOUNTS.operator, agent_reader("/Custom/Configure"), 2)


def test_a_message_with_a_known_head_is_found_with_its_body():
    heads = Heads()
    heads.keep(HEAD + b"{}", MEANT)

    assert heads.find(HEAD + b"[]") == (MEANT, b"[]")


def test_all_others_are_not_known():
    heads = Heads()
    heads.keep(HEAD + b"{}", MEANT)
    others = [
        b"",
        HEAD,  # its body is still to come
        HEAD + b"{",
        HEAD + b"{}P",  # another message comes along
        HEAD.replace(b"Custom", b"custom") + b"{}",
        HEAD.replace(b"\r\n\r\n", b"\r\nTransfer-Encoding: chunked\r\n\r\n") + b"{}",
        HEAD[:-4] + b"{}",
    ]

    assert [heads.find(other) for other in others] == [None] * len(others)


def test_no_more_heads_are_kept_than_a_fleet_has():
    heads = Heads()
    for number in range(5000):
        heads.keep(b"%d\r\n\r\n{}" % number, MEANT)

    assert (heads.find(b"0\r\n\r\n{}"), heads.find(b"4999\r\n\r\n{}")) == (None, (MEANT, b"{}"))
    assert len(heads._known) == 4096
