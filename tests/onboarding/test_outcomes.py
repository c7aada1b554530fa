"""What a person is told before they allow access."""

from __future__ import annotations

import pytest

from ormco_trios.core.clock import Clock
from ormco_trios.onboarding.outcomes import Purpose
from ormco_trios.ormcodigital.manual import HandPortal
from ormco_trios.ormcodigital.portal import PortalVisit


@pytest.mark.parametrize("purpose", Purpose)
@pytest.mark.parametrize(
    "said",
    [
        "3Shape Communicate",
        "all",
        "personal health information",
        "patients",
        "strictly confidential",
        "data controller",
        "responsible",
        "third party",
        "Cancel",
    ],
)
def test_the_explanation_says_all_that_the_consent_page_asks(purpose: Purpose, said: str) -> None:
    assert said in purpose.explanation


def test_a_person_at_the_portal_is_told_the_same() -> None:
    with pytest.raises(StopIteration) as ended:
        next(HandPortal().link(PortalVisit(Clock())))
    assert Purpose.ORMCO.explanation in " ".join(ended.value.value.steps)


def test_the_explanation_names_the_application() -> None:
    assert "the application Ormco" in Purpose.ORMCO.explanation
    assert "this program" in Purpose.SIGN_IN.explanation
