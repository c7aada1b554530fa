"""What happened: one entry for each request, with nothing in it that must not be kept.

No entry holds a secret, a code, a token, a query, a body, or a path that was filled in.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass

from ormco_trios.sandbox.wire.messages import Json, Network


@dataclass(frozen=True, slots=True)
class Entry:
    """One request.

    Attributes:
        time: World time in seconds since 1970.
        operation: Such as ``users.me``; ``unknown`` if no route matched.
        route: Path template below the sandbox's base address, empty if no route matched.
        status: Of the answer, even when a network fault kept it from arriving.
        explain: Why it was refused, or which fault fired; empty for a plain success.
        wrote: Whether it changed anything.
        broken: The network fault that kept the answer from arriving.
    """

    time: float
    operation: str
    method: str
    route: str
    status: int
    explain: str
    wrote: bool
    request_id: str
    broken: Network | None = None

    @property
    def ok(self) -> bool:
        """Whether the client got an answer below 400."""
        return self.status < 400 and self.broken is None

    def as_json(self) -> dict[str, Json]:
        """For the control API."""
        return {**asdict(self), "ok": self.ok}


class Journal:
    """Entries in the order in which the World took the requests."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(tuple(self._entries))

    def __getitem__(self, index: int) -> Entry:
        return self._entries[index]

    def add(self, entry: Entry) -> None:
        """Append one entry; the World does this."""
        self._entries.append(entry)

    def clear(self) -> None:
        """Forget everything, for instance between the parts of a test."""
        self._entries.clear()

    def find(
        self, operation: str | None = None, *, ok: bool | None = None, wrote: bool | None = None
    ) -> list[Entry]:
        """The entries that match every condition given."""
        return [
            entry
            for entry in self
            if operation in (None, entry.operation)
            and ok in (None, entry.ok)
            and wrote in (None, entry.wrote)
        ]

    def count(
        self, operation: str | None = None, *, ok: bool | None = None, wrote: bool | None = None
    ) -> int:
        """How many entries match every condition given."""
        return len(self.find(operation, ok=ok, wrote=wrote))

    def operations(self) -> list[str]:
        """The names of the operations, in order, repeats included."""
        return [entry.operation for entry in self]
