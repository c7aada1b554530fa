"""What a round of onboarding can end with, and what has to be remembered between rounds."""

from __future__ import annotations

import enum
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeAlias

from ormco_trios.core.errors import ConfigurationError
from ormco_trios.core.shield import shielded
from ormco_trios.oauth.request import AuthorizationRequest
from ormco_trios.onboarding.checklist import Checklist


class Purpose(enum.Enum):
    """What an authorization is for; the person signs in to 3Shape either way."""

    SIGN_IN = "sign_in"
    """So that this library can see the practice's connections."""
    ORMCO = "ormco"
    """So that Ormco can fetch the practice's cases: the guide's authorization code."""

    @property
    def explanation(self) -> str:
        """What the person is about to allow, in our own words; 3Shape shows its own."""
        if self is Purpose.SIGN_IN:
            return "Allows this program to see and set up your 3Shape Communicate connections."
        return (
            "Allows Ormco to access your 3Shape Communicate cases, which include patients' health "
            "information. Whoever receives such data is responsible for keeping it confidential."
        )


@dataclass(frozen=True, slots=True)
class Connected:
    """Everything is in place: scans can be sent."""

    checklist: Checklist


@dataclass(frozen=True, slots=True)
class Waiting:
    """Ormco has not approved the connection yet.

    Attributes:
        until: When to call ``advance()`` again.
        since: Since when it has been waiting, as far as this library has seen.
        connection_id: The connection that waits.
    """

    until: datetime
    since: datetime
    connection_id: str
    checklist: Checklist


@dataclass(frozen=True, slots=True)
class NeedsAuthorization:
    """A person has to open ``url``, sign in to 3Shape, and choose *Allow access*.

    Attributes:
        purpose: What for; ``purpose.explanation`` says it in words to show beside the link.
        problem: What was wrong with the last answer, if there was one.
    """

    purpose: Purpose
    request: AuthorizationRequest
    checklist: Checklist
    problem: str | None = None

    @property
    def url(self) -> str:
        """The link to open."""
        return self.request.url

    def because(self, problem: str) -> NeedsAuthorization:
        """The same, saying what was wrong with the last answer."""
        return replace(self, problem=problem)


Outcome: TypeAlias = Connected | Waiting | NeedsAuthorization

Authorize: TypeAlias = Callable[[NeedsAuthorization], str]
"""Shows the link to a person, and returns what they paste."""

AsyncAuthorize: TypeAlias = Callable[[NeedsAuthorization], Awaitable[str]]
"""As `Authorize`, awaitable."""


@dataclass(slots=True)
class Progress:
    """The little that neither service knows; keep it with `to_json` between two processes.

    Losing it does no harm: the next round asks for a new link, and polls a little more often.

    Attributes:
        waiting_since: When the pending connection was first seen.
        pending: The authorization that a person is dealing with; holds secrets.
    """

    waiting_since: datetime | None = None
    pending: tuple[Purpose, AuthorizationRequest] | None = field(default=None)

    def to_json(self) -> str:
        """Everything `from_json` needs; holds the ``state`` and PKCE verifier."""
        return json.dumps(
            {
                "waiting_since": self.waiting_since and self.waiting_since.isoformat(),
                "purpose": self.pending and self.pending[0].value,
                "request": self.pending and self.pending[1].to_json(),
            }
        )

    @classmethod
    @shielded
    def from_json(cls, text: str) -> Progress:
        """The progress that `to_json` wrote.

        Raises:
            ConfigurationError: It is not such a text.
        """
        try:
            data = json.loads(text)
            since, purpose, request = data["waiting_since"], data["purpose"], data["request"]
            return cls(
                waiting_since=datetime.fromisoformat(since) if since else None,
                pending=(
                    (Purpose(purpose), AuthorizationRequest.from_json(request)) if purpose else None
                ),
            )
        except (ValueError, KeyError, TypeError):
            pass
        raise ConfigurationError("This is not a saved progress.")
