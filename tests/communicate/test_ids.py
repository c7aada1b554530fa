"""An answer about something else than was asked for is an error, whatever the reason."""

from __future__ import annotations

from typing import Any

import pytest
from tests.core.test_operation import Canned, client
from tests.practices import signed_in

from ormco_trios import errors
from ormco_trios.sandbox import Sandbox

ASKED = "4a51f8a6-2879-68ab-9434-a57600ac4123"
SAME = [ASKED, ASKED.upper(), ASKED.replace("-", ""), f"{{{ASKED}}}"]
OTHERS = ["4a51f8a6-2879-68ab-9434-a57600ac4124", "xyz123", f"{ASKED}0", "somebody@clinic.example"]


@pytest.mark.parametrize("space", ["users", "cases"])
@pytest.mark.parametrize("found", [*SAME, *OTHERS])
def test_of_a_guid(both: Any, space: str, found: str) -> None:
    with Sandbox() as sandbox:
        get = getattr(signed_in(both, sandbox).communicate, space).get
        sandbox.fault(f"{space}.get", status=200, body=f'{{"Id": "{found}"}}')
        if found in SAME:
            assert get(ASKED).id == found
            return
        with pytest.raises(errors.UnexpectedAnswer, match="another id than was asked") as caught:
            get(ASKED)
    assert found not in str(caught.value)
    assert caught.value.operation == f"{space}.get"


@pytest.mark.parametrize(("asked", "found"), [("A1", "a1"), ("a1", "A1")])
def test_of_another_id(both: Any, asked: str, found: str) -> None:
    users = client(both, Canned(body=b'{"Id": "%s"}' % found.encode())).users
    assert users.get(asked).id == found
    with pytest.raises(errors.UnexpectedAnswer):
        users.get(f"{asked}1")


def test_of_an_e_mail_the_id_is_what_is_asked_for(both: Any) -> None:
    users = client(both, Canned(body=b'{"Id": "1"}')).users
    assert users.get("dr@clinic.example").id == "1"
