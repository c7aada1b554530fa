"""What a provider's authorization codes look like, as a value.

The paste is decoded until the code has the shape that the provider gives its codes, so the shape
is the one thing the reader must know about a provider.  A new provider is a new `CodeShape` and
not new code.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode
from dataclasses import dataclass
from datetime import timedelta

_CUT_ESCAPES = re.compile(r"(?:%[0-9A-Fa-f]?)+\Z")
_LENGTH_BYTES = 4


@dataclass(frozen=True, slots=True)
class Block:
    """One block of a payload: its length as int32-LE, then that many bytes.

    Attributes:
        smallest: The least number of bytes the block can have.
        step: It can have any multiple of this more; 0 if it always has the smallest length.
    """

    smallest: int
    step: int = 0

    def allows(self, size: int) -> bool:
        """Whether a block of this kind can be ``size`` bytes long."""
        more = size - self.smallest
        return more == 0 or (self.step > 0 and more > 0 and more % self.step == 0)


@dataclass(frozen=True, slots=True)
class CodeShape:
    """The form of one provider's codes.

    Attributes:
        name: For messages.
        pattern: A regular expression that every decoded code matches in full, and a code that lost
            its end as well.  With ``blocks`` it has a group ``payload`` of base64url characters.
        remnant: A regular expression for what does not match ``pattern`` and still is plainly what
            is left of such a code: cut before it gets distinctive, or edited by hand.
        blocks: What the payload consists of; with them the shape can tell whether a code is whole.
        lifetime: How long a code lives, where that is known.
    """

    name: str
    pattern: str
    remnant: str | None = None
    blocks: tuple[Block, ...] = ()
    lifetime: timedelta | None = None

    def __post_init__(self) -> None:
        """Find a mistake in the regular expressions here and not in the middle of a paste."""
        if self.blocks and "payload" not in re.compile(self.pattern).groupindex:
            raise ValueError("a shape with blocks needs a group named 'payload' in its pattern")
        re.compile(self.remnant or "")

    @classmethod
    def classic(cls) -> CodeShape:
        """The classic sign-in's codes: ``handle(4) ! payload``, three minutes [dnoa].

        The payload is a signature of 32 bytes and a message of a version byte, 16 bytes of
        initialisation vector and a ciphertext in blocks of 16.  So it always begins ``IAAAA``,
        which is how a code is known again after a person deleted a character too many before it.
        """
        return cls(
            name="classic",
            pattern=r"[A-Za-z0-9_-]{4}!(?P<payload>[A-Za-z0-9_-]*)",
            # Not what only has more layers of encoding than are removed: nothing is lost there.
            remnant=r"[A-Za-z0-9_-]{1,4}|(?!.{4}%(?:25)*21).{0,16}IAAAA.*",
            blocks=(Block(32), Block(1 + 16, step=16)),
            lifetime=timedelta(minutes=3),
        )

    @classmethod
    def opaque(cls, *, lifetime: timedelta | None = None) -> CodeShape:
        """Any other provider's codes: unreserved characters that say nothing about themselves.

        Args:
            lifetime: How long the provider says that its codes live.
        """
        return cls(name="opaque", pattern=r"[A-Za-z0-9._~-]+", lifetime=lifetime)

    def matches(self, code: str) -> bool:
        """Whether ``code`` is decoded and looks like one of these, whole or without its end."""
        return re.fullmatch(self.pattern, code) is not None

    def complete(self, code: str) -> bool | None:
        """Whether nothing is missing from ``code`` and nothing added; None if it cannot tell."""
        match = re.fullmatch(self.pattern, code)
        if match is None or not self.blocks:
            return None
        payload = match["payload"]
        if len(payload) % 4 == 1:  # base64 never has this length
            return False
        data = urlsafe_b64decode(f"{payload}==")  # padding there is too much of does no harm
        position = 0
        for block in self.blocks:
            size = int.from_bytes(data[position : position + _LENGTH_BYTES], "little")
            if not block.allows(size):
                return False
            position += _LENGTH_BYTES + size
        return position == len(data)

    def damaged(self, text: str) -> bool:
        """Whether ``text``, which does not match, is plainly what is left of such a code."""
        if self.matches(text):
            return False
        head = _CUT_ESCAPES.sub("", text)
        if head != text and (not head or self.matches(head)):
            return True
        return self.remnant is not None and re.fullmatch(self.remnant, head) is not None
