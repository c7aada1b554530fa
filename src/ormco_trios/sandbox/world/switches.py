"""What nobody outside knows about the real services: each unknown is a switch of the sandbox.

The defaults are what is documented, or else what was seen most often.  A client that works with
every position of every switch depends on nothing that is only assumed.  They are set when a
sandbox is made (``Sandbox(switches=Switches(roles="absent"))``), later by ``sandbox.switch``, over
``POST /sandbox/switches``, on the operator's page, in a seed file, or by
``ormco-trios sandbox --switch roles=absent``.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Literal, TypeAlias, get_args, get_type_hints

Served: TypeAlias = Literal[
    "served", "html", "other_shape", "301", "302", "401", "403", "404", "405", "410", "418", "429",
    "500", "502",
]  # fmt: skip
"""How an address answers that may not exist as we have it: as we have it; with status 200 and a
page, or JSON of another shape; or with a status and a page, as a web server does that knows no
such address."""

Named: TypeAlias = Literal[Served, "retired", "foreign", "null"]
"""`Served`, where the answer names hosts: also a server of v1.0, a host outside, or nothing."""

Value: TypeAlias = str | int


@dataclass(frozen=True, slots=True)
class Switches:
    """The unknowns, and which of the possible worlds this sandbox is.

    Attributes:
        roles: ``Roles`` of an account that one is not connected with: shown, left out, null, an
            empty list, a text instead of a list, or with another word than ``Lab``.
        user_types: ``InviterUserType`` and ``RemoteUserType``: the first role, null, or another
            word.
        region_uri: The account's ``RegionUri``: the published v1.0 host, a v1.5 host, the full
            address of the sandbox's own server, null, left out, a host of 3Shape's that nobody
            knows, or a host of another company.
        region: The account's ``Region``: whole, only its name, null, left out, or a region that
            nobody knows.
        services: ``GET /api/services/default/{kind}``.
        servers: ``GET /api/servers``.
        master_data: ``GET /api/regions/masterdataserver/{country}/15``.
        applications: The Applications page as an API, which is assumed.
        pending: ``ConnectionAccepted`` of a request that waits; ``either`` alternates.
        removal: Who may delete a connection.
        actors: E-mail and name of a case's actors: shown, or empty as in the documentation's
            picture.
        updated_until: What ``to`` does in ``updatedcases``: it ends the span, is ignored, or is
            refused.
        sentences: Communicate's refusals as a bare JSON string, or as ``{"Message": …}``.
        code_layers: How often a classic code is percent-encoded in the redirect, 0 to 3; 2 is
            what the guide's address bar shows.
        password_refused: A wrong password in the password grant: 401 without a body as
            documented, 401 or 400 with ``invalid_grant``, or 401 with a page.
        offline_access: Whether a classic refresh token needs the scope ``offline_access``.
        rotation: What a refresh does to the account dialect's refresh token: a new one replaces
            it, it is sent again, or it is not mentioned and stays.
        iss: Whether the account dialect's answer names its issuer.
        issuer: Whether that issuer ends in a slash.
        revocation: The account dialect's revocation endpoint, which is assumed.
        discovery: The account dialect's discovery documents.
        portal_api: OrmcoDigital's API, which is assumed.  Its pages stay whatever this says.
    """

    roles: Literal["shown", "absent", "null", "empty", "text", "renamed"] = "shown"
    user_types: Literal["shown", "null", "renamed"] = "shown"
    region_uri: Literal["published", "v1.5", "address", "null", "absent", "unknown", "foreign"] = (
        "published"
    )
    region: Literal["whole", "name", "null", "absent", "unknown"] = "whole"
    services: Named = "served"
    servers: Named = "served"
    master_data: Named = "served"
    applications: Served = "served"
    pending: Literal["either", "false", "null"] = "either"
    removal: Literal["both", "inviter", "remote"] = "both"
    actors: Literal["named", "unnamed"] = "named"
    updated_until: Literal["heeded", "ignored", "refused"] = "heeded"
    sentences: Literal["text", "object"] = "text"
    code_layers: Literal[0, 1, 2, 3] = 2
    password_refused: Literal["empty", "invalid_grant", "400", "html"] = "empty"
    offline_access: Literal["needed", "not_needed"] = "not_needed"
    rotation: Literal["rotated", "kept", "omitted"] = "rotated"
    iss: Literal["sent", "absent"] = "sent"
    issuer: Literal["plain", "slash"] = "plain"
    revocation: Served = "served"
    discovery: Served = "served"
    portal_api: Served = "served"

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            allowed = choices()[name]
            if value not in allowed or isinstance(value, bool):
                raise ValueError(f"{name} is one of {', '.join(map(str, allowed))}")

    def with_changes(self, changes: Mapping[str, object]) -> Switches:
        """The same with some in another position; a number may be given as text.

        Raises:
            ValueError: There is no such switch, or it has no such position.
        """
        known = choices()
        for name in changes:
            if name not in known:
                raise ValueError(f"there is no switch {name!r}; there are {', '.join(known)}")
        texts = {name: {str(each): each for each in known[name]} for name in changes}
        values = {name: texts[name].get(str(value), value) for name, value in changes.items()}
        return replace(self, **values)  # type: ignore[arg-type]

    def as_dict(self) -> dict[str, Value]:
        """Every switch and its position."""
        return asdict(self)


@functools.cache
def choices() -> dict[str, tuple[Value, ...]]:
    """Every switch, and the positions it has."""
    return {name: get_args(hint) for name, hint in get_type_hints(Switches).items()}
