"""For the tests of programs that use ormco-trios: a pytest plugin, and mocks for respx.

The plugin is there as soon as the package is installed, with the fixtures ``sandbox``,
``sandbox_server``, ``sandbox_world``, ``sandbox_clock``, ``mock_communicate``, ``mock_oauth``,
``mock_ormcodigital`` and ``no_live_services``, the marker ``ormco_sandbox`` and the option
``--ormco-sandbox-url``.  Outside of pytest::

    sandbox = Sandbox(posing_as=Environment.production())
    with respx_router(sandbox.world, "communicate") as router:
        ...
        assert router["users.me"].called

The names here are imported when they are used, so that the plugin costs a test suite nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ormco_trios.testing._remote import RemoteClock, RemoteSandbox
    from ormco_trios.testing._respx import (
        LiveServiceCalled,
        MockedService,
        ServiceRouter,
        respx_router,
    )

__all__ = [
    "LiveServiceCalled",
    "MockedService",
    "RemoteClock",
    "RemoteSandbox",
    "ServiceRouter",
    "respx_router",
]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    home = import_module(f"{__name__}.{'_remote' if name.startswith('Remote') else '_respx'}")
    value: object = getattr(home, name)
    return value
