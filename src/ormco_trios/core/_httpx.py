"""The only module of the library proper that knows httpx.

Requests go to httpx's transports directly: everything `httpx.Client` would add (cookies,
redirects, its log line with the whole URL) is unwanted here.  A client the caller injects is used
as it is, so that its proxies, certificates and mocks count.
"""

from __future__ import annotations

import functools
import ssl
from collections.abc import Iterable
from time import monotonic as _now
from typing import TypeAlias
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx

from ormco_trios.core.errors import NotDelivered, OutcomeUnknown, TransportError
from ormco_trios.core.log import in_our_call, silence
from ormco_trios.core.transport import Answer, Request

silence(
    "httpx",
    "httpcore.connection",
    "httpcore.http11",
    "httpcore.http2",
    "httpcore.proxy",
    "httpcore.socks",
)

HttpClient: TypeAlias = httpx.Client
AsyncHttpClient: TypeAlias = httpx.AsyncClient

_LIMITS = httpx.Limits(max_connections=32, max_keepalive_connections=32, keepalive_expiry=30)

# What these prove: the request was not carried out, since it was not even sent.
_NOT_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
)


@functools.cache
def tls_context() -> ssl.SSLContext:
    """The process's one TLS context; making one costs more than 60 calls."""
    return httpx.create_ssl_context()


@functools.lru_cache(maxsize=256)
def _url(url: str) -> httpx.URL:
    return httpx.URL(url)


class HttpxTransport:
    """Sends over real sockets, from threads."""

    def __init__(self, client: HttpClient | None = None) -> None:
        self._client = client
        self._transports: dict[str | None, httpx.HTTPTransport] = {}

    def send(self, request: Request) -> Answer:
        failure = None
        quiet = in_our_call.set(True)
        try:
            return self._exchange(request)
        except httpx.TransportError as error:
            failure = _failure(error)
        finally:
            in_our_call.reset(quiet)
        # Raised here, so that neither httpx's exception nor its frames hang on ours.
        raise failure

    def close(self) -> None:
        for transport in self._transports.values():
            transport.close()
        self._transports.clear()

    def _exchange(self, request: Request) -> Answer:
        outgoing = _outgoing(request)
        if self._client is not None:
            response = self._client.send(outgoing, stream=True, auth=None, follow_redirects=False)
        else:
            response = self._transport(request.url).handle_request(outgoing)
        try:
            body = _Body(request)
            for piece in response.iter_bytes():
                body.add(piece)
        finally:
            response.close()
        return Answer(response.status_code, _headers(response), body.whole())

    def _transport(self, url: str) -> httpx.HTTPTransport:
        proxy = _proxy(url)
        transport = self._transports.get(proxy)
        if transport is None:
            transport = httpx.HTTPTransport(verify=tls_context(), limits=_LIMITS, proxy=proxy)
            self._transports[proxy] = transport
        return transport


class AsyncHttpxTransport:
    """Sends over real sockets, from an event loop."""

    def __init__(self, client: AsyncHttpClient | None = None) -> None:
        self._client = client
        self._transports: dict[str | None, httpx.AsyncHTTPTransport] = {}

    async def send(self, request: Request) -> Answer:
        failure = None
        quiet = in_our_call.set(True)
        try:
            return await self._exchange(request)
        except httpx.TransportError as error:
            failure = _failure(error)
        finally:
            in_our_call.reset(quiet)
        raise failure

    async def aclose(self) -> None:
        for transport in self._transports.values():
            await transport.aclose()
        self._transports.clear()

    async def _exchange(self, request: Request) -> Answer:
        outgoing = _outgoing(request)
        if self._client is not None:
            response = await self._client.send(
                outgoing, stream=True, auth=None, follow_redirects=False
            )
        else:
            response = await self._transport(request.url).handle_async_request(outgoing)
        try:
            body = _Body(request)
            async for piece in response.aiter_bytes():
                body.add(piece)
        finally:
            await response.aclose()
        return Answer(response.status_code, _headers(response), body.whole())

    def _transport(self, url: str) -> httpx.AsyncHTTPTransport:
        proxy = _proxy(url)
        transport = self._transports.get(proxy)
        if transport is None:
            transport = httpx.AsyncHTTPTransport(verify=tls_context(), limits=_LIMITS, proxy=proxy)
            self._transports[proxy] = transport
        return transport


class _Body:
    """Collects an answer's body within the request's limits of size and time."""

    def __init__(self, request: Request) -> None:
        self._limit = request.max_body
        self._deadline = _now() + request.timeout.total
        self._pieces: list[bytes] = []
        self._size = 0

    def add(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size > self._limit:
            raise httpx.ReadError("body too large")
        if _now() > self._deadline:
            raise httpx.ReadTimeout("body too slow")
        self._pieces.append(piece)

    def whole(self) -> bytes:
        return b"".join(self._pieces)


def _outgoing(request: Request) -> httpx.Request:
    url = _url(request.url)
    headers: Iterable[tuple[bytes, bytes]] = [
        (b"Host", url.netloc),
        *((name.encode("ascii"), value.encode("ascii")) for name, value in request.headers),
    ]
    if request.body or request.method in {"POST", "PUT"}:
        headers = [*headers, (b"Content-Length", b"%d" % len(request.body))]
    limits = request.timeout
    return httpx.Request(
        request.method,
        url,
        headers=list(headers),
        stream=httpx.ByteStream(request.body),
        extensions={
            "timeout": {
                "connect": limits.connect,
                "read": limits.read,
                "write": limits.read,
                "pool": limits.connect,
            }
        },
    )


def _headers(response: httpx.Response) -> dict[str, str]:
    return {name.lower(): value for name, value in response.headers.items()}


@functools.lru_cache(maxsize=256)
def _proxy(url: str) -> str | None:
    """The proxy that the machine's settings name for this address, if any."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if proxy_bypass(host):
        return None
    proxies = getproxies()
    return proxies.get(parts.scheme) or proxies.get("all")


def _failure(error: httpx.TransportError) -> TransportError:
    kind = type(error).__name__
    if isinstance(error, _NOT_SENT):
        if "CERTIFICATE" in str(error).upper():
            return NotDelivered(
                "The service's certificate could not be verified; nothing was sent.",
                advice="Check the base URL and the machine's trusted certificates; a company "
                "proxy's own certificate can be named with SSL_CERT_FILE.",
            )
        return NotDelivered(f"The service could not be reached ({kind}); nothing was sent.")
    return OutcomeUnknown(f"The request was sent, but its answer did not arrive whole ({kind}).")
