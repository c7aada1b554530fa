"""The fixture `both`, on a small example."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

import anyio
import anyio.lowlevel
import pytest


@dataclass
class User:
    name: str


class Users:
    def me(self) -> User:
        return User("me")

    def every(self) -> Iterator[User]:
        yield User("a")
        yield User("b")

    def refuse(self) -> None:
        raise LookupError("no such user")


class Client:
    def __init__(self, other: Client | None = None, ask: Callable[[str], str] | None = None):
        self.users = Users()
        self.limit = 3
        self.other = other
        self.ask = ask
        self.closed = False

    def asked(self) -> str:
        assert self.ask is not None
        return self.ask("who?")

    def close(self) -> None:
        self.closed = True

    @contextmanager
    def opened(self) -> Iterator[Users]:
        yield self.users

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncUsers:
    async def me(self) -> User:
        await anyio.lowlevel.checkpoint()
        return User("me")

    async def every(self) -> AsyncIterator[User]:
        yield User("a")
        await anyio.lowlevel.checkpoint()
        yield User("b")

    async def refuse(self) -> None:
        await anyio.lowlevel.checkpoint()
        raise LookupError("no such user")


class AsyncClient:
    def __init__(
        self, other: AsyncClient | None = None, ask: Callable[[str], Awaitable[str]] | None = None
    ):
        self.users = AsyncUsers()
        self.limit = 3
        self.other = other
        self.ask = ask
        self.closed = False

    async def asked(self) -> str:
        assert self.ask is not None
        return await self.ask("who?")

    async def aclose(self) -> None:
        self.closed = True

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[AsyncUsers]:
        yield self.users

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


@pytest.fixture
def client(both: Any) -> Any:
    return both.make(AsyncClient if both.is_async else Client)


def test_calls_through_namespaces(client: Any) -> None:
    assert client.users.me() == User("me")


def test_plain_values_pass_through(client: Any) -> None:
    assert client.limit == 3
    client.limit = 4
    assert client.limit == 4


def test_iterators(client: Any) -> None:
    assert [user.name for user in client.users.every()] == ["a", "b"]
    assert next(iter(client.users.every())) == User("a")


def test_errors_come_through(client: Any) -> None:
    with pytest.raises(LookupError, match="no such user"):
        client.users.refuse()


def test_context_managers(client: Any) -> None:
    with client as same:
        assert same.users.me() == User("me")
        with client.opened() as users:
            assert users.me() == User("me")
    assert client.closed


def test_close(client: Any) -> None:
    client.close()
    assert client.closed


def test_arguments_are_unwrapped_and_callbacks_awaited(both: Any, client: Any) -> None:
    kind = AsyncClient if both.is_async else Client
    outer = both.make(kind, client, ask=both.callback(lambda question: question + " you"))
    assert type(outer.other.users.me()) is User
    assert outer.asked() == "who? you"


def test_the_network_is_out_of_reach(both: Any) -> None:
    import socket

    with pytest.raises(AssertionError, match="wanted to reach"):
        socket.create_connection(("192.0.2.1", 80), timeout=0.1)
    with pytest.raises(AssertionError, match="wanted to reach"):
        socket.getaddrinfo("example.org", 443)


@pytest.mark.anyio
async def test_coroutines_are_tests_too(anyio_backend_name: str) -> None:
    await anyio.lowlevel.checkpoint()
    assert anyio_backend_name == "asyncio"
