"""E-mail addresses as identities: when two are the same, and how they are named in a message."""

from __future__ import annotations

import re

_EMAIL = re.compile(r"[^@\s\x00-\x1f\x7f<>,;]+@[^@\s\x00-\x1f\x7f<>,;]+")
_LONGEST = 255
"""Characters that Communicate keeps of an e-mail [doc]."""


def is_email(text: str) -> bool:
    """Whether ``text`` can be the e-mail of an account."""
    return len(text) <= _LONGEST and _EMAIL.fullmatch(text) is not None


def folded(email: str) -> str:
    """The form in which two e-mails are compared: without spaces around it, in lower case.

    A letter of another alphabet never becomes a Latin one, as ``str.casefold`` makes an *s* of the
    long one and a *k* of the sign for kelvin: these are other accounts.  A domain in the form that
    browsers send, ``xn--…``, is read back [rfc 3492].
    """
    email = email.strip()
    if email.isascii():
        email = email.lower()
    if "xn--" in email:
        name, at, domain = email.rpartition("@")
        email = name + at + ".".join(map(_readable, domain.split(".")))
    if email.isascii():
        return email
    return "".join(c.lower() if c.isascii() or not c.lower().isascii() else c for c in email)


def _readable(label: str) -> str:
    """A part of a domain with its own letters, if it is encoded and has others than ASCII's."""
    if not label.startswith("xn--"):
        return label
    try:
        encoded = label[4:].encode("ascii")
        text = encoded.decode("punycode")
        known = not text.isascii() and text.encode("punycode") == encoded
    except (UnicodeError, OverflowError):
        return label
    return text if known else label


def same(one: str | None, other: str | None) -> bool:
    """Whether both are the same e-mail, in any case; a missing one is like no other."""
    return one is not None and other is not None and folded(one) == folded(other)


def masked(email: str) -> str:
    """The e-mail for a message: first two letters, last letter, and the whole domain."""
    return _masked(email.strip(), 2)


def masked_apart(one: str, other: str) -> tuple[str, str]:
    """Both as `masked`, with as many letters more as it takes to tell them apart."""
    one, other = one.strip(), other.strip()
    letters = 2
    while letters < max(len(one), len(other)) and same(
        _masked(one, letters), _masked(other, letters)
    ):
        letters += 1
    return _masked(one, letters), _masked(other, letters)


def _masked(email: str, letters: int) -> str:
    name, at, domain = email[:_LONGEST].rpartition("@")
    if letters > 2 and letters >= len(name):
        shown = _plain(name)
    elif len(name) > 2:
        shown = f"{_plain(name[:letters])}…{_plain(name[-1])}"
    else:
        shown = f"{_plain(name[:1])}…"
    return shown + at + _plain(domain)


def _plain(text: str) -> str:
    """``text`` with other letters than ASCII's escaped: they may look like these, or be unseen."""
    return "".join(
        c if c.isascii() and c.isprintable() else c.encode("unicode_escape").decode() for c in text
    )
