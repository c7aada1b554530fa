"""Secrets at rest: sealed with a key that the database does not have."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256

from ormco_trios.core.errors import ConfigurationError
from ormco_trios.core.extras import extra

KEYS = "ORMCO_TRIOS_FLEET_KEYS"


class Encryption:
    """Seals and opens texts with Fernet keys (AES-128-CBC and HMAC-SHA-256, of ``cryptography``).

    A sealed text is bound to its owner: what was copied into another row does not open there.

    Attributes:
        fingerprint: Of the key that seals; says nothing about the key.

    Args:
        keys: The first seals, all of them open; or a function that gets them, called once.  To
            rotate: append the new key in every process, then move it to the front in every
            process, then reseal, then drop the old one.
    """

    def __init__(self, keys: Sequence[str] | Callable[[], Sequence[str]]) -> None:
        with extra("fleet"):
            from cryptography.fernet import Fernet, MultiFernet

        found = keys() if callable(keys) else keys
        self.fingerprint = sha256(found[0].encode()).hexdigest()[:16] if found else ""
        try:
            self._fernet = MultiFernet([Fernet(key) for key in found]) if found else None
        except ValueError:
            self._fernet = None
        del found, keys
        if self._fernet is None:
            raise ConfigurationError(
                "There is no key for the fleet's secrets, or it is not one.",
                advice=f"Make one with `ormco-trios fleet key`, and put it into {KEYS}.",
            )

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Encryption:
        """With the keys in ``ORMCO_TRIOS_FLEET_KEYS``, separated by commas or blanks.

        Raises:
            ConfigurationError: There are none.
        """
        source = os.environ if environ is None else environ
        return cls(source.get(KEYS, "").replace(",", " ").split())

    @staticmethod
    def new_key() -> str:
        """A fresh key."""
        with extra("fleet"):
            from cryptography.fernet import Fernet

        return Fernet.generate_key().decode()

    def seal(self, owner: str, text: str) -> bytes:
        """``text``, unreadable without a key and useless to another owner."""
        assert self._fernet is not None
        return self._fernet.encrypt(f"{owner}\0{text}".encode())

    def opens(self, owner: str, sealed: bytes) -> bool:
        """Whether one of the keys opens it, and it is the owner's."""
        try:
            self.open(owner, sealed)
        except ConfigurationError:
            return False
        return True

    def open(self, owner: str, sealed: bytes) -> str:
        """The text that was sealed for ``owner``.

        Raises:
            ConfigurationError: None of the keys opens it, or it is not the owner's.
        """
        from cryptography.fernet import InvalidToken

        assert self._fernet is not None
        try:
            inside = self._fernet.decrypt(sealed).decode().partition("\0")
        except InvalidToken:
            inside = ("", "", "")
        if inside[0] == owner and inside[1]:
            return inside[2]
        del inside
        raise ConfigurationError(
            "A stored secret cannot be opened.",
            advice=f"{KEYS} must still hold the key it was sealed with.",
        )
