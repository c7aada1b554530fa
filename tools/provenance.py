"""Writes the tables of ``docs/provenance.md`` from the operations and from ``ormco_trios.facts``.

A table is between ``<!-- table NAME -->`` and ``<!-- end -->``; the text around the tables is
written by hand.

``python tools/provenance.py`` writes; with ``--check`` it prints what would change, and fails if
that is anything.
"""

from __future__ import annotations

import argparse
import difflib
import re
import sys
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

from ormco_trios.communicate.regions import DIRECTORY
from ormco_trios.core.environment import Service
from ormco_trios.core.operation import Operation
from ormco_trios.core.provenance import LABELS, Fact, Facts
from ormco_trios.facts import ANY_CALL, FACTS, operations

PAGE = Path(__file__).resolve().parent.parent / "docs" / "provenance.md"
_TABLE = re.compile(r"(?<=<!-- table )([\w -]+)( -->\n).*?(?=<!-- end -->)", re.DOTALL)

SIGN_IN = (Service.AUTH_CLASSIC, Service.AUTH_ACCOUNT)
NOT_REFUSALS = ("screen", "path", "answer")


def table(heads: str, rows: Iterable[tuple[str, ...]]) -> str:
    """A Markdown table; ``heads`` are separated by bars."""
    columns = heads.split("|")
    lines = [columns, ["---"] * len(columns), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def known(fact: Fact) -> str:
    """The labels of a statement."""
    return "; ".join(map(str, fact.sources))


def labels() -> str:
    """What each label means."""
    return table("label|how it is known", ((f"**{k}**", v) for k, v in LABELS.items()))


def facts(stated: Facts) -> str:
    """Statements that belong to no operation."""
    rows = ((about, fact.text, known(fact)) for about, fact in stated.items())
    return table("what|as far as known|label", rows)


def calls(*services: Service) -> str:
    """The operations of some services."""
    return table(
        "call|what for|label|answer|label",
        (
            (
                f"`{one.method} {one.route}`",
                one.provenance["path"].text,
                known(one.provenance["path"]),
                one.provenance["answer"].text,
                known(one.provenance["answer"]),
            )
            for one in operations()
            if one.service in services
        ),
    )


def screens() -> str:
    """The portal's operations, beside what a person does instead."""
    rows: list[tuple[str, ...]] = []
    for one in operations():
        if one.service is Service.ORMCODIGITAL:
            screen = one.provenance.get("screen")
            path, answer = one.provenance["path"], one.provenance["answer"]
            rows.append(
                (
                    *((screen.text, known(screen)) if screen else ("nothing", "")),
                    f"`{one.method} {one.route}` ({path.text}) gives {answer.text}",
                    known(path),
                )
            )
    return table("what a person does|label|the call behind it|label", rows)


def refusals(*services: Service) -> str:
    """What the operations of some services are refused with, and what becomes of it."""
    found: dict[tuple[str, Fact], list[str]] = {}
    for one in operations():
        if one.service in services:
            for words, fact in one.provenance.items():
                if words not in NOT_REFUSALS:
                    found.setdefault((words, fact), []).append(named(one))
    rows = ((words, fact, ", ".join(names)) for (words, fact), names in found.items())
    return _refusals(rows)


def named(operation: Operation[Any]) -> str:
    """An operation's name, with its dialect where there are two of that name."""
    dialect = {Service.AUTH_CLASSIC: " (classic)", Service.AUTH_ACCOUNT: " (account)"}
    return f"`{operation.name}`{dialect.get(operation.service, '')}"


def _refusals(rows: Iterable[tuple[str, Fact, str]]) -> str:
    return table(
        "status and words|when|becomes|of|label",
        (
            (words, fact.text, f"`{fact.error.__name__}`" if fact.error else "", of, known(fact))
            for words, fact, of in rows
        ),
    )


def labs() -> str:
    """Ormco's accounts."""
    return table(
        "region|e-mail|shown as|where|label",
        ((a.region.label, f"`{a.email}`", a.name, a.address, "guide") for a in DIRECTORY),
    )


TABLES: dict[str, Callable[[], str]] = {
    "labels": labels,
    **{name: partial(facts, stated) for name, stated in FACTS.items()},
    "any call": lambda: _refusals((words, fact, "any") for words, fact in ANY_CALL.items()),
    "sign-in calls": lambda: calls(*SIGN_IN),
    "sign-in refusals": lambda: refusals(*SIGN_IN),
    "user calls": lambda: calls(Service.COMMUNICATE),
    "user refusals": lambda: refusals(Service.COMMUNICATE),
    "labs": labs,
    "case calls": lambda: calls(Service.METADATA),
    "case refusals": lambda: refusals(Service.METADATA),
    "screens": screens,
    "portal refusals": lambda: refusals(Service.ORMCODIGITAL),
}


def written(page: str) -> str:
    """``page`` with its tables as they should be; each table has its place, once."""
    places = [match[1] for match in _TABLE.finditer(page)]
    if sorted(places) != sorted(TABLES):
        wrong = ", ".join(sorted(set(places) ^ set(TABLES)) or ["one that comes twice"])
        sys.exit(f"{PAGE.name} and tools/provenance.py differ in their tables: {wrong}")
    return _TABLE.sub(lambda match: f"{match[1]}{match[2]}{TABLES[match[1]]()}", page)


def main(argv: list[str] | None = None) -> int:
    """Write or compare, and return the exit code."""
    parser = argparse.ArgumentParser(description="Write the tables of docs/provenance.md.")
    parser.add_argument("--check", action="store_true", help="only compare; fail on a difference")
    check: bool = parser.parse_args(argv).check
    present = PAGE.read_text(encoding="utf-8")
    wanted = written(present)
    if wanted == present:
        return 0
    if not check:
        PAGE.write_text(wanted, encoding="utf-8")
        print(f"wrote docs/{PAGE.name}")
        return 0
    lines = (present.splitlines(keepends=True), wanted.splitlines(keepends=True))
    sys.stdout.writelines(difflib.unified_diff(*lines, PAGE.name, f"{PAGE.name} (as written)"))
    print("Out of date: run `python tools/provenance.py`.", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
