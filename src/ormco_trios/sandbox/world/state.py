"""Everything a World remembers, as plain records.

Moments are World time in seconds since 1970.  Secrets never show in a ``repr``.
"""

from __future__ import annotations

import heapq
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Literal, TypeAlias

from ormco_trios.core.environment import SANDBOX_TOKEN_PREFIX
from ormco_trios.sandbox.wire.messages import Json, iso
from ormco_trios.sandbox.world.approval import Approval

Server: TypeAlias = Literal["am", "as", "eu"]
"""A regional metadata server [doc]."""

_BLOCK = 64 * 1024

DRAFT_LIFETIME = 600.0
"""Seconds of World time until the portal forgets a code that was not saved [assumed]."""

Dialect: TypeAlias = Literal["classic", "account"]
"""A generation of 3Shape's sign-in."""


@dataclass(slots=True)
class UserRecord:
    """A Communicate account.

    Attributes:
        email: As the site shows it; it is looked up case-folded.
        server: Where its cases are.
        fields: The rest of the user object, by its wire names; absent here is absent on the wire.
        region_uri: Instead of what the switch says: a text, in which ``{url}`` is the address of
            its server, and ``{place}`` the same without the scheme.
        may_download_stl: Whether 3Shape granted this account STL files [doc WF2].
        company: The account, by its id, whose connections it sees beside its own [assumed].
    """

    id: str
    email: str = field(repr=False)
    password: str = field(repr=False)
    roles: tuple[str, ...]
    server: Server
    fields: dict[str, Json] = field(repr=False)
    region_uri: str | None = None
    may_download_stl: bool = False
    company: str | None = None
    has_logo: bool = False

    def text(self, name: str) -> str:
        """A field as text, empty if it is missing."""
        value = self.fields.get(name)
        return value if isinstance(value, str) else ""


@dataclass(slots=True)
class ConnectionRecord:
    """A relation between two accounts: asked for, then active.

    Attributes:
        pending_as_null: Whether it says null or false while it waits: both are possible [client].
        polls: How often the inviter's users/me has shown it waiting.
    """

    id: str
    inviter: str
    remote: str
    requested_at: float
    approval: Approval
    pending_as_null: bool
    accepted: bool = False
    polls: int = 0


@dataclass(slots=True)
class FileRecord:
    """Something attached to a case.

    Attributes:
        kind: The end of its name.
        content: What is in it; a `GeneratedFile` if it is long.
        section: Where it is listed besides among the attachments, which hold every file [doc].
        type: What it is.
        jaw: ``upper`` or ``lower`` [seen], of scans.
    """

    id: str
    name: str = field(repr=False)
    kind: str
    content: bytes | GeneratedFile = field(repr=False)
    sha1: str
    type: str
    section: Literal["Scans", "Designs"] | None = None
    jaw: Literal["upper", "lower"] | None = None


@dataclass(frozen=True, slots=True)
class GeneratedFile:
    """A file of any size that is made while it is read, the same each time."""

    size: int
    seed: int = 0

    def __iter__(self) -> Iterator[bytes]:
        """Blocks of 64 KiB, no two of them alike."""
        tail = Random(self.seed).randbytes(_BLOCK - 8)  # noqa: S311 - nobody's secret
        whole, rest = divmod(self.size, _BLOCK)
        for number in range(whole):
            yield number.to_bytes(8, "big") + tail
        if rest:
            yield (whole.to_bytes(8, "big") + tail)[:rest]


@dataclass(slots=True)
class CaseRecord:
    """A case.

    Attributes:
        versions: Every saved state of it, oldest first [doc].
        received: When it came in, or was sent to an account since [assumed].
    """

    id: str
    server: Server
    creator: str
    actors: tuple[str, ...]
    updated: float
    created: float
    versions: list[dict[str, Json]] = field(repr=False)
    files: list[FileRecord] = field(repr=False)
    comments: dict[str, str] = field(repr=False)
    received: float
    increments: tuple[str, ...] = ()

    def save_version(self, now: float, **changes: Json) -> None:
        """Change it, which saves a whole version of its own [doc M2.2]."""
        latest = self.versions[-1]
        self.versions[-1] = {**latest, "UpdatedOn": iso(self.updated)}
        self.versions.append({**latest, **changes})
        self.updated = now


