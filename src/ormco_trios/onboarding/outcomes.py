"""What a round of onboarding can end with, and what has to be remembered between rounds."""

from __future__ import annotations

import enum
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, TypeAlias, TypeVar

from pydantic import BaseModel, ConfigDict

from ormco_trios.communicate.regions import Region
from ormco_trios.core.errors import ConfigurationError
from ormco_trios.core.html import card, link, numbered
from ormco_trios.core.model import Moment, in_utc
from ormco_trios.core.shield import shielded
from ormco_trios.oauth.request import AuthorizationRequest
from ormco_trios.onboarding import forms
from ormco_trios.onboarding.account import PinnedAccount, sign_in_hint
from ormco_trios.onboarding.checklist import Checklist, StepName, StepState
from ormco_trios.ormcodigital.facts import PortalMemory, Source
from ormco_trios.ormcodigital.tasks import (
    CONFIDENTIAL,
    CONSENT,
    Address,
    Task,
    TaskAnswer,
    TaskKind,
)

T = TypeVar("T")


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
        return _EXPLANATIONS[self]


_EXPLANATIONS = {
    Purpose.SIGN_IN: "You allow this program to see and set up your 3Shape Communicate "
    "connections. The permission that 3Shape asks for goes further: it opens all your cases, and "
    f"with them personal health information about your patients. {CONFIDENTIAL}",
    Purpose.ORMCO: CONSENT,
}


class Repair(enum.Enum):
    """How much is set up again, from the least to the most."""

    WHAT_IS_BROKEN = "what is broken"
    AUTHORIZE_AGAIN = "authorize again"
    """Ormco's access is revoked first, as under Applications; for when all looks well [guide]."""
    CONNECT_AGAIN = "connect again"
    """The connection is requested again as well: up to another 24 hours without scans."""

    def covers(self, other: Repair) -> bool:
        """Whether it does at least as much as ``other``."""
        order = list(Repair)
        return order.index(self) >= order.index(other)


@dataclass(frozen=True, slots=True)
class Interruption:
    """The time in which scans may not have arrived: send them again.

    Attributes:
        since: When it last worked for certain; None if nobody can tell.
        until: When it worked again.
    """

    since: datetime | None
    until: datetime

    def __str__(self) -> str:
        since = "an unknown moment" if self.since is None else f"{self.since:%Y-%m-%d %H:%M} UTC"
        return (
            f"Scans sent between {since} and {self.until:%Y-%m-%d %H:%M} UTC may not have arrived: "
            "send them again."
        )


@dataclass(frozen=True, slots=True)
class Repaired:
    """What a repair found and did.

    Attributes:
        broken: The steps that were not done when it began.
        extent: How far it had to go.
        interruption: The time in which scans may not have arrived, if there was one.
    """

    checklist: Checklist
    broken: tuple[StepName, ...]
    extent: Repair
    interruption: Interruption | None


@dataclass(frozen=True, slots=True)
class Connected:
    """Everything is in place: scans can be sent.

    Attributes:
        account_checked: Whether a person said that the account that allowed Ormco access is the
            one that Communicate was asked as; nobody else can tell.
        repaired: What the repair that was under way found and did, if there was one.
    """

    checklist: Checklist
    account_checked: bool = False
    repaired: Repaired | None = None

    @property
    def source(self) -> Source | None:
        """Who says so: the weakest source among the steps."""
        return self.checklist.source

    @property
    def consent_seen(self) -> bool:
        """Whether 3Shape lists Ormco under Applications; not seen proves nothing [assumed]."""
        return self.checklist[StepName.CONSENT].state is StepState.DONE


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

    def _repr_html_(self) -> str:
        return card(
            "Waiting for Ormco's approval",
            [
                ("since", f"{self.since:%Y-%m-%d %H:%M} UTC"),
                ("next look", f"{self.until:%Y-%m-%d %H:%M} UTC"),
            ],
        )


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

    def _repr_html_(self) -> str:
        until = self.request.expires_at
        return card(
            "A person has to allow access",
            [
                ("what for", self.purpose.explanation),
                ("link", link(self.url, "Open 3Shape, sign in, and choose Allow access")),
                ("which account", self.hint),
                ("until", None if until is None else f"{until:%Y-%m-%d %H:%M} UTC"),
                ("last answer", self.problem),
                ("then", "Copy the ENTIRE address of the page that follows, and hand it over."),
            ],
        )

    def form(
        self, action: str, *, comes_back: bool = False, hidden: Mapping[str, str] | None = None
    ) -> str:
        """A form of HTML with the link, and a field for the address that it leads to.

        `ormco_trios.forms` has its style.

        Args:
            action: Where the form is sent; `ormco_trios.forms.read_answer` reads what is sent.
            comes_back: The browser is sent back to your program, so nothing has to be pasted.
            hidden: More fields, such as a token against forgery.
        """
        return forms.link_form(
            url=self.url,
            explanation=self.purpose.explanation,
            hint=self.hint,
            problem=self.problem,
            comes_back=comes_back,
            asks_account=self.purpose is Purpose.ORMCO,
            action=action,
            hidden=hidden or {},
        )

    @property
    def hint(self) -> str:
        """With which account to sign in, and what helps when the browser uses another one."""
        return sign_in_hint(self.account, self.request.server)

    def because(self, problem: str) -> NeedsAuthorization:
        """The same, saying what was wrong with the last answer."""
        return replace(self, problem=problem)


