"""What goes to httpx and what comes from it: requests, headers, failures."""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterable

import httpx

from ormco_trios.core.errors import NotDelivered, OutcomeUnknown, TransportError
from ormco_trios.core.transport import Request

# What these prove: the request was not carried out, since it was not even sent.
_NOT_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
)


@functools.lru_cache(maxsize=256)
def _url(url: str) -> httpx.URL:
    return httpx.URL(url)


def outgoing(request: Request) -> httpx.Request:
    url = _url(request.url)
    headers: Iterable[tuple[bytes, bytes]] = [
        (b"Host", url.netloc),
        *((name.encode("ascii"), value.encode("ascii")) for name, value in request.headers),
    ]
    if request.body or request.method in {"POST", "PUT", "PATCH"}:
        headers = [*headers, (b"Content-Length", b"%d" % len(request.body))]
    limits = request.timeout
    outgoing = httpx.Request(
        request.method,
        url,
        headers=list(headers),
        stream=httpx.ByteStream(request.body),
        extensions={
            "timeout": {
                "connect": limits.connect,
                "read": limits.read,
                "write": limits.read,
                # A file may have to wait for others, however long they are.
                "pool": None if request.stream else limits.connect,
            }
        },
    )
    # So that `content` is there: httpx-aiohttp would send even an empty stream in chunks.
    outgoing.read()
    return outgoing


def headers_of(response: httpx.Response) -> dict[str, str]:
    headers: dict[str, str] = {}
    for raw_name, raw_value in response.headers.raw:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


# httpx-aiohttp calls these, too, time-outs while connecting, but they come at any time.
_AT_ANY_TIME = frozenset(
    {
        "ClientConnectionError",
        "ClientConnectionResetError",
        "ClientOSError",
        "ServerConnectionError",
        "ServerDisconnectedError",
    }
)


def failures() -> tuple[type[Exception], ...]:
    """What a request fails with; httpx-aiohttp leaves some of aiohttp's own, which quote it."""
    aiohttp = sys.modules.get("aiohttp")
    own = () if aiohttp is None else (aiohttp.ClientError,)
    return (httpx.RequestError, httpx.InvalidURL, *own)


def failure_of(error: Exception) -> TransportError:
    kind = type(error).__name__
    origin = type(error.__cause__).__name__
    if isinstance(error, _NOT_SENT) and origin not in _AT_ANY_TIME:
        if "CERTIFICATE" in str(error).upper():
            return NotDelivered(
                "The service's certificate could not be verified; nothing was sent.",
                advice="Check the base URL and the machine's trusted certificates; a company "
                "proxy's own certificate can be named with SSL_CERT_FILE.",
            )
        return NotDelivered("The service could not be reached; nothing was sent.").with_detail(kind)
    happened = "The request was sent, but its answer did not arrive whole."
    return OutcomeUnknown(happened).with_detail(kind)
