"""The portal's endpoints.

OrmcoDigital publishes no API.  Every path here is [assumed]; the actions are the guide's screens.
``openapi.json`` beside this module is the same list for machines.
"""

from __future__ import annotations

from typing import Any

from ormco_trios.core.answers import error_as, json_as, json_list_as, nothing, refusal
from ormco_trios.core.environment import Service
from ormco_trios.core.errors import (
    CodeRefused,
    NotSignedIn,
    OrmcoTriosError,
    PortalDiffers,
    PortalSignInRefused,
)
from ormco_trios.core.operation import Operation, Safety
from ormco_trios.core.transport import Answer
from ormco_trios.ormcodigital.models import (
    PortalAuthorization,
    PortalErrorReply,
    PortalProblem,
    Profile,
    Session,
    SubmissionMethod,
    TriosStatus,
)


def _profile(answer: Answer) -> Profile:
    profile = Profile.model_validate_json(answer.body)
    return profile.model_copy(update={"etag": answer.headers.get("etag", "")})


def _problem(answer: Answer) -> PortalProblem | None:
    """What the API's own error body says; None if this is not one."""
    try:
        return PortalErrorReply.model_validate_json(answer.body).error
    except ValueError:
        return None


def differs(operation: str, status: int, *, seen: str = "") -> PortalDiffers:
    """That this is not the interface that the contract assumes."""
    return PortalDiffers(
        "OrmcoDigital publishes no interface; this address answered differently from the one we "
        f"assumed (status {status}).{seen}",
        operation=operation,
        status=status,
    )


def _refuse(operation: Operation[Any], answer: Answer) -> OrmcoTriosError:
    """As `core.answers.refusal`, where it is the API that speaks; a 422 can be about the code."""
    problem = _problem(answer)
    if problem is None and answer.status != 429 and answer.status < 500:
        return differs(operation.name, answer.status)
    if answer.status == 422 and problem is not None and problem.field == "code":
        return CodeRefused(
            "OrmcoDigital did not take the authorization code; nothing is connected. "
            f"[{operation.method} {operation.route}: status 422]"
        )
    return refusal(operation, answer)


def _refuse_sign_in(operation: Operation[Any], answer: Answer) -> OrmcoTriosError:
    error = _refuse(operation, answer)
    if isinstance(error, NotSignedIn):
        return error_as(
            PortalSignInRefused,
            operation,
            answer,
            "OrmcoDigital refused the user name or password.",
        )
    return error


PROBE = Operation(
    "session.probe",
    Service.ORMCODIGITAL,
    "GET",
    "/api/integrations/3shape",
    parse=nothing,
    refuse=_refuse,
    authenticated=False,
)
"""Asks without signing in: the API refuses in its own words, and anything else is not the API."""
SIGN_IN = Operation(
    "session.create",
    Service.ORMCODIGITAL,
    "POST",
    "/api/session",
    parse=json_as(Session),
    refuse=_refuse_sign_in,
    safety=Safety.IDEMPOTENT,
    authenticated=False,
)
PROFILE = Operation(
    "profile.get",
    Service.ORMCODIGITAL,
    "GET",
    "/api/profile",
    parse=_profile,
    refuse=_refuse,
)
SAVE_PROFILE = Operation(
    "profile.update",
    Service.ORMCODIGITAL,
    "PUT",
    "/api/profile",
    parse=_profile,
    refuse=_refuse,
    safety=Safety.WRITE,  # commits the draft code as well, and If-Match makes a repetition fail
)
METHODS = Operation(
    "submission_methods.list",
    Service.ORMCODIGITAL,
    "GET",
    "/api/submission-methods",
    parse=json_list_as(list[SubmissionMethod]),
    refuse=_refuse,
)
AUTHORIZATION = Operation(
    "trios.authorization",
    Service.ORMCODIGITAL,
    "POST",
    "/api/integrations/3shape/authorization",
    parse=json_as(PortalAuthorization),
    refuse=_refuse,
    safety=Safety.IDEMPOTENT,  # another link does no harm
)
SUBMIT_CODE = Operation(
    "trios.submit_code",
    Service.ORMCODIGITAL,
    "POST",
    "/api/integrations/3shape/code",
    parse=nothing,
    refuse=_refuse,
    safety=Safety.ONCE,
)
STATUS = Operation(
    "trios.status",
    Service.ORMCODIGITAL,
    "GET",
    "/api/integrations/3shape",
    parse=json_as(TriosStatus),
    refuse=_refuse,
)
DISCONNECT = Operation(
    "trios.disconnect",
    Service.ORMCODIGITAL,
    "DELETE",
    "/api/integrations/3shape",
    parse=nothing,
    refuse=_refuse,
    safety=Safety.IDEMPOTENT,
)
