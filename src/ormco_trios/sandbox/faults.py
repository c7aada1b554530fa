"""Trouble on demand: wrong statuses, odd bodies, broken connections, before or after the deed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from ormco_trios.sandbox.wire import Json, Network, Refused, WireReply, html_reply, json_reply

When: TypeAlias = Literal["before", "after"]


@dataclass(slots=True)
class Fault:
    """One planned failure.

    Attributes:
        operation: The operation it hits; ``None`` hits every one.
        status: Status of the answer sent instead.
        retry_after: Seconds, or a date as HTTP spells it, for ``Retry-After``.
        body: Sent instead: text as HTML if it begins with ``<``, other text as it is, everything
            else as JSON; ``None`` for what a service says with that status.
        network: Fail below HTTP instead of answering.
        times: How often it fires; ``None`` for always.
        nth: It fires from the ``nth`` matching request on, counted from 1.
        when: Before anything happens, or after the operation was carried out.
        fired: How often it has fired.
    """

    operation: str | None = None
    status: int | None = None
    retry_after: float | str | None = None
    body: Json | bytes = field(default=None, repr=False)
    network: Network | None = None
    times: int | None = 1
    nth: int = 1
    when: When = "before"
    fired: int = 0
    _seen: int = 0

    def __post_init__(self) -> None:
        if self.network is None and self.status is None and self.body is None:
            raise ValueError("a fault needs a status, a body or a network failure")
        if self.network is not None and (self.status is not None or self.body is not None):
            raise ValueError("a network failure has no status and no body")
        if self.network == "connect" and self.when == "after":
            raise ValueError("what was never delivered cannot have been carried out")
        if self.nth < 1 or (self.times is not None and self.times < 1):
            raise ValueError("nth and times count from 1")

    @property
    def explain(self) -> str:
        """What fired, for the journal."""
        what = f"network {self.network}" if self.network else f"status {self.status or 200}"
        return f"A planned fault fired: {what}, {self.when} the operation."

    def matches(self, operation: str) -> bool:
        """Count this request and say whether the fault fires for it."""
        if self.operation not in (None, operation):
            return False
        self._seen += 1
        if self._seen < self.nth or (self.times is not None and self.fired >= self.times):
            return False
        self.fired += 1
        return True

    def reply(self) -> WireReply | Refused:
        """What is sent instead; a `Refused` still has to be put into the service's words."""
        headers = () if self.retry_after is None else (("retry-after", str(self.retry_after)),)
        if self.network is not None:
            return WireReply(502, broken=self.network)
        status = self.status or 200
        if isinstance(self.body, bytes):
            kind = (("content-type", "application/octet-stream"),)
            return WireReply(status, kind + headers, self.body)
        if isinstance(self.body, str) and self.body.lstrip().startswith("<"):
            return html_reply(self.body, status=status, headers=headers)
        if isinstance(self.body, str):
            kind = (("content-type", "text/plain; charset=utf-8"),)
            return WireReply(status, kind + headers, self.body.encode())
        if self.body is not None:
            return json_reply(self.body, status=status, headers=headers)
        return Refused(
            status,
            "An error has occurred.",
            self.explain,
            code="temporarily_unavailable",
            headers=headers,
        )


class Faults:
    """The faults planned for one World; the first that matches a request fires."""

    def __init__(self) -> None:
        self._plan: list[Fault] = []

    def add(self, fault: Fault) -> Fault:
        """Plan one more."""
        self._plan.append(fault)
        return fault

    def clear(self) -> None:
        """Plan none."""
        self._plan.clear()

    def take(self, operation: str) -> Fault | None:
        """The fault that fires for this request, if any."""
        return next((fault for fault in self._plan if fault.matches(operation)), None)

    def unused(self) -> list[Fault]:
        """Faults that never fired: mostly a test that tests nothing."""
        return [fault for fault in self._plan if not fault.fired]
