"""Walks the built documentation: is everything public there, does every link lead somewhere?

``python tools/site.py site`` after ``mkdocs build``.
"""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import click

from ormco_trios import errors
from ormco_trios.cli.app import cli

PUBLIC = (
    "ormco_trios",
    "ormco_trios.fleet",
    "ormco_trios.forms",
    "ormco_trios.operations",
    "ormco_trios.sandbox",
    "ormco_trios.testing",
)
_LOADS = {"audio": "src", "iframe": "src", "img": "src", "script": "src", "video": "src"}


class Page(HTMLParser):
    """What a page links to, what it loads, and where one can link to in it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.loads: set[str] = set()
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what the element points to."""
        named = dict(attrs)
        self.anchors |= {value for name in ("id", "name") if (value := named.get(name))}
        if tag == "a" and (href := named.get("href")):
            self.links.add(href)
        elif tag == "link" and named.get("rel") != "canonical" and (href := named.get("href")):
            self.loads.add(href)
        elif (source := named.get(_LOADS.get(tag, ""))) is not None:
            self.loads.add(source)


def commands(group: click.Group, prefix: str = "") -> Iterator[str]:
    """Every command of the command line, with those it is part of."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        yield f"{prefix}{name}"
        if isinstance(command, click.Group):
            yield from commands(command, f"{prefix}{name} ")


def problems(site: Path) -> Iterator[str]:
    """All that is wrong with the site in this folder."""
    texts = {path: path.read_text("utf-8") for path in site.rglob("*.html")}
    pages = {path: Page(text) for path, text in texts.items()}
    for path, page in pages.items():
        where = path.relative_to(site)
        for address in page.loads:
            if urlsplit(address).netloc:
                yield f"{where} loads {address}"
        for address in page.links | page.loads:
            parts = urlsplit(address)
            if parts.scheme or parts.netloc or path.name == "404.html":
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            target = target / "index.html" if target.is_dir() else target
            if not target.exists():
                yield f"{where} links to {address}, which does not exist"
            elif (
                parts.fragment
                and target in pages
                and unquote(parts.fragment) not in pages[target].anchors
            ):
                yield f"{where} links to {address}, which has no such place"
    anchors = set[str]().union(*(page.anchors for page in pages.values()))
    for module in PUBLIC:
        for name in importlib.import_module(module).__all__:
            if name not in {"__version__", "errors"} and f"{module}.{name}" not in anchors:
                yield f"{module}.{name} has no entry in the reference"
    for name, value in vars(errors).items():
        known = isinstance(value, type) and issubclass(value, errors.OrmcoTriosError)
        if known and name not in anchors:
            yield f"the error {name} is on no page"
    words = re.sub(r"<[^>]*>", "", " ".join(texts.values()))
    for command in commands(cli):
        if command not in words:
            yield f"the command {command!r} is on no page"


def main() -> None:
    """Print what is wrong, and fail if anything is."""
    found = sorted(problems(Path(sys.argv[1]).resolve()))
    print("\n".join(found) or "nothing is missing, and no link is dead")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
