"""Answers of HTTP/1.1 out of the bytes of one connection, one after the other: httptools' parser with our limits.

It reads no socket: whoever does feeds it. What is no HTTP, or more than anybody should hold in memory, raises
MalformedMessage with the reason; after that, or once `keeps` is False, the connection is of no more use.
"""

from typing import Final

from httptools import HttpParserCallbackError, HttpParserError, HttpParserUpgrade, HttpResponseParser

from agent_sim.errors import MalformedMessage
from agent_sim.values import value

LARGEST_ANSWER: Final = 32 * 1024 * 1024
_LARGEST_HEAD: Final = 64 * 1024


@value
class Answer:
    """A whole answer; `headers` as they came, names in any case."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes

    def header(self, name: bytes) -> str:
        """The last value of a header, by its name in lower case; "" if it did not come."""
        said = [value for each, value in self.headers if each.lower() == name]
        return said[-1].decode("latin1") if said else ""


class AnswerReader:
    """The answers of one connection. `keeps` says, after an answer, whether another may follow."""

    __slots__ = (
        "_body",
        "_fresh",
        "_head",
        "_headers",
        "_is_bounded",
        "_is_in_body",
        "_parser",
        "_size",
        "answer",
        "keeps",
    )

    def __init__(self) -> None:
        self._parser = HttpResponseParser(self)
        self.answer: Answer | None = None
        self.keeps = True
        self._fresh = True  # no byte of the next answer has come
        self._head = 0  # bytes that came before the end of a head
        self._begin()

    def feed(self, data: bytes) -> Answer | None:
        """Take bytes in; the answer if it is whole now. Raises MalformedMessage."""
        is_first = self._fresh
        if is_first and (known := _KNOWN.get(data) or _under_known_head(data)) is not None:
            return known
        self._fresh = False
        if not self._is_in_body:
            self._head += len(data)
        trouble = self._parse(data)
        answer, self.answer = self.answer, None
        if answer is not None:
            self.keeps = self.keeps and trouble is None  # what came after it makes the connection useless
            self._fresh = self.keeps
            if is_first and self.keeps:
                _remember(data, answer)
            return answer
        if trouble is None and not self._is_in_body and self._head > _LARGEST_HEAD:
            trouble = "not HTTP: its head is too large"
        if trouble is not None:
            raise MalformedMessage(trouble)
        return None

    def end(self) -> Answer | None:
        """The connection ended: the answer, if one without a length was under way; None if it broke off."""
        self.keeps = False
        return self._whole() if self._is_in_body and not self._is_bounded else None

    def drop(self) -> None:
        """Nothing more is read. The parser holds the reader: without this both would wait to be found as garbage."""
        del self._parser

    def _parse(self, data: bytes) -> str | None:
        """What is wrong with the bytes."""
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade:
            return "not HTTP: it changes to another protocol"
        except HttpParserCallbackError as error:
            if not isinstance(error.__context__, MalformedMessage):
                raise
            return str(error.__context__)
        except HttpParserError as error:
            return f"not HTTP: {error}"
        return None

    # --- what the parser calls ----------------------------------------------------------------

    def on_message_begin(self) -> None:
        if self.answer is not None:
            self.keeps = False  # nobody asked for a second one
        self._begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        size = len(name)
        self._size += size + len(value)
        if self._size > _LARGEST_HEAD:
            raise MalformedMessage("not HTTP: its head is too large")
        self._headers.append((name, value))
        if size == 14 and name.lower() == b"content-length":
            self._is_bounded = True
            if int(value) > LARGEST_ANSWER:
                raise MalformedMessage(_too_large())
        elif size == 17 and name.lower() == b"transfer-encoding":
            self._is_bounded = True

    def on_headers_complete(self) -> None:
        self._head = self._size = 0
        self._is_in_body = self._parser.get_status_code() >= 200

    def on_body(self, part: bytes) -> None:
        self._size += len(part)
        if self._size > LARGEST_ANSWER:
            raise MalformedMessage(_too_large())
        self._body.append(part)

    def on_message_complete(self) -> None:
        if self._parser.get_status_code() < 200:
            self._begin()  # `100 Continue` and the like: the answer is still to come
            return
        if self.answer is None:
            self.keeps = self._parser.should_keep_alive()
            self.answer = self._whole()
            self._is_in_body = False

    def _begin(self) -> None:
        self._headers: list[tuple[bytes, bytes]] = []
        self._body: list[bytes] = []
        self._size = 0
        self._is_bounded = self._is_in_body = False

    def _whole(self) -> Answer:
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        return Answer(self._parser.get_status_code(), tuple(self._headers), body)


def _remember(data: bytes, answer: Answer) -> None:
    """The bytes were one whole answer and nothing else: wherever one begins, they are the same answer again.

    So is their head, of whatever follows in the length that it tells.
    """
    if len(data) > _LONGEST_KNOWN:
        return
    if len(_KNOWN) >= _MOST_KNOWN:
        _KNOWN.clear()
        _KNOWN_HEADS.clear()
    _KNOWN[data] = answer
    head, _, rest = data.partition(_END_OF_HEAD)
    if rest == answer.body and answer.header(b"content-length") == str(len(rest)):
        _KNOWN_HEADS[head] = answer


def _under_known_head(data: bytes) -> Answer | None:
    """An answer that differs from a known one in its body alone, if the bytes are one."""
    head, _, body = data.partition(_END_OF_HEAD)
    known = _KNOWN_HEADS.get(head)
    if known is None or len(body) != len(known.body):
        return None
    return Answer(known.status, known.headers, body)


_KNOWN: Final[dict[bytes, Answer]] = {}
_KNOWN_HEADS: Final[dict[bytes, Answer]] = {}
_MOST_KNOWN: Final = 256
_LONGEST_KNOWN: Final = 2048
"""A fleet hears one and the same answer to nearly all it says, or one under the same head, until the second that the
head names is over; and parsing is most of what hearing costs."""
_END_OF_HEAD: Final = b"\r\n\r\n"


def _too_large() -> str:
    return f"larger than {LARGEST_ANSWER >> 20} MiB"
