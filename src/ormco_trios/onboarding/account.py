"""Whose account it is: which one is meant, which one answered, and what to do about another one.

An account is compared once by its e-mail, and from then on by its id, since an e-mail can change.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace

from ormco_trios.communicate.emails import folded, is_email, masked, masked_apart, same
from ormco_trios.communicate.models import User, plain_id
from ormco_trios.core.errors import ConfigurationError, PasteError, WrongAccount
from ormco_trios.oauth.code import AuthorizationCode
from ormco_trios.oauth.server import AuthorizationServer

PRIVATE_WINDOW = (
    "If your browser signs you in as another account, open the link in a private window."
)
"""Today's form of the guide's *clear browser cookies and history*."""

NO_PASSWORD = (
    "3Shape's sign-in page has a link for a forgotten password, and one for a new account."
)
"""Both are on the guide's first screen [guide]."""

NOT_CHECKED = "account not checked"
"""What a step says when nobody told which account allowed Ormco access."""

NOT_LISTED = (
    "But this account does not list Ormco under Applications [assumed]: its access may have been "
    "revoked, or another account may have been linked. If scans do not arrive, use repair()."
)
"""A remark beside the portal's word.  That list is a guess, so it stops nothing."""


@dataclass(frozen=True, slots=True)
class PinnedAccount:
    """The account that is a practice's, once it has answered.

    Attributes:
        email: As it was shown last.
        expected: The e-mail it was compared with; None if none was expected.
        confirmed: Whether the person said that this account allowed Ormco access.
    """

    id: str
    email: str | None = field(default=None, repr=False)
    expected: str | None = field(default=None, repr=False)
    confirmed: bool = False

    def to_dict(self) -> dict[str, str | bool | None]:
        """As `Progress` keeps it; ``asdict`` takes five times as long, for each look of a fleet."""
        return {
            "id": self.id,
            "email": self.email,
            "expected": self.expected,
            "confirmed": self.confirmed,
        }

    def is_account(self, me: User) -> bool:
        """Whether ``me`` is this account: the id counts, whatever the e-mail is by now."""
        return plain_id(self.id) == plain_id(me.id)


def expected_account(email: str | None) -> str | None:
    """The setting ``account=...``, without spaces around it.

    Raises:
        ConfigurationError: It is not an e-mail address.
    """
    if email is None:
        return None
    email = email.strip()
    if not is_email(email):
        raise ConfigurationError(
            "The account that is meant is not an e-mail address; nothing was sent.",
            advice="Give the e-mail with which the practice signs in to 3Shape Communicate.",
        )
    return email


def check_kind(onboarding: type, client: object, kind: type) -> None:
    """Say at once what a type checker would have said.

    Raises:
        ConfigurationError: The client is of the other kind than the onboarding.
    """
    if client is None or isinstance(client, kind):
        return
    given, wanted = type(client).__name__, "asynchronous"
    if not onboarding.__name__.startswith("Async"):
        wanted = "synchronous"
    raise ConfigurationError(
        f"{onboarding.__name__} needs {wanted} clients, and was given a {given}.",
        advice=f"Make all of them {wanted}: AsyncOnboarding takes AsyncCommunicateClient, "
        "AsyncOAuthClient and so on; Onboarding takes those without Async.",
    )


def email_of(expected: str | None, pinned: PinnedAccount | None) -> str | None:
    """The e-mail of the account that is meant, as far as it is known."""
    if pinned is not None and pinned.email is not None and not _is_new(expected, pinned):
        return pinned.email
    return expected


