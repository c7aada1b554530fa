"""Communicate's user and case services, endpoint by endpoint; each says how it is known."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from pydantic import ConfigDict, TypeAdapter, ValidationError

from ormco_trios.communicate.models import (
    Application,
    Case,
    CaseIncrement,
    CasePage,
    ServerAddress,
    User,
)
from ormco_trios.core.answers import (
    content,
    error_as,
    json_as,
    json_list_as,
    json_text,
    nothing,
    refusal,
)
from ormco_trios.core.environment import Service
from ormco_trios.core.errors import ApiError, InvalidRequest, NotFound, PermissionDenied
from ormco_trios.core.log import logger
from ormco_trios.core.operation import Operation, Safety
from ormco_trios.core.provenance import (
    ASSUMED,
    INFERRED,
    ONE_SEEN,
    Citation,
    Facts,
    client,
    doc,
    fact,
    refused,
)
from ormco_trios.core.transport import Answer


def refuse(operation: Operation[Any], answer: Answer) -> ApiError:
    """As `core.answers.refusal`; *not found* and *forbidden* come as 400 and a sentence.

    That is so in the case service [doc].  The user service's documentation names no refusal at
    all, so the same is expected of it [assumed], and no sentence has to be the documented one.
    """
    if answer.status != 400:
        return refusal(operation, answer)
    sentence = _sentence(answer.body).casefold()
    if "permission" in sentence:
        return error_as(
            PermissionDenied, operation, answer, "Communicate does not allow this account to do it."
        )
    if "could be found" in sentence or "not found" in sentence:
        return error_as(NotFound, operation, answer, "Communicate does not know this id.")
    return refusal(operation, answer)


def _sentence(body: bytes) -> str:
    """The sentence of a 400, whether it comes bare, as a JSON string, or in an object."""
    try:
        value = _SENTENCE.validate_json(body[:4096])
    except ValueError:
        return body[:4096].decode("utf-8", "replace")
    return value if isinstance(value, str) else " ".join(map(str, value.values()))


_SENTENCE: TypeAdapter[str | dict[str, object]] = TypeAdapter(
    str | dict[str, object], config=ConfigDict(defer_build=True)
)

_NO_USER: Facts = {"400 No user with Id {id} could be found": refused(NotFound, ASSUMED)}
_FORBIDDEN = "400 You don't have permission to access this resource."
_NO_CONNECTION: Facts = {
    _FORBIDDEN: refused(PermissionDenied, ASSUMED),
    "400 No connection with Id {id} could be found": refused(NotFound, ASSUMED),
}

_SERVERS: TypeAdapter[list[str | ServerAddress]] = TypeAdapter(
    list[str | ServerAddress], config=ConfigDict(defer_build=True)
)


M = TypeVar("M")


def readable(parse: Callable[[Answer], M]) -> Callable[[Answer], M]:
    """A parser of cases in which one odd field stops neither its case nor any other.

    A field that has another form than documented is left out.  That never holds for the ids, which
    say whose a case is.
    """

    def parse_what_fits(answer: Answer) -> M:
        try:
            return parse(answer)
        except ValidationError as error:
            problems = error.errors(include_url=False, include_context=False, include_input=False)
            if any(problem["type"] == "json_invalid" for problem in problems):
                raise
        value = json.loads(answer.body)
        odd = [place for problem in problems if (place := _place(value, problem["loc"]))]
        for holder, key in odd:
            if isinstance(holder, list):
                holder[key] = {}
            elif key not in _NEEDED:
                holder.pop(key, None)
        logger.warning("%d fields of cases are not as documented and are left out", len(odd))
        return parse(replace(answer, body=json.dumps(value).encode()))

    return parse_what_fits


_NEEDED = frozenset({"Id", "CreatorId", "Actors", "Cases"})
"""Without these, a case could be missed or shown to another practice."""


def _place(value: Any, path: tuple[int | str, ...]) -> tuple[Any, Any] | None:
    """The object or list that holds what ``path`` names, and where in it; None for all of it.

    A path can go on with what it was tried as: ``("StateFlag", "int")``.
    """
    place: tuple[Any, Any] | None = None
    for step in path:
        try:
            inner = value[step]
        except (LookupError, TypeError):
            break
        place, value = (value, step), inner
    return place


def read_servers(answer: Answer) -> list[str | ServerAddress]:
    """A list of base addresses [seen], as texts or in objects [assumed]."""
    return _SERVERS.validate_json(answer.body)


APPLICATIONS_PAGE = "/User/Applications"
"""Where an account sees which applications it has given access [guide]; it may have moved."""

ME = Operation(
    "users.me",
    Service.COMMUNICATE,
    "GET",
    "/api/users/me",
    parse=json_as(User),
    refuse=refuse,
    provenance={
        "path": fact("the account that the token belongs to", doc("U2.2")),
        "answer": fact("a user object", doc("U2.2")),
    },
)
USER = Operation(
    "users.get",
    Service.COMMUNICATE,
    "GET",
    "/api/users/{user}",
    parse=json_as(User),
    refuse=refuse,
    provenance={
        "path": fact("an account by its id or its e-mail: so a lab is found", doc("U2.2")),
        "answer": fact("a user object, filtered by the relationship with it", doc("U2.2")),
        **_NO_USER,
    },
)
LOGO = Operation(
    "users.logo",
    Service.COMMUNICATE,
    "GET",
    "/api/users/{user}/logo",
    parse=content,
    refuse=refuse,
    provenance={
        "path": fact("an account's logo", client("UserService.Client")),
        "answer": fact("the picture's bytes", client("UserService.Client")),
        _FORBIDDEN: refused(PermissionDenied, ASSUMED),
        **_NO_USER,
    },
)
REQUEST = Operation(
    "connections.request",
    Service.COMMUNICATE,
    "POST",
    "/api/users/{user}/requestconnection/{remote}",
    parse=nothing,
    refuse=refuse,
    safety=Safety.WRITE,
    provenance={
        "path": fact("ask another account for a connection", doc("U3.1")),
        "answer": fact("200, a connection object", doc("U3.1")),
        "400 A connection with this user exists already.": refused(InvalidRequest, ASSUMED),
        _FORBIDDEN: refused(PermissionDenied, ASSUMED),
        **_NO_USER,
    },
)
APPROVE = Operation(
    "connections.approve",
    Service.COMMUNICATE,
    "POST",
    "/api/users/{user}/connection/{connection}/approve",
    parse=nothing,
    refuse=refuse,
    safety=Safety.IDEMPOTENT,
    provenance={
        "path": fact("accept a request, with the token of the account asked", doc("U3.2")),
        "answer": fact("200", doc("U3.2")),
        **_NO_CONNECTION,
    },
)
REMOVE = Operation(
    "connections.remove",
    Service.COMMUNICATE,
    "DELETE",
    "/api/users/{user}/connection/{connection}",
    parse=nothing,
    refuse=refuse,
    safety=Safety.IDEMPOTENT,
    provenance={
        "path": fact("reject or remove a connection, whatever its state", doc("U3.3")),
        "answer": fact("200", doc("U3.3")),
        **_NO_CONNECTION,
    },
)
APPLICATIONS = Operation(
    "applications.list",
    Service.COMMUNICATE,
    "GET",
    "/api/users/{user}/applications",
    parse=json_list_as(list[Application]),
    refuse=refuse,
    provenance={
        "path": fact("what the Applications page shows", ASSUMED),
        "answer": fact("a list of applications", ASSUMED),
        _FORBIDDEN: refused(PermissionDenied, ASSUMED),
    },
)
REMOVE_APPLICATION = Operation(
    "applications.remove",
    Service.COMMUNICATE,
    "DELETE",
    "/api/users/{user}/applications/{application}",
    parse=nothing,
    refuse=refuse,
    safety=Safety.IDEMPOTENT,
    provenance={
        "path": fact("what the icon beside an application does", ASSUMED),
        "answer": fact("200", ASSUMED),
        "400 No application with Id {id} could be found": refused(NotFound, ASSUMED),
        _FORBIDDEN: refused(PermissionDenied, ASSUMED),
    },
)
DEFAULT_SERVER = Operation(
    "services.default",
    Service.COMMUNICATE,
    "GET",
    "/api/services/default/{kind}",
    parse=json_as(ServerAddress),
    refuse=refuse,
    provenance={
        "path": fact(
            "the account's own server of a kind: `MetaDataService` has its cases",
            client("UserService.Client"),
        ),
        "answer": fact("`Id`, `Uri`, `ServiceType`", client("UserService.Dto")),
    },
)
SERVERS = Operation(
    "servers.list",
    Service.METADATA,
    "GET",
    "/api/servers",
    parse=read_servers,
    refuse=refuse,
    provenance={
        "path": fact("the servers, at any of them", client("ApiEndpoints.html"), ONE_SEEN),
        "answer": fact(
            "a list of base addresses that end in `/api/`, the account's own first", ONE_SEEN
        ),
    },
)


def _one_case(citation: Citation) -> Facts:
    return {
        "400 No case with Id {id} could be found": refused(NotFound, citation),
        "400 You don't have permission to access case {id}": refused(PermissionDenied, citation),
    }


_PAGE = "`Cases`, at most 10 and the newest first, and `Count`"

CASES = Operation(
    "cases.list",
    Service.METADATA,
    "GET",
    "/api/cases",
    parse=readable(json_as(CasePage)),
    refuse=refuse,
    provenance={
        "path": fact("query: `page` from 0, and perhaps `from` and `to`", doc("M2.3")),
        "answer": fact(_PAGE, doc("M2.3")),
    },
)
SEARCH = Operation(
    "cases.search",
    Service.METADATA,
    "GET",
    "/api/cases/search",
    parse=readable(json_as(CasePage)),
    refuse=refuse,
    provenance={
        "path": fact(
            "query: as the list, and `searchString`. The text and the example say so; the address "
            "lines of the same section say `/api/cases?searchString=`",
            doc("M2.5"),
        ),
        "answer": fact(_PAGE, doc("M2.5")),
    },
)
UPDATED = Operation(
    "cases.updated",
    Service.METADATA,
    "GET",
    "/api/updatedcases",
    parse=readable(json_list_as(list[Case])),
    refuse=refuse,
    provenance={
        "path": fact(
            "query: `from`, and perhaps `to`. The section prints another call's address for `to`; "
            "the picture and the client's list have it",
            doc("M2.4, OAuth2Flow2.png"),
            client("ApiEndpoints.html"),
        ),
        "answer": fact("a list of cases, not in pages", doc("M2.4")),
    },
)
CASE = Operation(
    "cases.get",
    Service.METADATA,
    "GET",
    "/api/cases/{case}",
    parse=readable(json_as(Case)),
    refuse=refuse,
    provenance={
        "path": fact("a case by its id", doc("M2.1"), client("ApiEndpoints.html")),
        "answer": fact("a case object, in its latest version", doc("M2.1")),
        **_one_case(doc("M2.1")),
    },
)
VERSION = Operation(
    "cases.version",
    Service.METADATA,
    "GET",
    "/api/cases/{case}/version/{version}",
    parse=readable(json_as(Case)),
    refuse=refuse,
    provenance={
        "path": fact("a version of a case, by its number", doc("M2.2")),
        "answer": fact("a case object; every update saves a whole version", doc("M2.2")),
        **_one_case(doc("M2.2")),
    },
)
INCREMENT = Operation(
    "cases.increment",
    Service.METADATA,
    "GET",
    "/api/cases/increments/{increment}",
    parse=json_as(CaseIncrement),
    refuse=refuse,
    provenance={
        "path": fact(
            "a case increment by its id. The client's list says `/api/caseincrements/{guid}`",
            doc("M2.6"),
            client("ApiEndpoints.html"),
        ),
        "answer": fact("a case increment object, of which nothing is published", doc("M3.3")),
        "400 No increment with Id {id} could be found": refused(NotFound, doc("M3.3")),
    },
)
COMMENT = Operation(
    "cases.comment",
    Service.METADATA,
    "GET",
    "/api/cases/{case}/comments/{comment}/text",
    parse=json_text,
    refuse=refuse,
    provenance={
        "path": fact("the text of a comment", doc("M3.4"), client("ApiEndpoints.html")),
        "answer": fact("a JSON string", doc("M3.4")),
        "400 Comment not found": refused(NotFound, doc("M3.4")),
        **_one_case(doc("M3.4")),
    },
)
SET_STATE = Operation(
    "cases.set_state",
    Service.METADATA,
    "PUT",
    "/api/cases/{case}/state/{state}",
    parse=nothing,
    refuse=refuse,
    safety=Safety.IDEMPOTENT,
    provenance={
        "path": fact("approve or reject a case: `approved` or `rejected`", doc("M4.4")),
        "answer": fact("200, empty", doc("M4.4")),
        "400 Unsupported state: {id}": refused(InvalidRequest, doc("M4.4")),
        "400 No case with Id {id} could be found": refused(NotFound, doc("M4.4")),
        "400 You don't have permission to access case {id}": refused(PermissionDenied, INFERRED),
    },
)


def refuse_file(operation: Operation[Any], answer: Answer) -> ApiError:
    """As `refuse`; says who may not have which file [doc WF2]."""
    error = refuse(operation, answer)
    if isinstance(error, PermissionDenied):
        error.advice = (
            "A practice's sign-in gets no STL files: download them with the account of the lab, "
            "for which 3Shape grants it case by case, and which takes part in the case."
        )
    return error


FILE = Operation(
    "cases.download",
    Service.METADATA,
    "GET",
    "/api/cases/{case}/attachments/{hash}",
    parse=nothing,
    refuse=refuse_file,
    provenance={
        "path": fact(
            "a file by its hash: so the example. The address line says `{attachmentId}`, the "
            "client's list a GUID",
            doc("M3.1"),
            client("ApiEndpoints.html"),
        ),
        "answer": fact("a stream of bytes, `application/octet-stream`", doc("M3.1")),
        _FORBIDDEN: refused(PermissionDenied, doc("M3.1")),
        **_one_case(INFERRED),
    },
)
FILE_AS_PLY = Operation(
    "cases.ply",
    Service.METADATA,
    "GET",
    "/api/cases/{case}/attachments/{hash}/ply",
    parse=nothing,
    refuse=refuse_file,
    provenance={
        "path": fact("a scan, which the service converts to PLY", ONE_SEEN),
        "answer": fact("a stream of bytes", ONE_SEEN),
        _FORBIDDEN: refused(PermissionDenied, INFERRED),
        **_one_case(INFERRED),
    },
)