@dataclass(frozen=True, slots=True)
class Client:
    """A registered application.

    Attributes:
        secret: ``None`` for a public client.
        redirect_uris: As paths of the World.
        loopback: The paths at which it may be reached on any port of the loopback address
            [rfc 8252, 7.3].
    """

    id: str
    name: str
    dialect: Dialect
    secret: str | None = field(repr=False)
    redirect_uris: tuple[str, ...]
    loopback: tuple[str, ...] = ()


@dataclass(slots=True)
class Grant:
    """A user's consent to an application: one row of the Applications page."""

    id: str
    user: str
    client: str
    created: float
    revoked: bool = False


@dataclass(slots=True)
class Code:
    """What an authorization code means."""

    grant: str
    redirect_uri: str = field(repr=False)
    scope: str
    issued: float
    challenge: str | None = field(default=None, repr=False)
    spent: bool = False


@dataclass(slots=True)
class TokenRecord:
    """An access or refresh token; ``family`` ties those of one sign-in together."""

    kind: Literal["access", "refresh"]
    dialect: Dialect
    grant: str
    family: str
    scope: str
    issued: float
    expires: float | None
    dead: bool = False


@dataclass(slots=True)
class WebSession:
    """A browser at the pages of one site.

    Attributes:
        user: Set once a person signed in: the id at 3Shape, the user name at the portal.
        typed: What is in the profile's form and not saved.
        notice: Shown on the next page, once.
    """

    csrf: str = field(repr=False)
    user: str | None = None
    typed: dict[str, str] = field(default_factory=dict[str, str], repr=False)
    notice: str = ""


@dataclass(slots=True)
class Draft:
    """A code that the portal keeps until the profile is saved."""

    code: str = field(repr=False)
    made: float


@dataclass(slots=True)
class PortalLink:
    """A portal account's access to Communicate."""

    grant: str
    connected_at: float


@dataclass(slots=True)
class PortalAccount:
    """An OrmcoDigital account."""

    username: str
    password: str = field(repr=False)
    profile: dict[str, Json] = field(repr=False)
    version: int = 1
    draft: Draft | None = None
    link: PortalLink | None = None

    def live_draft(self, now: float) -> Draft | None:
        """The draft, if it is not forgotten."""
        alive = self.draft is not None and now < self.draft.made + DRAFT_LIFETIME
        return self.draft if alive else None


@dataclass(slots=True)
class PortalSession:
    """A sign-in at the portal."""

    username: str
    expires: float


