"""Facts of the wire that belong to no operation, each with how it is known.

``tools/provenance.py`` writes the tables of ``docs/provenance.md`` from here and from the
operations; a program does not import this.
"""

from __future__ import annotations

from typing import Any, Final

from pydantic import SecretStr

from ormco_trios.communicate import operations as communicate
from ormco_trios.communicate.regions import DAY
from ormco_trios.core.errors import (
    InvalidRequest,
    NotFound,
    NotSignedIn,
    PermissionDenied,
    RateLimited,
    ServerError,
)
from ormco_trios.core.operation import Operation
from ormco_trios.core.provenance import (
    ASSUMED,
    DNOA,
    INFERRED,
    ONE_SEEN,
    SEEN,
    Citation,
    Facts,
    client,
    doc,
    fact,
    guide,
    refused,
    rfc,
)
from ormco_trios.oauth import operations as oauth
from ormco_trios.oauth.server import ACCOUNT_SCOPES, AuthorizationServer
from ormco_trios.oauth.shape import CodeShape
from ormco_trios.ormcodigital import operations as ormcodigital
from ormco_trios.ormcodigital.models import TRIOS
from ormco_trios.ormcodigital.phrases import PHRASES, WORDLESS, Source

_LIFE = CodeShape.classic().lifetime


def _words(source: Source) -> str:
    found = [p for p in PHRASES if p.source == source]
    # What the guide writes in several ways is one thing; what nobody printed has no first way.
    words = [w for p in found for w in (p.words if source == "assumed" else p.words[:1])]
    return ", ".join(f"*{each}*" for each in words)


CLASSIC: Final[Facts] = {
    "host": fact(
        "`https://auth.3shapecommunicate.com`, for staging `https://staging-auth.…`",
        doc("A1"),
        client("AuthServices.xml"),
    ),
    "host for tests": fact("`https://test-auth.…`", client("AuthServices.xml")),
    "authorization": fact(
        "`GET /oauth/authorise`, in British spelling, with `client_id`, `redirect_uri`, "
        "`response_type=code`",
        doc("WF1"),
    ),
    "`state`": fact("comes back as it was sent; no example has it", rfc("6749, 4.1.1")),
    "scopes": fact("none: the documentation names none", INFERRED),
    "`scope=offline_access`": fact(
        "is sent by a program; a refresh token may depend on it", ONE_SEEN
    ),
    "token information": fact(
        "`GET /oauth/token?access_token=…` gives `User`, `Client`, `ClientType`, `LifeTime` "
        '(seconds), `UtcIssued`; a bad token gives **500**, "An error has occurred."',
        doc("A2.3"),
    ),
    "token information, elsewhere": fact(
        "the client's list has it at `/api/tokeninfo?access_token=…`", client("ApiEndpoints.html")
    ),
    "form of the code": fact("see [below](#the-code-in-the-address)", DNOA),
    "life of a code": fact(
        f"{_LIFE.seconds // 60 if _LIFE else '?'} minutes, if 3Shape left that as it was; and "
        "spent by every attempt that gets past its signature, also with a wrong secret or address",
        DNOA,
    ),
    "taking an application's access away": fact(
        "on the page `https://users.3shapecommunicate.com/User/Applications`, with the square icon "
        "beside the application",
        guide("Repairing 2"),
    ),
    "where that page is today": fact(
        "accounts move to 3Shape Account and the site to `portal.3shapecommunicate.com`, so it may "
        "have moved",
        SEEN,
    ),
    "an idle session of the site": fact("ends after 15 minutes", SEEN),
    "an address that is not registered": fact("ends at `/home/error`", ONE_SEEN),
}

