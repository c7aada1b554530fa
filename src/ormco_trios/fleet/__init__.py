"""Many practices: on one machine without anything else, or on a queue over PostgreSQL.

::

    practices = read_practices("practices.csv")
    opener = AsyncPracticeOpener(client_id=..., redirect_uri=..., store=FileTokenStore())
    async with AsyncFleet(practices, opener.open, "fleet.db") as fleet:
        async for status in fleet.run():
            print(status.practice, status.stage.title)

The queue is in `ormco_trios.fleet.queue`, and needs the extra ``fleet``.
"""

from __future__ import annotations

from ormco_trios.fleet.async_fleet import AsyncFleet
from ormco_trios.fleet.async_opener import AsyncPracticeOpener
from ormco_trios.fleet.fleet import Fleet
from ormco_trios.fleet.opener import PracticeOpener
from ormco_trios.fleet.practice_status import PracticeStatus, Stage
from ormco_trios.fleet.practices import FleetPractice, read_practices
from ormco_trios.fleet.records import FleetRecords
from ormco_trios.fleet.report import FleetStatus

__all__ = [
    "AsyncFleet",
    "AsyncPracticeOpener",
    "Fleet",
    "FleetPractice",
    "FleetRecords",
    "FleetStatus",
    "PracticeOpener",
    "PracticeStatus",
    "Stage",
    "read_practices",
]
