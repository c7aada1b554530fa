"""Communicate's user and case services, endpoint by endpoint [doc unless marked otherwise]."""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict, TypeAdapter

from ormco_trios.communicate.models import Application, Case, CaseIncrement, CasePage, User
from ormco_trios.core.answers import (
    error_as,
    json_as,
    json_list_as,
    json_text,
    nothing,
    refusal,
)
from ormco_trios.core.environment import Service
from ormco_trios.core.errors import ApiError, NotFound, PermissionDenied
from ormco_trios.core.operation import Operation, Safety
from ormco_trios.core.transport import Answer


def refuse(operation: Operation[Any], answer: Answer) -> ApiError:
    """As `core.answers.refusal`; Communicate says *not found* and *forbidden* with 400 [doc]."""
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

ME = Operation(
    "users.me", Service.COMMUNICATE, "GET", "/api/users/me", parse=json_as(User), refuse=refuse
)
USER = Operation(
    "users.get", Service.COMMUNICATE, "GET", "/api/users/{user}", parse=json_as(User), refuse=refuse
)
REQUEST = Operation(
    "connections.request",
    Service.COMMUNICATE,
    "POST",
    "/api/users/{user}/requestconnection/{remote}",
    parse=nothing,
    refuse=refuse,
    safety=Safety.WRITE,
)
APPROVE = Operation(
    "connections.approve",
    Service.COMMUNICATE,
    "POST",
    "/api/users/{user}/connection/{connection}/approve",
    parse=nothing,
    refuse=refuse,
    safety=Safety.IDEMPOTENT,
)
REMOVE = Operation(  # [assumed]: the red X of the guide's screen
    "connections.remove",
    Service.COMMUNICATE,
    "DELETE",
    "/api/users/{user}/connection/{connection}",
    parse=nothing,
    refuse=refuse,
    safety=Safety.IDEMPOTENT,
)
APPLICATIONS = Operation(  # [assumed]: what the Applications page shows
    "applications.list",
    Service.COMMUNICATE,
    "GET",
    "/api/users/{user}/applications",
    parse=json_list_as(list[Application]),
    refuse=refuse,
)
REMOVE_APPLICATION = Operation(  # [assumed]: its square icon
    "applications.remove",
    Service.COMMUNICATE,
    "DELETE",
    "/api/users/{user}/applications/{application}",
    parse=nothing,
    refuse=refuse,
    safety=Safety.IDEMPOTENT,
)
CASES = Operation(
    "cases.list", Service.METADATA, "GET", "/api/cases", parse=json_as(CasePage), refuse=refuse
)
SEARCH = Operation(
    "cases.search",
    Service.METADATA,
    "GET",
    "/api/cases/search",
    parse=json_as(CasePage),
    refuse=refuse,
)
UPDATED = Operation(
    "cases.updated",
    Service.METADATA,
    "GET",
    "/api/updatedcases",
    parse=json_list_as(list[Case]),
    refuse=refuse,
)
CASE = Operation(
    "cases.get", Service.METADATA, "GET", "/api/cases/{case}", parse=json_as(Case), refuse=refuse
)
VERSION = Operation(
    "cases.version",
    Service.METADATA,
    "GET",
    "/api/cases/{case}/version/{version}",
    parse=json_as(Case),
    refuse=refuse,
)
INCREMENT = Operation(
    "cases.increment",
    Service.METADATA,
    "GET",
    "/api/cases/increments/{increment}",
    parse=json_as(CaseIncrement),
    refuse=refuse,
)
COMMENT = Operation(
    "cases.comment",
    Service.METADATA,
    "GET",
    "/api/cases/{case}/comments/{comment}/text",
    parse=json_text,
    refuse=refuse,
)
SET_STATE = Operation(
    "cases.set_state",
    Service.METADATA,
    "PUT",
    "/api/cases/{case}/state/{state}",
    parse=nothing,
    refuse=refuse,
    safety=Safety.IDEMPOTENT,
)


def refuse_file(operation: Operation[Any], answer: Answer) -> ApiError:
    """As `refuse`; who may not have a file is told why [doc]."""
    error = refuse(operation, answer)
    if isinstance(error, PermissionDenied):
        error.advice = (
            "Ask 3Shape: it gives STL files to practices only if it has agreed to that; "
            "otherwise sign in with an account that takes part in the case."
        )
    return error


FILE = Operation(
    "cases.download",
    Service.METADATA,
    "GET",
    "/api/cases/{case}/attachments/{hash}",
    parse=nothing,
    refuse=refuse_file,
)
FILE_AS_PLY = Operation(  # [seen]: one program; the service converts the file
    "cases.download_as_ply",
    Service.METADATA,
    "GET",
    "/api/cases/{case}/attachments/{hash}/ply",
    parse=nothing,
    refuse=refuse_file,
)
