"""What is left of a value: its type and length class, never the value.

A placeholder says ``{string:9-16#3}``: text of 9 to 16 characters, the third different one in this
recording.  The number lets a reader see that the token of one answer is the one that the next
request carries.  What the person typed is called by its name, with the encoding it travelled in:
``{typed:code percent-encoded once}``.
"""

from __future__ import annotations

import base64
import binascii
import html
import json
import re
from collections.abc import Iterator, Mapping
from urllib.parse import quote, quote_plus, unquote

from ormco_trios.ormcodigital.phrases import phrase_of

PLACEHOLDER = re.compile(r"\{(?P<kind>[a-z-]+)(?::(?P<what>[^{}]*))?\}")
ENCODINGS = ("as typed", "percent-encoded once", "percent-encoded twice", "percent-encoded 3 times")

_SHORTEST_SOUGHT = 4
_E_MAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")


def length_class(text: str) -> str:
    """The power of two that the length lies below, as a range."""
    if len(text) < 2:
        return str(len(text))
    top = 1 << (len(text) - 1).bit_length()
    return f"{top // 2 + 1}-{top}"


def encodings(value: str) -> Iterator[tuple[str, str]]:
    """Every way in which ``value`` may travel, each with its name.

    A percent sign may be followed by either case, and a blank may be a plus.
    """
    layer = value
    for name in ENCODINGS:
        yield name, layer
        layer = quote(layer, safe="")
    plus = quote_plus(value, safe="")
    yield "percent-encoded once", plus
    yield "percent-encoded once", quote(value, safe="!~*'()")
    yield "percent-encoded twice", quote(plus, safe="")
    for text in (value, quote(value, safe="")):
        raw = text.encode("utf-8")
        yield "base64", base64.b64encode(raw).decode()
        yield "base64", base64.b64encode(raw).decode().rstrip("=")
        yield "base64", base64.urlsafe_b64encode(raw).decode().rstrip("=")
        yield "hex", raw.hex()
    yield "HTML-escaped", html.escape(value)
    yield "JSON-escaped", json.dumps(value)[1:-1]


class Values:
    """Replaces values by placeholders, the same value by the same one."""

    def __init__(self, typed: Mapping[str, str]) -> None:
        """With what the person typed, by name, such as ``password``."""
        self._typed = {name: value for name, value in typed.items() if value}
        self._exact: dict[str, str] = {}
        for name, value in self._typed.items():
            for encoding, text in encodings(value):
                label = name if encoding == "as typed" else f"{name} {encoding}"
                self._exact.setdefault(text.casefold(), label)
        self._numbers: dict[str, int] = {}

    def of_text(self, text: str) -> str:
        """What is kept of ``text``: itself only where it is a phrase of the guide."""
        known = phrase_of(text)
        if known is not None:
            return next((words for words in known.words if words == text), known.words[0])
        label = self._exact.get(text.casefold())
        if label is not None:
            return f"{{typed:{label}}}"
        for name, value in self._typed.items():
            if len(value) >= _SHORTEST_SOUGHT and any(found(value, text)):
                return f"{{typed:{name} within {length_class(text)} characters}}"
        kind = "e-mail" if _E_MAIL.fullmatch(text) else "string"
        number = self._numbers.setdefault(text, len(self._numbers) + 1)
        return f"{{{kind}:{length_class(text)}#{number}}}"

    def of_json(self, value: object) -> object:
        """What is kept of a JSON value that is neither an object nor a list."""
        if value is None:
            return None
        if isinstance(value, bool):
            return "{boolean}"
        text = value if isinstance(value, str) else json.dumps(value)
        if not isinstance(value, str) and text.casefold() not in self._exact:
            return f"{{number:{length_class(text)}}}"
        return self.of_text(text)

    def left_in(self, text: str) -> str | None:
        """The name of a typed value that ``text`` holds in any encoding, also in pieces."""
        joined = _letters(text)
        for name, value in self._typed.items():
            if len(value) >= _SHORTEST_SOUGHT and any(found(value, text)):
                return name
            if len(letters := _letters(value)) > _SHORTEST_SOUGHT and letters in joined:
                return name
        return None

    def is_part(self, text: str) -> bool:
        """Whether ``text`` may be a piece of a typed value."""
        piece = text.casefold()
        return len(piece) >= _SHORTEST_SOUGHT and any(
            piece in value.casefold() for value in self._typed.values()
        )


def _letters(text: str) -> str:
    """Without what stands between the pieces where a value is split over JSON."""
    return re.sub(r"[\W_]+", "", text).casefold()


def found(value: str, text: str) -> Iterator[bool]:
    """Whether ``value`` is somewhere in ``text``, in one after another of its encodings."""
    folded = text.casefold()
    yield from (encoded.casefold() in folded for _, encoded in encodings(value))
    layer = text
    for _ in range(3):
        decoded = html.unescape(unquote(layer))
        if decoded == layer:
            break
        layer = decoded
        yield value.casefold() in layer.casefold()
    for run in re.findall(r"[A-Za-z0-9+/_-]{6,}={0,2}", text):
        # Base64 of something longer begins at any of four places.
        for start in range(4):
            yield value.encode() in _decoded(run[start:])


def _decoded(run: str) -> bytes:
    text = run.rstrip("=").replace("-", "+").replace("_", "/")
    text = text[: len(text) - (len(text) % 4 == 1)]
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error:
        return b""
