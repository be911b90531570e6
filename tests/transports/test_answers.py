import gc

import pytest

from agent_sim.errors import MalformedMessage
from agent_sim.transports.answers import LARGEST_ANSWER, Answer, AnswerReader

HEAD = b"HTTP/1.1 200 OK\r\nX: y\r\n"
LONG = HEAD + b"Content-Length: 5\r\n\r\nhello"
HEADERS = ((b"X", b"y"), (b"Content-Length", b"5"))
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
@pytest.mark.parametrize("answer", [LONG, CHUNKED, b"HTTP/1.1 100 Continue\r\n\r\n" + LONG])
def test_an_answer_is_the_same_however_its_bytes_come(answer, size):
    reader = AnswerReader()

    *before, last = [reader.feed(answer[at : at + size]) for at in range(0, len(answer), size)]

    assert before == [None] * len(before)
    assert (last.status, last.body) == (200, b"hello")
    assert reader.keeps


def test_one_answer_follows_the_other_and_nothing_of_the_first_is_left():
    reader = AnswerReader()

    assert reader.feed(LONG) == Answer(200, HEADERS, b"hello")
    assert reader.feed(b"HTTP/1.1 204 No Content\r\n\r\n") == Answer(204, (), b"")
    assert reader.feed(LONG) == Answer(200, HEADERS, b"hello")


def test_an_answer_heard_before_is_known_by_its_bytes_and_only_where_an_answer_begins():
    AnswerReader().feed(LONG)
    reader = AnswerReader()

    assert reader.feed(LONG) is AnswerReader().feed(LONG)  # nobody parses it again
    assert reader.feed(HEAD + b"Content-Length: %d\r\n\r\n" % len(LONG)) is None
    assert reader.feed(LONG) == Answer(200, ((b"X", b"y"), (b"Content-Length", b"%d" % len(LONG))), LONG)
    assert reader.feed(LONG[:20]) is None
    assert reader.feed(LONG[20:]) == Answer(200, HEADERS, b"hello")
    assert reader.keeps


@pytest.mark.parametrize(
    "rest",
    [b"HELLO", b"hell", b"helloX", b"", b"hello" + LONG, b"\r\n\r\nX"],
    ids=["as long", "shorter", "longer", "none", "two at once", "blank lines"],
)
@pytest.mark.parametrize(
    "head",
    [
        LONG[:-5],
        b"HTTP/1.1 404 Not Found\r\ncontent-length:5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 05\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\n",
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" + LONG[:-5],
        b"HTTP/1.1 200 OK\r\n\r\n",
    ],
)
def test_what_follows_a_head_that_was_heard_before_is_read_as_if_it_never_was(head, rest):
    def fed(reader, *parts):
        told = []
        for part in parts:
            try:
                told.append(reader.feed(part))
            except MalformedMessage as malformed:
                told.append(str(malformed))
        return told, reader.keeps

    unheard = fed(AnswerReader(), (head + rest)[:3], (head + rest)[3:])  # in parts: such bytes are never looked up
    AnswerReader().feed(head + b"hello")

    (*_, last), keeps = unheard
    assert fed(AnswerReader(), head + rest) == ([last], keeps)


def test_a_reader_that_is_done_is_no_garbage_to_be_looked_for():
    gc.collect()
    gc.disable()
    try:
        reader = AnswerReader()
        reader.feed(CHUNKED[:-1])
        reader.drop()
        del reader
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_an_answer_without_a_length_is_whole_when_its_connection_ends():
    reader = AnswerReader()

    assert reader.feed(HEAD + b"\r\nhel") is None
    assert reader.feed(b"lo") is None
    assert reader.end() == Answer(200, ((b"X", b"y"),), b"hello")
    assert not reader.keeps


@pytest.mark.parametrize("begun", [b"", HEAD, LONG[:-1], CHUNKED[:-1], b"HTTP/1.1 100 Continue\r\n\r\n"])
def test_an_answer_that_breaks_off_is_none(begun):
    reader = AnswerReader()
    reader.feed(begun)

    assert reader.end() is None


@pytest.mark.parametrize("more", [LONG, b"x", b"\r\nHTTP/9"])
def test_what_follows_an_answer_unasked_is_not_another_and_ends_the_connection(more):
    reader = AnswerReader()

    assert reader.feed(LONG + more) == Answer(200, HEADERS, b"hello")
    assert not reader.keeps


@pytest.mark.parametrize(
    "said", [b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", LONG.replace(b"X: y", b"Connection: close")]
)
def test_a_connection_that_the_server_does_not_keep_is_not_kept(said):
    reader = AnswerReader()

    assert reader.feed(said) is not None
    assert not reader.keeps


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n", "not HTTP"),
        (HEAD + b"Content-Length: %d\r\n\r\n" % (LARGEST_ANSWER + 1), "larger than 32 MiB"),
        (HEAD + b"X: " + b"x" * 70_000 + b"\r\n\r\n", "its head is too large"),
        (HEAD + b"X: " + b"x" * 70_000, "its head is too large"),  # and it goes on
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", "another protocol"),
        (CHUNKED[:53] + b"%x\r\n" % (LARGEST_ANSWER + 9) + b" " * (LARGEST_ANSWER + 1), "larger than 32 MiB"),
    ],
)  # fmt: skip  # a row a case
def test_what_is_no_answer_or_too_large_is_refused_with_the_reason(said, reason):
    with pytest.raises(MalformedMessage, match=reason):
        AnswerReader().feed(said)
