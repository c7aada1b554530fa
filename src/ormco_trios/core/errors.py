"""Every error of the library, as one tree.

A class of its own exists only where a caller would act differently::

    OrmcoTriosError
    ├── ConfigurationError            a setting is missing or wrong; nothing was sent
    │   ├── MissingExtra              (also ImportError) a package of an extra is not installed
    │   └── UntrustedHost             a token would have left the environment; nothing was sent
    ├── RegionUnclear                 nothing says which of Ormco's accounts is meant, or two things
    ├── TransportError                no complete answer arrived
    │   ├── NotDelivered              the request never reached the service: safe to send again
    │   ├── DownloadInterrupted       a file stopped coming; says how far it was
    │   └── OutcomeUnknown            it may or may not have been carried out: look before repeating
    │       ├── CodeOutcomeUnknown    … and it held a single-use code or token: get a fresh one
    │       └── AnswerTooLarge        … since more came than is ever read; not repeated
    ├── ApiError                      the service answered, and said no
    │   ├── NotSignedIn               401
    │   │   └── PortalSignInRefused   OrmcoDigital refused the user name or password
    │   ├── PermissionDenied          403, or status 400 with Communicate's sentence for it
    │   ├── NotFound                  404, or status 400 with Communicate's sentence for it
    │   ├── InvalidRequest            any other 4xx
    │   ├── ProfileChanged            412: another user saved the profile meanwhile
    │   ├── RateLimited               429, with the delay the service asked for
    │   ├── ServerError               5xx
    │   ├── UnexpectedAnswer          a success whose body is not what the contract says
    │   └── PortalDiffers             the portal's address does not answer as the API we assumed
    ├── StorageUnavailable            what keeps tokens or a fleet's records did not answer
    ├── TakenOver                     another worker has this practice now; nothing was sent
    ├── LabRefused                    nothing is shared with an account that is not Ormco's lab
    │   ├── LabNotFound               no account has that e-mail
    │   ├── NotALab                   the account found shows another role than a lab's
    │   └── WrongLab                  the account found has another e-mail
    ├── ApprovalError
    │   ├── ConnectionRemoved         the request disappeared before it was accepted
    │   └── ApprovalTimeout           (also TimeoutError) still waiting; carries how to go on
    └── AuthorizationError
        ├── PasteError                (also ValueError) the pasted text holds no usable code
        │   ├── NothingPasted         empty, or no code in it
        │   ├── SeveralCodes          two different codes
        │   ├── CodeIncomplete        cut short or damaged while copying
        │   ├── NotTheRedirect        the address of another page of the same journey
        │   ├── StateMissing          the address carries no state although one was sent
        │   └── StateMismatch         the address belongs to another authorization
        ├── ConsentDenied             the doctor chose Cancel
        ├── AuthorizationRefused      the authorization server sent an error instead of a code
        ├── AuthorizationNeeded       nobody has signed in yet, or the sign-in is used up
        ├── PersonNeeded              a person has to do something, and there is nobody to ask
        ├── TaskOver                  the task was answered before, or another one took its place
        ├── WrongAccount              another 3Shape account answered than the one that is meant
        ├── NobodyCameBack            (also TimeoutError) no redirect arrived: paste, or wait on
        ├── CodeSpent                 the code was used before, here; nothing was sent
        ├── CodeRefused               the service did not take the code: get a fresh one
        ├── GrantRevoked              the refresh token is no longer valid: authorize again
        ├── ClientRefused             the application's own id or secret is wrong
        ├── IssuerMismatch            the answer comes from another authorization server
        ├── AuthorizationServerFailed a page where a token answer belongs
        ├── TokenNotSaved             the store failed; carries the token that it should keep
        └── DraftLost                 the code reached OrmcoDigital but was never saved

``str(error)`` leads with what to do next, then says what happened.  No message contains a code,
token, password, name of a person, response body, URL query or header.  Every error pickles.
"""

from __future__ import annotations

from typing import Any, Self, TypeVar

_E = TypeVar("_E", bound="OrmcoTriosError")


