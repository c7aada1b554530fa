"""A further client in the same process: CPU time and resident memory of each."""

from __future__ import annotations

import ast
import statistics
import subprocess
import sys

from harness import table, versions

MAKE = {
    "`httpx.Client()`": ("import httpx", "httpx.Client()"),
    "`httpx.Client(verify=shared)`": (
        "import httpx; shared = httpx.create_ssl_context()",
        "httpx.Client(verify=shared)",
    ),
    "`CommunicateClient`": (
        "from ormco_trios import CommunicateClient, Environment; e = Environment.production()",
        "CommunicateClient(e, token='t')",
    ),
    "`AsyncCommunicateClient`": (
        "from ormco_trios import AsyncCommunicateClient, Environment; e = Environment.production()",
        "AsyncCommunicateClient(e, token='t')",
    ),
    "`CommunicateClient`, with a connection": (
        (
            "from ormco_trios import CommunicateClient, Environment; e = Environment.production()\n"
            "from ormco_trios.core._http.connection import Connection"
        ),
        "(CommunicateClient(e, token='t'), Connection(e.communicate, None))",
    ),
    "a view: `client.with_options(...)`": (
        (
            "from ormco_trios import CommunicateClient, Environment, Retry, Timeout\n"
            "c = CommunicateClient(Environment.production(), token='t')\nr = Retry.never()"
        ),
        "c.with_options(retry=r)",
    ),
    "notion-client": ("import notion_client", "notion_client.Client(auth='t')"),
    "stripe": (
        "import stripe",
        "stripe.StripeClient('t', http_client=stripe.HTTPXClient(allow_sync_methods=True))",
    ),
    "githubkit": ("import githubkit", "githubkit.GitHub('t').__enter__()"),
    "openai": ("import openai", "openai.OpenAI(api_key='t')"),
    "anthropic": ("import anthropic", "anthropic.Anthropic(api_key='t')"),
    "hvac": ("import hvac", "hvac.Client(url='http://127.0.0.1', token='t')"),
    "boto3": (
        "import boto3",
        (
            "boto3.client('lambda', region_name='eu-west-1', aws_access_key_id='a', "
            "aws_secret_access_key='b')"
        ),
    ),
}
PROGRAM = """
import gc, time
def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4
try:
    exec({!r})
except ImportError:
    print(None)
    raise SystemExit
first = [{} for _ in range(3)]
gc.collect()
before, began = resident(), time.process_time()
more = [{} for _ in range({count})]
spent = time.process_time() - began
gc.collect()
print((spent / {count} * 1000, (resident() - before) / {count}))
"""


def once(setup: str, make: str) -> tuple[float, float] | None:
    count = 300 if "ormco" in setup or "shared" in setup else 20
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(setup, make, make, count=count)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    result: tuple[float, float] | None = ast.literal_eval(done.stdout)
    return result


def measure(rounds: int = 3) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    for name, (setup, make) in MAKE.items():
        runs = [run for _ in range(rounds) if (run := once(setup, make))]
        if runs:
            rows.append((name, *(statistics.median(each) for each in zip(*runs, strict=True))))
    return rows


HEAD = ["a further client", "CPU, ms", "KiB"]

if __name__ == "__main__":
    print(versions("httpx"))
    print(table(HEAD, measure()))
