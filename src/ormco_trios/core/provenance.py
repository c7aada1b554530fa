"""How a statement about the wire is known: the labels of ``docs/provenance.md``, as values.

An `Operation` carries such statements about itself, and ``ormco_trios.facts`` has those that belong
to no operation.  ``tools/provenance.py`` writes the documentation's tables from both; nothing reads
them while a program runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Final, Literal, NamedTuple, TypeAlias

from ormco_trios.core.errors import OrmcoTriosError

PUBLISHED: Final = "1b5c88c"
"""The commit of ``3shape/Communicate.Development`` (branch ``gh-pages``) that was read."""

Label: TypeAlias = Literal["doc", "client", "seen", "guide", "dnoa", "rfc", "inferred", "assumed"]

LABELS: Final[Mapping[Label, str]] = {
    "doc": "3Shape's public developer documentation of Communicate, repository "
    f"`3shape/Communicate.Development`, branch `gh-pages`, commit `{PUBLISHED}`; the number is its "
    "section, a `.png` one of its pictures",
    "client": "3Shape's own client, `downloads/Communicate.ApiBrowser.zip` at the same commit: its "
    "objects and its lists of servers and endpoints",
    "seen": "independent public programs do it with the live service (2019 to 2026): several, "
    "unless only one is mentioned",
    "guide": "the *Insignia and 3Shape TRIOS Integration Guide* shows or says it; the number is a "
    "step of its part about Communicate, about OrmcoDigital or about repairing",
    "dnoa": "the public source of DotNetOpenAuth, the server library whose code format the guide "
    "shows",
    "rfc": "the RFC of that number, or the standard of that name",
    "inferred": "follows from several of the above, and none of them says it",
    "assumed": "nobody outside knows. Our choice, in one place in the code, and easy to correct",
}
"""What each label means, the strongest first."""


class Citation(NamedTuple):
    """Where a statement comes from.

    Attributes:
        where: The section, picture, file, step or number; empty where the label says it all.
    """

    label: Label
    where: str = ""

    @property
    def commit(self) -> str | None:
        """The commit that was read, for what 3Shape published."""
        return PUBLISHED if self.label in ("doc", "client") else None

    def __str__(self) -> str:
        return f"{self.label} {self.where}".rstrip()


class Fact(NamedTuple):
    """A statement about the wire.

    Attributes:
        text: The statement, in Markdown; of a refusal, when it comes, where that is known.
        sources: Who says so, the strongest first; at least one.
        error: What a refusal becomes.
    """

    text: str
    sources: tuple[Citation, ...]
    error: type[OrmcoTriosError] | None = None


Facts: TypeAlias = Mapping[str, Fact]
"""Statements by what they are about."""


def fact(text: str, *sources: Citation) -> Fact:
    """A statement, and who says so."""
    return Fact(text, sources)


def refused(error: type[OrmcoTriosError], *sources: Citation, when: str = "") -> Fact:
    """That the service refuses in this way, and which error it becomes here."""
    return Fact(when, sources, error)


doc = partial(Citation, "doc")
client = partial(Citation, "client")
guide = partial(Citation, "guide")
rfc = partial(Citation, "rfc")
DNOA: Final = Citation("dnoa")
SEEN: Final = Citation("seen")
ONE_SEEN: Final = Citation("seen", "(one program)")
INFERRED: Final = Citation("inferred")
ASSUMED: Final = Citation("assumed")
