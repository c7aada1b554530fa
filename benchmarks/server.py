"""A fixed server on the loopback interface: it says the same to every request, and cheaply.

It is no sandbox: what a benchmark measures is the client, so this is another process and does as
little as a server can.  ``with serving(body) as base_url:``.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager


class _Fixed(asyncio.Protocol):
    reply = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._buffer = b""

    def data_received(self, data: bytes) -> None:
        # Requests without a body end with an empty line.
        self._buffer += data
        n = self._buffer.count(b"\r\n\r\n")
        if n:
            self._buffer = self._buffer[self._buffer.rindex(b"\r\n\r\n") + 4 :]
            self._transport.write(self.reply * n)


async def _serve(body: bytes) -> None:
    _Fixed.reply = (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
        % (len(body), body)
    )
    server = await asyncio.get_running_loop().create_server(_Fixed, "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextmanager
def serving(body: bytes) -> Iterator[str]:
    """Serve ``body`` from a process of its own; gives the base URL."""
    process = subprocess.Popen(
        [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(body)
        process.stdin.close()
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


if __name__ == "__main__":
    asyncio.run(_serve(sys.stdin.buffer.read()))