ACCOUNT: Final[Facts] = {
    "host": fact(
        "`https://identity.3shape.com`, for staging `https://staging-identity.3shape.com`", SEEN
    ),
    "authorization": fact(
        "`GET /connect/authorize` with `client_id`, `redirect_uri`, `response_type=code`, `scope`, "
        "`state`, `nonce`, `code_challenge`, `code_challenge_method=S256`, perhaps "
        "`response_mode=query`",
        SEEN,
    ),
    "scopes": fact(f"`{' '.join(ACCOUNT_SCOPES)}`", SEEN),
    "`login_hint` and `prompt=login`": fact(
        "are sent where one account is expected", rfc("OpenID Connect Core, 3.1.2.1")
    ),
    "password grant": fact("none", ASSUMED),
    "a new refresh token with every refresh": fact("the old one ends", ASSUMED),
    "user information": fact("`GET /connect/userinfo`", ASSUMED),
    "form of the code": fact("opaque", SEEN),
    "`iss`": fact("comes back beside the code", ASSUMED),
    "taking an application's access away": fact("its tokens are revoked", ASSUMED),
}

TOKENS: Final[Facts] = {
    "no `refresh_token` after a refresh": fact("the old one stays valid", rfc("6749, 6")),
    "*Cancel* on the consent page": fact(
        "the address brings back `error=access_denied`", rfc("6749, 4.1.2.1")
    ),
}

USERS: Final[Facts] = {
    "host": fact(
        "`https://users.3shapecommunicate.com`, for staging `https://staging-users.…`; some "
        "examples print `http`, which this library never uses",
        doc("U1"),
    ),
    "who asks": fact("`Authorization: Bearer …`", doc("U2.2")),
    "form": fact("JSON in `PascalCase`", doc("U2.1")),
    "form, otherwise": fact(
        "`camelCase` is read as well, which today's servers of the same make write by default",
        ASSUMED,
    ),
    "ids": fact("a GUID in capitals, in braces or without hyphens is the same one", ASSUMED),
    "a user's fields": fact(
        "`Id` (a GUID), `Email`, `IsApproved`, `Name`, `FirstName`, `LastName`, `PhoneNumber`, "
        "`MobilePhoneNumber`, `ClientVersion`, `AddressLine`, `PostalCode`, `Country`, `City`, "
        "`RegionUri`, `Region`, `Roles`, `ConnectedUsers`, `Connections`, `Dongles`, `HasLogo`, "
        "`Logo`, `ContactName`, `ContactEmail`, `ContactPhoneNumber`, `ContactConsentGiven`, "
        "`Website`, `NotificationSettings`; many can be null",
        doc("U2.1"),
        client("UserService.Dto"),
    ),
    "a user's state in its address": fact("`State`", doc("ApiBrowserMe.png")),
    "further fields of a user": fact("`Tags`, `NewsletterConsentGiven`", SEEN),
    "a field that is missing, and a new one": fact("both happen", SEEN),
    "a region's fields": fact(
        "`Id`, `RegionName`, `Url`, `Servers`, `Services`",
        doc("ApiBrowserMe.png"),
        client("UserService.Dto"),
    ),
    "a dongle's and a logo's fields": fact(
        "`DongleNumber`, `SiteId`; `Href`, `IsAvailable`", client("UserService.Dto")
    ),
    "`Country`": fact("two letters of ISO 3166; in the examples in lower case", doc("U2.1")),
    "`Country` in upper case": fact("comes as well", SEEN),
    "`RegionUri` and `Region.Url`": fact(
        "a host without a scheme, or null; the only value printed is `www.3shapecommunicate.com`",
        doc("U2.1, ApiBrowserMe.png"),
    ),
    "the role `Clinic`": fact("of a practice", doc("U2.1")),
    "the role `Lab`": fact(
        "of a lab; the guide's page prints *Type: Lab*, and no source prints the role", ASSUMED
    ),
    "`GET /api/users/search?searchString=`": fact(
        "at most 20 accounts whose name, e-mail or city begins with each part of the text, of 3 "
        "characters at least; only for 3Shape's own products, so not used here",
        client("UserService.Client"),
    ),
    "what a stranger's object shows": fact(
        "less: it is filtered by the relationship. Which fields, is not said", doc("U2.2")
    ),
    "a connection's fields": fact(
        "`Id`, `ConnectionAccepted` (true, false or null), `InviterUserId`, `InviterUserEmail`, "
        "`InviterUserName`, `InviterUserType`, `RemoteUserId`, `RemoteUserEmail`, "
        "`RemoteUserName`, `RemoteUserType`, `InviterUser`, `RemoteUser` (objects or null)",
        client("UserService.Dto"),
        SEEN,
    ),
    "all connections in one answer": fact(
        "`Connections` of one's own user object has the pending ones as well",
        client("UserService.Client"),
        SEEN,
    ),
    "pending": fact(
        "*Request sent, waiting for approval*, grey, while `ConnectionAccepted` is not true",
        SEEN,
        guide("Communicate 4"),
    ),
    "active": fact("*Active*, green, once it is true", SEEN, guide("Communicate 4")),
    "how long approval takes": fact(
        f"up to {DAY.total_seconds() / 3600:.0f} hours", guide("Communicate 4")
    ),
    "rejected": fact(
        "there is no such state: rejecting deletes. So a request that vanishes before it was "
        "accepted was rejected or withdrawn",
        INFERRED,
    ),
    "who may reject or remove": fact("the account that was asked, by the example", doc("U3.3")),
    "whether the account that asked may": fact("the guide's page shows it a red X", ASSUMED),
    "a company's connection": fact(
        "an account may list one that neither side of it is; it is named, and neither used nor "
        "removed",
        ASSUMED,
    ),
    "an application's fields": fact("`Id`, `Name`, `AuthorizedOn`", ASSUMED),
    "longest values when a user is created": fact(
        "`AddressLine` 50, `City` 50, `Email` 255, `Name` 255, `Password` 128, `PhoneNumber` 32, "
        "`PostalCode` 50",
        doc("U2.1"),
    ),
}

