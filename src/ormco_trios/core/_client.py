"""What every client is made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import SecretStr

from ormco_trios.core._http.pool import AsyncHttpxPools, HttpxPool
from ormco_trios.core._http.transport import (
    AsyncHttpClient,
    AsyncInjectedClient,
    HttpClient,
    InjectedClient,
)
from ormco_trios.core.auth import Auth, StaticToken
from ormco_trios.core.channel import Channel, Options
from ormco_trios.core.clock import Clock
from ormco_trios.core.environment import Environment, Service
from ormco_trios.core.errors import ConfigurationError
from ormco_trios.core.events import Listeners, OnAudit, OnEvent
from ormco_trios.core.operation import Operation
from ormco_trios.core.retry import Retry
from ormco_trios.core.transport import AsyncTransport, Timeout, Transport


def choose_auth(token: str | SecretStr | None, auth: Auth | None) -> Auth | None:
    """One of the two ways to sign a client in.

    Raises:
        ConfigurationError: Both were given.
    """
    if token is not None and auth is not None:
        raise ConfigurationError("Give the client a token or an authentication, not both.")
    return StaticToken(token) if token is not None else auth


def open_channel(
    environment: Environment | None,
    *,
    auth: Mapping[Service, Auth | None],
    timeout: Timeout | None,
    retry: Retry | None,
    clock: Clock | None,
    on_event: OnEvent | None,
    on_audit: OnAudit | None,
    http_client: HttpClient | None,
    operations: Mapping[str, Operation[Any]] | None = None,
) -> Channel[Transport]:
    """A channel for threads."""
    environment = environment or Environment.from_env()
    transport: Transport
    if environment.gateway is not None and http_client is None:
        transport = environment.gateway.open()
    else:
        transport = InjectedClient(http_client) if http_client else HttpxPool()
    options = Options(operations=operations or {}).but(timeout=timeout, retry=retry)
    return _channel(environment, transport, auth, options, clock, Listeners(on_event, on_audit))


def open_channel_async(
    environment: Environment | None,
    *,
    auth: Mapping[Service, Auth | None],
    timeout: Timeout | None,
    retry: Retry | None,
    clock: Clock | None,
    on_event: OnEvent | None,
    on_audit: OnAudit | None,
    http_client: AsyncHttpClient | None,
    operations: Mapping[str, Operation[Any]] | None = None,
) -> Channel[AsyncTransport]:
    """A channel for an event loop."""
    environment = environment or Environment.from_env()
    transport: AsyncTransport
    if environment.gateway is not None and http_client is None:
        transport = environment.gateway.open_async()
    else:
        transport = AsyncInjectedClient(http_client) if http_client else AsyncHttpxPools()
    options = Options(operations=operations or {}).but(timeout=timeout, retry=retry)
    return _channel(environment, transport, auth, options, clock, Listeners(on_event, on_audit))


def _channel(
    environment: Environment,
    transport: Any,
    auth: Mapping[Service, Auth | None],
    options: Options,
    clock: Clock | None,
    listeners: Listeners,
) -> Channel[Any]:
    return Channel(
        environment,
        transport,
        auth={service: way for service, way in auth.items() if way is not None},
        clock=clock or environment.clock or Clock(),
        options=options,
        listeners=listeners,
    )
