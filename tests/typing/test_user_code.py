"""What users write, as type checkers see it: mypy and pyright have to agree with every line.

Nothing here is called; `nox -s types` is the test.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from pathlib import Path
from typing import assert_never, assert_type

from ormco_trios import (
    Address,
    AsyncCommunicateClient,
    AsyncOnboarding,
    AsyncTokenStore,
    Case,
    Checklist,
    CommunicateClient,
    Connected,
    Connection,
    Done,
    Download,
    FileTokenStore,
    MemoryTokenStore,
    NeedsAuthorization,
    NeedsPerson,
    OAuthClient,
    Onboarding,
    Outcome,
    Step,
    StepName,
    Token,
    TokenStore,
    User,
    Waiting,
    errors,
)
from ormco_trios.operations import Operation, PascalModel, Service, json_as, json_list_as


class Office(PascalModel):
    name: str | None = None


OFFICE = Operation("office", Service.COMMUNICATE, "GET", "/{id}", parse=json_as(Office))
OFFICES = Operation("offices", Service.COMMUNICATE, "GET", "/", parse=json_list_as(list[Office]))


def reads(client: CommunicateClient, to: Path) -> None:
    me = client.users.me()
    assert_type(me, User)
    assert_type(me.email, str | None)
    assert_type(client.connections.list(), list[Connection])
    assert_type(client.cases.list(), Generator[Case, None, None])
    for case in client.cases.list():
        assert_type(client.cases.download(case.files[0], to), Download)
    assert_type(client.call(OFFICE, path={"id": "1"}), Office)
    assert_type(client.call(OFFICES), list[Office])
    assert_type(client.with_options(), CommunicateClient)


async def reads_later(client: AsyncCommunicateClient) -> None:
    assert_type(await client.users.me(), User)
    assert_type(client.cases.list(), AsyncGenerator[Case, None])
    assert_type(await client.call(OFFICE, path={"id": "1"}), Office)
    async with client as same:
        assert_type(same, AsyncCommunicateClient)


def all_outcomes(outcome: Outcome) -> str:
    match outcome:
        case Connected():
            return str(outcome.checklist)
        case Waiting():
            return f"{outcome.until:%H:%M}"
        case NeedsAuthorization():
            return outcome.url
        case NeedsPerson():
            return outcome.task.title
        case _:
            assert_never(outcome)


def goes_on(onboarding: Onboarding) -> None:
    assert_type(onboarding.advance(), Outcome)
    assert_type(onboarding.check(), Checklist)
    step = onboarding.check().steps[0]
    assert_type(step, Step)
    assert_type(step.name, StepName)
    onboarding.run(authorize=lambda needed: needed.url, person=lambda needed: Done())
    onboarding.finish_task(Address("https://ormco.com/?code=..."))


async def goes_on_later(onboarding: AsyncOnboarding) -> None:
    async def authorize(needed: NeedsAuthorization) -> str:
        return needed.url

    assert_type(await onboarding.run(authorize=authorize), Connected)


def stores(store: TokenStore, later: AsyncTokenStore) -> None:
    for one in (store, MemoryTokenStore(), FileTokenStore()):
        OAuthClient(client_id="id", redirect_uri="https://practice.example/", store=one)
    assert_type(store.load("practice"), Token | None)


def handles(client: CommunicateClient) -> float | None:
    try:
        client.users.me()
    except errors.RateLimited as error:
        return error.retry_after
    return None