@dataclass(frozen=True, slots=True)
class NeedsPerson:
    """A person has to do ``task``, elsewhere; the answer goes to `finish_task`."""

    task: Task
    checklist: Checklist

    def form(self, action: str, *, hidden: Mapping[str, str] | None = None) -> str:
        """A form of HTML with the task, **with what is to be pasted**, and fields for the answer.

        So show it, and keep it nowhere.  `ormco_trios.forms` has its style and its script.

        Args:
            action: Where the form is sent; `ormco_trios.forms.read_answer` reads what is sent.
            hidden: More fields, such as a token against forgery.
        """
        return forms.task_form(self.task, action, hidden or {})

    def _repr_html_(self) -> str:
        """Without what to paste: a notebook is saved with what it shows."""
        task = self.task
        paste = "It is in task.text, and is not shown where it would be saved."
        return card(
            task.title,
            [
                ("what to do", numbered(task.steps)),
                ("to paste", paste if task.text is not None else None),
                ("if a page has moved", numbered(task.if_moved) if task.if_moved else None),
                ("until", None if task.until is None else f"{task.until:%Y-%m-%d %H:%M} UTC"),
                ("last answer", self.problem),
                ("then", task.question),
            ],
        )

    @property
    def problem(self) -> str | None:
        """What was wrong with the last answer, if there was one."""
        return self.task.problem

    def because(self, problem: str) -> NeedsPerson:
        """The same, saying what was wrong with the last answer."""
        return replace(self, task=self.task.because(problem))


Outcome: TypeAlias = Connected | Waiting | NeedsAuthorization | NeedsPerson


class TaskUnderWay(BaseModel):
    """The task that a person is dealing with; holds neither a code nor a secret.

    Attributes:
        id: The same for a link and the code that came of it.
        code_shown: Whether a code was shown to the person who has not said yet what came of it.
        problem: What was wrong with the last answer, if there was one.
    """

    model_config = ConfigDict(defer_build=True, validate_assignment=True)

    kind: TaskKind
    id: str
    code_shown: bool = False
    problem: str | None = None


class RepairUnderWay(BaseModel):
    """A repair that was asked for, and how far it has come.

    Attributes:
        broken: The steps that were not done when it began.
        worked: Whether it had been connected at all, so that something was interrupted.
        last_worked: When it last worked for certain, if that is known.
        connection: The connection that *connect again* removes; never one that was made since.
        person_there: Whether a person is there who can authorize again.
        revoked: Whether Ormco's access has been taken away.
        renewed: Whether the portal has been made to ask for a new authorization.
        refused: How many codes were not taken.
    """

    model_config = ConfigDict(defer_build=True, validate_assignment=True)

    extent: Repair
    broken: tuple[StepName, ...] = ()
    worked: bool = False
    last_worked: Moment | None = None
    connection: str | None = None
    person_there: bool = False
    revoked: bool = False
    renewed: bool = False
    refused: int = 0


Authorize: TypeAlias = Callable[[NeedsAuthorization], str | Address]
"""Shows the link to a person, and returns what they paste."""

AsyncAuthorize: TypeAlias = Callable[[NeedsAuthorization], Awaitable[str | Address]]
"""As `Authorize`, awaitable."""

Person: TypeAlias = Callable[[NeedsPerson], TaskAnswer | str]
"""Shows the task to a person, and returns their answer; a text is an address."""

AsyncPerson: TypeAlias = Callable[[NeedsPerson], Awaitable[TaskAnswer | str]]
"""As `Person`, awaitable."""


