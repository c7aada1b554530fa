# Generated from async_base_client.py by tools/mirror.py; edit that file.
"""The base of the three services' clients."""

from __future__ import annotations

from typing import Self

from ormco_trios.core import runner
from ormco_trios.core.channel import Channel
from ormco_trios.core.closing import Closing
from ormco_trios.core.environment import Environment, Service
from ormco_trios.core.retry import Retry
from ormco_trios.core.shield import Shielded
from ormco_trios.core.transport import Timeout, Transport


class BaseClient(Shielded, Closing):
    """Owns a channel; closing it closes the connections.  Safe to share between users.

    Attributes:
        channel: How the client reaches its service; `Onboarding` runs over several of them.
    """

    channel: Channel[Transport]

    def _use(self, channel: Channel[Transport]) -> None:
        self.channel = channel
        self._runner = runner.Runner(dict.fromkeys(Service, channel), channel.clock)

    @property
    def environment(self) -> Environment:
        """Which hosts this client talks to."""
        return self.channel.environment

    def with_options(self, *, timeout: Timeout | None = None, retry: Retry | None = None) -> Self:
        """A view of this client with other limits; it shares the connections and the sign-in."""
        view = object.__new__(type(self))
        view.__dict__.update(self.__dict__)
        options = self.channel.options.but(timeout=timeout, retry=retry)
        view._use(self.channel.with_options(options))
        return view

    def close(self) -> None:
        """Close the connections; the client and its views cannot be used afterwards."""
        self.channel.transport.close()
