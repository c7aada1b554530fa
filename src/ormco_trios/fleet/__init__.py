"""Many practices: on one machine without anything else, or on a queue over PostgreSQL.

::

    practices = read_practices("practices.csv")
    opener = AsyncPracticeOpener(client_id=..., redirect_uri=..., store=FileTokenStore())
    async with AsyncFleet(practices, opener.open, FleetRecords("fleet.db")) as fleet:
        async for standing in fleet.run():
            print(standing.practice, standing.stage.title)

The queue is in `ormco_trios.fleet.queue`, and needs the extra ``fleet``.
"""

from __future__ import annotations

from ormco_trios.fleet.async_fleet import AsyncFleet
from ormco_trios.fleet.async_opener import AsyncPracticeOpener
from ormco_trios.fleet.fleet import Fleet
from ormco_trios.fleet.opener import PracticeOpener
from ormco_trios.fleet.practices import FleetPractice, read_practices
from ormco_trios.fleet.records import FleetRecords
from ormco_trios.fleet.standing import Stage, Standing
from ormco_trios.fleet.status import FleetStatus

__all__ = [
    "AsyncFleet",
    "AsyncPracticeOpener",
    "Fleet",
    "FleetPractice",
    "FleetRecords",
    "FleetStatus",
    "PracticeOpener",
    "Stage",
    "Standing",
    "read_practices",
]
