"""One connection of the fast HTTP transport: bytes out, an answer in, TLS included.

TLS runs in memory (`ssl.MemoryBIO`) and not in the event loop's own layer, which holds a read buffer of 256 KiB for
each connection: here a connection that is idle holds nothing but OpenSSL's own state, on every event loop.
"""

import asyncio
import contextlib
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, cast

from agent_sim.errors import MalformedMessage
from agent_sim.transports.answers import Answer, AnswerReader

if TYPE_CHECKING:
    from agent_sim.transports.line import Call

_RECORD: Final = 16 * 1024
"""The most that one record of TLS holds."""

_BROKEN_OFF: Final = "the connection ended before the answer did"

Ended = Callable[["Connection", Answer | str], None]
"""Told how what was sent ended: in an answer, or in the reason why there is none."""


class Connection(asyncio.Protocol):
    """A client's side of one connection. Send only when the last answer has come; `ended` is called once a `send`.

    `lost` is told of its end, whoever caused it. `keeps` is True while another request may be sent.
    """

    __slots__ = (
        "_awaits",
        "_ended",
        "_lost",
        "_reader",
        "_tls",
        "_transport",
        "call",
        "idle_since",
        "keeps",
        "secured",
    )

    def __init__(self, ended: Ended, lost: Callable[["Connection"], None], tls: "Tls | None" = None) -> None:
        self._ended, self._lost, self._tls = ended, lost, tls
        self._reader = AnswerReader()
        self._transport: asyncio.Transport | None = None
        self._awaits = False
        self.keeps = True
        self.call: Call | None = None  # which call has it now; the line's business
        self.idle_since = 0  # nanoseconds, by the monotonic clock
        self.secured: asyncio.Future[None] | None = None  # while TLS is being agreed on

    @property
    def is_open(self) -> bool:
        """True from its making to its loss."""
        return self._transport is not None and not self._transport.is_closing()

    def send(self, data: bytes) -> None:
        """Send a whole request."""
        assert self._transport is not None
        self._awaits = True
        self._transport.write(data if self._tls is None else self._tls.encrypt(data))

    def close(self) -> None:
        """End it in good order; what was asked is not waited for any more."""
        self.keeps = self._awaits = False
        if self._transport is not None and not self._transport.is_closing():
            if self._tls is not None and self.secured is None:
                self._transport.write(self._tls.goodbye())
            self._transport.close()

    def abort(self) -> None:
        """End it now."""
        self.keeps = self._awaits = False
        if self._transport is not None:
            self._transport.abort()

    async def secure(self) -> None:
        """Agree on TLS. Raises OSError (ssl.SSLError is one)."""
        assert self._tls is not None
        assert self._transport is not None
        self.secured = asyncio.get_running_loop().create_future()
        self._transport.write(self._tls.hello())
        await self.secured
        self.secured = None

    # --- what the event loop calls ------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        plain = data if self._tls is None else self._decrypted(self._tls, data)
        if not plain:
            return
        if not self._awaits:
            self.abort()  # nobody asked for anything
            return
        try:
            answer = self._reader.feed(plain)
        except MalformedMessage as malformed:
            self.abort()
            self._ended(self, str(malformed))
            return
        if answer is not None:
            self._awaits, self.keeps = False, self._reader.keeps and self.keeps
            self._ended(self, answer)

    def eof_received(self) -> bool:
        # TLS says goodbye first: an end without it may be anybody's doing.
        self._over(_BROKEN_OFF, is_whole=self._tls is None or self._tls.is_over)
        return False

    def connection_lost(self, error: Exception | None) -> None:
        self._over(_BROKEN_OFF if error is None else _words(error))
        if self.secured is not None and not self.secured.done():
            self.secured.set_exception(error or ConnectionResetError("the connection ended while TLS was agreed on"))
        self._transport = None
        self._reader.drop()
        self._lost(self)

    # ------------------------------------------------------------------------------------------

    def _decrypted(self, tls: "Tls", data: bytes) -> bytes:
        assert self._transport is not None
        try:
            plain = tls.decrypt(data)
        except ssl.SSLError as error:
            self._break(error)
            return b""
        if out := tls.outgoing():
            self._transport.write(out)
        if tls.is_agreed and self.secured is not None and not self.secured.done():
            self.secured.set_result(None)
        if tls.is_over and not plain:
            self._over(_BROKEN_OFF, is_whole=True)
            self.close()
        return plain

    def _break(self, error: ssl.SSLError) -> None:
        if self.secured is not None and not self.secured.done():
            assert self._tls is not None
            assert self._transport is not None
            self._transport.write(self._tls.outgoing())  # the alert, so that the server knows why
            self.secured.set_exception(error)
        was_awaited, reason = self._awaits, _words(error)
        self.abort() if self.secured is None else self.close()
        if was_awaited:
            self._ended(self, reason)

    def _over(self, reason: str, *, is_whole: bool = False) -> None:
        """Nothing more comes in."""
        self.keeps = False
        if self._awaits:
            self._awaits = False
            self._ended(self, (self._reader.end() if is_whole else None) or reason)


class Tls:
    """The client's side of TLS, in memory; `is_agreed` once the handshake is over, `is_over` at the peer's goodbye."""

    __slots__ = ("_in", "_object", "_out", "is_agreed", "is_over")

    def __init__(self, context: ssl.SSLContext, host: str) -> None:
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._object = context.wrap_bio(self._in, self._out, server_hostname=host)
        self.is_agreed = self.is_over = False

    def hello(self) -> bytes:
        """The first bytes to send."""
        self._shake()
        return self._out.read()

    def decrypt(self, data: bytes) -> bytes:
        """What the bytes that came in say; something may be `outgoing` then. Raises ssl.SSLError."""
        self._in.write(data)
        if not self.is_agreed:
            self._shake()
            if not self.is_agreed:
                return b""
        parts: list[bytes] = []
        try:
            while part := self._object.read(_RECORD):
                parts.append(part)
            self.is_over = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.is_over = True
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def encrypt(self, data: bytes) -> bytes:
        """The bytes to send for `data`."""
        view = memoryview(data)
        while view:
            view = view[self._object.write(view) :]
        return self._out.read()

    def outgoing(self) -> bytes:
        """What TLS itself has to say."""
        return self._out.read()

    def goodbye(self) -> bytes:
        """The last bytes to send."""
        with contextlib.suppress(ssl.SSLError):
            self._object.unwrap()
        return self._out.read()

    def _shake(self) -> None:
        try:
            self._object.do_handshake()
        except ssl.SSLWantReadError:
            return
        self.is_agreed = True


def _words(error: Exception) -> str:
    return (str(error) or type(error).__name__).partition("\n")[0][:200]
