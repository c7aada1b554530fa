"""One call: CPU of the client process relative to hand-written httpx and pydantic."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
from harness import AsyncWork, Work, account, compare, table, versions, without_proxies
from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_pascal
from server import serving

from ormco_trios import AsyncCommunicateClient, CommunicateClient, Environment

TOKEN = "t0ken"
HEADERS = {
    "Accept": "application/json",
    "Authorization": f"Bearer {TOKEN}",
    "User-Agent": "by-hand/1",
}


class Model(BaseModel):
    model_config = ConfigDict(alias_generator=to_pascal, populate_by_name=True)


class Connection(Model):
    id: str
    connection_accepted: bool | None = None
    inviter_user_id: str | None = None
    inviter_user_email: str | None = None
    inviter_user_name: str | None = None
    inviter_user_type: str | None = None
    remote_user_id: str | None = None
    remote_user_email: str | None = None
    remote_user_name: str | None = None
    remote_user_type: str | None = None


class User(Model):
    id: str
    email: str | None = None
    is_approved: bool | None = None
    name: str | None = None
    city: str | None = None
    country: str | None = None
    roles: list[str] | None = None
    connections: list[Connection] | None = None


def by_hand(base: str) -> Work:
    client = httpx.Client(headers=HEADERS)

    def call() -> User:
        answer = client.get(f"{base}/api/users/me").raise_for_status()
        return User.model_validate_json(answer.content)

    return call


def prepared(base: str) -> Work:
    client = httpx.Client()
    url = httpx.URL(f"{base}/api/users/me")
    headers = [(b"Host", url.netloc)]
    headers += [(name.encode(), value.encode()) for name, value in HEADERS.items()]

    def call() -> User:
        answer = client.send(httpx.Request("GET", url, headers=headers)).raise_for_status()
        return User.model_validate_json(answer.content)

    return call


def transport(base: str) -> Work:
    sender = httpx.HTTPTransport()
    url = httpx.URL(f"{base}/api/users/me")
    headers = [(b"Host", url.netloc)]
    headers += [(name.encode(), value.encode()) for name, value in HEADERS.items()]

    def call() -> User:
        answer = sender.handle_request(httpx.Request("GET", url, headers=headers))
        try:
            return User.model_validate_json(answer.read())
        finally:
            answer.close()

    return call


def ours(base: str) -> Work:
    root = base.removesuffix("/communicate")
    return CommunicateClient(Environment.sandbox(root), token=TOKEN).users.me


def by_hand_async(base: str) -> AsyncWork:
    client = httpx.AsyncClient(headers=HEADERS)

    async def call() -> User:
        answer = (await client.get(f"{base}/api/users/me")).raise_for_status()
        return User.model_validate_json(answer.content)

    return call


def prepared_async(base: str) -> AsyncWork:
    client = httpx.AsyncClient()
    url = httpx.URL(f"{base}/api/users/me")
    headers = [(b"Host", url.netloc)]
    headers += [(name.encode(), value.encode()) for name, value in HEADERS.items()]

    async def call() -> User:
        answer = await client.send(httpx.Request("GET", url, headers=headers))
        return User.model_validate_json(answer.raise_for_status().content)

    return call


def transport_async(base: str) -> AsyncWork:
    sender = httpx.AsyncHTTPTransport()
    url = httpx.URL(f"{base}/api/users/me")
    headers = [(b"Host", url.netloc)]
    headers += [(name.encode(), value.encode()) for name, value in HEADERS.items()]

    async def call() -> User:
        answer = await sender.handle_async_request(httpx.Request("GET", url, headers=headers))
        try:
            return User.model_validate_json(await answer.aread())
        finally:
            await answer.aclose()

    return call


def ours_async(base: str) -> AsyncWork:
    root = base.removesuffix("/communicate")
    return AsyncCommunicateClient(Environment.sandbox(root), token=TOKEN).users.me


# Peers: the call of each that is a plain GET of one object. ----------------------------------


def openai(base: str) -> tuple[Work, AsyncWork]:
    import openai

    one = openai.OpenAI(api_key=TOKEN, base_url=base)
    other = openai.AsyncOpenAI(api_key=TOKEN, base_url=base)
    return lambda: one.models.retrieve("m"), lambda: other.models.retrieve("m")


def anthropic(base: str) -> tuple[Work, AsyncWork]:
    import anthropic

    one = anthropic.Anthropic(api_key=TOKEN, base_url=base)
    other = anthropic.AsyncAnthropic(api_key=TOKEN, base_url=base)
    return lambda: one.models.retrieve("m"), lambda: other.models.retrieve("m")


def stripe(base: str) -> tuple[Work, AsyncWork]:
    import stripe

    addresses: Any = {"api": base}
    one = stripe.StripeClient(
        TOKEN, base_addresses=addresses, http_client=stripe.HTTPXClient(allow_sync_methods=True)
    )
    return (
        lambda: one.v1.customers.retrieve("c"),
        lambda: one.v1.customers.retrieve_async("c"),
    )


def githubkit(base: str) -> tuple[Work, AsyncWork]:
    import githubkit

    one = githubkit.GitHub(TOKEN, base_url=base, http_cache=False).__enter__()
    other = githubkit.GitHub(TOKEN, base_url=base, http_cache=False)

    entered = False

    async def call() -> User:
        nonlocal entered
        if not entered:
            entered = True
            await other.__aenter__()
        answer = await other.arequest("GET", "/user", response_model=User)
        return answer.parsed_data

    return lambda: one.request("GET", "/user", response_model=User).parsed_data, call


def notion(base: str) -> tuple[Work, AsyncWork]:
    import notion_client

    one = notion_client.Client(auth=TOKEN, base_url=base)
    other = notion_client.AsyncClient(auth=TOKEN, base_url=base)
    return lambda: one.users.me(), lambda: other.users.me()


def hvac(base: str) -> tuple[Work, None]:
    import hvac

    one = hvac.Client(url=base, token=TOKEN)
    return lambda: one.secrets.kv.v2.read_configuration(), None


def boto3(base: str) -> tuple[Work, None]:
    import boto3

    one = boto3.client(
        "lambda",
        endpoint_url=base,
        region_name="eu-west-1",
        aws_access_key_id="a",
        aws_secret_access_key="b",
    )
    return lambda: one.get_function_configuration(FunctionName="f"), None


PEERS: dict[str, Callable[[str], tuple[Work, AsyncWork | None]]] = {
    "notion-client": notion,
    "stripe (httpx)": stripe,
    "githubkit": githubkit,
    "openai": openai,
    "anthropic": anthropic,
    "hvac": hvac,
    "boto3": boto3,
}

BY_HAND = "`httpx.Client().get()` and pydantic"
BY_HAND_ASYNC = "`httpx.AsyncClient().get()` and pydantic"


async def measure(peers: bool = True) -> list[tuple[str, float | None, float | None]]:
    without_proxies()
    with serving(account()) as root:
        base = f"{root}/communicate"
        sync: dict[str, Work | AsyncWork] = {
            BY_HAND: by_hand(base),
            "ormco-trios": ours(base),
            "hand-written `client.send` of a prepared request": prepared(base),
            "hand-written, the transport alone": transport(base),
        }
        asynchronous: dict[str, Work | AsyncWork] = {
            BY_HAND: by_hand_async(base),
            "ormco-trios": ours_async(base),
            "hand-written `client.send` of a prepared request": prepared_async(base),
            "hand-written, the transport alone": transport_async(base),
        }
        for name, make in PEERS.items() if peers else ():
            try:
                one, other = make(base)
            except ImportError:
                continue
            sync[name] = one
            if other is not None:
                asynchronous[name] = other
        a = await compare(sync)
        b = await compare(asynchronous)
    return [(name, a[name], b.get(name)) for name in sync]


HEAD = ["one call", "sync", "async"]

if __name__ == "__main__":
    print(versions("httpx", "pydantic", "openai", "anthropic", "stripe", "githubkit", "hvac"))
    print(table(HEAD, asyncio.run(measure())))