@dataclass(slots=True)
class Progress:
    """The little that neither service knows; keep it with `to_json` between two processes.

    Losing it does little harm: the next round asks for a new link and polls a little more often;
    what only the practice said has to be said again, and a repair begins again.  It never holds an
    authorization code or a portal password.

    Attributes:
        waiting_since: When the pending connection was first seen.
        pending: The authorization that a person is dealing with; holds secrets.
        account: The 3Shape account that is this practice's, once it has answered.
        region: Which of Ormco's labs was chosen, or was the one before a repair.
        refused: Fingerprints of the latest codes that came from another account.
        used: Fingerprints of the latest codes that were entered at the portal.
        task: The task that a person is dealing with.
        portal: What a person or a browser has told of the portal.
        linked_at: When Ormco's link was last answered.
        repair: The repair that is under way.
    """

    waiting_since: datetime | None = None
    pending: tuple[Purpose, AuthorizationRequest] | None = field(default=None)
    account: PinnedAccount | None = None
    region: Region | None = None
    refused: tuple[str, ...] = field(default=(), repr=False)
    used: tuple[str, ...] = field(default=(), repr=False)
    task: TaskUnderWay | None = None
    portal: PortalMemory = field(default_factory=PortalMemory)
    linked_at: datetime | None = None
    repair: RepairUnderWay | None = None

    def use(self, account: PinnedAccount) -> None:
        """Remember the practice's account; what was known of another one does not hold for it."""
        if self.account is not None and self.account.id != account.id:
            self._forget_what_was_known()
        self.account = account

    def forget_account(self) -> None:
        """Let any account be the practice's again: the next one that answers."""
        self.account = None
        self._forget_what_was_known()

    def _forget_what_was_known(self) -> None:
        self.waiting_since = self.linked_at = self.repair = self.region = None
        self.portal.forget()

    def to_json(self) -> str:
        """Everything `from_json` needs; holds the ``state``, PKCE verifier and an e-mail."""
        return json.dumps(
            {
                "waiting_since": self.waiting_since and self.waiting_since.isoformat(),
                "purpose": self.pending and self.pending[0].value,
                "request": self.pending and self.pending[1].to_json(),
                "account": self.account and self.account.to_dict(),
                "region": self.region and self.region.value,
                "refused": self.refused,
                "used": self.used,
                "task": self.task and self.task.model_dump(mode="json"),
                "portal": self.portal.model_dump(mode="json", exclude_defaults=True),
                "linked_at": self.linked_at and self.linked_at.isoformat(),
                "repair": self.repair and self.repair.model_dump(mode="json"),
            }
        )

    @classmethod
    @shielded
    def from_json(cls, text: str) -> Progress:
        """The progress that `to_json` wrote, in this version or another one.

        The link, task, repair or fact of the portal that this version does not know is left out;
        the account is kept.

        Raises:
            ConfigurationError: It is not such a text.
        """
        try:
            data = json.loads(text)
            since, purpose, request = data["waiting_since"], data["purpose"], data["request"]
            account, linked_at = data.get("account"), data.get("linked_at")
            region, task, repair = data.get("region"), data.get("task"), data.get("repair")
            return cls(
                waiting_since=_moment(since) if since else None,
                pending=_known(
                    lambda: (
                        (Purpose(purpose), AuthorizationRequest.from_json(request))
                        if purpose
                        else None
                    )
                ),
                account=_pinned(account) if account else None,
                region=_known(lambda: Region(region) if region else None),
                refused=tuple(map(str, data.get("refused", ()))),
                used=tuple(map(str, data.get("used", ()))),
                task=_known(lambda: TaskUnderWay.model_validate(task) if task else None),
                portal=PortalMemory.model_validate(data.get("portal", {})),
                linked_at=_moment(linked_at) if linked_at else None,
                repair=_known(lambda: RepairUnderWay.model_validate(repair) if repair else None),
            )
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            pass
        raise ConfigurationError("This is not a saved progress.")


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a moment without a zone")
    return in_utc(moment)


def _pinned(known: Mapping[str, Any]) -> PinnedAccount:
    """What a later version has added is left out."""
    id, email, expected = known["id"], known.get("email"), known.get("expected")
    if not (
        isinstance(id, str) and id and all(isinstance(e, str | None) for e in (email, expected))
    ):
        raise TypeError("an id or an e-mail that is no text")
    return PinnedAccount(id, email, expected, confirmed=known.get("confirmed") is True)


def _known(read: Callable[[], T]) -> T | None:
    """What can be done without, unless this version does not know it."""
    try:
        return read()
    except (ValueError, TypeError, ConfigurationError):
        return None
