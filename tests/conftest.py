"""What all tests share: sync and async from one body, no network, no traces on the machine."""

from __future__ import annotations

import asyncio
import functools
import inspect
import itertools
import os
import signal
import socket
import sqlite3
import types
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, Literal, NoReturn

import hypothesis
import pytest

import ormco_trios

hypothesis.settings.register_profile("dev", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.load_profile(
    os.environ.get("HYPOTHESIS_PROFILE", "ci" if "CI" in os.environ else "dev")
)


def pytest_configure() -> None:
    """Heed interruptions, which whatever a shell starts in the background would ignore."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)
@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores: tests wait for browsers and for other processes."""
    return (os.cpu_count() or 1) + 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A browser is slow, whichever test uses it."""
    for item in items:
        if "browser" in getattr(item, "fixturenames", ()):
            item.add_marker("slow")


@pytest.fixture
def anyio_backend() -> str:
    """Where tests marked ``anyio``, which are coroutines themselves, run."""
    return "asyncio"


# Sync and async ----------------------------------------------------------------------------------


class Both:
    """An asynchronous object that looks synchronous.

    Whatever it gives that is asynchronous in turn (a namespace, a context manager) is wrapped as
    well; awaitables are awaited, async iterators become iterators, and everything else passes
    through unchanged.  All of it happens on the loop of one `asyncio.Runner`.
    """

    def __init__(self, target: Any, runner: asyncio.Runner) -> None:
        self._target = target
        self._runner = runner

    def __getattr__(self, name: str) -> Any:
        if name == "close" and not hasattr(self._target, "close"):
            name = "aclose"
        return self._wrap(getattr(self._target, name))

    def __setattr__(self, name: str, value: object) -> None:
        if name in ("_target", "_runner"):
            super().__setattr__(name, value)
        else:
            setattr(self._target, name, value)

    def __repr__(self) -> str:
        return f"Both({self._target!r})"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._call(self._target, *args, **kwargs)

    def __enter__(self) -> Any:
        return self._call(self._target.__aenter__)

    def __exit__(self, *details: Any) -> Any:
        return self._call(self._target.__aexit__, *details)

    def __iter__(self) -> Iterator[Any]:
        return self._iterate(aiter(self._target))

    def _call(self, function: Any, *args: Any, **kwargs: Any) -> Any:
        args = tuple(_unwrap(value) for value in args)
        kwargs = {name: _unwrap(value) for name, value in kwargs.items()}

        async def on_the_loop() -> Any:
            result = function(*args, **kwargs)
            return await result if inspect.isawaitable(result) else result

        return self._wrap(self._runner.run(on_the_loop()))

    def _iterate(self, iterator: AsyncIterator[Any]) -> Iterator[Any]:
        end = object()

        async def step() -> Any:
            return await anext(iterator, end)

        async def stop() -> None:
            if isinstance(iterator, types.AsyncGeneratorType):
                await iterator.aclose()

        try:
            while (item := self._runner.run(step())) is not end:
                yield self._wrap(item)
        finally:
            self._runner.run(stop())

    def _wrap(self, value: Any) -> Any:
        if inspect.isroutine(value) or isinstance(value, functools.partial):
            return functools.partial(self._call, value)
        if isinstance(value, AsyncIterator) and not hasattr(type(value), "__aenter__"):
            return self._iterate(value)
        kind: Any = type(value)
        return Both(value, self._runner) if _is_async(kind) else value


def _unwrap(value: Any) -> Any:
    return value._target if isinstance(value, Both) else value


@functools.cache
def _is_async(kind: Any) -> bool:
    """Whether objects of ``kind`` have to be used with ``await``."""
    if not kind.__module__.startswith(("ormco_trios", "tests", "test_", "contextlib")):
        return False
    members = (inspect.getattr_static(kind, name, None) for name in dir(kind))
    functions = [m.__func__ if isinstance(m, staticmethod | classmethod) else m for m in members]
    return (
        kind.__name__.lstrip("_").startswith("Async")
        or hasattr(kind, "__aenter__")
        or any(inspect.iscoroutinefunction(f) or inspect.isasyncgenfunction(f) for f in functions)
    )


class SyncOrAsync:
    """One of sync and async; a test that takes the fixture `both` runs once in each.

    ``both.communicate(...)`` makes a client and ``both.get("CommunicateClient")`` gives its class,
    ``both.wrap(x)`` makes any other object usable, and ``both.callback(f)`` turns a plain function
    into what such an object calls back.
    """

    def __init__(self, name: Literal["sync", "async"]) -> None:
        self.name = name
        self._runner = asyncio.Runner() if name == "async" else None
        self._made: list[Any] = []

    @property
    def is_async(self) -> bool:
        return self._runner is not None

    def get(self, name: str) -> Any:
        """The class of the public API with the sync name ``name``."""
        return getattr(ormco_trios, f"Async{name}" if self.is_async else name)

    def make(self, kind: str | type, *args: Any, **kwargs: Any) -> Any:
        """An object of a class of the public API, or of any given one, ready to use."""
        made = self.run(self.get(kind) if isinstance(kind, str) else kind, *args, **kwargs)
        self._made.append(made)
        return made

    def communicate(self, **options: Any) -> Any:
        return self.make("CommunicateClient", **options)

    def oauth(self, **options: Any) -> Any:
        return self.make("OAuthClient", **options)

    def ormcodigital(self, **options: Any) -> Any:
        return self.make("OrmcoDigitalClient", **options)

    def onboarding(self, *args: Any, **options: Any) -> Any:
        return self.make("Onboarding", *args, **options)

    def run(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call ``function``, which is a coroutine function in async."""
        if self._runner is None:
            return function(*args, **kwargs)
        return Both(function, self._runner)(*args, **kwargs)

    def wrap(self, target: Any) -> Any:
        """``target``, usable as if it were synchronous."""
        return target if self._runner is None else Both(target, self._runner)

    def callback(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """``function``, as a coroutine function in async."""
        if self._runner is None:
            return function

        async def answered(*args: Any, **kwargs: Any) -> Any:
            return function(*args, **kwargs)

        return answered

    def close(self) -> None:
        """Close what was made and can be closed, and the loop."""
        for made in self._made:
            if hasattr(made, "aclose" if self.is_async else "close"):
                made.close()
        if self._runner is not None:
            self._runner.close()


@pytest.fixture(params=["sync", "async"])
def both(request: pytest.FixtureRequest) -> Iterator[SyncOrAsync]:
    """Whether to run the test in sync or async; see `SyncOrAsync`."""
    mode = SyncOrAsync(request.param)
    yield mode
    mode.close()


# What is opened is closed ------------------------------------------------------------------------


@pytest.fixture
def sqlite_is_closed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every SQLite connection is closed by the code that opened it; Python 3.13 warns of others."""
    connect = sqlite3.connect
    opened: list[sqlite3.Connection] = []

    def noted(*args: Any, **options: Any) -> sqlite3.Connection:
        opened.append(connect(*args, **options))
        return opened[-1]

    monkeypatch.setattr(sqlite3, "connect", noted)
    yield
    for connection in opened:
        with pytest.raises(sqlite3.ProgrammingError, match="closed"):
            connection.total_changes  # noqa: B018


# No network, no traces ---------------------------------------------------------------------------

_LOCAL = ("127.", "::1", "localhost")


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing but the loopback interface can be reached, and no other name resolved."""
    connect, getaddrinfo = socket.socket.connect, socket.getaddrinfo

    def refuse(host: object) -> NoReturn:
        raise AssertionError(f"a test wanted to reach {host!r}")

    def local_connect(self: socket.socket, address: Any) -> None:
        if isinstance(address, tuple) and not str(address[0]).startswith(_LOCAL):
            refuse(address[0])
        connect(self, address)

    def local_getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name is not None and not name.startswith((*_LOCAL, "0.0.0.0", "::")):
            refuse(name)
        return getaddrinfo(host, *args, **kwargs)

    monkeypatch.setattr(socket.socket, "connect", local_connect)
    monkeypatch.setattr(socket, "getaddrinfo", local_getaddrinfo)


@pytest.fixture(autouse=True)
def _no_traces(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting comes from the machine, and nothing is left in a home directory."""
    for name in list(os.environ):
        if name.startswith("ORMCO_TRIOS_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    for kind in ("CACHE", "CONFIG", "DATA", "STATE"):
        monkeypatch.setenv(f"XDG_{kind}_HOME", str(tmp_path / kind.lower()))


# PostgreSQL --------------------------------------------------------------------------------------

_NUMBERS = itertools.count()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """A PostgreSQL of the session's own; how to connect to it."""
    from tests.postgres import postgres, program

    if program("postgres") is None and "CI" not in os.environ:
        pytest.skip("PostgreSQL is missing; apt-get install postgresql brings it")
    with postgres() as conninfo:
        yield conninfo


@pytest.fixture
def conninfo(postgres_server: str) -> str:
    """An empty database."""
    from tests.postgres import new_database

    return new_database(postgres_server, f"test_{next(_NUMBERS)}")
