"""Who and what exists when a World begins.

Ormco's three lab accounts are the guide's [guide].  Everybody else is invented, with addresses
that cannot exist.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import cast

from ormco_trios.core.environment import SANDBOX_TOKEN_PREFIX
from ormco_trios.sandbox.wire.messages import Json
from ormco_trios.sandbox.world import codes, magic
from ormco_trios.sandbox.world.state import (
    CaseRecord,
    Client,
    FileRecord,
    GeneratedFile,
    PortalAccount,
    Server,
    State,
    UserRecord,
)

PORTAL_CLIENT_ID = "ormco"
CLIENT_ID = "sandbox-practice-app"
CLIENT_SECRET = "secret-of-the-practice-app"
ACCOUNT_CLIENT_ID = "sandbox-practice-app-account"
ACCOUNT_CONFIDENTIAL_CLIENT_ID = "sandbox-practice-app-account-confidential"
ACCOUNT_CLIENT_SECRET = "secret-of-the-account-app"
"""The secrets, without the World's prefix."""

LANDING = "/ormco/"
"""Where Ormco's application sends the browser; the guide's is https://ormco.com/ [guide]."""

APP_REDIRECT = "/practice-app/"
"""Where the two practice applications send theirs."""

OPERATOR_EMAIL = "operator@ormco.example"
CLINIC_EMAIL = "another.clinic@clinic.example"
LOOK_ALIKE_EMAIL = "insignia.supporteurope@0rmco.example"

LAB_EMAILS: dict[Server, str] = {
    "am": "insignia.support@ormco.com",
    "as": "insignia.supportasia@ormco.com",
    "eu": "insignia.supporteurope@ormco.com",
}
"""Ormco's lab account for each regional server, as one types it [guide]."""


@dataclass(frozen=True, slots=True)
class Practice:
    """A practice of the sandbox: its Communicate account and its portal account.

    Attributes:
        server: Its regional metadata server: ``eu``, ``am`` (America) or ``as`` (Asia).
        country: ISO 3166 alpha-2, upper case.
        lab_email: Ormco's lab account for it.
    """

    email: str
    password: str = field(repr=False)
    portal_username: str
    portal_password: str = field(repr=False)
    server: Server
    country: str
    user_id: str
    lab_email: str


@dataclass(frozen=True, slots=True)
class _Place:
    """An invented practice's whereabouts."""

    name: str
    first: str
    last: str
    street: str
    postal: str
    city: str
    state: str | None
    country: str
    phone: str


# Country comes in either case [seen].
_PLACES: dict[Server, _Place] = {
    "eu": _Place(
        "Kieferorthopädie am Sonnenhof", "Mira", "Sonnenhof", "Musterallee 7", "10999", "Berlin",
        None, "DE", "+49 30 5550 0142",
    ),
    "am": _Place(
        "Maple Street Orthodontics", "Robin", "Maple", "100 Maple Street", "97201", "Portland",
        "OR", "us", "+1 503 555 0142",
    ),
    "as": _Place(
        "Harbour Lane Orthodontics", "Kim", "Harbour", "2 Harbour Lane", "2000", "Sydney",
        "NSW", "au", "+61 2 5550 0142",
    ),
}  # fmt: skip

PATIENTS = (
    ("Ada", "Beispiel"), ("Bruno", "Muster"), ("Clara", "Probe"), ("David", "Entwurf"),
    ("Elif", "Vorlage"), ("Finn", "Modell"), ("Greta", "Skizze"), ("Hugo", "Abdruck"),
    ("Ida", "Bogen"), ("Jonas", "Klammer"), ("Kaya", "Spange"), ("Leo", "Zahnlos"),
)  # fmt: skip


def new_state(seed: int, now: float, *, prefix: str = SANDBOX_TOKEN_PREFIX) -> State:
    """The state a World begins with; the same for the same ``seed`` and moment."""
    rng = Random(seed)  # noqa: S311 - reproducible on purpose, and worth nothing elsewhere
    handle, key = codes.new_handle(rng), rng.randbytes(32)
    state = State(rng=rng, code_handle=handle, code_key=key, prefix=prefix)
    _add_clients(state)
    _add_labs(state)
    for email, name, roles in (
        (OPERATOR_EMAIL, "Ormco Operations", ("Company",)),
        (CLINIC_EMAIL, "Another Clinic", ("Clinic",)),
        (LOOK_ALIKE_EMAIL, "Ormco", ("Lab",)),
    ):
        place = _PLACES["eu"]
        _add_user(state, email, roles, "eu", _fields(place, name=name))
    for server in ("eu", "am", "as"):
        alias = {"eu": "eu", "am": "na", "as": "ap"}[server]
        add_practice(state, f"practice.{alias}", server)
    _add_cases(state, now)
    for name, approval in magic.APPROVALS.items():
        practice = add_practice(state, name, "eu", domain=magic.DOMAIN)
        state.approvals[practice.user_id] = approval
    return state


