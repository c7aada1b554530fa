"""What Communicate says, as models [doc, seen].

Any documented field may be missing or null, and new ones appear: they are kept.
"""

from __future__ import annotations

import enum
from datetime import datetime
from typing import ClassVar

from pydantic import Field

from ormco_trios.core.model import PascalModel


class ServerRegion(PascalModel):
    """A region as Communicate describes it [seen]; `regions.Region` is Ormco's."""

    printed = frozenset({"id", "region_name"})

    id: str | int | None = None
    region_name: str | None = None
    url: str | None = None


class Dongle(PascalModel):
    """A licence dongle of a scanner."""

    dongle_number: str | int | None = None
    site_id: str | int | None = None


class ConnectionState(enum.Enum):
    """Where a connection stands, in the words of Communicate's page [guide]."""

    PENDING = "pending"
    """*Request sent, waiting for approval*: up to 24 hours."""
    ACTIVE = "active"
    """*Active*: cases can be sent."""
    REMOVED = "removed"
    """Gone: withdrawn, or removed by the other side."""
    UNKNOWN = "unknown"
    """The service said something new."""


class Connection(PascalModel):
    """A relation between two Communicate accounts [seen]."""

    printed: ClassVar[frozenset[str]] = frozenset({"id", "connection_accepted"})

    id: str
    connection_accepted: bool | None | str = None
    inviter_user_id: str | None = None
    inviter_user_email: str | None = None
    inviter_user_name: str | None = None
    inviter_user_type: str | None = None
    remote_user_id: str | None = None
    remote_user_email: str | None = None
    remote_user_name: str | None = None
    remote_user_type: str | None = None

    @property
    def state(self) -> ConnectionState:
        """Pending, active, or unknown; a removed connection is one that is no longer listed."""
        if self.connection_accepted is True:
            return ConnectionState.ACTIVE
        if self.connection_accepted in (False, None):
            return ConnectionState.PENDING
        return ConnectionState.UNKNOWN

    def owned_by(self, user_id: str) -> bool:
        """Whether the account with this id is one of the two sides, or no ids are shown."""
        sides = {side.casefold() for side in (self.inviter_user_id, self.remote_user_id) if side}
        return not sides or user_id.casefold() in sides

    def involves(self, user: str) -> bool:
        """Whether ``user`` (an id or an e-mail, in any case) is one of the two sides."""
        wanted = user.strip().casefold()
        sides = (
            self.inviter_user_id,
            self.inviter_user_email,
            self.remote_user_id,
            self.remote_user_email,
        )
        return any(side is not None and side.strip().casefold() == wanted for side in sides)


class User(PascalModel):
    """A Communicate account: a practice, a lab or a person [doc, seen].

    Which fields are filled depends on your relation to that account.
    """

    printed: ClassVar[frozenset[str]] = frozenset({"id", "roles", "is_approved"})

    id: str
    email: str | None = None
    is_approved: bool | None = None
    name: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    phone_number: str | None = None
    mobile_phone_number: str | None = None
    client_version: str | None = None
    address_line: str | None = None
    postal_code: str | None = None
    city: str | None = None
    state: str | None = None
    country: str | None = None
    """ISO 3166 alpha-2 in either case [doc]."""
    region_uri: str | None = None
    """A host, with or without a scheme [seen]; never followed outside the environment."""
    region: ServerRegion | None = None
    roles: list[str] | None = None
    connected_users: list[str] | None = None
    connections: list[Connection] | None = Field(default=None, repr=False)
    dongles: list[Dongle] | None = None

    @property
    def is_lab(self) -> bool:
        """Whether the account has the role ``Lab``."""
        return any(role.casefold() == "lab" for role in self.roles or ())

    def has_email(self, email: str) -> bool:
        """Whether the account's e-mail is ``email``, in any case."""
        return self.email is not None and self.email.strip().casefold() == email.strip().casefold()


class Application(PascalModel):
    """An application that a user has given access, as the Applications page lists it [assumed]."""

    printed: ClassVar[frozenset[str]] = frozenset({"id", "name"})

    id: str
    name: str | None = None
    authorized_on: datetime | None = None
