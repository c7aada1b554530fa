"""OrmcoDigital's objects: what the guide's screens show [guide], in a form of our own [assumed]."""

from __future__ import annotations

import enum
from typing import Annotated, ClassVar

from pydantic import (
    AfterValidator,
    Field,
    SecretStr,
    ValidatorFunctionWrapHandler,
    field_validator,
)

from ormco_trios.core.model import IfReadable, Moment, Seconds, WireModel

TRIOS = "3Shape Trios"
"""The drop-down's only documented value [guide]."""


class SubmissionMethod(WireModel):
    """How cases reach Ormco: an intraoral scanner, or PVS impressions [guide].

    Attributes:
        source: ``IntraoralScanner`` or ``PVS``; new values may appear.
        scanner: Which scanner; None with PVS.
    """

    printed: ClassVar[frozenset[str]] = frozenset({"source", "scanner"})

    source: str
    scanner: str | None = None

    @classmethod
    def trios(cls) -> SubmissionMethod:
        """*Intraoral Scanner*, *3Shape Trios*."""
        return cls(source="IntraoralScanner", scanner=TRIOS)

    @classmethod
    def pvs(cls) -> SubmissionMethod:
        """*PVS*: impressions by post."""
        return cls(source="PVS")

    @property
    def is_trios(self) -> bool:
        """Whether scans of a 3Shape TRIOS are what the account submits."""
        return self.source == "IntraoralScanner" and self.scanner == TRIOS


class ShippingAddress(WireModel):
    """A shipping address, by the screen's fields [guide]."""

    address1: str | None = None
    address2: str | None = None
    city: str | None = None
    country: str | None = None
    state: str | None = None
    zip: str | None = None


class Profile(WireModel):
    """*My Profile*: change a copy (`model_copy`) and give it to ``profile.update``.

    Attributes:
        etag: The version that was read; saving succeeds only if it is still the present one.
    """

    printed: ClassVar[frozenset[str]] = frozenset({"submission_method"})

    name: str | None = None
    email: str | None = None
    phone: str | None = None
    default_shipping_address: ShippingAddress | None = None
    submission_method: SubmissionMethod | None = None
    etag: str = Field(default="", exclude=True, repr=False)


class TriosState(enum.Enum):
    """The state of the portal's connection to 3Shape [assumed]."""

    NOT_CONNECTED = "not_connected"
    DRAFT = "draft"
    """A code was entered, and *Update* was not pressed: nothing is connected yet."""
    CONNECTED = "connected"
    NEEDS_REPAIR = "needs_repair"
    UNKNOWN = "unknown"

    @classmethod
    def _missing_(cls, value: object) -> TriosState:  # noqa: ARG003 - enum's own signature
        return cls.UNKNOWN


class TriosStatus(WireModel):
    """The portal's connection to 3Shape [assumed]."""

    printed: ClassVar[frozenset[str]] = frozenset({"state", "connected_at", "last_checked_at"})

    state: TriosState
    connected_at: IfReadable[Moment] = None
    last_checked_at: IfReadable[Moment] = None


class PortalAuthorization(WireModel):
    """The link behind *click here*: it carries Ormco's own client id and redirect address."""

    authorization_url: str
    expires_in: Seconds | None = None


def _sendable(token: SecretStr) -> SecretStr:
    text = token.get_secret_value()
    if not (text and text.isascii() and text.isprintable() and " " not in text):
        raise ValueError("no header can hold it")
    return token


class Session(WireModel):
    """A portal sign-in."""

    token: Annotated[SecretStr, AfterValidator(_sendable)]
    expires_in: Seconds | None = None

    @field_validator("expires_in", mode="wrap")
    @classmethod
    def _odd_is_unknown(cls, value: object, read: ValidatorFunctionWrapHandler) -> int | None:
        """The token is there; how long it lasts shows when it is used."""
        try:
            seconds: int | None = read(value)
        except ValueError:
            return None
        return seconds


class PortalProblem(WireModel):
    """The error object of a refused request [assumed]."""

    code: str
    message: str
    field: str | None


class PortalErrorReply(WireModel):
    """How the portal's API wraps it: what does not look like this is not that API."""

    error: PortalProblem
