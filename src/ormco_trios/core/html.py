"""How an object looks in a notebook: a title and rows, readable on white, on black and on a phone.

What is shown is saved with the notebook, so it is what ``repr`` may show, and links.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

_CELL = "text-align:left;vertical-align:top;overflow-wrap:anywhere"
_NAME = "text-align:left;vertical-align:top;min-width:6em;opacity:.75;padding-right:1em"


class Html(str):
    """Text that is HTML already; everything else is escaped."""

    __slots__ = ()


def link(url: str, words: str) -> Html:
    """A link that opens a tab of its own and tells the page nothing; only of a web address."""
    if not url.startswith(("https://", "http://")):
        return Html(escape(words))
    return Html(
        f'<a href="{escape(url)}" target="_blank" rel="noopener noreferrer" '
        f'style="color:inherit;text-decoration:underline">{escape(words)}</a>'
    )


def numbered(steps: Iterable[str]) -> Html:
    """A numbered list."""
    items = "".join(f"<li>{escape(step)}</li>" for step in steps)
    return Html(f'<ol style="margin:0;padding-left:1.4em">{items}</ol>')


def card(title: str, rows: Iterable[tuple[str, object]]) -> str:
    """A title, and a table of names and values; what is empty is left out."""
    shown = "".join(
        f'<tr style="background:none"><td style="{_NAME}">{escape(name)}</td>'
        f'<td style="{_CELL}">{_text(value)}</td></tr>'
        for name, value in rows
        if value is not None and value != ""
    )
    return (
        '<div style="margin:.5em 0;max-width:46em">'
        f"<div><b>{escape(title)}</b></div>"
        f'<table style="border-collapse:collapse;margin:.3em 0">{shown}</table></div>'
    )


def _text(value: object) -> str:
    return value if isinstance(value, Html) else escape(str(value))
