"""What the flows of one practice share."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from ormco_trios.communicate.approval import Jitter, PollSchedule, random_jitter
from ormco_trios.communicate.home import Home
from ormco_trios.communicate.models import User
from ormco_trios.communicate.regions import Region
from ormco_trios.core.clock import Clock
from ormco_trios.core.effects import Flow
from ormco_trios.core.environment import Environment
from ormco_trios.oauth.application import Application
from ormco_trios.oauth.code import AuthorizationCode
from ormco_trios.onboarding.account import email_of, expected_account
from ormco_trios.onboarding.checklist import Checklist
from ormco_trios.onboarding.observation import Observation, Target, observe
from ormco_trios.onboarding.outcomes import Progress
from ormco_trios.onboarding.steps import checklist_of
from ormco_trios.ormcodigital.portal import Portal, PortalVisit

TRIES = 3
"""How often a person is asked again for one purpose, when a paste is bad or a code not taken."""


@dataclass(slots=True)
class Context:
    """Everything the flows need for one practice.

    Attributes:
        code: The code that a person is entering at the portal: it is here and nowhere else.
        account_shown: The e-mail that the person saw on the consent page, if they have said it
            before the code has come.
        lock: Held while an answer is claimed, so that of two threads one uses it.
    """

    clock: Clock
    application: Application | None
    target: Target
    portal: Portal
    progress: Progress
    schedule: PollSchedule
    jitter: Jitter = random_jitter
    code: AuthorizationCode | None = field(default=None, repr=False)
    account_shown: str | None = field(default=None, repr=False)
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @classmethod
    def of(
        cls,
        environment: Environment,
        clock: Clock,
        application: Application | None,
        portal: Portal,
        *,
        account: str | None,
        region: Region | None,
        progress: Progress | None,
        schedule: PollSchedule | None,
    ) -> Context:
        """For a practice that may be new.

        Raises:
            ConfigurationError: ``account`` is not an e-mail address.
        """
        target = Target(environment, region, expected_account(account), cases=Home(environment))
        return cls(
            clock, application, target, portal, progress or Progress(), schedule or PollSchedule()
        )

    @property
    def account(self) -> str | None:
        """The e-mail of the account that is meant, as far as it is known."""
        return email_of(self.target.account, self.progress.account)

    @property
    def visit(self) -> PortalVisit:
        """What the portal is told."""
        return PortalVisit(self.clock, self.progress.portal, self.account)

    def look(self, *, everything: bool = False, me: User | None = None) -> Flow[Observation]:
        """What both services say of this practice.

        Args:
            everything: See `observe`.
            me: The account, if it has answered a moment ago.
        """
        return observe(
            self.target,
            self.portal,
            self.visit,
            everything=everything,
            pinned=self.progress.account,
            linked_at=self.progress.linked_at,
            known=self.progress.region,
            me=me,
        )

    def drop_sign_in(self) -> Flow[None]:
        """Forget the sign-in of another account than the one that is meant; its grant stays."""
        if self.application is not None:
            yield from self.application.forget()

    def checklist(self, seen: Observation) -> Checklist:
        """The steps, as far as ``seen`` can tell."""
        return checklist_of(seen, since=self.progress.waiting_since)