REGIONS: Final[Facts] = {
    "what decides which lab it is": fact(
        "the practice's location: Asia, Europe or North America", guide("Communicate 3")
    ),
    "the e-mails": fact(
        "as they are to be typed; the site shows them in mixed case", guide("Communicate 3")
    ),
    "3Shape's regions": fact("America, Asia, Europe", doc("M1")),
    "the lab in the account's own region": fact(
        "is the right one. The workflow speaks of an account *in the same region as the doctor* "
        "(WF2), but of the one that downloads",
        INFERRED,
    ),
    "which countries belong to which lab": fact(
        "is published nowhere; only the clear ones are answered", ASSUMED
    ),
}

SERVERS: Final[Facts] = {
    "hosts below `.3shapecommunicate.com`, v1.5": fact(
        "`ammetadata` (America), `asmetadata` (Asia), `eumetadata` (Europe). In 2016 they were "
        '"experimental and should not be used for production"; programs have used them since',
        doc("M1"),
        client("ServerList.xml"),
        SEEN,
    ),
    "hosts for staging": fact(
        "`staging-ammetadata`, `staging-eumetadata`", doc("M1"), client("ServerList.xml")
    ),
    "hosts for tests": fact("`test-metadata`", client("ServerList.xml")),
    "`eu15`, `am15`, `as15`, `dme`, `integrations`": fact(
        "other services of 3Shape, which are not used here", client("ServerList.xml")
    ),
    "hosts of v1.0": fact(
        '`us`, `as1`, `www`: "expected to be discontinued Q4 2016". None of them gets a token',
        doc("M1"),
    ),
    "which of them": fact("the user's `RegionUri` decides", doc("WF2")),
    "when it names a server of v1.0": fact(
        "as the only printed value does: the v1.5 server of the same region", INFERRED
    ),
    "`GET /api/regions/masterdataserver/{country}/15`, at the users' host": fact(
        "the server that a country belongs to", client("UserService.Client")
    ),
    "an account that names no region": fact(
        "says nothing about its server; it is not taken for a European one", ASSUMED
    ),
}

