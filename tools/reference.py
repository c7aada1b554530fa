"""Writes what of ``docs/reference/`` follows from the code: the errors, and whole packages.

``python tools/reference.py`` writes; with ``--check`` it fails if that would change anything.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path

from ormco_trios import errors
from ormco_trios.cli.common import exit_code

PAGES = Path(__file__).resolve().parent.parent / "docs" / "reference"
PACKAGES = {
    "fleet": "Many practices; [the guide](../fleet.md) says which form is for what.",
    "operations": "An endpoint of your own; [the guide](../endpoints.md) shows how.",
    "sandbox": "The simulator; [The sandbox](../sandbox.md) shows how to use it.",
    "testing": "For the tests of programs that use the library.",
}
INTRODUCTION = """\
<!-- Written by tools/reference.py from src/ormco_trios/core/errors.py. -->

# Errors

All of them are in `ormco_trios.errors` and can be pickled. A class of its own exists only where a
program would act differently; so catch the class whose row says what you would do, or one above it.
`str(error)` begins with what to do next, then says what happened; `error.message` is the same
without what only support needs, so show that to a practice. Neither contains a code, a token, a
password, a name, a query or a body.

*Again* says what helps: **yes**, the same call may succeed later (a client repeats what is
harmless by itself, before it raises); **paste**, the same link is still good, so ask for another
paste; **no**, something has to change first. *Exit* is the exit code of the command `ormco-trios`.

| error | when | what to do | again | exit |
| --- | --- | --- | --- | --- |
"""


def classes() -> Iterator[tuple[int, type[errors.OrmcoTriosError]]]:
    """Every class of the tree with its depth, parents before children."""

    def below(
        parent: type[errors.OrmcoTriosError], depth: int
    ) -> Iterator[tuple[int, type[errors.OrmcoTriosError]]]:
        yield depth, parent
        for child in parent.__subclasses__():
            if child.__module__ == errors.__name__:
                yield from below(child, depth + 1)

    return below(errors.OrmcoTriosError, 0)


def again(kind: type[errors.OrmcoTriosError]) -> str:
    """Whether the same call may succeed later."""
    if issubclass(kind, errors.PasteError):
        return "paste"
    if issubclass(kind, (errors.CodeOutcomeUnknown, errors.AnswerTooLarge)):
        return "no"
    passing = (
        errors.TransportError,
        errors.ServerError,
        errors.RateLimited,
        errors.ProfileChanged,
        errors.ApprovalTimeout,
    )
    return "yes" if issubclass(kind, passing) else "no"


def attributes(kind: type[errors.OrmcoTriosError]) -> str:
    """What the error carries, as its docstring lists it."""
    _, _, listed = (inspect.getdoc(kind) or "").partition("Attributes:\n")
    names = [
        line.strip().partition(":")[0] for line in listed.splitlines() if line[4:5].strip() != ""
    ]
    return f" Carries {', '.join(f'`{name}`' for name in names)}." if names else ""


def row(depth: int, kind: type[errors.OrmcoTriosError]) -> str:
    """One row of the table; the indentation draws the tree."""
    when = (inspect.getdoc(kind) or "").partition("\n\n")[0].replace("\n", " ")
    indent = "&emsp;" * depth
    return (
        f'| {indent}<span id="{kind.__name__}">`{kind.__name__}`</span> '
        f"| {when}{attributes(kind)} | {kind.advice} | {again(kind)} | {exit_code(kind)} |"
    )


def pages() -> dict[str, str]:
    """Every page that is written here, by its file's name."""
    written = {"errors.md": INTRODUCTION + "".join(f"{row(*each)}\n" for each in classes())}
    for name, introduction in PACKAGES.items():
        package = f"ormco_trios.{name}"
        names = importlib.import_module(package).__all__
        entries = "".join(f"\n::: {package}.{each}\n" for each in names)
        written[f"{name}.md"] = f"# `{package}`\n\n{introduction}\n{entries}"
    return written


def main() -> None:
    """Write the pages, or compare them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing")
    check = parser.parse_args().check
    for name, text in pages().items():
        if not check:
            (PAGES / name).write_text(text, "utf-8")
        elif (PAGES / name).read_text("utf-8") != text:
            sys.exit(f"{name} is not up to date: run python tools/reference.py")


if __name__ == "__main__":
    main()
