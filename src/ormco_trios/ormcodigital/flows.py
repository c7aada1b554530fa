"""What takes more than one call at the portal: saving, and the code with its *Update*."""

from __future__ import annotations

import json
from typing import Literal, Protocol

from ormco_trios.core.effects import Call, Flow
from ormco_trios.core.errors import (
    CodeOutcomeUnknown,
    DraftLost,
    OutcomeUnknown,
    ProfileChanged,
    ServerError,
)
from ormco_trios.ormcodigital.models import Profile, SubmissionMethod, TriosState, TriosStatus
from ormco_trios.ormcodigital.operations import (
    PROFILE,
    SAVE_PROFILE,
    STATUS,
    SUBMIT_CODE,
)

SAVES = 3
"""How often a change of our own single field is applied again when the profile moved under it."""


class PortalCode(Protocol):
    """A single-use code; `ormco_trios.AuthorizationCode` is one."""

    def spend(self, purpose: str) -> None:
        """Mark the code as used.

        Raises:
            CodeSpent: It was used before.
        """
        ...

    def reveal(self, form: Literal["portal"], /) -> str:
        """The code as the portal's field wants it."""
        ...


def save_profile(profile: Profile) -> Flow[Profile]:
    """*Update*: saves the profile, and with it a draft code.

    Raises:
        ProfileChanged: It is no longer the version that was read.
    """
    return (
        yield from Call(
            SAVE_PROFILE,
            body=profile.model_dump_json().encode(),
            headers={"If-Match": profile.etag},
        )
    )


def set_submission_method(method: SubmissionMethod) -> Flow[Profile]:
    """Change the submission method and nothing else; saves nothing when it is set already."""
    profile = yield from Call(PROFILE)
    if profile.submission_method == method:
        return profile
    return (yield from _save_with(method, profile))


def submit_code(code: PortalCode, known: Profile | None = None) -> Flow[TriosStatus]:
    """Hand the code over and press *Update*: without that the portal forgets it.

    Args:
        code: The code.
        known: The profile as it was read a while ago; if it has changed since, it is read again.

    Raises:
        CodeSpent: The code was used before; nothing was sent.
        CodeRefused: The portal did not take it.
        DraftLost: The portal lost it before it was saved.
        CodeOutcomeUnknown: It is unclear whether it arrived; look at the status.
    """
    code.spend("the hand-over to OrmcoDigital")
    body = json.dumps({"code": code.reveal("portal")}).encode()
    doubt: CodeOutcomeUnknown | ServerError | None = None
    try:
        yield from Call(SUBMIT_CODE, body=body)
    except (CodeOutcomeUnknown, ServerError) as error:
        doubt = error
    if doubt is not None:
        status = yield from Call(STATUS)
        if status.state is not TriosState.DRAFT:
            raise CodeOutcomeUnknown(doubt.happened).with_detail(doubt.detail)
    return (yield from save_draft(known))


def save_draft(known: Profile | None = None) -> Flow[TriosStatus]:
    """Press *Update* for a code that was entered before.

    Args:
        known: As for `submit_code`.

    Raises:
        DraftLost: There is no draft any more, and the portal is not connected.
        CodeRefused: The portal did not take the code.
    """
    for last in (False, True):
        # What has no version could overwrite what was saved elsewhere meanwhile.
        profile = known if known is not None and known.etag else (yield from Call(PROFILE))
        known = None
        doubt: OutcomeUnknown | ServerError | None = None
        try:
            yield from _save_with(SubmissionMethod.trios(), profile)
        except (OutcomeUnknown, ServerError) as error:
            doubt = error
        status = yield from Call(STATUS)
        if status.state is TriosState.CONNECTED:
            return status
        # Looking has shown that it was not saved, so saving once more is safe.
        if doubt is not None and (last or status.state is not TriosState.DRAFT):
            raise doubt
        if doubt is None:
            break
    raise DraftLost(
        "OrmcoDigital saved the profile, but the authorization code that was entered before is "
        "gone: the portal is not connected."
    )


def _save_with(method: SubmissionMethod, profile: Profile) -> Flow[Profile]:
    """Save ``profile`` with another method, reading it again when another save came first."""
    for _ in range(SAVES - 1):
        try:
            return (
                yield from save_profile(profile.model_copy(update={"submission_method": method}))
            )
        except ProfileChanged:
            profile = yield from Call(PROFILE)
    return (yield from save_profile(profile.model_copy(update={"submission_method": method})))
