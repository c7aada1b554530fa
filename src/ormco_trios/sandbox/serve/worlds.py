"""Several isolated Worlds behind one address, for suites that run side by side.

Below ``/w/{name}/`` is a World of its own, made when it is first asked for: the same options as
the one at the root, and nothing else in common, time included.  ``DELETE /w/{name}/`` forgets it.
"""

from __future__ import annotations

import re
import threading

from ormco_trios.core.clock import ManualClock
from ormco_trios.sandbox.dispatch.dispatcher import Dispatcher
from ormco_trios.sandbox.dispatch.table import WELL_KNOWN
from ormco_trios.sandbox.wire.messages import WireReply, WireRequest, json_reply
from ormco_trios.sandbox.world.clock import ControlledClock
from ormco_trios.sandbox.world.world import World

_PATH = re.compile(r"/w/([A-Za-z0-9._-]{1,40})(/.*)")
_WELL_KNOWN = re.compile(rf"({re.escape(WELL_KNOWN)})(/w/[A-Za-z0-9._-]{{1,40}})(/.*)")
_MOST = 1000


class Worlds:
    """The World at the root, and those beside it."""

    def __init__(self, root: World) -> None:
        self.root = root
        self._at_root = Dispatcher(root)
        self._others: dict[str, Dispatcher] = {}
        self._lock = threading.Lock()

    def named(self, name: str) -> Dispatcher:
        """The dispatcher of the World below ``/w/{name}``.

        Raises:
            ValueError: It is no name, or there are too many.
        """
        if not _PATH.fullmatch(f"/w/{name}/"):
            raise ValueError("a World's name has 1 to 40 letters, digits, dots, dashes")
        with self._lock:
            if name not in self._others:
                if len(self._others) >= _MOST:
                    raise ValueError(f"there are {_MOST} Worlds already")
                world = World(
                    clock=_fresh(self.root),
                    settings=self.root.settings,
                    switches=self.root.switches,
                    base_url=f"{self.root.base_url}/w/{name}",
                    seeds=self.root.seeds,
                )
                self._others[name] = Dispatcher(world)
            return self._others[name]

    def handle(self, request: WireRequest) -> WireReply:
        """Answer with the World that the path belongs to."""
        # RFC 8414 puts its own part before the path of the issuer.
        path = _WELL_KNOWN.sub(r"\2\1\3", request.path)
        found = _PATH.fullmatch(path)
        if found is None:
            return self._at_root.handle(request)
        if (request.method, found[2]) == ("DELETE", "/"):
            with self._lock:
                self._others.pop(found[1], None)
            return WireReply(204)
        try:
            there = self.named(found[1])
        except ValueError as error:
            explain = (("x-sandbox-explain", f"{error}."),)
            return json_reply({"error": "no such world"}, status=404, headers=explain)
        return there.handle(
            WireRequest(request.method, found[2], request.query, request.headers, request.body)
        )


def _fresh(root: World) -> ControlledClock:
    """A clock with the same present and the same speed."""
    standing = isinstance(root.clock, ManualClock)
    scale = 0.0 if standing else getattr(root.clock, "scale", 1.0)
    return ControlledClock(scale, start=root.clock.time())
