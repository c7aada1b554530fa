"""What the benchmarks share: interleaved rounds, medians, ratios, tables.

Only CPU time of this process counts, and every ratio is formed within one round, so what else the
machine does weighs on both of its sides.
"""

from __future__ import annotations

import gc
import inspect
import json
import os
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from importlib import metadata

Work = Callable[[], object]
AsyncWork = Callable[[], Awaitable[object]]


async def compare(
    contenders: Mapping[str, Work | AsyncWork], *, calls: int = 100, rounds: int = 9
) -> dict[str, float]:
    """Median CPU time of each, relative to the first, over ``rounds`` interleaved rounds."""
    spent: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(rounds + 1):
        order = list(contenders.items())
        for name, work in order if number % 2 else reversed(order):
            gc.collect()
            began = time.process_time()
            for _ in range(calls):
                made = work()
                if inspect.isawaitable(made):
                    await made
            if number:  # the first round warms up
                spent[name].append(time.process_time() - began)
    base = next(iter(spent.values()))
    return {
        name: statistics.median(mine / its for mine, its in zip(times, base, strict=True))
        for name, times in spent.items()
    }


def account(connections: int = 2) -> bytes:
    """An account as ``users/me`` shows it."""
    listed = [
        {
            "Id": f"c0ffee00-0000-4000-8000-{n:012x}",
            "ConnectionAccepted": n % 3 != 0,
            "InviterUserId": "5eed0000-0000-4000-8000-000000000001",
            "InviterUserEmail": "practice@example.com",
            "InviterUserName": "Example Practice",
            "InviterUserType": "Clinic",
            "RemoteUserId": f"1ab00000-0000-4000-8000-{n:012x}",
            "RemoteUserEmail": f"lab-{n}@example.com",
            "RemoteUserName": f"Example Lab {n}",
            "RemoteUserType": "Lab",
        }
        for n in range(connections)
    ]
    me = {
        "Id": "5eed0000-0000-4000-8000-000000000001",
        "Email": "practice@example.com",
        "IsApproved": True,
        "Name": "Example Practice",
        "City": "Copenhagen",
        "Country": "DK",
        "Roles": ["Clinic"],
        "Connections": listed,
    }
    return json.dumps(me).encode()


def without_proxies() -> None:
    """As on a server: no proxy is set, for any contender."""
    for name in [n for n in os.environ if n.lower().endswith("_proxy")]:
        del os.environ[name]


def table(title: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = [title, ["---", *["---:"] * (len(title) - 1)], *rows]
    return "\n".join(f"| {' | '.join(map(cell, line))} |" for line in lines) + "\n"


def cell(value: object) -> str:
    return "" if value is None else f"{value:.2f}" if isinstance(value, float) else str(value)


def versions(*packages: str) -> str:
    """Of Python and of the packages that are installed."""
    found = [f"Python {sys.version.split()[0]}"]
    for package in packages:
        try:
            found.append(f"{package} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            continue
    return ", ".join(found)