class OrmcoTriosError(Exception):
    """Root of the tree.

    Attributes:
        happened: What happened and what it means, in one or two sentences.
        advice: The next thing to do.
        detail: For support and developers, such as the request and its status; empty if there is
            nothing to add.  `message` is without it, and ``str()`` ends with it.
    """

    advice: str = "Report this with the message that follows."
    detail: str = ""

    def __init__(self, happened: str, *, advice: str | None = None) -> None:
        super().__init__(happened)
        self.happened = happened
        if advice is not None:
            self.advice = advice

    @property
    def message(self) -> str:
        """What to do and what happened: what to show to a practice."""
        return f"{self.advice} ({self.happened})"

    def __str__(self) -> str:
        return f"{self.message} [{self.detail}]" if self.detail else self.message

    def with_detail(self, detail: str) -> Self:
        """The same error, saying more to support."""
        self.detail = detail
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (type(self), self.args, dict(self.__dict__))


def _restore(cls: type[_E], args: tuple[Any, ...], state: dict[str, Any]) -> _E:
    """Rebuild a pickled error without its constructor, whose parameters differ by class."""
    error = cls.__new__(cls)
    error.args = args
    error.__dict__.update(state)
    return error


class ConfigurationError(OrmcoTriosError):
    """A setting is missing or wrong; nothing was sent."""

    advice = "Correct the setting and try again."


class MissingExtra(ConfigurationError, ImportError):
    """A package that an extra of this library brings is not installed."""

    advice = "Install what is missing: pip install 'ormco-trios[all]'"


class UntrustedHost(ConfigurationError):
    """A token would have gone to a host outside the environment; nothing was sent."""

    advice = "Do not follow this address; check which environment the client is set up for."


class StorageUnavailable(OrmcoTriosError):
    """What keeps tokens or a fleet's records did not answer."""

    advice = "Nothing is lost: try again once the database can be reached."


class TakenOver(OrmcoTriosError):
    """Another worker has taken the practice over meanwhile; nothing was sent."""

    advice = "Leave it to that worker; this happens after a machine was suspended or cut off."


class RegionUnclear(OrmcoTriosError):
    """Nothing says which of Ormco's three accounts is meant, or two things say different ones."""

    advice = "Name the region yourself: Region.NORTH_AMERICA, Region.ASIA_PACIFIC or Region.EUROPE."


# --- no complete answer ---------------------------------------------------------------------


class TransportError(OrmcoTriosError):
    """No complete answer arrived."""

    advice = "Check the network connection and try again."


class NotDelivered(TransportError):
    """The request never reached the service, so sending it again is safe."""


class DownloadInterrupted(TransportError):
    """A file stopped coming, also when it was fetched again; nothing was written.

    Attributes:
        received: Bytes that had come at the last attempt.
        expected: Bytes in all, if the service said so.
    """

    advice = "Fetch the file again, from its beginning."

    def __init__(
        self, happened: str, *, received: int, expected: int | None, advice: str | None = None
    ) -> None:
        super().__init__(happened, advice=advice)
        self.received = received
        self.expected = expected


class OutcomeUnknown(TransportError):
    """The request was sent but its answer was lost: it may or may not have been carried out."""

    advice = "Look at the present state before you repeat this."


class CodeOutcomeUnknown(OutcomeUnknown):
    """As `OutcomeUnknown`, for a request that held a single-use code or refresh token."""

    advice = (
        "Check the state first; if it is not connected, authorize again for a fresh code. "
        "The old one must not be sent twice."
    )


class AnswerTooLarge(OutcomeUnknown):
    """More came than is ever read; it would not help to ask again."""

    advice = "Check that the host is the right one; no answer of these services is so large."


# --- the service said no --------------------------------------------------------------------


class ApiError(OrmcoTriosError):
    """The service answered, and said no.

    Attributes:
        operation: Name of the operation, such as ``users.me``.
        status: HTTP status code.
        request_id: The service's id for this request, if it sent one; quote it to support.
        retry_after: Seconds the service asked to wait, if it did.
    """

    def __init__(
        self,
        happened: str,
        *,
        operation: str,
        status: int,
        request_id: str | None = None,
        retry_after: float | None = None,
        advice: str | None = None,
    ) -> None:
        super().__init__(happened, advice=advice)
        self.operation = operation
        self.status = status
        self.request_id = request_id
        self.retry_after = retry_after


