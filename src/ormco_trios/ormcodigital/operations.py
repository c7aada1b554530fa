"""The portal's endpoints.

OrmcoDigital publishes no API.  Every path here is [assumed]; the actions are the guide's screens.
``openapi.json`` beside this module is the same list for machines.  Under ``screen`` an operation's
``provenance`` has what a person does instead, which is all that is known.
"""

from __future__ import annotations

from typing import Any

from ormco_trios.core.answers import error_as, json_as, json_list_as, nothing, refusal, where
from ormco_trios.core.environment import Service
from ormco_trios.core.errors import (
    CodeRefused,
    InvalidRequest,
    NotSignedIn,
    OrmcoTriosError,
    PortalDiffers,
    PortalSignInRefused,
    ProfileChanged,
    RateLimited,
    ServerError,
)
from ormco_trios.core.operation import Operation, Safety
from ormco_trios.core.provenance import ASSUMED, Facts, fact, guide, refused
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
            "OrmcoDigital did not take the authorization code; nothing is connected."
        ).with_detail(where(operation, answer))
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
    if isinstance(error, RateLimited | ServerError):
        return error
    return differs(operation.name, answer.status)  # in the API's words, and not its answer


_SIGNED_OUT: Facts = {
    "401 not_signed_in": refused(NotSignedIn, ASSUMED),
    "401 session_expired": refused(NotSignedIn, ASSUMED),
}

SIGN_IN = Operation(
    "session.create",
    Service.ORMCODIGITAL,
    "POST",
    "/api/session",
    parse=json_as(Session),
    refuse=_refuse_sign_in,
    safety=Safety.WRITE,  # a password that may have been judged is not judged again by itself
    authenticated=False,
    provenance={
        "screen": fact("log in with user name and password", guide("OrmcoDigital 1")),
        "path": fact("JSON: `username` and `password`", ASSUMED),
        "answer": fact("`token` and `expires_in`", ASSUMED),
        "401 credentials_refused": refused(PortalSignInRefused, ASSUMED),
    },
)
PROFILE = Operation(
    "profile.get",
    Service.ORMCODIGITAL,
    "GET",
    "/api/profile",
    parse=_profile,
    refuse=_refuse,
    provenance={
        "screen": fact("open *My Account > My Profile*", guide("OrmcoDigital 1")),
        "path": fact("read the profile", ASSUMED),
        "answer": fact("a profile, and its version as `ETag`", ASSUMED),
        **_SIGNED_OUT,
    },
)
SAVE_PROFILE = Operation(
    "profile.update",
    Service.ORMCODIGITAL,
    "PUT",
    "/api/profile",
    parse=_profile,
    refuse=_refuse,
    safety=Safety.WRITE,  # commits the draft code as well, and If-Match makes a repetition fail
    provenance={
        "screen": fact("press *Update*", guide("OrmcoDigital 10")),
        "path": fact(
            "save the profile, with `If-Match`, **and** the draft code: only now is anything "
            "connected",
            ASSUMED,
        ),
        "answer": fact("the profile, and its new version as `ETag`", ASSUMED),
        "412 profile_changed": refused(ProfileChanged, ASSUMED),
        "422 code_refused": refused(CodeRefused, ASSUMED),
        "422 invalid_value": refused(InvalidRequest, ASSUMED),
        "428 precondition_required": refused(InvalidRequest, ASSUMED),
        **_SIGNED_OUT,
    },
)
METHODS = Operation(
    "submission_methods.list",
    Service.ORMCODIGITAL,
    "GET",
    "/api/submission-methods",
    parse=json_list_as(list[SubmissionMethod]),
    refuse=_refuse,
    provenance={
        "screen": fact("open the drop-down beside *Intraoral Scanner*", guide("OrmcoDigital 2")),
        "path": fact("what the account may choose", ASSUMED),
        "answer": fact("a list of submission methods", ASSUMED),
        **_SIGNED_OUT,
    },
)
AUTHORIZATION = Operation(
    "trios.authorization",
    Service.ORMCODIGITAL,
    "POST",
    "/api/integrations/3shape/authorization",
    parse=json_as(PortalAuthorization),
    refuse=_refuse,
    safety=Safety.IDEMPOTENT,  # another link does no harm
    provenance={
        "screen": fact("*Connect 3 Shape to Insignia*, then *here*", guide("OrmcoDigital 3 and 4")),
        "path": fact("a link for the practice's browser", ASSUMED),
        "answer": fact(
            "`authorization_url`, with Ormco's own client id and address, and `expires_in`",
            ASSUMED,
        ),
        **_SIGNED_OUT,
    },
)
SUBMIT_CODE = Operation(
    "trios.submit_code",
    Service.ORMCODIGITAL,
    "POST",
    "/api/integrations/3shape/code",
    parse=nothing,
    refuse=_refuse,
    safety=Safety.ONCE,
    provenance={
        "screen": fact("*Enter Code :*, then *Ok*", guide("OrmcoDigital 6 to 9")),
        "path": fact("JSON: `code`", ASSUMED),
        "answer": fact("202, and the code is kept as a **draft**", ASSUMED),
        "422 code_malformed": refused(CodeRefused, ASSUMED),
        **_SIGNED_OUT,
    },
)
STATUS = Operation(
    "trios.status",
    Service.ORMCODIGITAL,
    "GET",
    "/api/integrations/3shape",
    parse=json_as(TriosStatus),
    refuse=_refuse,
    provenance={
        "path": fact("the state of the connection to 3Shape", ASSUMED),
        "answer": fact(
            "`state` (`not_connected`, `draft`, `connected` or `needs_repair`), `connected_at` and "
            "`last_checked_at`",
            ASSUMED,
        ),
        **_SIGNED_OUT,
    },
)
DISCONNECT = Operation(
    "trios.disconnect",
    Service.ORMCODIGITAL,
    "DELETE",
    "/api/integrations/3shape",
    parse=nothing,
    refuse=_refuse,
    safety=Safety.IDEMPOTENT,
    provenance={
        "path": fact("end the connection to 3Shape", ASSUMED),
        "answer": fact("204", ASSUMED),
        **_SIGNED_OUT,
    },
)
