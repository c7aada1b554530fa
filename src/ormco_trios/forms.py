"""Forms of HTML for what a person has to do: their style, their script, and what they send.

`NeedsPerson.form` and `NeedsAuthorization.form` make them.
"""

from __future__ import annotations

from ormco_trios.onboarding.forms import SCRIPT, STYLE, read_answer

__all__ = ["SCRIPT", "STYLE", "read_answer"]