def wrong_account(
    me: User, *, expected: str | None, pinned: PinnedAccount | None, page: str
) -> WrongAccount | None:
    """The error if ``me`` is not the account that is meant.

    Args:
        me: The account that answered.
        expected: The e-mail of the account that is meant, if that was said.
        pinned: The account that answered before, if there was one.
        page: Address of the page that lists which applications an account has given access.
    """
    if pinned is not None and not _is_new(expected, pinned):
        if pinned.is_account(me):
            return None
    elif expected is None or same(expected, me.shown_email):
        return None
    elif me.shown_email is None:
        return WrongAccount(
            f"The 3Shape account that answered shows no e-mail, so nobody can tell whether it is "
            f"{masked(expected)}. Nothing was requested.",
            expected=masked(expected),
            found=None,
            advice="Ask 3Shape support why the account shows no e-mail, or leave the expected "
            "account out.",
        )
    return _wrong(email_of(expected, pinned), me.shown_email, page=page, granted="this program")


def pin(me: User, *, expected: str | None, pinned: PinnedAccount | None) -> PinnedAccount:
    """What to remember of ``me``, which `wrong_account` had nothing against."""
    if pinned is None or not pinned.is_account(me):
        return PinnedAccount(me.id, me.shown_email, expected)
    if me.shown_email is not None:
        pinned = replace(pinned, email=me.shown_email)
    return pinned if expected is None else replace(pinned, expected=expected)


def shown_account(
    shown: str | None, *, expected: str | None, pinned: PinnedAccount | None, page: str
) -> bool:
    """Whether the account that a consent page showed is known to be the one that is meant.

    Args:
        shown: The e-mail that the person read on the page; None or empty if they did not say.
        expected: The e-mail of the account that is meant, if that was said.
        pinned: The account that answered at this library's own sign-in.
        page: Address of the page that lists which applications an account has given access.

    Raises:
        PasteError: It is not an e-mail address.
        WrongAccount: It is another account's.
    """
    shown = (shown or "").strip(_AROUND)
    if not shown:
        return False
    if not is_email(shown):
        raise PasteError(
            "What was given as the account is not an e-mail address.",
            advice="Type the e-mail that the consent page shows, or nothing if it shows none.",
        )
    meant = email_of(expected, pinned)
    if meant is not None and not same(shown, meant):
        raise _wrong(meant, shown, page=page, granted="Ormco")
    return meant is not None


_AROUND = " \t\r\n<>()\"'.,;"
"""What comes along when an e-mail is copied from a page."""


def fingerprint(code: AuthorizationCode) -> str:
    """What tells one code from another and says nothing of it."""
    return hashlib.sha256(code.reveal("canonical").encode()).hexdigest()


def _is_new(expected: str | None, pinned: PinnedAccount) -> bool:
    """Whether another e-mail is expected than the pinned account was compared with."""
    if expected is None:
        return False
    return pinned.expected is None or folded(expected) != folded(pinned.expected)


def _wrong(expected: str | None, found: str | None, *, page: str, granted: str) -> WrongAccount:
    meant, other = "another one", "one that shows no e-mail"
    if expected is not None and found is not None:
        meant, other = masked_apart(expected, found)
    elif expected is not None:
        meant = masked(expected)
    elif found is not None:
        other = masked(found)
    alike = " They have the same e-mail and are two accounts." if same(expected, found) else ""
    return WrongAccount(
        f"The 3Shape account that answered is {other}; the one that is meant is {meant}.{alike} "
        f"Nothing was requested or handed over, but {other} has now allowed {granted} access.",
        expected=None if expected is None else meant,
        found=None if found is None else other,
        advice=f"Sign in as the account that is meant, best in a private window. To take back what "
        f"{other} has allowed, open {page} signed in as that account and delete {granted} there; "
        "if the page has moved, look for Applications in that account's settings.",
    )


def sign_in_hint(email: str | None, server: AuthorizationServer) -> str:
    """What to tell a person beside an authorization link."""
    hints: list[str] = []
    if email is not None:
        hints.append(f"Sign in as {email}.")
    if server.name == "classic":
        hints.append(PRIVATE_WINDOW)
    hints.append(NO_PASSWORD)
    return " ".join(hints)
