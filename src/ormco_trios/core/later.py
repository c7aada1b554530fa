"""Modules that are imported when something of them is first used.

pydantic takes longer to import than all of this library.  So what stands on the face can be
imported without it: the first client that is made brings it, as it brings httpx.
"""

from __future__ import annotations

import importlib


class Later:
    """The module ``package.name``, once somebody asks it for something.

    A type checker never sees one: it stands in the ``else`` of an ``if TYPE_CHECKING`` that imports
    the module itself.
    """

    def __init__(self, package: str, name: str) -> None:
        self._module = f"{package}.{name}"

    def __getattr__(self, name: str) -> object:
        value: object = getattr(importlib.import_module(self._module), name)
        setattr(self, name, value)
        return value