class NotSignedIn(ApiError):
    """The service does not accept the sign-in (401)."""

    advice = "Sign in again."


class PortalSignInRefused(NotSignedIn):
    """OrmcoDigital refused the user name or password."""

    advice = "Check the OrmcoDigital user name and password, then try again."


class PermissionDenied(ApiError):
    """The account may not do this."""

    advice = "Sign in with the account that owns this, or ask its owner for access."


class NotFound(ApiError):
    """The service knows nothing under this id, or does not show it to this account."""

    advice = "Check the id; the object may have been removed or belong to another account."


class InvalidRequest(ApiError):
    """The service does not accept the request as it is (4xx); repeating it will not help."""

    advice = "Check the values that were sent; the service does not accept them."


class ProfileChanged(ApiError):
    """Another user saved the OrmcoDigital profile meanwhile (412); nothing was overwritten."""

    advice = "Read the profile again, repeat your change, and save."


class RateLimited(ApiError):
    """The service asks for fewer requests (429); ``retry_after`` has its delay in seconds."""

    advice = "Wait as long as retry_after says, then try again."


class ServerError(ApiError):
    """The service failed (5xx)."""

    advice = "Try again in a few minutes; if it lasts, tell the service's support."


class UnexpectedAnswer(ApiError):
    """A success whose body is not what the contract says: a page, a fragment, another type."""

    advice = "Check that the host is the right one; if it is, the service may have changed."


class PortalDiffers(ApiError):
    """The portal's address answered differently from the API that this library assumes.

    OrmcoDigital publishes no interface, so that is what to expect of any address but one that
    Ormco gave for it.
    """

    advice = (
        "Leave the portal's API out (`ormco`, ORMCO_TRIOS_ORMCODIGITAL_URL) and do the portal's "
        "part by hand, or ask Ormco for the address of such an interface."
    )


# --- labs and approvals ---------------------------------------------------------------------


class LabRefused(OrmcoTriosError):
    """The account found must not receive patients' scans; nothing was requested."""


class LabNotFound(LabRefused):
    """No account with the lab's e-mail is visible."""

    advice = "Check the region and the environment; Ormco's account was not found there."


class NotALab(LabRefused):
    """The account found shows its roles, and ``Lab`` is not among them."""

    advice = "Do not connect; ask Ormco support which account is the lab of your region."


class WrongLab(LabRefused):
    """The account found has another e-mail than the one asked for."""

    advice = "Do not connect; ask Ormco support which account is the lab of your region."


class ApprovalError(OrmcoTriosError):
    """A connection request did not become active."""


class ConnectionRemoved(ApprovalError):
    """The request disappeared before it was accepted: rejected by the lab, or withdrawn."""

    advice = "Ask for the connection again; if it disappears again, call Ormco support."


class ApprovalTimeout(ApprovalError, TimeoutError):
    """Still waiting for approval when the time was up; nothing is lost.

    Attributes:
        wait: What it takes to go on later: serialises to JSON, and ``wait.resume(client)`` goes on
            with the same schedule.
    """

    advice = (
        "Nothing is lost: wait on with error.wait.resume(client), or check again later. "
        "Approval can take up to 24 hours; after that, call Ormco support."
    )

    def __init__(self, happened: str, *, wait: Any, advice: str | None = None) -> None:
        super().__init__(happened, advice=advice)
        self.wait = wait


# --- authorization --------------------------------------------------------------------------


class AuthorizationError(OrmcoTriosError):
    """The authorization did not come about."""

    advice = "Open the authorization link again and choose Allow access."


class PasteError(AuthorizationError, ValueError):
    """The pasted text holds no usable code; nothing was sent and the code is not spent."""

    advice = "Copy the ENTIRE address of the page you were redirected to, and paste it again."


class NothingPasted(PasteError):
    """Nothing was pasted, or there is no code in it."""


class SeveralCodes(PasteError):
    """The text holds two different codes."""

    advice = "Paste only the newest address, once."


class CodeIncomplete(PasteError):
    """The code was cut short or damaged while copying."""

    advice = "Copy the address again, all of it: click into the address bar, select all, copy."


