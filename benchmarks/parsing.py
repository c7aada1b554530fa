"""Reading an account with many connections, relative to pydantic written by hand."""

from __future__ import annotations

import asyncio
import json

import per_call
from harness import account, compare, table, versions

from ormco_trios.communicate.operations import ME
from ormco_trios.core.transport import Answer

WIDTHS = (2, 100, 1000, 10_000)


async def measure() -> list[tuple[object, ...]]:
    rows: dict[str, list[object]] = {}
    for width in WIDTHS:
        body = account(width)
        answer = Answer(200, {}, body)
        ratios = await compare(
            {
                "`model_validate_json`, models by hand": (
                    lambda body=body: per_call.User.model_validate_json(body)
                ),
                "ormco-trios": lambda answer=answer: ME.parse(answer),
                "`json.loads`, then `model_validate`": (
                    lambda body=body: per_call.User.model_validate(json.loads(body))
                ),
                "`json.loads` alone, no models": lambda body=body: json.loads(body),
            },
            calls=max(2, 4000 // width),
            rounds=9,
        )
        for name, ratio in ratios.items():
            rows.setdefault(name, [name]).append(ratio)
    return [tuple(row) for row in rows.values()]


HEAD = ["connections", *map(str, WIDTHS)]

if __name__ == "__main__":
    print(versions("pydantic"))
    print(table(HEAD, asyncio.run(measure())))
