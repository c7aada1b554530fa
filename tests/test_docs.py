"""The Python examples of the README and of the documentation run.

A page is one script: its blocks share their names and may use ``await``.  A block that cannot run
says so, and why, in a comment right above it: ``<!-- not executed: the reason -->``.
"""

from __future__ import annotations

import ast
import asyncio
import inspect
import re
from pathlib import Path
from types import CodeType

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

BLOCK = re.compile(
    r"^(?P<indent> *)```(?:python|py)\b[^\n]*\n(?P<code>.*?)^(?P=indent)```",
    re.MULTILINE | re.DOTALL,
)
EXCUSE = re.compile(r"<!-- not executed: \S[^>]* -->\s*\Z")


def blocks(page: Path) -> list[CodeType]:
    """The page's blocks, compiled so that a traceback shows the page's lines."""
    text = page.read_text(encoding="utf-8")
    compiled = []
    for match in BLOCK.finditer(text):
        if EXCUSE.search(text[: match.start()]):
            continue
        indent = match["indent"]
        code = "".join(
            line.removeprefix(indent) for line in match["code"].splitlines(keepends=True)
        )
        tree = ast.parse(code, str(page))
        ast.increment_lineno(tree, text.count("\n", 0, match.start("code")))
        flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        compiled.append(compile(tree, str(page), "exec", flags=flags, dont_inherit=True))
    return compiled


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_examples_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "__docs__"}
    with asyncio.Runner() as runner:
        for code in blocks(page):
            if code.co_flags & inspect.CO_COROUTINE:
                runner.run(eval(code, names))
            else:
                exec(code, names)


def test_the_readme_shows_both_colours() -> None:
    shown = blocks(ROOT / "README.md")
    modes = {bool(code.co_flags & inspect.CO_COROUTINE) for code in shown}
    assert modes == {True, False}


@pytest.mark.parametrize("name", ["connect", "tests"])
def test_the_readme_has_the_commands_as_one_line(name: str) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (command,) = re.findall(rf"<!-- command: {name} -->\n+```\w*\n(.*?)\n```", text, re.DOTALL)
    assert "\n" not in command
