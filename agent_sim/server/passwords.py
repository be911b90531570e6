"""Passwords as scrypt hashes, in memory and as one line of text: `$scrypt$ln=14,r=8,p=1$<salt>$<hash>`.

The text is the common "PHC" form (base64 without padding). Nothing here knows whose password it is.
"""

import base64
import binascii
import hashlib
import hmac
import re
from dataclasses import dataclass, field
from typing import Final, Self

_BASE64: Final = "([A-Za-z0-9+/]{11,86})"
_FORM: Final = re.compile(rf"\$scrypt\$ln=([0-9]{{1,2}}),r=([0-9]{{1,2}}),p=([0-9]{{1,2}})\${_BASE64}\${_BASE64}")
SALT_BYTES: Final = 16

_MOST_MEMORY: Final = 256 * 1024 * 1024
"""Bytes that checking one password may take (our choice): a file must not be able to ask for all there is."""


@dataclass(frozen=True, slots=True)
class Hashed:
    """A password that can be recognized and not told."""

    cost: int  # log2 of scrypt's N
    block: int
    parallel: int
    salt: bytes = field(repr=False)
    hashed: bytes = field(repr=False)

    @classmethod
    def of(cls, password: str, salt: bytes) -> Self:
        """With a salt of its own, `SALT_BYTES` that nobody can guess; takes tens of milliseconds."""
        return cls(14, 8, 1, salt, _scrypt(password, salt, 14, 8, 1, 32))

    @classmethod
    def read(cls, text: str) -> Self:
        """From its line. Raises ValueError with a sentence that does not repeat it."""
        match = _FORM.fullmatch(text)
        if match is None:
            raise ValueError("must look like $scrypt$ln=14,r=8,p=1$<salt>$<hash>, as `agent-sim users add` writes it")
        cost, block, parallel = (int(number) for number in match.groups()[:3])
        if not (10 <= cost <= 20 and block and parallel and _memory(cost, block, parallel) <= _MOST_MEMORY):
            raise ValueError(f"asks for ln={cost},r={block},p={parallel}: ln must be 10 or more, and 256 MiB enough")
        return cls(cost, block, parallel, _decode(match[4]), _decode(match[5]))

    def __str__(self) -> str:
        """The line that `read` takes."""
        return f"$scrypt$ln={self.cost},r={self.block},p={self.parallel}${_encode(self.salt)}${_encode(self.hashed)}"

    def fits(self, password: str) -> bool:
        """True if it is this password; takes as long if it is not."""
        made = _scrypt(password, self.salt, self.cost, self.block, self.parallel, len(self.hashed))
        return hmac.compare_digest(made, self.hashed)


def _scrypt(password: str, salt: bytes, cost: int, block: int, parallel: int, size: int) -> bytes:
    memory = _memory(cost, block, parallel) + 1024 * 1024
    secret = password.encode("utf-8", "surrogateescape")
    return hashlib.scrypt(secret, salt=salt, n=2**cost, r=block, p=parallel, maxmem=memory, dklen=size)


def _memory(cost: int, block: int, parallel: int) -> int:
    return 128 * block * ((1 << cost) + parallel + 2)


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode().rstrip("=")


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        raise ValueError("has a salt or hash that is not base64") from None