def practice_of(state: State, email: str) -> Practice:
    """The practice with this e-mail.

    Raises:
        LookupError: There is none.
    """
    user = state.user_by_email(email)
    account = state.portal_accounts.get(email.partition("@")[0])
    if user is None or account is None:
        raise LookupError("no practice has this e-mail")
    return Practice(
        email=user.email,
        password=user.password,
        portal_username=account.username,
        portal_password=account.password,
        server=user.server,
        country=user.text("Country").upper(),
        user_id=user.id,
        lab_email=LAB_EMAILS[user.server],
    )


def add_practice(
    state: State, name: str, server: Server, *, domain: str = "clinic.example"
) -> Practice:
    """A practice called ``name``, with both accounts."""
    place = _PLACES[server]
    email = f"{name}@{domain}"
    _add_user(state, email, ("Clinic",), server, _fields(place))
    state.portal_accounts[name] = PortalAccount(
        username=name,
        password=_password(state, "portal", name),
        profile={
            "name": place.name,
            "email": email,
            "phone": place.phone,
            "default_shipping_address": {
                "address1": place.street,
                "address2": None,
                "city": place.city,
                "country": place.country.upper(),
                "state": place.state,
                "zip": place.postal,
            },
            "submission_method": {"source": "PVS", "scanner": None},
        },
    )
    return practice_of(state, email)


def _password(state: State, where: str, name: str) -> str:
    return f"{state.prefix}{where}-password-{name}"


def _fields(place: _Place, *, name: str | None = None) -> dict[str, Json]:
    fields: dict[str, Json] = {
        "IsApproved": True,
        "Name": name or place.name,
        "FirstName": place.first,
        "LastName": place.last,
        "PhoneNumber": place.phone,
        "MobilePhoneNumber": None,
        "ClientVersion": 0,
        "AddressLine": place.street,
        "PostalCode": place.postal,
        "City": place.city,
        "State": place.state,
        "Country": place.country,
        "Dongles": [{"DongleNumber": None, "SiteId": None}],
        "Tags": [],
        "HasLogo": False,
        "Logo": None,
        "ContactName": f"{place.first} {place.last}",
        "ContactConsentGiven": False,
        "NewsletterConsentGiven": False,
        "NotificationSettings": {},
    }
    if place.country.isupper():
        # Some answers have these, some do not [seen].
        fields["Website"] = None
        fields["ContactEmail"] = None
    return fields


def _add_user(
    state: State,
    email: str,
    roles: tuple[str, ...],
    server: Server,
    fields: dict[str, Json],
) -> UserRecord:
    user = UserRecord(
        id=state.new_id(),
        email=email,
        password=_password(state, "3shape", email.partition("@")[0].casefold()),
        roles=roles,
        server=server,
        fields=fields,
    )
    return state.add_user(user)


def _add_labs(state: State) -> None:
    rows: tuple[tuple[Server, str, str, str, str, str | None, str], ...] = (
        ("am", "Insignia.Support@ormco.com", "Ormco Corporation", "1332 S Lone Hill Ave",
         "Glendora", "91740", "us"),
        ("as", "Insignia.SupportAsia@ormco.com", "Ormco Corporation", "10/112-118 Talavera Rd",
         "Macquarie Park", None, "in"),
        ("eu", "Insignia.SupportEurope@ormco.com", "Ormco", "Basicweg 20",
         "Amersfoort", "3821 BR", "NL"),
    )  # fmt: skip
    for server, email, name, street, city, postal, country in rows:
        fields: dict[str, Json] = {
            "IsApproved": True,
            "Name": name,
            "PhoneNumber": "8008541741",
            "AddressLine": street,
            "PostalCode": postal,
            "City": city,
            "Country": country,
            "HasLogo": False,
            "Logo": None,
        }
        lab = _add_user(state, email, ("Lab",), server, fields)
        lab.has_logo = True


def _add_clients(state: State) -> None:
    clients = (
        Client(
            PORTAL_CLIENT_ID,
            "Ormco",
            "classic",
            f"{state.prefix}secret-of-the-portal",
            (LANDING,),
        ),
        Client(
            CLIENT_ID,
            "Sandbox Practice App",
            "classic",
            state.prefix + CLIENT_SECRET,
            (APP_REDIRECT,),
        ),
        Client(
            ACCOUNT_CLIENT_ID,
            "Sandbox Practice App",
            "account",
            None,
            (APP_REDIRECT,),
            loopback=("/callback", "/", ""),
        ),
        Client(
            ACCOUNT_CONFIDENTIAL_CLIENT_ID,
            "Sandbox Practice Server",
            "account",
            state.prefix + ACCOUNT_CLIENT_SECRET,
            (APP_REDIRECT,),
        ),
    )
    state.clients.update((client.id, client) for client in clients)


