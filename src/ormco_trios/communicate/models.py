"""What Communicate says, as models [doc, seen].

Any documented field may be missing or null, and new ones appear: they are kept.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, Field

from ormco_trios.communicate.emails import same
from ormco_trios.core.model import IfReadable, Moment, PascalModel


def is_lab_word(role: str) -> bool:
    """Whether a role, or a connection's type, is that of a lab.

    The guide's page prints *Lab*, and no public source prints the role, so words with it at either
    end are taken for it as well: ``Laboratory``, ``DentalLab`` [assumed].
    """
    word = role.strip().casefold()
    return word.startswith("lab") or word.endswith("lab")


def _an_id(id: str) -> str:
    if not plain_id(id).strip("0. "):
        raise ValueError("it names no account")
    return id


class ServerRegion(PascalModel):
    """A region as Communicate describes it [doc, client]; `regions.Region` is Ormco's."""

    printed = frozenset({"id", "region_name"})

    id: str | int | None = None
    region_name: str | None = None
    url: str | None = None


class ServerAddress(PascalModel):
    """A server of the account [client]."""

    printed = frozenset({"service_type"})

    id: str | None = None
    uri: str | None = None
    service_type: str | None = None


class Dongle(PascalModel):
    """A licence dongle of a scanner [client]."""

    dongle_number: str | int | None = None
    site_id: str | int | None = None


class ConnectionState(enum.Enum):
    """The state of a connection, in the words of Communicate's page [guide]."""

    PENDING = "pending"
    """*Request sent, waiting for approval*: up to 24 hours."""
    ACTIVE = "active"
    """*Active*: cases can be sent."""
    REMOVED = "removed"
    """Gone: rejected or removed by the other side, or withdrawn; no state says *rejected* [doc]."""
    UNKNOWN = "unknown"
    """The service said something new."""


@dataclass(frozen=True, slots=True)
class ConnectionSide:
    """One of a connection's two accounts, as far as it is shown."""

    id: str | None = None
    email: str | None = field(default=None, repr=False)
    type: str | None = None

    def is_user(self, user: str) -> bool:
        """Whether it is the account with this id, however it is written, or with this e-mail."""
        if "@" in user:
            return same(self.email, user)
        if self.id == user:
            return True
        id = account_id(self.id)
        return id is not None and id == account_id(user)


def _side(id: str | None, email: str | None, kind: str | None, user: User | None) -> ConnectionSide:
    """From a connection's own fields and, where they say nothing, from the account in it."""
    if user is not None:
        id, email = id or user.id, email or user.email
    return ConnectionSide(id, email, kind)


class Connection(PascalModel):
    """A relation between two Communicate accounts [client, seen]."""

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
    inviter_user: IfReadable[User] = Field(default=None, repr=False)
    remote_user: IfReadable[User] = Field(default=None, repr=False)

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        yield from super().__repr_args__()
        yield "state", self.state.value

    @property
    def state(self) -> ConnectionState:
        """Pending, active, or unknown; a removed connection is one that is no longer listed."""
        if self.connection_accepted in (True, "true", "True"):
            return ConnectionState.ACTIVE
        if self.connection_accepted in (False, None, "false", "False"):
            return ConnectionState.PENDING
        return ConnectionState.UNKNOWN

    @property
    def inviter(self) -> ConnectionSide:
        """The account that asked for the connection."""
        return _side(
            self.inviter_user_id, self.inviter_user_email, self.inviter_user_type, self.inviter_user
        )

    @property
    def remote(self) -> ConnectionSide:
        """The account that was asked, which alone can approve it [doc U3.2]."""
        return _side(
            self.remote_user_id, self.remote_user_email, self.remote_user_type, self.remote_user
        )

    def owned_by(self, user_id: str) -> bool:
        """Whether the account with this id is one of the two sides, or no ids are shown."""
        ids = {account_id(self.inviter.id), account_id(self.remote.id)} - {None}
        return not ids or account_id(user_id) in ids

    def involves(self, user: str) -> bool:
        """Whether ``user`` (an id or an e-mail, in any case) is one of the two sides."""
        return self.inviter.is_user(user) or self.remote.is_user(user)

    def type_of(self, user: str) -> str | None:
        """What the connection says ``user`` (an id or an e-mail) is, such as ``Lab`` [client]."""
        for side in (self.inviter, self.remote):
            if side.is_user(user):
                return side.type
        return None


