"""What a person is told before they allow access."""

from __future__ import annotations

import pytest

from ormco_trios.onboarding.outcomes import Purpose


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


def test_the_explanation_names_the_application() -> None:
    assert "the application Ormco" in Purpose.ORMCO.explanation
    assert "this program" in Purpose.SIGN_IN.explanation
