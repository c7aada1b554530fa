"""A code is one object, used once, and shows nothing of itself."""

from __future__ import annotations

import copy
import json
import logging
import pickle
import pprint
import threading
import traceback
import warnings
from base64 import urlsafe_b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ormco_trios.core import errors
from ormco_trios.core.clock import ManualClock
from ormco_trios.oauth.code import AuthorizationCode, UnrecognisedCodeWarning
from ormco_trios.oauth.paste import MAX_LENGTH
from ormco_trios.oauth.shape import CodeShape


def classic_code(handle: str = "Kq-3") -> str:
    """An invented code with the layout of the classic sign-in."""
    message = b"\x01" + bytes(range(100, 148))
    payload = b"\x20\0\0\0" + bytes(range(200, 232)) + len(message).to_bytes(4, "little") + message
    return f"{handle}!{urlsafe_b64encode(payload).decode().rstrip('=')}"


CODE = classic_code()
STATE = "Zm9vYmFyYmF6cXV4"
ADDRESS = f"https://ormco.com/?code={CODE.replace('!', '%2521')}&state={STATE}"


def test_what_a_code_knows() -> None:
    clock = ManualClock(datetime(2026, 3, 1, 9, 0, tzinfo=UTC))
    code = AuthorizationCode.from_pasted(ADDRESS, expected_state=STATE, clock=clock)
    assert (code.layers, code.recognised, code.complete) == (2, True, True)
    assert code.state_checked
    assert code.issuer is None
    assert code.received_at == datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
    assert code.expires_at == datetime(2026, 3, 1, 9, 3, tzinfo=UTC)
    assert not code.spent


def test_three_renderings_chosen_by_name() -> None:
    code = AuthorizationCode.from_pasted(ADDRESS)
    assert code.reveal("canonical") == CODE
    assert code.reveal("portal") == CODE.replace("!", "%21")
    assert code.reveal("as_pasted") == CODE.replace("!", "%2521")
    with pytest.raises(ValueError, match="portal"):
        code.reveal("url")  # type: ignore[arg-type]


def test_a_portal_gets_every_odd_character_escaped_once() -> None:
    with pytest.warns(UnrecognisedCodeWarning):
        code = AuthorizationCode("4/0A+b=%21~")
    assert code.reveal("portal") == "4%2F0A%2Bb%3D%2521~"


def test_an_unknown_lifetime_is_not_guessed() -> None:
    code = AuthorizationCode.from_pasted("B3F1A0-1", shape=CodeShape.opaque())
    assert code.expires_at is None
    known = CodeShape.opaque(lifetime=timedelta(minutes=5))
    code = AuthorizationCode.from_pasted("B3F1A0-1", shape=known, clock=ManualClock(0.0))
    assert code.expires_at == datetime(1970, 1, 1, 0, 5, tzinfo=UTC)


# --- one use --------------------------------------------------------------------------------


def test_a_second_use_names_the_first() -> None:
    code = AuthorizationCode.from_pasted(ADDRESS)
    code.spend("the token exchange")
    assert code.spent
    for second in ("OrmcoDigital", "the token exchange"):
        with pytest.raises(errors.CodeSpent, match="for the token exchange;"):
            code.spend(second)
    assert code.reveal("canonical") == CODE  # the flow that spent it still has to read it


def test_of_many_threads_one_gets_it() -> None:
    code = AuthorizationCode.from_pasted(ADDRESS)
    start, won, lost = threading.Barrier(16), list[int](), list[int]()

    def use(number: int) -> None:
        start.wait()
        try:
            code.spend(f"thread {number}")
        except errors.CodeSpent:
            lost.append(number)
        else:
            won.append(number)

    threads = [threading.Thread(target=use, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert len(lost) == 15


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy])
def test_it_cannot_be_copied(duplicate: Callable[[AuthorizationCode], object]) -> None:
    with pytest.raises(TypeError, match="one reader"):
        duplicate(AuthorizationCode.from_pasted(ADDRESS))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_it_cannot_be_pickled(protocol: int) -> None:
    with pytest.raises(TypeError, match="one reader"):
        pickle.dumps([AuthorizationCode.from_pasted(ADDRESS)], protocol)


# --- shows nothing --------------------------------------------------------------------------


def secrets(text: str, *, of: str) -> list[str]:
    """The parts of ``of``, eight characters long, that are in ``text``."""
    return [of[i : i + 8] for i in range(len(of) - 7) if of[i : i + 8] in text]


def test_repr_and_str_show_four_characters_and_the_length() -> None:
    code = AuthorizationCode.from_pasted(ADDRESS)
    assert repr(code) == f"<AuthorizationCode Kq-3..., {len(CODE)} characters>"
    assert str(code) == f"{code}" == repr(code)
    code.spend("a test")
    assert repr(code).endswith(", spent>")
    for text, shown in (("a" * 15, ""), ("a" * 16, "aaaa")):
        short = AuthorizationCode.from_pasted(text, shape=CodeShape.opaque())
        assert repr(short) == f"<AuthorizationCode {shown}..., {len(text)} characters>"


def test_no_way_around_it(caplog: pytest.LogCaptureFixture) -> None:
    code = AuthorizationCode.from_pasted(ADDRESS, expected_state=STATE)
    assert not hasattr(code, "__dict__")
    logging.getLogger("test").warning("%s %r", code, [code])
    shown = [
        caplog.text,
        pprint.pformat({"code": code}),
        json.dumps({"code": code}, default=str),
        "".join(repr(getattr(code, name)) for name in AuthorizationCode.__slots__),
    ]
    assert secrets("\n".join(shown), of=CODE) == []


