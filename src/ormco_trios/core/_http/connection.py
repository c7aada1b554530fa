"""One connection to one service, which can be closed at any moment."""

from __future__ import annotations

import contextlib
import functools
import ssl
import threading
from collections.abc import Awaitable, Generator
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpcore
import httpx

from ormco_trios.core._acompat import kept
from ormco_trios.core._http.deadline import PunctualBackend
from ormco_trios.core.errors import ConfigurationError
from ormco_trios.core.extras import extra
from ormco_trios.core.transport import HttpLibrary

if TYPE_CHECKING:
    import asyncio

KEEP_ALIVE = 30.0

_ONE = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=KEEP_ALIVE)
"""For each origin: a pool with more would have to be searched."""


@functools.cache
def tls_context() -> ssl.SSLContext:
    """The process's one TLS context; making one costs more than 60 calls."""
    try:
        return httpx.create_ssl_context()
    except OSError:
        raise ConfigurationError(
            "The certificates that SSL_CERT_FILE or SSL_CERT_DIR names cannot be read.",
            advice="Correct these two settings of this machine, or remove them.",
        ) from None


@contextlib.contextmanager
def _named_proxy() -> Generator[None]:
    """The machine's settings can name a proxy that there is no way to use."""
    try:
        yield
    except (ValueError, ImportError, httpx.InvalidURL):
        raise ConfigurationError(
            "The proxy that this machine's settings name (HTTPS_PROXY, ALL_PROXY) cannot be used.",
            advice="Name one such as http://proxy.example:3128; for a SOCKS proxy, "
            "pip install 'httpx[socks]'.",
        ) from None


def _verification(origin: str) -> ssl.SSLContext:
    """What a connection is verified with; one without TLS does not wait for certificates."""
    if origin.startswith("http:"):
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # which trusts nobody
    return tls_context()


class Connection:
    """A pool of one connection, which can be closed at any moment of its making."""

    def __init__(self, origin: str, proxy: str | None) -> None:
        verify = _verification(origin)
        with _named_proxy():
            self.transport = httpx.HTTPTransport(verify=verify, limits=_ONE, proxy=proxy)
        # httpx takes no backend, and there is no other way to end a read of headers in a thread.
        pool: Any = self.transport._pool  # pyright: ignore[reportPrivateUsage]
        self._backend = pool._network_backend = PunctualBackend(pool._network_backend)
        # A thread that is interrupted in the `__exit__` of httpcore's own lock, which is a function
        # in Python, would keep it, and wait for itself when the connection is closed.
        pool._optional_thread_lock = threading.Lock()

    def close(self) -> None:
        self.transport.close()
        self._backend.close()


class AsyncConnection:
    """A pool of one connection, which can be closed at any moment of its making."""

    transport: httpx.AsyncBaseTransport

    def __init__(self, library: HttpLibrary, origin: str, proxy: str | None) -> None:
        self._backend = None
        if library == "aiohttp":
            with _named_proxy():
                self.transport = _aiohttp_transport(proxy)
            return
        verify = _verification(origin)
        with _named_proxy():
            transport = httpx.AsyncHTTPTransport(verify=verify, limits=_ONE, proxy=proxy)
        pool = transport._pool  # pyright: ignore[reportPrivateUsage]
        self._backend = TrackingBackend(pool._network_backend)  # pyright: ignore[reportPrivateUsage]
        pool._network_backend = self._backend  # pyright: ignore[reportPrivateUsage]
        self.transport = transport

    async def aclose(self) -> None:
        await self.transport.aclose()
        if self._backend is not None:
            await self._backend.aclose()


def _aiohttp_transport(proxy: str | None) -> httpx.AsyncBaseTransport:
    with extra("aiohttp"):
        import aiohttp
        from httpx_aiohttp import AiohttpTransport

    def session() -> aiohttp.ClientSession:
        # Many accounts share a connection; none may be sent another's cookies.
        connector = aiohttp.TCPConnector(ssl=tls_context(), limit=1)
        return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())

    return AiohttpTransport(
        verify=tls_context(),
        proxy=None if proxy is None else httpx.Proxy(proxy),
        client=session,
    )


class TrackingBackend(httpcore.AsyncNetworkBackend):
    """Opens connections, and knows the last one.

    A task that is cancelled while it connects, or agrees on TLS, leaves the socket to nobody.  So
    the connecting is a task of its own, and what comes of it is closed in the end.
    """

    def __init__(self, inner: httpcore.AsyncNetworkBackend) -> None:
        # Here, since threads do without it.
        import asyncio

        self._asyncio = asyncio
        self._inner = inner
        self._connecting: asyncio.Task[httpcore.AsyncNetworkStream] | None = None

    async def connect_tcp(self, *args: Any, **options: Any) -> httpcore.AsyncNetworkStream:
        self._connecting = self._asyncio.create_task(self._inner.connect_tcp(*args, **options))
        await self._asyncio.wait([self._connecting])
        return self._connecting.result()

    async def aclose(self) -> None:
        connecting, self._connecting = self._connecting, None
        if connecting is not None:
            closing = kept(self._asyncio.create_task(_close_result(connecting)))
            # One that is not done ends with the time limit for connecting.
            if connecting.done():
                await closing


async def _close_result(connecting: Awaitable[httpcore.AsyncNetworkStream]) -> None:
    try:
        stream = await connecting
    except Exception:  # noqa: BLE001 - whatever it was, the request has failed with it
        return
    await stream.aclose()


@functools.lru_cache(maxsize=256)
def origin_of(url: str) -> str:
    """Scheme, host and port."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


@functools.lru_cache(maxsize=256)
def proxy_for(url: str) -> str | None:
    """The proxy that the machine's settings name for this address, if any."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if proxy_bypass(host):
        return None
    proxies = getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    # Without a scheme too, as other programs take it.
    return f"http://{proxy}" if proxy and "://" not in proxy else proxy