class NotTheRedirect(PasteError):
    """The address of another page: the authorization link itself, or a login page."""

    advice = "Choose Allow access on that page first, then copy the address you are sent to."


class StateMissing(PasteError):
    """The address carries no ``state`` although the authorization sent one."""


class StateMismatch(PasteError):
    """The address answers another authorization than this one."""

    advice = "Use the newest authorization link, and paste the address that it leads to."


class ConsentDenied(AuthorizationError):
    """The doctor chose Cancel instead of Allow access.

    Attributes:
        description: The server's own words, made harmless; never part of the message.
    """

    advice = "Without access no scans can arrive: open the link again and choose Allow access."

    def __init__(
        self, happened: str, *, description: str | None = None, advice: str | None = None
    ) -> None:
        super().__init__(happened, advice=advice)
        self.description = description


class AuthorizationRefused(AuthorizationError):
    """The authorization server sent an error instead of a code.

    Attributes:
        error: RFC 6749's error value, or ``other``.
        description: The server's own words, made harmless; never part of the message.
    """

    def __init__(
        self,
        happened: str,
        *,
        error: str,
        description: str | None = None,
        advice: str | None = None,
    ) -> None:
        super().__init__(happened, advice=advice)
        self.error = error
        self.description = description


class AuthorizationNeeded(AuthorizationError):
    """Nobody has signed in to this account yet, or the sign-in is used up."""

    advice = "Sign in to 3Shape Communicate with the authorization link."


class PersonNeeded(AuthorizationError):
    """A person has to do something that no program can, and there is nobody to ask."""

    advice = "Pass person=..., or use advance() and finish_task() and show the task."


class TaskOver(AuthorizationError):
    """The task was answered before, or another one has taken its place; nothing was used."""

    advice = "Look again for what is to be done now."


class WrongAccount(AuthorizationError):
    """Another 3Shape account answered than the one that is meant; nothing was done with it.

    Attributes:
        expected: The e-mail of the account that is meant, masked; None if only its id is known.
        found: The e-mail of the account that answered, masked; None if it shows none.
    """

    advice = "Sign in with the account that is meant, in a private window of your browser."

    def __init__(
        self,
        happened: str,
        *,
        expected: str | None = None,
        found: str | None = None,
        advice: str | None = None,
    ) -> None:
        super().__init__(happened, advice=advice)
        self.expected = expected
        self.found = found


class NobodyCameBack(AuthorizationError, TimeoutError):
    """No browser was sent back to this machine in time."""

    advice = "Finish the sign-in in the browser and wait again, or paste the address instead."


class CodeSpent(AuthorizationError):
    """This code object was used before; nothing was sent."""

    advice = "A code works once: open the authorization link again for a fresh one."


class CodeRefused(AuthorizationError):
    """The service did not take the code, and it is spent now."""

    advice = (
        "Get a fresh code and paste it within three minutes. The old one was one of: expired, "
        "already used, cut while copying, still percent-encoded, or issued for another address."
    )


class GrantRevoked(AuthorizationError):
    """The refresh token is no longer valid: revoked under Applications, expired, or replaced."""

    advice = "Authorize again."


class ClientRefused(AuthorizationError):
    """The authorization server does not know this application's id and secret."""

    advice = "Check client_id, client_secret and which environment they were issued for."


class IssuerMismatch(AuthorizationError):
    """The answer names another authorization server than the one that was asked."""

    advice = "Do not continue with this code; start again from a link you trust."


class AuthorizationServerFailed(AuthorizationError):
    """A page where a token answer belongs, mostly because the code was damaged."""

    advice = "Get a fresh code; if this repeats with a fresh one, tell 3Shape support."


class TokenNotSaved(AuthorizationError):
    """A new token was issued, and the token store failed to keep it.

    Attributes:
        token: The new token: with a server that rotates, the only one that still works.
    """

    advice = "Save error.token yourself, or repair the store and try again from this process."

    def __init__(self, happened: str, *, token: Any, advice: str | None = None) -> None:
        super().__init__(happened, advice=advice)
        self.token = token


class DraftLost(AuthorizationError):
    """The code reached OrmcoDigital, but the profile was not saved and the draft is gone."""

    advice = "Nothing is connected yet: authorize again for a fresh code, and let it be saved."