class Logo(PascalModel):
    """An account's picture [doc, client]; ``users.logo`` fetches it."""

    printed: ClassVar[frozenset[str]] = frozenset({"is_available"})

    href: str | None = None
    """Where it is; never followed outside the environment."""
    is_available: bool | None = None


class User(PascalModel):
    """A Communicate account: a practice, a lab or a person [doc, client, seen].

    Which fields are filled depends on your relation to that account.
    """

    printed: ClassVar[frozenset[str]] = frozenset({"id", "roles", "is_approved"})

    id: Annotated[str, AfterValidator(_an_id)]
    email: str | None = None
    is_approved: IfReadable[bool] = None
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
    """ISO 3166 alpha-2 [doc U2.1], in either case [seen]."""
    region_uri: str | None = None
    """A host, or null [doc]; the name of a region rather than of a server to ask."""
    region: IfReadable[ServerRegion] = None
    roles: list[str] | None = None
    connected_users: IfReadable[list[str]] = None
    connections: list[Connection] | None = Field(default=None, repr=False)
    dongles: IfReadable[list[Dongle]] = None
    has_logo: IfReadable[bool] = None
    logo: IfReadable[Logo] = None

    @property
    def is_lab(self) -> bool:
        """Whether the account shows the role of a lab."""
        return any(map(is_lab_word, self.roles or ()))

    @property
    def shows_roles(self) -> bool:
        """Whether any role is shown at all: a stranger sees a part of an account [doc]."""
        return bool(self.roles)

    @property
    def shown_email(self) -> str | None:
        """The e-mail, if one is shown: an empty one is none."""
        return self.email if self.email and self.email.strip() else None

    def has_email(self, email: str) -> bool:
        """Whether the account's e-mail is ``email``, in any case."""
        return same(self.email, email)


class Application(PascalModel):
    """An application that a user has given access, as the Applications page lists it [assumed]."""

    printed: ClassVar[frozenset[str]] = frozenset({"id", "name"})

    id: str
    name: str | None = None
    authorized_on: IfReadable[Moment] = None


class Patient(PascalModel):
    """Whom a case is about [doc, seen]; nothing of it is printed."""

    first_name: str | None = None
    last_name: str | None = None
    external_id: str | None = None
    patient_ref_no: str | None = None


class Actor(PascalModel):
    """An account that takes part in a case [doc, seen]."""

    printed: ClassVar[frozenset[str]] = frozenset({"id", "roles"})

    id: str | None = None
    roles: list[str] | None = None
    email: str | None = None
    """Often empty; an actor is known by its id."""
    name: str | None = None


class CaseFile(PascalModel):
    """An attachment, a scan or a design of a case [doc, seen]; ``cases.download`` fetches it."""

    printed: ClassVar[frozenset[str]] = frozenset({"file_type"})

    id: str | None = None
    name: str | None = None
    hash: str | None = None
    """SHA-1 of the content."""
    file_type: str | None = None
    type: str | None = None
    jaw_type: str | None = None
    """Of scans only."""
    href: str | None = None
    """Where it is; never followed outside the environment."""
    created: Moment | None = None
    updated: Moment | None = None
    scan_timestamp: Moment | None = None


class Comment(PascalModel):
    """A remark on a case [doc M3.4]; ``cases.comment`` reads its text."""

    printed: ClassVar[frozenset[str]] = frozenset({"id"})

    id: str | None = None


class CaseIncrement(PascalModel):
    """What ``cases.increment`` answers [doc M3.3]; its fields are unpublished, and all kept."""

    id: str | None = None


