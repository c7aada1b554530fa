# Generated from async_base_client.py by tools/mirror.py; edit that file.
"""The base of the three services' clients."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self, TypeVar

from ormco_trios.core import runner
from ormco_trios.core._acompat import Closing, call_apart
from ormco_trios.core._uninterrupted import finished
from ormco_trios.core.channel import Channel
from ormco_trios.core.effects import Call
from ormco_trios.core.environment import Environment, Service
from ormco_trios.core.html import card
from ormco_trios.core.operation import Body, Operation, encode
from ormco_trios.core.retry import Retry
from ormco_trios.core.shield import Shielded
from ormco_trios.core.transport import Timeout, Transport

T = TypeVar("T")

_SERVICES = tuple(Service)


class BaseClient(Shielded, Closing):
    """Owns a channel; closing it closes the connections.  Safe to share between users.

    Attributes:
        channel: How the client reaches its service; `Onboarding` runs over several of them.
    """

    channel: Channel[Transport]

    def _use(self, channel: Channel[Transport]) -> None:
        self.channel = channel
        self._runner = runner.Runner(dict.fromkeys(_SERVICES, channel), channel.clock)

    @property
    def environment(self) -> Environment:
        """Which hosts this client talks to."""
        return self.channel.environment

    def _repr_html_(self) -> str:
        signed_in = {
            service.value: "signed in" if auth.current() else "not signed in yet"
            for service, auth in self.channel.auth.items()
        }
        rows = [("environment", self.environment.name), *signed_in.items()]
        return card(type(self).__name__, rows)

    def call(
        self,
        operation: Operation[T],
        *,
        path: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        body: Body = None,
    ) -> T:
        """Carry out an operation that the client has no method for, such as one of your own.

        It is signed in, repeated and read like all others: see `ormco_trios.operations`.

        Args:
            operation: The endpoint; the client has to have a sign-in for its service.
            path: A value for each parameter of the route, not yet percent-encoded.
            query: Query parameters, not yet encoded.
            body: A model (by its aliases) or a mapping is sent as JSON, bytes as they are.

        Raises:
            ConfigurationError: A parameter is missing, or there is no sign-in; nothing was sent.
            TransportError: No complete answer arrived.
            ApiError: The service said no; the class says why.
        """
        return self._runner.run(
            Call(operation, path=path or {}, query=query or {}, body=encode(body))
        )

    def with_options(self, *, timeout: Timeout | None = None, retry: Retry | None = None) -> Self:
        """A view of this client with other limits; it shares the connections and the sign-in."""
        view = object.__new__(type(self))
        view.__dict__.update(self.__dict__)
        options = self.channel.options.but(timeout=timeout, retry=retry)
        view._use(self.channel.with_options(options))
        return view

    def close(self) -> None:
        """Close the connections; the client and its views cannot be used afterwards.

        What went on after its caller was cancelled, such as a refresh, is waited for, as long as
        one attempt may take (``Timeout.total``).  If this is cancelled as well, the waiting and
        closing goes on by itself.

        Raises:
            TokenNotSaved: It ended with a token that the store failed to keep.
        """
        call_apart(self._close)

    def _close(self) -> None:
        try:
            finished(self.channel.unfinished, self.channel.options.timeout.total)
        finally:
            self.channel.transport.close()