CASES: Final[Facts] = {
    "another search": fact("`GET /api/v3/cases/search`", ONE_SEEN),
    "times in a query": fact("`yyyy-mm-ddThh:mm:ssZ`, or the date alone", doc("M2.3")),
    "which of a case's times `from` and `to` mean": fact(
        "when it was created; for the updated cases, when it was updated", ASSUMED
    ),
    "a case's version": fact(
        "each update saves a whole one, so its number and its `UpdatedOn` are its own", doc("M2.2")
    ),
    "an id of zeros": fact("is none, as .NET writes it where there is none", INFERRED),
    "a case's fields": fact(
        "`Id`, `PatientName`, `Created`, `CreatorId`, `State`, `StateFlag`, `DeliveryDate`, "
        "`Href`, `OperatorId`, `ScanSource`, `ThreeShapeOrderNo`, `Model3D`, `Actors`, "
        "`Attachments`, `Comments`, `ModelElements`, `Scans`, `Designs`",
        doc("ApiBrowserCasesPage0.png"),
    ),
    "further fields of a case": fact(
        "`Version`, `Patient` (`FirstName`, `LastName`, `ExternalId`, `PatientRefNo`), "
        "`UpdatedOn`, `ReceivedOn`, `Application`, `ManufacturingProductionTag`",
        SEEN,
    ),
    "`State` and `StateFlag`": fact(
        "the stage (`Designed`) and what became of it (`Sent`)", doc("ApiBrowserCasesPage0.png")
    ),
    "an actor's fields": fact(
        "`Id`, `Roles`, `Email`, `Name`; the last two are empty in the picture",
        doc("ApiBrowserCasesPage0_2.png"),
    ),
    "an attachment's fields": fact(
        "`Id`, `Name`, `Hash` (SHA-1), `FileType`, `Created`, `Updated`, `Href`", doc("M3.1")
    ),
    "an attachment's kind": fact("`Type`", SEEN),
    "a scan's and a design's fields": fact(
        "`Id`, `ScanTimestamp`, `Type`, `Href`, `Hash` (SHA-1), `FileType`", doc("M3.2, M3.3")
    ),
    "a scan's jaw": fact("`JawType`: `upper` or `lower`; `FileType` is `dcm`", SEEN),
    "`Attachments`": fact("all files of a case: its scans and designs are among them", doc("M3.1")),
    "a file as `application/stl`": fact("comes as well", ONE_SEEN),
    "the name of a file": fact(
        '`filename="…"`, printed as a header of its own; not read', doc("M3.1")
    ),
    "a comment's fields": fact("`Id`", doc("M3.4")),
    "a case increment's field": fact("`Id`; nothing of it is printed", ASSUMED),
    "times in a case": fact("up to 3 decimals, with or without `Z`", SEEN),
    "a time without a zone": fact("is taken for UTC", ASSUMED),
    "STL files": fact(
        "not with a doctor's token; with the application's own, by a permission that 3Shape gives "
        "case by case",
        doc("WF2"),
    ),
    "what a doctor's token opens": fact(
        "all of the doctor's data, not only what was shared", doc("WF2")
    ),
    "how 3Shape says it is mostly done": fact(
        "with the token of one's own account, keeping the cases of the practice's stored id",
        doc("WF3"),
    ),
}

CODES: Final[Facts] = {
    "form of the code": fact(
        "four characters of `[A-Za-z0-9_-]`, one `!`, base64url without padding", DNOA
    ),
    "what the payload decodes to": fact(
        "the number 32, 32 bytes of HMAC, a number *n*, *n* bytes: a version byte, 16 bytes of "
        "initialisation vector, and encrypted blocks of 16. Numbers are 32 bits, little-endian",
        DNOA,
    ),
    "so": fact(
        "payloads begin with `IAAAA`, and a cut or mistyped code can be told from a whole one "
        "without a request",
        DNOA,
    ),
    "that the server is DotNetOpenAuth": fact(
        "the printed code has its form, and 3Shape's own client ships its libraries", INFERRED
    ),
    "the guide's example": fact("damaged, no example of a valid code", guide("OrmcoDigital 6")),
    "encoding in the address bar": fact(
        "twice: `!` became `%21` and then `%2521`", guide("OrmcoDigital 6 to 8")
    ),
    "who adds the second layer": fact("unknown; it can be none, one, two or three", ASSUMED),
    "what the portal's field takes": fact("the `%21` form", guide("OrmcoDigital 8")),
    "what a token endpoint takes": fact("the code itself, encoded once as part of the form", DNOA),
}

