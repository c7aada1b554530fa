"""Writes the sync modules from the async ones.

Every ``src/ormco_trios/**/async_client.py`` gets a ``client.py`` beside it, and so does every
other module whose name begins with ``async_``.  What differs between
sync and async is only words, so it is a matter of tokens:

* ``async`` and ``await`` go;
* ``AsyncName`` becomes ``Name``, also within a name; ``async_name`` and ``name_async`` become
  ``name``;
* ``aclose``, ``__aenter__``, ``asynccontextmanager`` and their like become their plain form;
* ``Awaitable[T]`` becomes ``T``;
* comments and docstrings get the same treatment.

Nothing can be done about a direct use of ``asyncio``, nor about an f-string with an ``await`` in
it; the first is refused, the second does not compile.

``python tools/mirror.py`` writes; with ``--check`` it prints what would change, and fails if that
is anything.
"""

from __future__ import annotations

import argparse
import difflib
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import unasync
from tokenize_rt import Token, src_to_tokens

ROOT = Path(__file__).resolve().parent.parent
HEADER = "# Generated from {} by tools/mirror.py; edit that file.\n"

PLAIN_NAMES = {
    "AsyncGenerator": "Generator",
    "StopAsyncIteration": "StopIteration",
    "__aenter__": "__enter__",
    "__aexit__": "__exit__",
    "__aiter__": "__iter__",
    "__anext__": "__next__",
    "aclose": "close",
    "aclosing": "closing",
    "aiter": "iter",
    "anext": "next",
    "async_api": "sync_api",  # Playwright's
    "async_playwright": "sync_playwright",
    "asynccontextmanager": "contextmanager",
}
_RULES = (
    (re.compile(r"(?<![A-Z])Async(?=[A-Z])"), ""),
    (re.compile(r"^(_*)async_(?=[a-z])"), r"\1"),
    (re.compile(r"(?<=[a-z0-9])_async$"), ""),
)
_PROSE = (
    (re.compile(r"\basync (?=(?:with|for|def)\b)"), ""),
    (re.compile(r"\bawait (?=[\w.]+\()"), ""),
)


class MirrorError(Exception):
    """An async module holds something that has no sync form."""


def plain_name(name: str) -> str:
    """The sync counterpart of an identifier, which may be the name itself."""
    if name in PLAIN_NAMES:
        return PLAIN_NAMES[name]
    for pattern, replacement in _RULES:
        name = pattern.sub(replacement, name)
    return name


def plain_prose(text: str) -> str:
    """A docstring or comment, as the sync module has it."""
    for pattern, replacement in _PROSE:
        text = pattern.sub(replacement, text)
    return re.sub(r"\w+", lambda word: plain_name(word[0]), text)


def plain_annotation(annotation: str) -> str:
    """An annotation, as the sync module has it."""
    tokens = _without_awaitable(src_to_tokens(annotation))
    words = (plain_name(token.src) if token.name == "NAME" else token.src for token in tokens)
    return "".join(words).strip()


def plain_source(source: str, path: Path) -> str:
    """The sync form of the module at ``path`` with the text ``source``."""
    tokens = _without_awaitable(src_to_tokens(source))
    names = {token.src for token in tokens if token.name == "NAME"}
    if "asyncio" in names:
        raise MirrorError(f"{path} uses asyncio itself; that belongs below, into core.")
    for i, token in enumerate(tokens):
        if token.name == "COMMENT" or (token.name == "STRING" and _is_docstring(token.src)):
            tokens[i] = token._replace(src=plain_prose(token.src))
    replacements = {name: plain_name(name) for name in names if plain_name(name) != name}
    target = sync_path(path)
    with tempfile.TemporaryDirectory() as directory:
        draft = Path(directory, path.name)
        draft.write_text("".join(token.src for token in tokens), encoding="utf-8")
        rule = unasync.Rule(path.name, target.name, additional_replacements=replacements)
        unasync.unasync_files([str(draft)], [rule])
        text = HEADER.format(path.name) + draft.with_name(target.name).read_text(encoding="utf-8")
    # Names got shorter: imports can need another order, and Awaitable is no longer used.
    text = _ruff("check", "--select=I,F401,RUF022", "--fix", "--quiet", text=text, path=target)
    return _ruff("format", text=text, path=target)


def sync_path(path: Path) -> Path:
    """The path of the sync form of the module at ``path``."""
    return path.with_stem(plain_name(path.stem))


def _is_docstring(literal: str) -> bool:
    return literal.lstrip("rRuU").startswith('"""')


def _without_awaitable(tokens: list[Token]) -> list[Token]:
    """The tokens with ``T`` for every ``Awaitable[T]``."""
    kept: list[Token] = []
    depth = 0
    ends: list[int] = []  # the depth at which each open Awaitable began
    skip_bracket = False
    for i, token in enumerate(tokens):
        if token.src == "Awaitable" and i + 1 < len(tokens) and tokens[i + 1].src == "[":
            ends.append(depth)
            skip_bracket = True
            continue
        if token.src == "[":
            depth += 1
            if skip_bracket:
                skip_bracket = False
                continue
        elif token.src == "]":
            depth -= 1
            if ends and ends[-1] == depth:
                ends.pop()
                continue
        kept.append(token)
    return kept


def _ruff(*arguments: str, text: str, path: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "ruff", *arguments, f"--stdin-filename={path}", "-"],
        input=text,
        capture_output=True,
        encoding="utf-8",
        cwd=ROOT,
        check=False,
    )
    if done.returncode != 0:
        raise MirrorError(f"{path}: ruff {arguments[0]}: {done.stderr or done.stdout}")
    return done.stdout


def main(argv: list[str] | None = None) -> int:
    """Write or compare, and return the exit code."""
    parser = argparse.ArgumentParser(description="Write the sync modules from the async ones.")
    parser.add_argument("--check", action="store_true", help="only compare; fail on a difference")
    check: bool = parser.parse_args(argv).check
    outdated = 0
    for source in sorted((ROOT / "src" / "ormco_trios").rglob("async_*.py")):
        target = sync_path(source)
        wanted = plain_source(source.read_text(encoding="utf-8"), source)
        present = target.read_text(encoding="utf-8") if target.exists() else ""
        if wanted == present:
            continue
        outdated += 1
        name = target.relative_to(ROOT).as_posix()
        if check:
            lines = (present.splitlines(keepends=True), wanted.splitlines(keepends=True))
            sys.stdout.writelines(difflib.unified_diff(*lines, name, f"{name} (as generated)"))
        else:
            target.write_text(wanted, encoding="utf-8")
            print(f"wrote {name}")
    if check and outdated:
        print("Out of date: run `python tools/mirror.py` (or `nox -s mirror`).", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except MirrorError as error:
        sys.exit(str(error))
