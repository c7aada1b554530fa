"""What a round of onboarding can end with, and what has to be remembered between rounds."""

from __future__ import annotations

import enum
import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import TypeAlias

from ormco_trios.core.errors import ConfigurationError
from ormco_trios.core.shield import shielded
from ormco_trios.oauth.request import AuthorizationRequest
from ormco_trios.onboarding.account import PinnedAccount, sign_in_hint
from ormco_trios.onboarding.checklist import Checklist
from ormco_trios.ormcodigital.tasks import Address


class Purpose(enum.Enum):
    """What an authorization is for; the person signs in to 3Shape either way."""

    SIGN_IN = "sign_in"
    """So that this library can see the practice's connections."""
    ORMCO = "ormco"
    """So that Ormco can fetch the practice's cases: the guide's authorization code."""

    @property
    def explanation(self) -> str:
        """What the person is about to allow: all that 3Shape's page says [guide], in our own words.

        That the permission covers all cases, is 3Shape's documentation [doc WF2].
        """
        return f"{_ALLOWS[self]} {_CONFIDENTIAL}"


_ALLOWS = {
    Purpose.SIGN_IN: "You allow this program to see and set up your 3Shape Communicate "
    "connections. The permission that 3Shape asks for goes further: it opens all your cases, and "
    "with them personal health information about your patients.",
    Purpose.ORMCO: "You allow the application Ormco to open your 3Shape Communicate cases, all of "
    "them, and with them personal health information about your patients.",
}
_CONFIDENTIAL = (
    "Personal data about a patient that is exchanged through 3Shape Communicate is strictly "
    "confidential. The person or company that obtains it is the data controller, and is "
    "responsible for keeping it confidential and for making sure that every third party it passes "
    "the data on to does so as well. If you do not want this, choose Cancel."
)


@dataclass(frozen=True, slots=True)
class Connected:
    """Everything is in place: scans can be sent.

    Attributes:
        account_checked: Whether a person said that the account that allowed Ormco access is the
            one that Communicate was asked as; nobody else can tell.
    """

    checklist: Checklist
    account_checked: bool = False


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
        account: The e-mail of the account to sign in with, as far as it is known.
    """

    purpose: Purpose
    request: AuthorizationRequest
    checklist: Checklist
    problem: str | None = None
    account: str | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        """The link to open."""
        return self.request.url

    @property
    def hint(self) -> str:
        """With which account to sign in, and what helps when the browser uses another one."""
        return sign_in_hint(self.account, self.request.server)

    def because(self, problem: str) -> NeedsAuthorization:
        """The same, saying what was wrong with the last answer."""
        return replace(self, problem=problem)


Outcome: TypeAlias = Connected | Waiting | NeedsAuthorization

Authorize: TypeAlias = Callable[[NeedsAuthorization], str | Address]
"""Shows the link to a person, and returns what they paste."""

AsyncAuthorize: TypeAlias = Callable[[NeedsAuthorization], Awaitable[str | Address]]
"""As `Authorize`, awaitable."""


@dataclass(slots=True)
class Progress:
    """The little that neither service knows; keep it with `to_json` between two processes.

    Losing it does no harm: the next round asks for a new link, and polls a little more often.

    Attributes:
        waiting_since: When the pending connection was first seen.
        pending: The authorization that a person is dealing with; holds secrets.
        account: The 3Shape account that is this practice's, once it has answered.
        refused: Fingerprints of the latest codes that came from another account.
    """

    waiting_since: datetime | None = None
    pending: tuple[Purpose, AuthorizationRequest] | None = field(default=None)
    account: PinnedAccount | None = None
    refused: tuple[str, ...] = field(default=(), repr=False)

    def use(self, account: PinnedAccount) -> None:
        """Remember the practice's account; what was known of another one does not hold for it."""
        if self.account is not None and self.account.id != account.id:
            self.waiting_since = None
        self.account = account

    def forget_account(self) -> None:
        """Let any account be the practice's again: the next one that answers."""
        self.account = self.waiting_since = None

    def to_json(self) -> str:
        """Everything `from_json` needs; holds the ``state``, PKCE verifier and an e-mail."""
        return json.dumps(
            {
                "waiting_since": self.waiting_since and self.waiting_since.isoformat(),
                "purpose": self.pending and self.pending[0].value,
                "request": self.pending and self.pending[1].to_json(),
                "account": self.account and asdict(self.account),
                "refused": self.refused,
            }
        )

    @classmethod
    @shielded
    def from_json(cls, text: str) -> Progress:
        """The progress that `to_json` wrote, in this version or an earlier one.

        Raises:
            ConfigurationError: It is not such a text.
        """
        try:
            data = json.loads(text)
            since, purpose, request = data["waiting_since"], data["purpose"], data["request"]
            account = data.get("account")
            return cls(
                waiting_since=datetime.fromisoformat(since) if since else None,
                pending=(
                    (Purpose(purpose), AuthorizationRequest.from_json(request)) if purpose else None
                ),
                account=PinnedAccount(**account) if account else None,
                refused=tuple(map(str, data.get("refused", ()))),
            )
        except (ValueError, KeyError, TypeError, AttributeError):
            pass
        raise ConfigurationError("This is not a saved progress.")
