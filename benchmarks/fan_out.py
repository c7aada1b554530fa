"""Many calls in flight at once: CPU per call relative to one plain `httpx.AsyncClient`."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import sys

import httpx
from harness import AsyncWork, account, compare, table, versions, without_proxies
from per_call import BY_HAND_ASYNC, PEERS, by_hand_async, ours_async
from server import serving

from ormco_trios import AsyncCommunicateClient, Environment

IN_FLIGHT = (1, 10, 32, 100)
CALLS = 200


async def work_off(work: AsyncWork, at_once: int) -> None:
    """`CALLS` calls, ``at_once`` of them at any time."""
    left = iter(range(CALLS))

    async def one_after_another() -> None:
        for _ in left:
            await work()

    try:
        # A peer was seen to wait for ever for an answer that had come; what counts is CPU time.
        async with asyncio.timeout(30):
            await asyncio.gather(*(one_after_another() for _ in range(at_once)))
    except TimeoutError:
        print(f"not all calls of {work} ended", file=sys.stderr)


def ours_over(client: httpx.AsyncClient, base: str) -> AsyncWork:
    root = base.removesuffix("/communicate")
    environment = Environment.sandbox(root)
    return AsyncCommunicateClient(environment, token="t", http_client=client).users.me


async def measure() -> list[tuple[object, ...]]:
    without_proxies()
    rows: dict[str, list[object]] = {}
    async with contextlib.AsyncExitStack() as stack:
        base = f"{stack.enter_context(serving(account()))}/communicate"
        for at_once in IN_FLIGHT:
            contenders = {BY_HAND_ASYNC: by_hand_async(base), "ormco-trios": ours_async(base)}
            with contextlib.suppress(ImportError):
                from httpx_aiohttp import HttpxAiohttpClient

                client = await stack.enter_async_context(HttpxAiohttpClient())
                contenders["ormco-trios, `http_client=HttpxAiohttpClient()`"] = ours_over(
                    client, base
                )
            for name, make in PEERS.items():
                with contextlib.suppress(ImportError):
                    if (other := make(base)[1]) is not None:
                        contenders[name] = other
            ratios = await compare(
                {
                    name: functools.partial(work_off, work, at_once)
                    for name, work in contenders.items()
                },
                calls=1,
                rounds=5,
            )
            for name, ratio in ratios.items():
                rows.setdefault(name, [name]).append(ratio)
    return [tuple(row) for row in rows.values()]


HEAD = ["calls in flight", *map(str, IN_FLIGHT)]

if __name__ == "__main__":
    print(versions("httpx", "httpx-aiohttp", "pydantic"))
    print(table(HEAD, asyncio.run(measure())))