class Case(PascalModel):
    """One patient's scans and order [doc, seen]; nothing that tells about the patient is printed.

    That goes for its id, too, which links the patient to other records.
    """

    printed: ClassVar[frozenset[str]] = frozenset({"version"})

    id: str
    version: int | None = None
    """Counted up with each change [doc]."""
    href: str | None = None
    patient_name: str | None = None
    patient: Patient | None = None
    created: Moment | None = None
    updated_on: Moment | None = None
    received_on: Moment | None = None
    delivery_date: Moment | None = None
    creator_id: str | None = None
    operator_id: str | None = None
    state: str | None = None
    """The stage, such as ``Designed`` [doc]."""
    state_flag: str | int | None = None
    """What became of it, such as ``Sent`` [doc]."""
    scan_source: str | None = None
    application: str | None = None
    three_shape_order_no: str | None = None
    manufacturing_production_tag: str | None = None
    actors: list[Actor] | None = None
    attachments: list[CaseFile] | None = None
    scans: list[CaseFile] | None = None
    designs: list[CaseFile] | None = None
    comments: list[Comment | str] | None = Field(default=None, repr=False)

    @property
    def files(self) -> tuple[CaseFile, ...]:
        """Each file once: the attachments, and the scans and designs that are not among them.

        The attachments should hold every file [doc M3.1].  A file that is listed as a scan as well
        has what either entry says of it, such as its jaw.
        """
        return tuple(_once(self.attachments or (), self.scans or (), self.designs or ()))

    def scans_by_jaw(self) -> dict[str, tuple[CaseFile, ...]]:
        """The scans under ``upper``, ``lower`` and ``other``, in the order in which they came.

        A scan whose ``JawType`` says neither or both is an other one.
        """
        jaws: dict[str, list[CaseFile]] = {"upper": [], "lower": [], "other": []}
        for scan in self.scans or ():
            said = (scan.jaw_type or "").casefold()
            named = [jaw for jaw in ("upper", "lower") if jaw in said]
            jaws[named[0] if len(named) == 1 else "other"].append(scan)
        return {jaw: tuple(scans) for jaw, scans in jaws.items()}

    def belongs_to(self, practice: User | str) -> bool:
        """Whether an account created the case, or is one of its actors, by its id.

        E-mails and names do not count.  A case without ids belongs to nobody.

        Args:
            practice: The account, or the id that was stored for it.
        """
        id = account_id(practice)
        return id is not None and (id == account_id(self.creator_id) or id in self._actor_ids())

    def sent_to(self, lab: User | str) -> bool:
        """Whether an account is one of the actors, by its id, and did not create the case itself.

        Args:
            lab: The account, or its id.
        """
        id = account_id(lab)
        return id is not None and id != account_id(self.creator_id) and id in self._actor_ids()

    def _actor_ids(self) -> set[str | None]:
        return {account_id(actor.id) for actor in self.actors or ()}


class CasePage(PascalModel):
    """At most ten cases, and how many there are in all [doc]."""

    printed: ClassVar[frozenset[str]] = frozenset({"count"})

    cases: list[Case] | None = None
    count: int | None = None


def account_id(account: User | str | None) -> str | None:
    """An account's id in the one form in which ids are compared; None if it is none.

    The id of zeros, which .NET writes where there is none, is none either.
    """
    plain = plain_id(account.id if isinstance(account, User) else account or "")
    return plain if plain.strip("0") else None


def plain_id(id: str) -> str:
    """An id in the one form in which ids are compared: a GUID as one, however it is written."""
    text = id.strip(" {}()").casefold()
    digits = text.replace("-", "")
    return digits if len(digits) == _DIGITS else text


_DIGITS = 32
"""Of a GUID."""


def _once(*sections: Iterable[CaseFile]) -> Iterable[CaseFile]:
    """Each file once, the same one in two sections being one file.

    Two files of one section may have the same content under different names.
    """
    found: dict[object, CaseFile] = {}
    by_hash: dict[str, object] = {}
    for section in sections:
        before = dict(by_hash)
        for file in section:
            sha1 = (file.hash or "").casefold()
            key: object = (file.id or "").casefold() or sha1 or file.href or object()
            if key not in found:
                key = before.get(sha1, key)
            found[key] = _merged(found[key], file) if key in found else file
            if sha1:
                by_hash.setdefault(sha1, key)
    return found.values()


def _merged(file: CaseFile, other: CaseFile) -> CaseFile:
    """The file with what only the other entry says of it."""
    known = {name: value for name, value in file if value is not None}
    return file.model_copy(update=dict(other) | known)
