"""What mail and chat programs wrap around an address, as the texts that may be inside.

A practice sends its address to the person who connects many, and on its way it meets
quoted-printable mail, HTML, chats' markup, and filters that put a link of their own in its place.
Nothing here decides what a code is: each form is read as if it had been pasted, and the first one
that holds a code wins.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode
from binascii import a2b_base64, a2b_qp
from collections.abc import Callable, Iterator
from urllib.parse import unquote

_MOST_FORMS = 16

_SOFT_BREAK = re.compile(r"=[ \t]*\r?\n")
_QUOTED_EQUALS = re.compile(r"=3D")
_BASE64_LINES = re.compile(
    r"(?:^[A-Za-z0-9+/]{40,76}\r?\n)+^[A-Za-z0-9+/]*={0,2}[ \t]*$", re.MULTILINE
)

_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f]")

_TAG = re.compile(r"<(?!https?:)/?[a-z!][^<>]{0,4000}>", re.IGNORECASE)
_LINK_IN_TAG = re.compile(r"""\bhref\s*=\s*["']?(https?://[^"'\s<>]+)""", re.IGNORECASE)
_MARKDOWN_LINK = re.compile(r"\[[^\[\]]{0,300}\]\(\s*<?(https?://[^()\s<>]+)>?\s*\)", re.IGNORECASE)

_PROOFPOINT_2 = re.compile(r"urldefense(?:\.proofpoint)?\.com/v2/url\?(?:[^&\s]*&)*?u=([^&\s]+)")
_PROOFPOINT_2_MARKS = str.maketrans("-_", "%/")
_PROOFPOINT_3 = re.compile(r"urldefense\.(?:com|us)/v3/__(.+?)__;([A-Za-z0-9_-]*)!")
_PROOFPOINT_RUN = re.compile(r"\*(\*.)?")
_RUN_LENGTHS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_CHECK_POINT = re.compile(r"protect\.checkpoint\.com/v\d/(?:r\d+/)?_{3}(.+?)_{3}")
_IN_BASE64 = re.compile(r"[?&]u=(aHR0c[A-Za-z0-9+/_-]+)")
"""Sophos: ``aHR0c`` is how *http* begins in base64."""

HIDDEN = re.compile(
    r"//[\w.-]*\b(?:mimecast\.com/s/|mimecastprotect\.com/s/|titanhq\.com/|"
    r"url\.emailprotection\.link/|cudaops\.com/)",
    re.IGNORECASE,
)
"""Filters whose links do not hold the address at all."""


def forms(text: str) -> Iterator[str]:
    """``text`` as it is, and then everything that it may be the wrapping of."""
    found = [text]
    for unwrap in (_base64, _quoted_printable, _html, _markdown, _filters):
        found += [inner for each in found if (inner := unwrap(each)) != each][:_MOST_FORMS]
    if _SOFT_BREAK.search(text) or len(_QUOTED_EQUALS.findall(text)) > 1:
        # Plainly a mail's source: read as it is, its ``code=3D…`` could be taken for a code.
        found = [*found[1:], text]
    yield from found[: 2 * _MOST_FORMS]


def _base64(text: str) -> str:
    """Bodies in base64 (RFC 2045, 6.8), decoded where they stand."""
    return _BASE64_LINES.sub(
        lambda body: _decoded(a2b_base64, body[0].encode("ascii")) or body[0], text
    )


def _quoted_printable(text: str) -> str:
    """Bodies in quoted-printable (RFC 2045, 6.7), decoded where they stand."""
    if not (_QUOTED_EQUALS.search(text) or _SOFT_BREAK.search(text)):
        return text
    return _decoded(a2b_qp, _SOFT_BREAK.sub("=\n", text).encode("utf-8", "surrogatepass"))


def _decoded(decode: Callable[[bytes], bytes], data: bytes) -> str:
    try:
        text = decode(data).decode("utf-8", "replace")
    except ValueError:
        return ""
    # What was not meant to be decoded can become anything; around it may be an address.
    return _CONTROL.sub(" ", text)


def _html(text: str) -> str:
    """The text between the tags, and the addresses in them."""
    return _TAG.sub(lambda tag: f" {' '.join(_LINK_IN_TAG.findall(tag[0]))} ", text)


def _markdown(text: str) -> str:
    """The addresses behind links, and Slack's ``<address|words>`` as two."""
    return _MARKDOWN_LINK.sub(r" \1 ", text).replace("|", " ")


def _filters(text: str) -> str:
    """The addresses that a mail filter has put into some of its own.

    Those that only percent-encode it (Safe Links, Cisco, Barracuda, …) need nothing here.
    """
    line = "".join(text.split())
    found = [
        *(_proofpoint_3(link[1], link[2]) for link in _PROOFPOINT_3.finditer(line)),
        *(unquote(link[1].translate(_PROOFPOINT_2_MARKS)) for link in _PROOFPOINT_2.finditer(line)),
        *(link[1] for link in _CHECK_POINT.finditer(line)),
        *(_decoded(_padded, link[1].encode()) for link in _IN_BASE64.finditer(line)),
    ]
    return " ".join(found) if found else text


def _padded(data: bytes) -> bytes:
    """Base64 of either alphabet, its padding left out."""
    return urlsafe_b64decode(data.replace(b"+", b"-").replace(b"/", b"_") + b"=" * (-len(data) % 4))


def _proofpoint_3(url: str, replaced: str) -> str:
    """Each star means the next of the characters that are listed behind; two for a run."""
    characters = _decoded(_padded, replaced.encode())
    place = 0

    def restore(star: re.Match[str]) -> str:
        nonlocal place
        run = 1 if star[1] is None else _RUN_LENGTHS.find(star[1][1]) + 2
        part = characters[place : place + run]
        place += run
        return part

    return _PROOFPOINT_RUN.sub(restore, url)
