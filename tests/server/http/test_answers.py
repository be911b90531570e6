"""The bytes of answers to agents."""

import json

from agent_sim.protocol.agent import OK, AgentReply, CompletionReply, Configuration, HeartbeatReply
from agent_sim.protocol.codec import agent_body
from agent_sim.server.http import answers
from agent_sim.server.http.answers import answered


def parts(answer: bytes) -> tuple[list[str], bytes]:
    head, _, body = answer.partition(b"\r\n\r\n")
    return [line for line in head.decode().split("\r\n") if not line.startswith("Date: ")], body


def test_an_answer_says_what_its_body_is_and_one_without_a_body_does_not():
    whole, refused = AgentReply(200, Configuration(7, result=OK)), AgentReply(403, None)

    body = agent_body(whole.body)
    lines = ["HTTP/1.1 200 OK", "Content-Type: application/json", f"Content-Length: {len(body)}"]
    assert parts(answered(whole)) == (lines, body)
    assert parts(answered(refused)) == (["HTTP/1.1 403 Forbidden", "Content-Length: 0"], b"")


def test_the_same_object_again_is_answered_the_same_and_no_other_one_in_its_place():
    for minutes in range(500):  # each gone before the next: ids come again
        for _ in range(2):
            reply = AgentReply(200, HeartbeatReply(minutes, True, OK))
            assert json.loads(parts(answered(reply))[1])["HeartbeatInterval"] == minutes
    done = AgentReply(200, CompletionReply(OK))

    assert parts(answered(done)) == parts(answered(done))
    assert len(answers._known) <= 64
