"""What differs between the two colours: the stores they can use, and how a thread is waited for."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from ormco_trios.oauth.token import AsyncTokenStore, TokenStore

if TYPE_CHECKING:
    from ormco_trios.oauth._listener import Listener

AnyTokenStore: TypeAlias = TokenStore
AnyAsyncTokenStore: TypeAlias = TokenStore | AsyncTokenStore


def wait(listener: Listener, timeout: float) -> str:
    """Wait in this thread."""
    return listener.wait(timeout)


async def wait_async(listener: Listener, timeout: float) -> str:
    """Wait in another thread; closing the listener ends that."""
    import asyncio

    return await asyncio.to_thread(listener.wait, timeout)
