"""What is told about each request: to the log, and to the hooks of a client.

`CallEvent` holds nothing that may not be in a log.  `AuditEvent` says as well whose data was
touched; it exists only for a client that was given ``on_audit``.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import TypeAlias, TypeVar

from ormco_trios.core.log import logger


@dataclass(frozen=True, slots=True, kw_only=True)
class CallEvent:
    """One request and what came of it; holds no secret and no person.

    Attributes:
        operation: Such as ``users.me``.
        service: Such as ``communicate``.
        method: The HTTP method.
        route: The route's template, never the path that was sent.
        status: The answer's status; None when no complete answer came.
        error: Class of the error when no complete answer came, such as ``NotDelivered``.
        duration: Seconds from sending to the end of the answer.
        attempt: Counted from 1.
        request_id: The service's id for this request, if it sent a well-formed one.
    """

    operation: str
    service: str
    method: str
    route: str
    status: int | None
    error: str | None
    duration: float
    attempt: int
    request_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent(CallEvent):
    """The same for an audit trail: who was looked at or changed.  Keep it like patient data.

    Attributes:
        identifiers: The route's parameters, such as ids of users and cases, or an e-mail; never a
            code, a token, or what was searched for.  ``repr`` leaves it out.
    """

    identifiers: Mapping[str, str] = field(repr=False)


OnEvent: TypeAlias = Callable[[CallEvent], None]
OnAudit: TypeAlias = Callable[[AuditEvent], None]

_E = TypeVar("_E", bound=CallEvent)


class Listeners:
    """Where events go: to the log, and to the hooks of one client.

    Hooks are plain functions in sync and async, and are called before the call goes on: whatever
    takes time belongs into a queue.  One that raises is reported once, and breaks nothing.
    """

    __slots__ = ("_broken", "on_audit", "on_event")

    def __init__(self, on_event: OnEvent | None = None, on_audit: OnAudit | None = None) -> None:
        for hook in (on_event, on_audit):
            if hook is not None and inspect.iscoroutinefunction(hook):
                raise TypeError("a hook is a plain function, also in an asynchronous client")
        self.on_event = on_event
        self.on_audit = on_audit
        self._broken = False

    @property
    def wanted(self) -> bool:
        """Whether a hook listens; making an event costs more than asking."""
        return (
            self.on_event is not None
            or self.on_audit is not None
            or logger.isEnabledFor(logging.DEBUG)
        )

    def tell(self, event: CallEvent, identifiers: Mapping[str, str]) -> None:
        """Log ``event``, and hand it to the hooks."""
        logger.debug(
            "%s %s: %s in %.3f s (attempt %d, request %s)",
            event.method,
            event.route,
            event.error or event.status,
            event.duration,
            event.attempt,
            event.request_id or "-",
        )
        if self.on_event is not None:
            self._call(self.on_event, event)
        if self.on_audit is not None:
            known = {each.name: getattr(event, each.name) for each in fields(event)}
            self._call(self.on_audit, AuditEvent(**known, identifiers=dict(identifiers)))

    def _call(self, hook: Callable[[_E], None], event: _E) -> None:
        try:
            hook(event)
        except Exception as error:  # noqa: BLE001 - whatever it is, the call goes on
            if not self._broken:
                self._broken = True
                logger.warning(
                    "a hook failed with %s; calls go on, and this is said once",
                    type(error).__name__,
                )