def traceback_of(call: Callable[[], object]) -> tuple[BaseException, str]:
    """The exception that ``call`` raises, and the library's frames in it with their locals."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            call()
        except Exception as error:  # noqa: BLE001
            report = traceback.TracebackException.from_exception(error, capture_locals=True)
            ours = [frame for frame in report.stack if "ormco_trios" in frame.filename]
            assert ours
            # The lines of source are ours and no secrets; the locals are what matters.
            return error, f"{error}\n{error!r}\n{vars(error)}\n{[f.locals for f in ours]}"
    pytest.fail("nothing was raised")


REFUSED: dict[str, tuple[type[Exception], str]] = {
    "no code": (errors.NothingPasted, f"https://ormco.com/?cod={CODE}&state={STATE}"),
    "too long": (errors.NothingPasted, ADDRESS + " " * 70_000),
    "two codes": (errors.SeveralCodes, f"{ADDRESS}\n{ADDRESS.replace('Kq-3', 'Zz_9')}"),
    "too much code": (errors.CodeIncomplete, ADDRESS.replace("&state", "A&state")),
    "too little code": (errors.CodeIncomplete, ADDRESS[:60]),
    "control character": (errors.CodeIncomplete, f"{ADDRESS}\x00"),
    "ellipsis": (errors.CodeIncomplete, f"{ADDRESS}…"),
    "authorization link": (
        errors.NotTheRedirect,
        f"https://auth.example/oauth/authorise?client_id={CODE}&state={STATE}",
    ),
    "no state": (errors.StateMissing, CODE),
    "wrong state": (errors.StateMismatch, f"{ADDRESS}x"),
    "wrong issuer": (errors.IssuerMismatch, f"{ADDRESS}&iss=https://{CODE}"),
    "denied": (
        errors.ConsentDenied,
        f"{ADDRESS}&error=access_denied&error_description=the+code+{CODE}+is+no+more",
    ),
    "unknown error": (errors.AuthorizationRefused, f"{ADDRESS}&error={CODE}"),
    "unknown shape": (UnrecognisedCodeWarning, f"?code=4/x{CODE[30:]}&state={STATE}"),
}


@pytest.mark.parametrize(("kind", "text"), REFUSED.values(), ids=REFUSED)
def test_no_error_shows_it(kind: type[Exception], text: str) -> None:
    error, shown = traceback_of(
        lambda: AuthorizationCode.from_pasted(
            text, expected_state=STATE, expected_issuer="https://identity.example"
        )
    )
    assert type(error) is kind
    assert secrets(shown, of=CODE) == []
    assert secrets(shown, of=STATE) == []
    assert error.__cause__ is None
    assert error.__context__ is None


def test_no_wrong_argument_shows_it() -> None:
    wrong: Any = ADDRESS.encode()
    error, shown = traceback_of(lambda: AuthorizationCode.from_pasted(wrong, expected_state=STATE))
    assert type(error) is TypeError
    assert str(error) == "the paste must be a str, not bytes"
    assert secrets(shown, of=CODE) == secrets(shown, of=STATE) == []


def test_errors_survive_a_queue_without_it() -> None:
    text = f"{ADDRESS}&error=invalid_scope&error_description=no+such+scope"
    error, _ = traceback_of(lambda: AuthorizationCode.from_pasted(text))
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is errors.AuthorizationRefused
    assert (again.error, again.description) == ("invalid_scope", "no such scope")
    assert str(again) == str(error)


# --- made by a program ----------------------------------------------------------------------


def test_from_a_program_that_decoded_it_itself() -> None:
    moment = datetime(2026, 3, 1, tzinfo=UTC)
    code = AuthorizationCode(CODE, received_at=moment, state_checked=True)
    assert code.reveal("canonical") == code.reveal("as_pasted") == CODE
    assert (code.layers, code.recognised, code.complete) == (0, True, True)
    assert code.state_checked
    assert code.expires_at == moment + timedelta(minutes=3)
    assert AuthorizationCode(CODE[:-1]).complete is False
    assert not AuthorizationCode(CODE).state_checked


def test_a_code_can_be_as_long_as_a_paste_but_no_longer() -> None:
    anything = CodeShape(name="anything", pattern="c+")
    assert len(AuthorizationCode("c" * MAX_LENGTH, shape=anything).reveal("canonical")) == 8192
    with pytest.raises(errors.CodeIncomplete):
        AuthorizationCode("c" * (MAX_LENGTH + 1), shape=anything)


def test_a_program_that_decoded_it_once_too_few_is_warned() -> None:
    with pytest.warns(UnrecognisedCodeWarning, match="classic") as caught:
        AuthorizationCode(CODE.replace("!", "%21"))
    assert caught[0].filename == __file__


def test_the_warning_points_to_the_caller() -> None:
    with pytest.warns(UnrecognisedCodeWarning) as caught:
        AuthorizationCode.from_pasted("4/0Ab_cdefgh")
    assert caught[0].filename == __file__


@pytest.mark.parametrize(
    "text",
    ["", f"{CODE}\n", f"ü{CODE}", f"{CODE}\udc80", CODE * 80],
    ids=["empty", "wrap", "foreign", "surrogate", "long"],
)
def test_a_program_cannot_make_one_of_anything(text: str) -> None:
    error, shown = traceback_of(lambda: AuthorizationCode(text))
    assert type(error) is errors.CodeIncomplete
    assert secrets(shown, of=CODE) == []
