"""Imports: time, modules and peak memory relative to `import httpx, pydantic`."""

from __future__ import annotations

import ast
import os
import statistics
import subprocess
import sys

from harness import table, versions

BASE = "import httpx, pydantic"

STATEMENTS = {
    f"`{BASE}`": BASE,
    "`import ormco_trios`": "import ormco_trios",
    "ormco-trios, the three clients and `Onboarding`": (
        "from ormco_trios import CommunicateClient, OAuthClient, Onboarding, OrmcoDigitalClient"
    ),
    "ormco-trios, all of the README's example, sandbox included": (
        "from ormco_trios import CommunicateClient, OAuthClient, Onboarding, OrmcoDigitalClient; "
        "from ormco_trios.sandbox import Sandbox"
    ),
    "ormco-trios, one client imported and made": (
        "from ormco_trios import CommunicateClient, Environment; "
        "CommunicateClient(Environment.sandbox('http://127.0.0.1:9'), token='t')"
    ),
    "`ormco-trios --help`": (
        "import sys; sys.argv = ['ormco-trios', '--help']; "
        "from ormco_trios.cli.app import cli; cli(standalone_mode=False)"
    ),
    "both, and a model built": (
        f"{BASE}; type('M', (pydantic.BaseModel,), {{'__annotations__': {{'a': int}}}})"
    ),
    "msal": "import msal",
    "notion-client": "from notion_client import Client",
    "stripe": "import stripe; stripe.StripeClient",
    "boto3": "import boto3",
    "hvac": "import hvac",
    "githubkit": "from githubkit import GitHub",
    "openai": "from openai import OpenAI",
    "anthropic": "from anthropic import Anthropic",
}

PROGRAM = """
import sys, time
began = time.process_time()
try:
    exec({!r})
except ImportError:
    print(None)
else:
    spent = time.process_time() - began
    modules = len(sys.modules)
    with open("/proc/self/status") as file:
        peak = next(int(line.split()[1]) for line in file if line.startswith("VmHWM"))
    print((spent, modules, peak))
"""


def once(statement: str) -> tuple[float, int, int] | None:
    done = subprocess.run(
        [sys.executable, "-I", "-c", PROGRAM.format(statement)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "0"},
    )
    # The last line: what is measured may print as well.
    result: tuple[float, int, int] | None = ast.literal_eval(done.stdout.splitlines()[-1])
    return result


def measure(rounds: int = 7) -> list[tuple[object, ...]]:
    there = {name: text for name, text in STATEMENTS.items() if once(text)}
    results: dict[str, list[tuple[float, int, int]]] = {name: [] for name in there}
    for _ in range(rounds):
        for name, text in there.items():
            result = once(text)
            assert result is not None
            results[name].append(result)
    base = next(iter(results.values()))
    return [
        (
            name,
            statistics.median(a[0] / b[0] for a, b in zip(runs, base, strict=True)),
            runs[0][1],
            statistics.median(a[2] / b[2] for a, b in zip(runs, base, strict=True)),
        )
        for name, runs in results.items()
    ]


HEAD = ["import", "time", "modules", "peak memory"]

if __name__ == "__main__":
    print(versions("httpx", "pydantic"))
    print(table(HEAD, measure()))
