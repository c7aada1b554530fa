"""What takes more than one call: finding the lab, asking for the connection, removing one."""

from __future__ import annotations

from collections.abc import Mapping

from ormco_trios.communicate.models import (
    Application,
    Connection,
    ConnectionState,
    User,
    plain_id,
)
from ormco_trios.communicate.operations import (
    APPLICATIONS,
    APPROVE,
    ME,
    REMOVE,
    REMOVE_APPLICATION,
    REQUEST,
    USER,
)
from ormco_trios.communicate.regions import Region, lab_account, region_of
from ormco_trios.core.effects import Call, Flow, Pause
from ormco_trios.core.errors import (
    InvalidRequest,
    LabNotFound,
    LabRefused,
    NotALab,
    NotFound,
    OutcomeUnknown,
    ServerError,
    UnexpectedAnswer,
    WrongLab,
)
from ormco_trios.core.operation import Operation

_LOOKS_AFTER_DOUBT = (1.0, 4.0)
"""Seconds before each further look for a request whose answer was lost."""


def find_lab(region: Region) -> Flow[User]:
    """Ormco's lab account of a region: the e-mail asked for, and a lab, or an error.

    What a stranger sees of an account is filtered [doc], and nobody has published a lab's: where no
    role is shown at all, the e-mail decides.
    """
    email = lab_account(region).email
    try:
        found = yield from Call(USER, path={"user": email})
    except NotFound:
        found = None
    if found is None:
        raise LabNotFound(f"Communicate shows no account for Ormco's {region.label} lab.")
    if not found.has_email(email):
        raise WrongLab(
            f"The account found for Ormco's {region.label} lab has another e-mail than asked for."
        )
    if found.shows_roles and not found.is_lab:
        raise NotALab(f"The account found for Ormco's {region.label} lab is not a lab.")
    return found


def is_known_lab(user: User) -> bool:
    """Whether a connection may be requested: the account shows that it is a lab, or is Ormco's."""
    return user.is_lab if user.shows_roles else region_of(user.email) is not None


def get_user(id_or_email: str) -> Flow[User]:
    """An account by its id or e-mail."""
    user = yield from Call(USER, path={"user": id_or_email})
    if "@" not in id_or_email:
        check_id(user.id, id_or_email, USER.name)
    return user


def check_id(found: str, asked: str, operation: str) -> None:
    """Make sure that an answer is about what was asked for.

    Raises:
        UnexpectedAnswer: It is about something else: another request's answer, or a confused cache.
    """
    if plain_id(found) != plain_id(asked):
        raise UnexpectedAnswer(
            "The answer has another id than was asked for.",
            operation=operation,
            status=200,
            advice="Do not use it. Check what is between this program and the service: a "
            "cache, a proxy, or an http_client that several processes share.",
        )


def list_connections() -> Flow[list[Connection]]:
    """Every connection of the account; one answer holds them all."""
    me = yield from Call(ME)
    return me.connections or []


def get_connection(id: str) -> Flow[Connection]:
    """One connection by its id."""
    return connection_of((yield from Call(ME)), id)


def connection_of(me: User, id: str) -> Connection:
    """The connection with this id in an answer of ``users/me``."""
    for connection in me.connections or ():
        if plain_id(connection.id) == plain_id(id):
            return connection
    raise NotFound(
        "The account has no connection with this id.", operation="connections.get", status=200
    )


def find_connection(me: User, lab: User) -> Connection | None:
    """The connection with ``lab``: an active one rather than a pending one."""
    known = [c for c in me.connections or () if involves(c, lab) and c.owned_by(me.id)]
    active = (c for c in known if c.state is ConnectionState.ACTIVE)
    return next(active, known[0] if known else None)


def involves(connection: Connection, lab: User) -> bool:
    """Whether ``lab`` is one side, by its id or its e-mail."""
    return connection.involves(lab.id) or bool(lab.email and connection.involves(lab.email))


def request_connection(lab: User, *, me: User | None = None) -> Flow[Connection]:
    """Ask ``lab`` for a connection, unless there is one already.

    The account is looked at first, and again whenever the fate of the request is in doubt or it was
    refused, since another process may have been faster: so there is never a second request for the
    same lab.

    Args:
        lab: Whom to ask.
        me: Who asks, if the account was looked at just now: the request names this account, so
            it is made for no other one that has signed in meanwhile.
    """
    if not is_known_lab(lab):
        raise NotALab("A connection is only requested from a lab: an account with the role Lab.")
    if me is None:
        me = yield from Call(ME)
    if plain_id(me.id) == plain_id(lab.id):
        raise LabRefused(
            "The account that answered is the lab itself; nothing was requested.",
            advice="Sign in as the practice that is to be connected.",
        )
    if (present := find_connection(me, lab)) is not None:
        return present
    doubt: OutcomeUnknown | ServerError | InvalidRequest | None = None
    try:
        yield from Call(REQUEST, path={"user": me.id, "remote": lab.id})
    except (OutcomeUnknown, ServerError, InvalidRequest) as error:
        doubt = error
    for pause in (0.0, *(() if isinstance(doubt, InvalidRequest) else _LOOKS_AFTER_DOUBT)):
        if pause:
            yield from Pause(pause)
        me = yield from Call(ME)
        if (present := find_connection(me, lab)) is not None:
            return present
    if doubt is not None:
        raise doubt
    raise OutcomeUnknown("Communicate took the connection request but does not list it yet.")


def approve_connection(id: str) -> Flow[Connection]:
    """Accept an incoming request, with the token of the account that was asked."""
    me = yield from Call(ME)
    yield from Call(APPROVE, path={"user": me.id, "connection": id})
    return (yield from get_connection(id))


def remove_connection(id: str) -> Flow[None]:
    """Remove a connection or withdraw a request; one that is gone already is fine."""
    me = yield from Call(ME)
    yield from withdraw(REMOVE, {"user": me.id, "connection": id})


def list_applications() -> Flow[list[Application]]:
    """The applications the account has given access [assumed]."""
    me = yield from Call(ME)
    return (yield from Call(APPLICATIONS, path={"user": me.id}))


def remove_application(id: str) -> Flow[None]:
    """Take an application's access away [assumed]."""
    me = yield from Call(ME)
    yield from withdraw(REMOVE_APPLICATION, {"user": me.id, "application": id})


def withdraw(operation: Operation[None], path: Mapping[str, str]) -> Flow[bool]:
    """Carry out a removal; whether there was anything to remove."""
    try:
        yield from Call(operation, path=path)
    except NotFound:
        return False
    return True
