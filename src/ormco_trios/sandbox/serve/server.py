"""The World on a real socket: uvicorn in a thread, on the loopback address only."""

from __future__ import annotations

import asyncio
import functools
import socket
import struct
import threading
from types import TracebackType
from typing import Any, cast

from ormco_trios.core.extras import extra
from ormco_trios.sandbox.serve.asgi import (
    CLOSE,
    RESET,
    AsgiReceive,
    AsgiScope,
    AsgiSend,
    SandboxApp,
)
from ormco_trios.sandbox.world.world import World

with extra("sandbox"):
    import uvicorn
    from uvicorn.protocols.http.h11_impl import H11Protocol

_LOOPBACK = ("127.0.0.1", "localhost")


class SandboxServer:
    """Serves one World.  The port is bound, and known, as soon as the object exists.

    Args:
        world: Gets this server's address as its ``base_url``.
        host: ``127.0.0.1`` or ``localhost``; the sandbox is for this machine alone.
        port: 0 for any free one.
    """

    def __init__(self, world: World, host: str = "127.0.0.1", port: int = 0) -> None:
        if host not in _LOOPBACK:
            raise ValueError("the sandbox is served on the loopback address only")
        # With the protocol named, asyncio switches off Nagle's delay (40 ms a request).
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._socket.bind(("127.0.0.1", port))
        except OSError:
            self._socket.close()
            raise
        self.host = host
        self.port: int = self._socket.getsockname()[1]
        world.base_url = self.base_url
        hosts = frozenset(f"{name}:{self.port}" for name in _LOOPBACK)
        config = uvicorn.Config(
            cast(Any, SandboxApp(world, hosts=hosts)),
            http=_Protocol,
            ws="none",
            loop="asyncio",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
        )
        self._server = _UvicornServer(config)
        self._thread = threading.Thread(
            target=self._server.run, args=([self._socket],), name="ormco-sandbox", daemon=True
        )

    @property
    def base_url(self) -> str:
        """Where it is reachable, without a trailing slash."""
        return f"http://{self.host}:{self.port}"

    def start(self) -> SandboxServer:
        """Begin to serve; returns when requests are answered."""
        self._thread.start()
        if not self._server.ready.wait(10):
            raise RuntimeError("the sandbox server did not start")
        return self

    def stop(self) -> None:
        """End it, hanging connections included; safe to repeat."""
        self._server.stop()
        if self._thread.ident is not None:
            self._thread.join(5)
        self._socket.close()

    def __enter__(self) -> SandboxServer:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


class _UvicornServer(uvicorn.Server):
    """Says when it is ready, and stops at once: nobody waits for a sandbox to drain."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()
        self._stopping = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    def stop(self) -> None:
        """Ask for the end, from any thread."""
        self.should_exit = True
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._stopping.set)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
        self.ready.set()

    async def main_loop(self) -> None:
        await self._stopping.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            cast(_Protocol, connection).transport.abort()
        for task in list(self.server_state.tasks):
            task.cancel()
        await asyncio.gather(*self.server_state.tasks, return_exceptions=True)


class _Protocol(H11Protocol):
    """Puts a function into each request's scope that resets its connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        app = cast(SandboxApp, self.app)
        extensions = {RESET: functools.partial(_reset, transport), CLOSE: transport.close}

        async def with_reset(scope: AsgiScope, receive: AsgiReceive, send: AsgiSend) -> None:
            await app({**scope, "extensions": extensions}, receive, send)

        self.app = cast(Any, with_reset)


def _reset(transport: asyncio.Transport) -> None:
    """Close so that the client gets an RST and not an orderly end."""
    peer = transport.get_extra_info("socket")
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
