"""Runs every benchmark, and writes the page and the picture for the documentation.

``python benchmarks/report.py docs`` writes ``docs/performance.md`` and ``docs/performance.svg``.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import cases
import clients
import fan_out
import fleet
import imports
import looks
import onboarding
import parsing
import per_call
import sandbox
from harness import table, versions

PAGE = """\
# Performance

What the library costs, beside what it replaces and beside what others ask for. Written by
`nox -s bench`; every number of a table comes from one run, on {versions}.

Unless a section says otherwise, ratios are of CPU time of the client's process, from interleaved
rounds, as medians. The server is another process on the same machine, says the same to everybody
and is not counted. Lower is better.

![One call, and a hundred at once, relative to httpx and pydantic](performance.svg)

## One call

`users.me()` with retries, sign-in, error mapping, redaction and the log's usual level on, relative
to `httpx.Client().get(url)`, `raise_for_status()` and `model_validate_json`; the peers do their own
plain `GET` of one object.

{per_call}
The library prepares its requests itself and hands them to httpx's transport: no cookies,
redirects, event hooks or merged headers, which is most of what `Client.get` adds. *The transport
alone* is what is left then; the rest is ours. No peer is better here.

## Many calls at once

Relative to one `httpx.AsyncClient` with as many in flight.

{fan_out}
httpx's pool looks at all of its connections on each request. The asynchronous clients use up to 32
pools of one connection each instead, and always one that is free. A client that is given is used
as it is: `http_client=HttpxAiohttpClient()`, from the extra `aiohttp`, takes the requests over
aiohttp's sockets and parser, which are written in C. githubkit makes a client, and with it a TLS
context, for each call outside a `with` block of its own.

## Imports

Relative to `import httpx, pydantic`.

{imports}
`import ormco_trios` loads nothing but names; what they stand for is loaded when it is first used.
httpx and pydantic are loaded when the first client is made, so what only imports the library, such
as a command's `--help` or a web application's settings, waits for neither; what makes a client pays
then, as the row *one client imported and made* shows. `import pydantic` is lazy as well: the row
*both, and a model built* is what the two packages cost by themselves once they are used. A peer
that is quicker has neither of the two, or no models.

## A further client

In the same process; resident memory.

{clients}
Nearly all of a client is its TLS context. Here there is one for the process. hvac makes its
connections, and with them the context, at the first request.

## Large answers

An account with so many connections, relative to pydantic models written by hand.

{parsing}
Unknown fields are kept, which is the difference to models by hand. `json.loads` alone is quicker
and leaves dictionaries: nothing is checked.

## Onboarding

In the sandbox, without a socket, relative to as many calls of `users.me()` there.

{onboarding}
`run` waits, refreshes and asks again whatever it is not sure of; the way through the doctor's pages
is part of it, too.

## Cases

Files come from another process on the same machine and go to a disk; what is written by hand is
httpx's stream, SHA-1 and `fsync`. Wall time and memory, so what else the machine does is in it.

{cases}
The memory is above what it was after a first call, throughput the best of nine interleaved rounds.
An event loop is held up less than by hand, since a thread writes. The interruptions and kills
happen while cases change, and each version of each case was given: that is counted, not timed.

## A fleet

CPU of the whole process for one onboarding, from nothing to connected, in milliseconds of one
machine and relative to a bare loop over `advance()`. The sandbox's part and the doctor's are in it,
in each row alike, and no socket is.

{fleet}
`AsyncFleet` adds the records, a file that is written after each round. The queue adds jobs, seals,
and a database that all of it goes through; what a practice waits for takes hours all the same.

Most of a fleet's life is looking at practices that wait. CPU of the fleet's process for one such
look, from its records and over a real socket, relative to a bare `advance()` of a practice that is
kept open:

{looks}

## The sandbox's server

Wall time over one connection on the loopback interface, after the imports, as medians. Both servers
are uvicorn in a thread of the same process, so here the time of the server counts. The
milliseconds are those of one machine.

{sandbox}
A suite can afford a server, or a world of its own in one, for each of its tests.
"""


def plot(path: Path, panels: Sequence[tuple[str, Sequence[tuple[str, Any]]]]) -> None:
    """One row of bars per contender, ours in another colour."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "ormco-trios"
    mpl.rcParams["svg.fonttype"] = "none"
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(panels), figsize=(5 * len(panels), 4), layout="constrained")
    for axis, (title, bars) in zip(axes, panels, strict=True):
        names = [name.replace("`", "") for name, _ in bars]
        colours = ["#3f51b5" if name.startswith("ormco") else "#b0bec5" for name in names]
        axis.barh(names, [ratio for _, ratio in bars], color=colours)
        axis.axvline(1.0, color="#455a64", linewidth=1)
        axis.invert_yaxis()
        axis.set_title(title)
    figure.savefig(path, metadata={"Date": None})


Rows = Sequence[Sequence[object]]

PARTS: dict[str, tuple[Sequence[str], Callable[[], Rows]]] = {
    "per_call": (per_call.HEAD, lambda: asyncio.run(per_call.measure())),
    "fan_out": (fan_out.HEAD, lambda: asyncio.run(fan_out.measure())),
    "imports": (imports.HEAD, imports.measure),
    "clients": (clients.HEAD, clients.measure),
    "parsing": (parsing.HEAD, lambda: asyncio.run(parsing.measure())),
    "onboarding": (onboarding.HEAD, lambda: asyncio.run(onboarding.measure())),
    "cases": (cases.HEAD, cases.measure),
    "fleet": (fleet.HEAD, fleet.measure),
    "looks": (looks.HEAD, looks.measure),
    "sandbox": (sandbox.HEAD, sandbox.measure),
}


def write(folder: Path, results: Mapping[str, Rows]) -> None:
    page = PAGE.format(
        versions=versions(
            *("httpx", "pydantic", "httpx-aiohttp", "openai", "anthropic", "stripe", "githubkit"),
            *("notion-client", "hvac", "boto3", "msal", "uvicorn", "procrastinate"),
        ),
        **{part: table(PARTS[part][0], rows) for part, rows in results.items()},
    )
    (folder / "performance.md").write_text(page, "utf-8")
    plot(
        folder / "performance.svg",
        [
            ("one call (sync)", [(str(row[0]), row[1]) for row in results["per_call"]]),
            ("100 calls in flight", [(str(row[0]), row[-1]) for row in results["fan_out"]]),
        ],
    )


if __name__ == "__main__":
    write(Path(sys.argv[1]), {part: measure() for part, (_, measure) in PARTS.items()})
