"""`check()` and a whole onboarding: calls, and CPU relative to as many single calls.

Both run against the sandbox in the same process, without a socket, so its own work is part of both
sides.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from harness import compare, table, versions

from ormco_trios import CommunicateClient, OAuthClient, Onboarding, OrmcoDigitalClient
from ormco_trios.sandbox import Sandbox


def whole() -> tuple[Sandbox, CommunicateClient, Onboarding]:
    sandbox = Sandbox()
    oauth = OAuthClient(
        sandbox.environment,
        client_id=sandbox.client_id,
        client_secret=sandbox.client_secret,
        redirect_uri=sandbox.redirect_uri,
    )
    communicate = CommunicateClient(sandbox.environment, auth=oauth.auth)
    onboarding = Onboarding(
        communicate=communicate,
        ormco=OrmcoDigitalClient(
            sandbox.environment,
            username=sandbox.practice.portal_username,
            password=sandbox.practice.portal_password,
        ),
        oauth=oauth,
    )
    onboarding.run(authorize=lambda needed: sandbox.authorize(needed.url))
    return sandbox, communicate, onboarding


async def measure() -> list[tuple[object, ...]]:
    sandbox, communicate, onboarding = whole()
    run = len(list(sandbox.journal))
    onboarding.check()
    check = len(list(sandbox.journal)) - run
    me = communicate.users.me

    def calls(count: int) -> Callable[[], None]:
        def work() -> None:
            for _ in range(count):
                me()

        return work

    a = await compare({"calls": calls(check), "it": onboarding.check}, calls=20, rounds=9)
    b = await compare({"calls": calls(run), "it": whole}, calls=5, rounds=9)
    return [("`check()`", check, a["it"]), ("`run()`, from nothing to connected", run, b["it"])]


HEAD = ["", "requests", "CPU, relative to as many `users.me()`"]

if __name__ == "__main__":
    print(versions("pydantic"))
    print(table(HEAD, asyncio.run(measure())))
