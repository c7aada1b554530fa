"""How thorough a repair is."""

from __future__ import annotations

import enum


class Remedy(enum.Enum):
    """How much is set up anew, from the least to the most."""

    WHAT_IS_BROKEN = "what is broken"
    AUTHORIZE_AGAIN = "authorize again"
    """Ormco's access is revoked first, as under Applications; for when all looks well [guide]."""
    CONNECT_AGAIN = "connect again"
    """The connection is requested again as well: up to another 24 hours without scans."""
