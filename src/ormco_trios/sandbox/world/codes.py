"""Classic authorization codes, in the layout of DotNetOpenAuth [dnoa].

``handle ! payload``: four characters that name a key, and unpadded base64url of ::

    int32-LE 32 | 32 bytes HMAC-SHA-256 | int32-LE n | n bytes of content
    content = version byte 1 | 16 bytes IV | ciphertext in blocks of 16

The signature is real.  The "ciphertext" is random: what a code means is kept in the World.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import struct
from random import Random

_HANDLE = re.compile(r"[A-Za-z0-9_-]{4}")
_BASE64URL = re.compile(r"[A-Za-z0-9_-]+")
_BLOCKS = 7


class NoHandle(ValueError):
    """There is no ``!`` after four characters."""


class NotBase64(ValueError):
    """The payload cannot be decoded at all; the real server fails with a page [dnoa]."""


class Tampered(ValueError):
    """Decoded, but cut, changed, or signed with another key."""


def new_handle(rng: Random) -> str:
    """A key handle such as the guide's example begins with."""
    return base64.urlsafe_b64encode(rng.randbytes(3)).decode()


def seal(handle: str, key: bytes, rng: Random) -> tuple[str, bytes]:
    """A fresh code and its content, which is unique."""
    content = b"\x01" + rng.randbytes(16 + 16 * _BLOCKS)
    tag = hmac.new(key, content, hashlib.sha256).digest()
    payload = struct.pack("<i", len(tag)) + tag + struct.pack("<i", len(content)) + content
    return f"{handle}!{base64.urlsafe_b64encode(payload).rstrip(b'=').decode()}", content


def unseal(code: str, handle: str, key: bytes) -> bytes:
    """The content of ``code`` if its signature is good.

    Raises:
        NoHandle: It is not ``handle!payload``, for instance still percent-encoded.
        NotBase64: The payload is not base64url.
        Tampered: The layout or the signature is wrong.
    """
    head, mark, tail = code.partition("!")
    if not mark or not _HANDLE.fullmatch(head):
        raise NoHandle
    if not _BASE64URL.fullmatch(tail) or len(tail) % 4 == 1:
        raise NotBase64
    payload = base64.urlsafe_b64decode(tail + "=" * (-len(tail) % 4))
    if len(payload) < 40 or payload[:4] != struct.pack("<i", 32):
        raise Tampered
    tag, (length,) = payload[4:36], struct.unpack("<i", payload[36:40])
    content = payload[40:]
    if length != len(content) or (length - 17) % 16:
        raise Tampered
    good = hmac.compare_digest(tag, hmac.new(key, content, hashlib.sha256).digest())
    if head != handle or not good:
        raise Tampered
    return content


def wrap(code: str, layers: int) -> str:
    """``code`` percent-encoded ``layers`` times; only its ``!`` and what follows from it change.

    Two layers are what the guide's address bar shows [guide].
    """
    for _ in range(layers):
        code = code.replace("%", "%25").replace("!", "%21")
    return code