PORTAL: Final[Facts] = {
    "words that the guide's pictures print": fact(_words("printed"), guide("OrmcoDigital 4")),
    "words that only its sentences name": fact(
        f"{_words('sentence')}; the page may say it otherwise", guide("OrmcoDigital 1 to 3")
    ),
    "the sign-in form's button, and the drop-down": fact(
        "have no words in any published picture", INFERRED
    ),
    **{each.shown: fact(each.rule, ASSUMED) for each in WORDLESS},
    "what the sign-in may ask for instead of *Username*": fact(_words("assumed"), ASSUMED),
    "the user name": fact("may have a page of its own, before the password's", ASSUMED),
    "the only scanner shown": fact(f"`{TRIOS}`", guide("OrmcoDigital 2")),
    "fields of the shipping address": fact(
        "*Address 1*, *Address 2*, *City*, *Country*, *State*, *Zip*", guide("OrmcoDigital 4")
    ),
    "a public sign-in page of that name": fact(
        "`aligners.ormcodigital.com/sso/login` asks for an e-mail and a password",
        Citation("seen", "(one list)"),
    ),
    "the interface's address": fact("below `/api` of the portal's host", ASSUMED),
    "a profile's fields": fact(
        "`name`, `email`, `phone`, `default_shipping_address` (`address1`, `address2`, `city`, "
        "`country`, `state`, `zip`), `submission_method` (`source`, which is `IntraoralScanner` or "
        "`PVS`, and `scanner`)",
        ASSUMED,
    ),
    "a refusal's fields": fact("`error` with `code`, `message` and `field`", ASSUMED),
    "a refusal in any other form": fact(
        "is not this interface: `PortalDiffers`, and no password goes there", ASSUMED
    ),
    "closing the dialog without *Update*": fact(
        "loses the code, and nothing is connected", INFERRED
    ),
}

ANY_CALL: Final[Facts] = {
    "301 to 308": refused(InvalidRequest, ASSUMED, when="redirects are not followed"),
    "400 The request is invalid.": refused(
        InvalidRequest, ASSUMED, when="Communicate does not understand the request"
    ),
    "400 bad_request": refused(InvalidRequest, ASSUMED, when="the portal does not understand it"),
    "401": refused(NotSignedIn, rfc("6750, 3.1"), when="the token is not accepted"),
    "403": refused(PermissionDenied, rfc("9110, 15.5.4")),
    "404": refused(NotFound, rfc("9110, 15.5.5")),
    "415 unsupported_media_type": refused(InvalidRequest, rfc("9110, 15.5.16")),
    "429": refused(RateLimited, rfc("6585, 4"), when="no limit is published"),
    "5xx": refused(ServerError, rfc("9110, 15.6")),
}

FACTS: Final = {
    "classic": CLASSIC,
    "account": ACCOUNT,
    "tokens": TOKENS,
    "users": USERS,
    "regions": REGIONS,
    "servers": SERVERS,
    "cases": CASES,
    "codes": CODES,
    "portal": PORTAL,
    "any call": ANY_CALL,
}


def operations() -> tuple[Operation[Any], ...]:
    """Every operation of the library."""
    found: list[Operation[Any]] = []
    for server in (AuthorizationServer.classic(), AuthorizationServer.account()):
        calls = (
            *(
                oauth.ask_for_token(server, grant, {}, client_id="", client_secret=None)
                for dialect, grant in oauth.TOKEN_PROVENANCE
                if dialect == server.name
            ),
            oauth.revoke_token(server, SecretStr(""), client_id="", client_secret=None),
            oauth.read_metadata(server),
        )
        found += (call.operation for call in calls if call is not None)
    for module in (communicate, ormcodigital):
        found += (value for value in vars(module).values() if isinstance(value, Operation))
    return tuple(found)
