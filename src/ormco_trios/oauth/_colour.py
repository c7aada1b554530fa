"""Which stores a client of each colour can use."""

from __future__ import annotations

from typing import TypeAlias

from ormco_trios.oauth.token import AsyncTokenStore, TokenStore

AnyTokenStore: TypeAlias = TokenStore
AnyAsyncTokenStore: TypeAlias = TokenStore | AsyncTokenStore
