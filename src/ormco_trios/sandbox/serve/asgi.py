"""The World as an ASGI application.  Needs no framework."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import replace
from typing import TypeAlias, cast

from ormco_trios.core.clock import Clock
from ormco_trios.sandbox.serve.worlds import Worlds
from ormco_trios.sandbox.wire.messages import Headers, WireReply, WireRequest, json_reply
from ormco_trios.sandbox.world.world import World

AsgiScope: TypeAlias = Mapping[str, object]
AsgiMessage: TypeAlias = Mapping[str, object]
AsgiReceive: TypeAlias = Callable[[], Awaitable[AsgiMessage]]
AsgiSend: TypeAlias = Callable[[dict[str, object]], Awaitable[None]]

RESET = "sandbox.reset"
"""Scope extension: a function that resets the connection; the sandbox's own server has it."""

CLOSE = "sandbox.close"
"""Scope extension: a function that closes the connection once what was sent has gone out."""

_DRIP = 0.25
_MAX_BODY = 1024 * 1024


class SandboxApp:
    """ASGI 3 application over a World, and more below ``/w/{name}``.

    Args:
        hosts: Values of ``Host`` that are answered; ``None`` for any.  A server on a loopback
            address needs the check, or a foreign page could reach it under a name of its own.
    """

    def __init__(self, world: World, *, hosts: Collection[str] | None = None) -> None:
        self.worlds = Worlds(world)
        self._hosts = hosts

    async def __call__(self, scope: AsgiScope, receive: AsgiReceive, send: AsgiSend) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)

    async def _http(self, scope: AsgiScope, receive: AsgiReceive, send: AsgiSend) -> None:
        headers = _headers(scope)
        host = next((value for name, value in headers if name == "host"), "")
        if self._hosts is not None and host.lower() not in self._hosts:
            explain = (("x-sandbox-explain", "The Host header is not this server's address."),)
            await _send(send, json_reply({"error": "wrong host"}, status=421, headers=explain))
            return
        body = await _body(receive)
        if body is None:
            explain = (("x-sandbox-explain", "A request body has at most one mebibyte."),)
            await _send(send, json_reply({"error": "too large"}, status=413, headers=explain))
            return
        raw = cast(bytes, scope.get("raw_path") or str(scope["path"]).encode())
        reply = self.worlds.handle(
            WireRequest(
                method=str(scope["method"]),
                path=raw.decode("latin-1").partition("?")[0],
                query=cast(bytes, scope["query_string"]).decode("latin-1"),
                headers=headers,
                body=body,
            )
        )
        if reply.broken is None:
            await _send(send, reply)
        elif reply.broken == "read_timeout":
            while (await receive())["type"] != "http.disconnect":
                pass
        elif reply.broken == "slow_body":
            await _send_slowly(send, reply)
        else:
            # A server that already took the request cannot refuse the connection any more, so
            # "connect" is a reset here.
            extensions = cast(Mapping[str, Callable[[], None]], scope.get("extensions") or {})
            end = extensions.get(CLOSE if reply.broken in ("close", "truncate") else RESET)
            if reply.broken == "truncate" or end is None:
                await _send_half(send, reply)
            if end is not None:
                end()


def _headers(scope: AsgiScope) -> Headers:
    pairs = cast(Iterable[tuple[bytes, bytes]], scope["headers"])
    return tuple((name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in pairs)


async def _body(receive: AsgiReceive) -> bytes | None:
    """The whole body, or ``None`` if it is too large."""
    body = b""
    while True:
        message = await receive()
        body += cast(bytes, message.get("body", b""))
        if len(body) > _MAX_BODY:
            return None
        if not message.get("more_body"):
            return body


async def _send(send: AsgiSend, reply: WireReply) -> None:
    await _start(send, reply)
    if reply.content is not None:
        for block in reply.content:
            await send({"type": "http.response.body", "body": block, "more_body": True})
    await send({"type": "http.response.body", "body": reply.body})


async def _send_half(send: AsgiSend, reply: WireReply) -> None:
    """Promise the whole body, and send the first half of it."""
    reply = reply if reply.size else replace(reply, body=b"{}")
    await _start(send, reply)
    left = reply.size // 2
    for block in reply.blocks():
        await send({"type": "http.response.body", "body": block[:left], "more_body": True})
        left -= min(left, len(block))
        if not left:
            return


async def _send_slowly(send: AsgiSend, reply: WireReply) -> None:
    """A byte at a time, in real time: a client's limits are real ones."""
    await _start(send, reply)
    clock = Clock()
    for byte in itertools.chain.from_iterable(reply.blocks()):
        await send({"type": "http.response.body", "body": bytes((byte,)), "more_body": True})
        await clock.sleep_async(_DRIP)
    await send({"type": "http.response.body", "body": b""})


async def _start(send: AsgiSend, reply: WireReply) -> None:
    headers = [(n.encode("latin-1"), v.encode("latin-1")) for n, v in reply.headers]
    if reply.status != 204:
        headers.append((b"content-length", str(reply.size).encode()))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})


async def _lifespan(receive: AsgiReceive, send: AsgiSend) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
