"""`X` and `AsyncX` are the same class, sync and async: names, parameters, annotations, docstrings.

Also the tool that writes most of the former from the latter.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import pkgutil
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import ormco_trios

ROOT = Path(__file__).resolve().parent.parent


def load_mirror() -> ModuleType:
    spec = importlib.util.spec_from_file_location("mirror", ROOT / "tools" / "mirror.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


mirror = load_mirror()


def find_pairs() -> dict[str, tuple[type, type]]:
    """Every public class AsyncX of the package with its X, by the name of the latter."""
    classes: dict[tuple[str, str], type] = {}
    for info in pkgutil.walk_packages(ormco_trios.__path__, "ormco_trios."):
        if "._" in info.name:
            continue
        for value in vars(importlib.import_module(info.name)).values():
            if isinstance(value, type) and value.__module__ == info.name:
                classes[info.name, value.__name__] = value
    pairs = {}
    for (module, name), async_class in classes.items():
        if not re.match("Async[A-Z]", name):
            continue
        plain = name.removeprefix("Async")
        plain_module = ".".join(mirror.plain_name(part) for part in module.split("."))
        sync_class = classes.get((plain_module, plain)) or classes.get((module, plain))
        assert sync_class is not None, f"{module}.{name} has no counterpart {plain}"
        pairs[f"{plain_module}.{plain}"] = (sync_class, async_class)
    return pairs


PAIRS = find_pairs()
SPECIAL = {"__init__", "__enter__", "__exit__", "__iter__", "__next__", "__call__"}


def members(kind: type, plain: bool) -> dict[str, Any]:
    """The public members that ``kind`` or a base of ours defines, by their sync names."""
    found: dict[str, Any] = {}
    for base in kind.__mro__:
        if base.__module__.startswith("ormco_trios"):
            for name, value in vars(base).items():
                name = name if plain else mirror.plain_name(name)
                if not name.startswith("_") or name in SPECIAL:
                    found.setdefault(name, value)
    return found


def describe(member: Any, plain: bool) -> tuple[str, list[tuple[Any, ...]], str, str]:
    """Kind, parameters, return annotation and docstring, in sync words."""
    kind = type(member).__name__
    if isinstance(member, property):
        member = member.fget
    elif isinstance(member, classmethod | staticmethod):
        member = member.__func__
    if not callable(member) or isinstance(member, type):
        return kind, [], "", ""
    signature = inspect.signature(member)
    parameters = [
        (p.name, p.kind.name, repr(p.default), annotation(p.annotation, plain))
        for p in signature.parameters.values()
    ]
    returns = annotation(signature.return_annotation, plain)
    return kind, parameters, returns, prose(member.__doc__, plain)


def annotation(value: object, plain: bool) -> str:
    text = value if isinstance(value, str) else inspect.formatannotation(value)
    return text if plain else mirror.plain_annotation(text)


def prose(text: str | None, plain: bool) -> str:
    cleaned = inspect.cleandoc(text or "")
    return cleaned if plain else mirror.plain_prose(cleaned)


def test_there_are_pairs() -> None:
    sync_classes = {pair[0] for pair in PAIRS.values()}
    assert {
        ormco_trios.CommunicateClient,
        ormco_trios.OAuthClient,
        ormco_trios.OrmcoDigitalClient,
        ormco_trios.Onboarding,
    } <= sync_classes


@pytest.mark.parametrize("name", sorted(PAIRS))
def test_the_same_names(name: str) -> None:
    sync_class, async_class = PAIRS[name]
    assert sorted(members(sync_class, plain=True)) == sorted(members(async_class, plain=False))


@pytest.mark.parametrize("name", sorted(PAIRS))
def test_the_same_signatures_and_docstrings(name: str) -> None:
    sync_class, async_class = PAIRS[name]
    ours, theirs = members(sync_class, plain=True), members(async_class, plain=False)
    for member in ours.keys() & theirs.keys():
        expected = describe(ours[member], plain=True)
        assert describe(theirs[member], plain=False) == expected, f"{name}.{member}"


@pytest.mark.parametrize(
    "name",
    # Protocols are there to be implemented, and may say what is different about doing it.
    sorted(name for name, pair in PAIRS.items() if not getattr(pair[0], "_is_protocol", False)),
)
def test_the_same_class_docstrings(name: str) -> None:
    sync_class, async_class = PAIRS[name]
    assert prose(async_class.__doc__, plain=False) == prose(sync_class.__doc__, plain=True)


def test_no_suffix_and_no_union_of_colours() -> None:
    for name, pair in PAIRS.items():
        for kind in pair:
            for member, value in vars(kind).items():
                assert not re.search(r"_(a?sync)$", member), f"{name}.{member}"
                text = str(getattr(value, "__annotations__", {}))
                assert not re.search(r"\| (Awaitable|Coroutine)\b", text), f"{name}.{member}"


# The tool ----------------------------------------------------------------------------------------


def test_the_generated_modules_are_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, "tools/mirror.py", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


ASYNC_SOURCE = '''\
"""Reads things with `AsyncThing`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from ormco_trios.core.async_runner import AsyncRunner
from ormco_trios.x.async_client import open_async

__all__ = ["AsyncThing"]


class AsyncThing:
    """A thing.

    Example:
        async with AsyncThing() as thing:
            print(await thing.get())
    """

    def __init__(self, ask: Callable[[str], Awaitable[dict[str, list[int]]]]) -> None:
        self._runner = AsyncRunner(open_async(ask))

    async def aclose(self) -> None:
        await self._runner.aclose()

    async def items(self) -> AsyncIterator[int]:
        async for item in self._runner.items():
            yield item

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[AsyncThing]:
        yield self
'''

SYNC_SOURCE = '''\
# Generated from async_thing.py by tools/mirror.py; edit that file.
"""Reads things with `Thing`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ormco_trios.core.runner import Runner
from ormco_trios.x.client import open

__all__ = ["Thing"]


class Thing:
    """A thing.

    Example:
        with Thing() as thing:
            print(thing.get())
    """

    def __init__(self, ask: Callable[[str], dict[str, list[int]]]) -> None:
        self._runner = Runner(open(ask))

    def close(self) -> None:
        self._runner.close()

    def items(self) -> Iterator[int]:
        for item in self._runner.items():
            yield item

    @contextmanager
    def opened(self) -> Iterator[Thing]:
        yield self
'''

SOMEWHERE = ROOT / "src" / "ormco_trios" / "async_thing.py"


def test_a_mirrored_module() -> None:
    assert mirror.plain_source(ASYNC_SOURCE, SOMEWHERE) == SYNC_SOURCE


def test_asyncio_has_no_mirror_image() -> None:
    with pytest.raises(mirror.MirrorError, match="asyncio"):
        mirror.plain_source("import asyncio\n", SOMEWHERE)


@pytest.mark.parametrize(
    ("annotation_", "plain"),
    [
        ("AsyncIterator[Case]", "Iterator[Case]"),
        ("Callable[[Needs], Awaitable[str]] | None", "Callable[[Needs], str] | None"),
        ("Awaitable[dict[str, Awaitable[list[int]]]]", "dict[str, list[int]]"),
        ("AsyncOnboarding", "Onboarding"),
    ],
)
def test_annotations(annotation_: str, plain: str) -> None:
    assert mirror.plain_annotation(annotation_) == plain
