"""A worker's database session is lost at each of its steps, before the statement or after it.

After it means that the server did what it was asked, and nobody heard of it: as a pooler does that
loses its own session, a server that is restarted, or a network that is cut.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any, Literal

import psycopg
import pytest
from psycopg import AsyncConnection

from ormco_trios import AuthorizationServer, errors
from ormco_trios.fleet import AsyncPracticeOpener, FleetPractice, Stage
from ormco_trios.fleet.encryption import Encryption
from ormco_trios.fleet.postgres import FleetDatabase, PostgresTokenStore
from ormco_trios.fleet.queue import FleetQueue
from ormco_trios.sandbox import Approval, Sandbox

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

KEY = Encryption.new_key()
When = Literal["before", "after"]
EVERY = int(os.environ.get("LOST_SESSIONS_EVERY", "1"))


class Loss:
    """Ends the session that does the n-th statement of a life."""

    def __init__(self, conninfo: str, at: int, when: When) -> None:
        self._conninfo = conninfo
        self._left = at
        self._when = when
        self.in_use = False

    @property
    def happened(self) -> bool:
        return self._left <= 0

    def of(self, database: FleetDatabase) -> None:
        connection_of = database.pool.connection

        @asynccontextmanager
        async def losing(*args: Any) -> AsyncIterator[AsyncConnection[Any]]:
            async with connection_of(*args) as connection:
                self._left -= self.in_use
                mine = self._left == 0 and self.in_use
                if mine and self._when == "before":
                    await self._end(connection.info.backend_pid)
                yield connection
                if mine and self._when == "after":
                    await self._end(connection.info.backend_pid)
                    raise psycopg.OperationalError("the answer was lost")

        database.pool.connection = losing  # type: ignore[method-assign,assignment]

    async def _end(self, process: int) -> None:
        async with await AsyncConnection.connect(self._conninfo, autocommit=True) as admin:
            await admin.execute("select pg_terminate_backend(%s)", (process,))


async def life(conninfo: str, loss: Loss) -> tuple[Sandbox, int]:
    """A practice from its list to *connected* and a refreshed token, with two workers in turn."""
    sandbox = Sandbox(approval=Approval.after(60), token_lifetime=600)
    who = sandbox.practice
    async with AsyncExitStack() as stack:
        queues = []
        for _ in range(2):
            database = await stack.enter_async_context(FleetDatabase(conninfo, Encryption([KEY])))
            loss.of(database)
            opener = AsyncPracticeOpener(
                sandbox.environment,
                client_id=sandbox.account_client_id,
                redirect_uri=sandbox.redirect_uri,
                server=AuthorizationServer.account(),
                store=PostgresTokenStore(database),
            )

            async def open_practice(practice: str, opener: AsyncPracticeOpener = opener) -> Any:
                return opener.open(
                    FleetPractice.model_validate(
                        {
                            "id": practice,
                            "portal_username": who.portal_username,
                            "portal_password": who.portal_password,
                        }
                    )
                )

            queues.append(
                await stack.enter_async_context(
                    FleetQueue(database, open_practice, clock=sandbox.clock)
                )
            )
        await queues[0].migrate()
        async with await AsyncConnection.connect(conninfo, autocommit=True) as admin:
            for table in ("practice_status", "token", "lock"):
                await admin.execute(f"delete from ormco_trios_{table}")
            await queues[0].enroll("p")
            links = 0
            for turn in range(60):
                queue = queues[turn % 2]
                loss.in_use = True
                with suppress(errors.OrmcoTriosError):
                    await queue._look_at_batch()
                loss.in_use = False
                (status,) = await queues[0]._records.all()
                if status.stage is Stage.CONNECTED:
                    break
                if status.link is not None:
                    links += 1
                    address = sandbox.authorize(status.link, email=who.email)
                    loss.in_use = True
                    with suppress(errors.OrmcoTriosError):
                        await queue.authorized("p", address)
                    loss.in_use = False
                # Time passes: what a worker had that was lost is free, and tokens need renewing.
                for table in ("practice_status", "lock"):
                    await admin.execute(f"update ormco_trios_{table} set claimed_until = now()")
                sandbox.clock.advance(601)
            else:
                pytest.fail(f"it stays like this: {await queues[0]._records.all()}")
    return sandbox, links


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_session_that_is_lost_doubles_nothing(conninfo: str, when: When) -> None:
    undisturbed, links = await life(conninfo, Loss(conninfo, 0, when))
    refreshed = [e for e in undisturbed.journal.find("oauth.token") if e.method == "POST"]
    assert links == 2
    assert len(refreshed) > 2, "some of them are refreshes"
    more_links: list[int] = []
    for step in range(1, 500, EVERY):
        loss = Loss(conninfo, step, when)
        sandbox, n = await life(conninfo, loss)
        if not loss.happened:
            break
        told = [e.explain for e in sandbox.journal]
        assert sandbox.journal.count("connections.request", wrote=True) == 1, step
        assert not [text for text in told if "used before" in text], step
        assert not [text for text in told if "was replaced" in text], step
        if n > links:
            more_links.append(step)
    else:
        pytest.fail("it never came to an end")
    print(f"{step - 1} steps, lost {when} them; more links after {more_links}")
    # Only a link that was out, or an answer whose use nobody heard of, is asked for again.
    assert len(more_links) <= 6