# --- cases ----------------------------------------------------------------------------------

_PICTURE = b"\x89PNG\r\n\x1a\n"
_DAY = 86_400.0


def _add_cases(state: State, now: float) -> None:
    """Two pages of cases for the European practice, one for each other; the newest is not sent."""
    for server, patients in (("eu", PATIENTS), ("am", PATIENTS[:3]), ("as", PATIENTS[3:6])):
        alias = {"eu": "eu", "am": "na", "as": "ap"}[server]
        owner = state.user_by_email(f"practice.{alias}@clinic.example")
        lab = state.user_by_email(LAB_EMAILS[cast(Server, server)])
        if owner is None or lab is None:
            raise LookupError("cases need the practice and the lab")
        for number, patient in enumerate(patients, start=1):
            age = len(patients) - number + 1
            created = now - age * _DAY + number * 61.25
            sent = age > 1
            add_case(
                state, owner, patient, _scans(number), created=created, updated=created + 600.0,
                sent_to=(lab,) if sent else (),
            )  # fmt: skip


def add_case(
    state: State,
    owner: UserRecord,
    patient: tuple[str, str],
    files: Mapping[str, bytes | GeneratedFile],
    *,
    created: float,
    updated: float | None = None,
    sent_to: tuple[UserRecord, ...] = (),
) -> CaseRecord:
    """A case of ``owner``'s.

    Args:
        state: Where it belongs.
        owner: The practice.
        patient: First and last name.
        files: By name.  What ends in ``.dcm`` or ``.ply`` is a scan, of the jaw that its name
            begins with; what ends in ``.stl`` is a design.
        created: World time.
        updated: World time; when it was created by default.
        sent_to: Those who can read it besides.
    """
    number = len(state.cases) + 1
    first, last = patient
    designed = any(name.endswith(".stl") for name in files)
    case = CaseRecord(
        id=state.new_id(),
        server=owner.server,
        creator=owner.id,
        actors=(owner.id, *(user.id for user in sent_to)),
        created=created,
        updated=created if updated is None else updated,
        received=created,
        versions=[
            {
                "PatientName": f"{last}, {first}",
                "Patient": {
                    "FirstName": first,
                    "LastName": last,
                    "ExternalId": None,
                    "PatientRefNo": f"P-{number:04d}",
                },
                # Designed and Sent are printed [doc]; the other two words are [assumed].
                "State": "Designed" if designed else "Scanned",
                "StateFlag": "Sent" if sent_to else "Created",
                "DeliveryDate": None,
                "ScanSource": "TRIOS",
                "Application": "TRIOS",
                "ThreeShapeOrderNo": f"SANDBOX-{number:05d}",
                **({"Model3D": None} if number % 3 else {}),
                "ModelElements": [],
            }
        ],
        files=[_file(state, name, content) for name, content in files.items()],
        comments={state.new_id(): f"Please look at the bite of case {number}."},
        increments=(state.new_id(),),
    )
    state.cases[case.id] = case
    return case


def _scans(number: int) -> dict[str, bytes | GeneratedFile]:
    """Tiny files: two jaws, a picture, and for every third case a mesh without triangles."""
    files: dict[str, bytes | GeneratedFile] = {
        f"{jaw}-{number}.dcm": f"sandbox scan {number}, {jaw} jaw".encode()
        for jaw in ("upper", "lower")
    }
    files[f"picture-{number}.png"] = _PICTURE + f"sandbox picture {number}".encode()
    if number % 3 == 0:
        # Binary STL: 80 bytes of header, then the number of triangles.
        files[f"design-{number}.stl"] = f"sandbox design {number}".encode().ljust(84, b"\0")
    return files


def _file(state: State, name: str, content: bytes | GeneratedFile) -> FileRecord:
    digest = hashlib.sha1(usedforsecurity=False)
    for block in (content,) if isinstance(content, bytes) else content:
        digest.update(block)
    kind = name.rpartition(".")[2]
    record = FileRecord(state.new_id(), name, kind, content, digest.hexdigest(), type="Image")
    if kind in ("dcm", "ply"):
        record.section, record.type = "Scans", "Scan"
        record.jaw = "upper" if name.startswith("upper") else "lower"
    elif kind == "stl":
        record.section, record.type = "Designs", "Design"
    return record