@dataclass(slots=True)
class State:
    """All of it.

    Keys: ids for users, connections, cases, clients, grants; the value itself for tokens, sessions
    and account-dialect codes; the signed content for classic codes.  Users, connections and grants
    come and go by the methods, which keep the indexes.
    """

    rng: Random
    code_handle: str
    code_key: bytes = field(repr=False)
    prefix: str = SANDBOX_TOKEN_PREFIX
    users: dict[str, UserRecord] = field(default_factory=dict[str, UserRecord])
    misdirected: dict[str, str] = field(default_factory=dict[str, str], repr=False)
    connections: dict[str, ConnectionRecord] = field(default_factory=dict[str, ConnectionRecord])
    approvals: dict[str, Approval] = field(default_factory=dict[str, Approval])
    cases: dict[str, CaseRecord] = field(default_factory=dict[str, CaseRecord])
    clients: dict[str, Client] = field(default_factory=dict[str, Client])
    grants: dict[str, Grant] = field(default_factory=dict[str, Grant])
    codes: dict[str | bytes, Code] = field(default_factory=dict[str | bytes, Code], repr=False)
    tokens: dict[str, TokenRecord] = field(default_factory=dict[str, TokenRecord], repr=False)
    web_sessions: dict[str, WebSession] = field(default_factory=dict[str, WebSession], repr=False)
    portal_accounts: dict[str, PortalAccount] = field(default_factory=dict[str, PortalAccount])
    portal_sessions: dict[str, PortalSession] = field(
        default_factory=dict[str, PortalSession], repr=False
    )
    requests: int = 0
    _by_email: dict[str, str] = field(default_factory=dict[str, str], repr=False)
    _by_user: dict[str, dict[str, None]] = field(
        default_factory=dict[str, dict[str, None]], repr=False
    )
    _standing: dict[tuple[str, str], str] = field(
        default_factory=dict[tuple[str, str], str], repr=False
    )
    _due: list[tuple[float, str]] = field(default_factory=list[tuple[float, str]], repr=False)

    def new_id(self) -> str:
        """A GUID."""
        return str(uuid.UUID(int=self.rng.getrandbits(128), version=4))

    def new_secret(self) -> str:
        """A token, marked as the sandbox's."""
        return self.prefix + self.rng.randbytes(24).hex()

    def add_user(self, user: UserRecord) -> UserRecord:
        """One more account."""
        self.users[user.id] = user
        self._by_email[user.email.casefold()] = user.id
        return user

    def user_by_email(self, email: str) -> UserRecord | None:
        """The account with this e-mail, in any case."""
        return self.users.get(self._by_email.get(email.casefold(), ""))

    def add_connection(self, connection: ConnectionRecord) -> ConnectionRecord:
        """One more relation."""
        self.connections[connection.id] = connection
        for user in (connection.inviter, connection.remote):
            self._by_user.setdefault(user, {})[connection.id] = None
        self.set_policy(connection, connection.approval)
        return connection

    def drop_connection(self, connection: ConnectionRecord) -> None:
        """The relation's row disappears."""
        del self.connections[connection.id]
        for user in (connection.inviter, connection.remote):
            del self._by_user[user][connection.id]

    def set_policy(self, connection: ConnectionRecord, approval: Approval) -> None:
        """What shall become of a request that waits."""
        connection.approval = approval
        if approval.kind == "immediately":
            connection.accepted = True
        elif approval.kind in ("after", "removed_after"):
            heapq.heappush(self._due, (connection.requested_at + approval.seconds, connection.id))

    def settle(self, now: float) -> None:
        """Let happen to connections what was due until ``now``."""
        while self._due and self._due[0][0] <= now:
            moment, key = heapq.heappop(self._due)
            row = self.connections.get(key)
            # A request that is gone, decided, or under another policy by now is left alone.
            if row is None or row.accepted or moment != row.requested_at + row.approval.seconds:
                continue
            if row.approval.kind == "after":
                row.accepted = True
            elif row.approval.kind == "removed_after":
                self.drop_connection(row)

    def connections_of(self, user: str) -> list[ConnectionRecord]:
        """Every relation this account takes part in, oldest first."""
        return [self.connections[key] for key in self._by_user.get(user, ())]

    def between(self, one: str, other: str) -> ConnectionRecord | None:
        """The relation between two accounts, whichever asked."""
        # The practice has few rows and the lab has all of them: look at the shorter list.
        few = min(one, other, key=lambda user: len(self._by_user.get(user, ())))
        pair = {one, other}
        return next((c for c in self.connections_of(few) if {c.inviter, c.remote} == pair), None)

    def add_grant(self, grant: Grant) -> Grant:
        """One more consent; it replaces an older one as the standing one."""
        self.grants[grant.id] = grant
        self._standing[grant.user, grant.client] = grant.id
        return grant

    def active_grant(self, user: str, client: str) -> Grant | None:
        """The user's consent to this application, unless it was withdrawn."""
        grant = self.grants.get(self._standing.get((user, client), ""))
        return grant if grant is not None and not grant.revoked else None


def absent(fields: Mapping[str, Json], *names: str) -> dict[str, Json]:
    """A copy of ``fields`` without ``names``."""
    return {name: value for name, value in fields.items() if name not in names}
