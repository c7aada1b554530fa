"""Reading answers: JSON into models, unsuccessful answers into errors."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, TypeAdapter

from ormco_trios.core.errors import (
    ApiError,
    InvalidRequest,
    NotFound,
    NotSignedIn,
    PermissionDenied,
    ProfileChanged,
    RateLimited,
    ServerError,
)
from ormco_trios.core.operation import Operation
from ormco_trios.core.transport import Answer

M = TypeVar("M", bound=BaseModel)

_BY_STATUS: dict[int, type[ApiError]] = {
    401: NotSignedIn,
    403: PermissionDenied,
    404: NotFound,
    412: ProfileChanged,
    429: RateLimited,
}

_SAYS: dict[type[ApiError], str] = {
    NotSignedIn: "does not accept the sign-in",
    PermissionDenied: "does not allow this account to do this",
    NotFound: "does not know this",
    ProfileChanged: "overwrote nothing, since another user saved this meanwhile",
    RateLimited: "asks for fewer requests",
    ServerError: "failed",
    InvalidRequest: "does not accept the request",
}


def json_as(model: type[M]) -> Callable[[Answer], M]:
    """A parser for an answer that holds one ``model``."""

    def parse(answer: Answer) -> M:
        return model.model_validate_json(answer.body)

    return parse


def json_list_as(kind: type[list[M]]) -> Callable[[Answer], list[M]]:
    """A parser for an answer that holds a list of models, such as ``list[User]``."""
    listed = TypeAdapter(kind, config=ConfigDict(defer_build=True))

    def parse(answer: Answer) -> list[M]:
        return listed.validate_json(answer.body)

    return parse


def json_text(answer: Answer) -> str:
    """A parser for an answer that is one JSON string."""
    return _TEXT.validate_json(answer.body)


_TEXT = TypeAdapter(str, config=ConfigDict(defer_build=True))


def content(answer: Answer) -> bytes:
    """A parser for an answer that is a file."""
    return answer.body


def nothing(_: Answer) -> None:
    """A parser for an answer whose body does not matter."""


def retry_after(answer: Answer, *, now: datetime | None = None) -> float | None:
    """The delay a ``Retry-After`` header asks for, in seconds, from either of its two forms."""
    value = answer.headers.get("retry-after")
    if value is None:
        return None
    if value.strip().isdecimal():
        return min(float(value), _LONGEST_DELAY)
    try:
        moment = parsedate_to_datetime(value)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        reference = now or parsedate_to_datetime(answer.headers["date"])
        return min(max(0.0, (moment - reference).total_seconds()), _LONGEST_DELAY)
    except (KeyError, ValueError, TypeError, OverflowError):
        return None


_LONGEST_DELAY = 1e9
"""Seconds, since a calendar cannot hold every number."""

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")


def request_id_of(answer: Answer) -> str | None:
    """The service's id for this request, unless it is something else than an id."""
    value = answer.headers.get("x-request-id", "")
    return value if _REQUEST_ID.fullmatch(value) else None


def error_as(
    cls: type[ApiError],
    operation: Operation[Any],
    answer: Answer,
    happened: str,
    *,
    advice: str | None = None,
) -> ApiError:
    """An `ApiError` of class ``cls`` that says where it happened and quotes nothing."""
    return cls(
        happened,
        operation=operation.name,
        status=answer.status,
        request_id=request_id_of(answer),
        retry_after=retry_after(answer),
        advice=advice,
    ).with_detail(where(operation, answer))


def where(operation: Operation[Any], answer: Answer) -> str:
    """An error's detail: the request, without what was in it, and the status."""
    return f"{operation.method} {operation.route}: status {answer.status}"


def refusal(operation: Operation[Any], answer: Answer) -> ApiError:
    """The error for an unsuccessful answer, by its status alone."""
    status = answer.status
    cls = _BY_STATUS.get(status, ServerError if status >= 500 else InvalidRequest)
    service = operation.service.value
    if 300 <= status < 400:
        return error_as(
            cls,
            operation,
            answer,
            f"The {service} service redirects this call elsewhere; redirects are not followed.",
            advice="Check the base URL of the service.",
        )
    return error_as(cls, operation, answer, f"The {service} service {_SAYS[cls]}.")
