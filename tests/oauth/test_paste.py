"""Whatever a person pastes gives the code, or one clear error.

The codes are invented, with the layout of the classic sign-in.  (The one printed in the guide has
lost characters on its way into print, so it is no example of anything.)
"""

from __future__ import annotations

import itertools
import warnings
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from ormco_trios.core import errors
from ormco_trios.oauth.code import AuthorizationCode, UnrecognisedCodeWarning
from ormco_trios.oauth.paste import MAX_PASTE
from ormco_trios.oauth.shape import CodeShape

paste = AuthorizationCode.from_pasted


def classic_code(handle: str, iv: bytes, signature: bytes, blocks: int) -> str:
    message = b"\x01" + iv + iv * blocks
    payload = b"\x20\0\0\0" + signature + len(message).to_bytes(4, "little") + message
    return f"{handle}!{urlsafe_b64encode(payload).decode().rstrip('=')}"


def encode(code: str, layers: int, *, lower: bool = False, every: bool = False) -> str:
    """``code`` in so many layers; ``every`` escapes what needs no escape as well."""
    for _ in range(layers):
        code = "".join(f"%{ord(c):02X}" for c in code) if every else quote(code, safe="")
        every = False  # in one layer: it triples the length
    return code.replace("%2D", "%2d").replace("%5F", "%5f") if lower else code


CODE = classic_code("Kq-3", bytes(range(100, 116)), bytes(range(200, 232)), 3)
OTHER = classic_code("b_7Z", bytes(range(16)), bytes(range(32)), 3)
STATE = "hG7-kd_20"
ONCE = CODE.replace("!", "%21")  # what the guide makes of it
TWICE = CODE.replace("!", "%2521")  # what the address bar shows
THRICE = CODE.replace("!", "%252521")
ADDRESS = f"https://ormco.com/?code={TWICE}"
WITH_STATE = f"{ADDRESS}&state={STATE}"
HALF = len(ADDRESS) // 2

# --- by hand: what gives the code -----------------------------------------------------------

GOOD: dict[str, tuple[str, int]] = {
    # The forms
    "whole address": (ADDRESS, 2),
    "with a state": (WITH_STATE, 2),
    "state first": (f"https://ormco.com/?state={STATE}&code={TWICE}", 2),
    "between others": (f"https://ormco.com/?a=1&code={TWICE}&session_state=x.y&scope=openid", 2),
    "no scheme": (f"ormco.com/?code={TWICE}", 2),
    "port and path": (f"http://127.0.0.1:8025/a/b?code={TWICE}", 2),
    "a redirect address like a login page's": (f"https://app.example/signin-oidc?code={TWICE}", 2),
    "query": (f"?code={TWICE}&state={STATE}", 2),
    "parameters": (f"code={TWICE}&state={STATE}", 2),
    "ampersand first": (f"&code={TWICE}", 2),
    "fragment": (f"https://ormco.com/#code={TWICE}&state={STATE}", 2),
    "query in fragment": (f"https://ormco.com/#/back?code={TWICE}", 2),
    "fragment behind": (f"{ADDRESS}#_=_", 2),
    "empty fragment": (f"{ADDRESS}#", 2),
    "empty error": (f"{ADDRESS}&error=&error_description=", 2),
    # The guide's hand edit, and what comes of it
    "edited as the guide says": (ONCE, 1),
    "front removed, 25 left": (TWICE, 2),
    "25 removed, front left": (f"https://ormco.com/?code={ONCE}", 1),
    "state left": (f"{ONCE}&state={STATE}", 1),
    "state and fragment left": (f"{TWICE}&state={STATE}#_=_", 2),
    "equals sign left": (f"={ONCE}", 1),
    "half the name left": (f"de={ONCE}", 1),
    "blanks typed": (f"{ONCE[:4]} {ONCE[4:7]} {ONCE[7:]}", 1),
    # Layers
    "canonical": (CODE, 0),
    "three layers": (f"?code={THRICE}", 3),
    "everything escaped": ("".join(f"%{ord(char):02x}" for char in CODE), 1),
    "dash escaped as well": (f"?code={ONCE.replace('-', '%2d')}", 1),
    "whole address encoded": (quote(f"https://ormco.com/?code={ONCE}&state=s", safe=""), 2),
    "whole address encoded twice": (
        quote(quote(f"https://ormco.com/?code={CODE}&state=s", safe=""), safe=""),
        2,
    ),
    "in a link checker's address": (
        f"https://checker.example/?url={quote(ADDRESS, safe='')}&data=05%7C02&reserved=0",
        3,
    ),
    # What is put around it
    "blanks": (f" \t\N{NO-BREAK SPACE}{ADDRESS}  \n", 2),
    "quotes": (f'"{ADDRESS}"', 2),
    "single quotes": (f"'{ADDRESS}'", 2),
    "typographic quotes": (f"\u201c{ADDRESS}\u201d", 2),
    "German quotes": (f"\u201e{ADDRESS}\u201c", 2),
    "French quotes": (f"\u00ab {ADDRESS} \u00bb", 2),
    "angle brackets": (f"<{ADDRESS}>", 2),
    "brackets and a comma": (f"({ADDRESS}),", 2),
    "backticks": (f"```\n{ADDRESS}\n```", 2),
    "Markdown": (f"[{ADDRESS[:30]}…]({ADDRESS})", 2),
    "byte order mark": (f"\ufeff{ADDRESS}", 2),
    # What gets into it
    "wrap": (f"{ADDRESS[:HALF]}\n{ADDRESS[HALF:]}", 2),
    "wrap in Windows": (f"{ADDRESS[:HALF]}\r\n{ADDRESS[HALF:]}", 2),
    "wrap with indentation": (f"    {ADDRESS[:HALF]}\n    {ADDRESS[HALF:]}", 2),
    "wrap in an escape": (ADDRESS.replace("%2521", "%2\n521"), 2),
    "quoted mail": (f"> {ADDRESS[:HALF]}\n> {ADDRESS[HALF:]}", 2),
    "zero-width spaces": ("\u200b".join(ADDRESS), 2),
    "soft hyphen": (f"{ADDRESS[:HALF]}\u00ad{ADDRESS[HALF:]}", 2),
    "HTML ampersand": (f"https://ormco.com/?a=1&amp;code={TWICE}&amp;state=s", 2),
    "HTML ampersand twice": (f"https://ormco.com/?a=1&amp;amp;code={TWICE}&#38;state=s", 2),
    "as much as is read": (ADDRESS + " " * (MAX_PASTE - len(ADDRESS)), 2),
    # More than once
    "twice in lines": (f"{ADDRESS}\n{ADDRESS}", 2),
    "twice in one": (f"{WITH_STATE}{WITH_STATE}", 2),
    "twice without a scheme": (f"ormco.com/?code={TWICE}" * 2, 2),
    "bare, twice in one": (TWICE * 2, 2),
    "bare, three times": (f"{ONCE} {ONCE} {ONCE}", 1),
    "a quoted list": (f"'{ADDRESS}', '{ADDRESS}'", 2),
    "a quoted list of bare codes": (f"['{ONCE}',\n '{CODE}']", 1),
    "wrap in an HTML ampersand": (f"?a=1&amp\n;code={TWICE}", 2),
    "in two forms": (f"{ADDRESS}\n{ONCE}", 2),
    "in two parameters": (f"?code={TWICE}&code={ONCE}", 2),
    # In a sentence; only with a shape that knows a whole code
    "in a sentence": (f"Here it is: {ADDRESS} thanks", 2),
    "behind its label": (f"Enter Code : {ONCE}", 1),
}


@pytest.mark.parametrize(("text", "layers"), GOOD.values(), ids=GOOD)
def test_gives_the_code(text: str, layers: int) -> None:
    code = paste(text)
    assert code.reveal("canonical") == CODE
    assert (code.recognised, code.complete, code.layers) == (True, True, layers)


# --- by hand: what is refused, and how ------------------------------------------------------

LINK = "https://auth.3shapecommunicate.com/oauth/authorise?client_id=a&response_type=code&state=s"

BAD: dict[str, tuple[str, type[errors.AuthorizationError]]] = {
    "nothing": ("", errors.NothingPasted),
    "blanks only": (" \n\t\u200b\ufeff", errors.NothingPasted),
    "quotes only": ('""', errors.NothingPasted),
    "address without a code": ("https://ormco.com/", errors.NothingPasted),
    "host": ("www.ormco.com", errors.NothingPasted),
    "other parameters": ("https://ormco.com/?cod=a&x=y", errors.NothingPasted),
    "state only": (f"state={STATE}", errors.NothingPasted),
    "names are case-sensitive": (f"https://ormco.com/?CODE={TWICE}", errors.NothingPasted),
    "a whole page": (f"{ADDRESS}{' word' * 20_000}", errors.NothingPasted),
    "more than is read": (
        ADDRESS + " " * (MAX_PASTE + 1 - len(ADDRESS)),
        errors.NothingPasted,
    ),
    "two codes": (f"?code={TWICE}&code={OTHER}", errors.SeveralCodes),
    "two addresses": (f"{ADDRESS}\n{ADDRESS.replace(TWICE, OTHER)}", errors.SeveralCodes),
    "two addresses in one": (f"{ADDRESS}{ADDRESS.replace(TWICE, OTHER)}", errors.SeveralCodes),
    "two bare codes": (f"{ONCE}\n{OTHER}", errors.SeveralCodes),
    "a whole and a cut one": (f"?code={TWICE}&code={TWICE[:-9]}", errors.SeveralCodes),
    "a whole one and another provider's": (f"?code=4/0AbCd\n&code={TWICE}", errors.SeveralCodes),
    "empty code": ("https://ormco.com/?code=", errors.CodeIncomplete),
    "empty code, state": ("https://ormco.com/?code=&state=s", errors.CodeIncomplete),
    "encoded blank": ("?code=%20", errors.CodeIncomplete),
    "ellipsis": (f"{ADDRESS[:60]}…", errors.CodeIncomplete),
    "three dots": (f"{ADDRESS[:60]}...", errors.CodeIncomplete),
    "three dots in quotes": (f"'{ADDRESS[:60]}...'", errors.CodeIncomplete),
    "three dots before the state": (f"{ADDRESS[:60]}...&state=s", errors.CodeIncomplete),
    "dots in the middle": (f"{ADDRESS[:60]}...{ADDRESS[-8:]}", errors.CodeIncomplete),
    "ellipsis before the code": ("https://ormco.com/…", errors.CodeIncomplete),
    "encoded ellipsis": (f"{ADDRESS[:60]}%E2%80%A6", errors.CodeIncomplete),
    "cut in an escape": ("https://ormco.com/?code=Kq-3%25", errors.CodeIncomplete),
    "cut in an escape, of another provider": ("?code=4/0AbCd%2", errors.CodeIncomplete),
    "dots in a code of another provider": ("?code=4/0A...bCdE", errors.CodeIncomplete),
    "nothing but cut escapes": ("%25" * 2700, errors.CodeIncomplete),
    "cut before the mark": ("?code=Kq-3", errors.CodeIncomplete),
    "front cut": (ONCE[2:], errors.CodeIncomplete),
    "too much removed": (TWICE.replace("%25", ""), errors.CodeIncomplete),
    "end cut": (f"{ADDRESS[:-1]}&state={STATE}", errors.CodeIncomplete),
    "something stuck to it": (f"{ADDRESS}x", errors.CodeIncomplete),
    "hyphen made a dash": (ONCE.replace("-", "\u2013"), errors.CodeIncomplete),
    "null": (f"{ADDRESS}\0", errors.CodeIncomplete),
    "escape sequence": (f"\x1b[200~{ADDRESS}", errors.CodeIncomplete),
    "encoded null": ("?code=abcdefgh%00", errors.CodeIncomplete),
    "not UTF-8": ("?code=abcdefgh%ff", errors.CodeIncomplete),
    "authorization link": (LINK, errors.NotTheRedirect),
    "authorization link, shortened": (f"{LINK[:-8]}…", errors.NotTheRedirect),
    "authorization link of today": (
        "https://identity.3shape.com/connect/authorize?client_id=a&code_challenge=c",
        errors.NotTheRedirect,
    ),
    "authorization page": (
        "https://auth.3shapecommunicate.com/oauth/authorise",
        errors.NotTheRedirect,
    ),
    "login page": ("https://identity.3shape.com/Account/Login", errors.NotTheRedirect),
    "login page on its way": (
        f"https://identity.3shape.com/Account/SignIn?ReturnUrl={quote(LINK, safe='')}",
        errors.NotTheRedirect,
    ),
    "page with a way back": ("https://a.example/start?returnUrl=%2Fhome", errors.NotTheRedirect),
    "page on its way": (f"https://a.example/?next={quote(LINK, safe='')}", errors.NotTheRedirect),
    "denied": ("https://ormco.com/?error=access_denied", errors.ConsentDenied),
    "denied in the fragment": ("https://ormco.com/#error=access_denied", errors.ConsentDenied),
    "denied, the address encoded": (
        quote("https://ormco.com/?error=access_denied", safe=""),
        errors.ConsentDenied,
    ),
    "denied, encoded": ("?error=access%255Fdenied&state=s", errors.ConsentDenied),
    "denied beside a code": (f"{ADDRESS}&error=access_denied", errors.ConsentDenied),
    "refused": ("https://ormco.com/?error=server_error", errors.AuthorizationRefused),
}


@pytest.mark.parametrize(("text", "error"), BAD.values(), ids=BAD)
def test_is_refused(text: str, error: type[errors.AuthorizationError]) -> None:
    with pytest.raises(errors.AuthorizationError) as caught:
        paste(text)
    assert caught.type is error


@pytest.mark.parametrize(
    "error",
    [
        "invalid_request",
        "unauthorized_client",
        "unsupported_response_type",
        "invalid_scope",
        "server_error",
        "temporarily_unavailable",
        "invalid_client",
        "invalid_grant",
        "unsupported_grant_type",
    ],
)
def test_the_errors_of_rfc_6749(error: str) -> None:
    with pytest.raises(errors.AuthorizationRefused, match=error) as caught:
        paste(f"https://ormco.com/?error={error}&error_description=It+is%20so.&state=s")
    assert caught.value.error == error
    assert caught.value.description == "It is so."
    assert "It is so." not in str(caught.value)


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        ("server_error", "Wait a few minutes"),
        ("invalid_scope", "Check client_id"),
        ("invalid_grant", errors.AuthorizationRefused.advice),
    ],
)
def test_what_to_do_about_it(error: str, advice: str) -> None:
    with pytest.raises(errors.AuthorizationRefused) as caught:
        paste(f"https://ormco.com/?error={error}")
    assert caught.value.advice.startswith(advice)


def test_an_unknown_error_is_not_repeated() -> None:
    with pytest.raises(errors.AuthorizationRefused) as caught:
        paste("https://ormco.com/?error=click_here")
    assert caught.value.error == "other"
    assert caught.value.description is None
    assert "click" not in str(caught.value)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("The%20doctor%2520said+no...", "The doctor said no..."),
        ("a%1b[31m%0d%0a%22b%22%5c%c3%bc", "a [31m b"),
        (f"for+{'x' * 25}+only", "for [...] only"),
        (f"for+{'x' * 24}+only", f"for {'x' * 24} only"),
        ("no+" * 100, ("no " * 67)[:200]),
    ],
    ids=["plain", "odd characters", "long word", "word", "long"],
)
def test_a_description_is_made_harmless(sent: str, kept: str) -> None:
    with pytest.raises(errors.ConsentDenied) as caught:
        paste(f"?error=access_denied&error_description={sent}")
    assert caught.value.description == kept


# --- codes of other providers ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("4/0AbCd+ef_g", "4/0AbCd+ef_g"),
        ("?code=4%2F0AbCd%2Bef_g&scope=a+b", "4/0AbCd+ef_g"),
        ("?code=ab%252Fcdefg", "ab%2Fcdefg"),
        ("?code=ab%25%25252Fcdefg", "ab%%252Fcdefg"),
        ("Kq-3!IAB/", "Kq-3!IAB/"),
        ("sentence", "sentence"),
    ],
)
def test_an_unrecognised_code_is_decoded_once_and_warned_of(text: str, canonical: str) -> None:
    with pytest.warns(UnrecognisedCodeWarning):
        code = paste(text)
    assert code.reveal("canonical") == canonical
    assert (code.recognised, code.complete) == (False, None)
    assert code.layers == ("%" in text)


@pytest.mark.parametrize(
    "text",
    [f"?code={encode(CODE, 4)}", quote(f"https://ormco.com/?code={THRICE}", safe="")],
    ids=["code", "address"],
)
def test_never_decoded_more_than_three_times(text: str) -> None:
    with pytest.warns(UnrecognisedCodeWarning):
        code = paste(text)
    assert code.reveal("portal").startswith("Kq-3%25")


def test_an_address_that_is_encoded_three_times_over_is_not_taken_apart() -> None:
    text = f"https://ormco.com/?code={ONCE}"
    for _ in range(3):
        text = quote(text, safe="")
    with pytest.warns(UnrecognisedCodeWarning):
        assert not paste(text).recognised


@pytest.mark.parametrize("repeated", [15, 16])
def test_a_short_code_may_repeat_itself(repeated: int) -> None:
    """From 16 characters on, the same thing twice over is one code pasted twice."""
    text = "abcdefghijklmnop"[:repeated]
    code = paste(text * 2, shape=CodeShape.opaque()).reveal("canonical")
    assert code == (text if repeated >= 16 else text * 2)


@pytest.mark.parametrize(
    ("text", "layers"),
    [("8A2F-1", 0), ("?code=8A2F-1&iss=https%3A%2F%2Fa", 0), ("?code=8A2F%252D1", 2)],
)
def test_an_opaque_code_is_recognised_but_not_known_to_be_whole(text: str, layers: int) -> None:
    code = paste(text, shape=CodeShape.opaque())
    assert code.reveal("canonical") == "8A2F-1"
    assert (code.recognised, code.complete, code.layers) == (True, None, layers)


@pytest.mark.parametrize("text", ["?code=8A2F%2", "?code=8A2F%", "?code=8A2F...&state=s", "8A2F…"])
def test_an_opaque_code_that_is_plainly_cut(text: str) -> None:
    with pytest.raises(errors.CodeIncomplete):
        paste(text, shape=CodeShape.opaque())


# --- state and issuer -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "issuer"),
    [
        ("https://a.example", "https://a.example"),
        ("https%253A%252F%252Fa.example", "https://a.example"),
        ("a%20name", "a name"),
        ("a%2520name", "a%20name"),
        ("name", "name"),
    ],
)
def test_who_says_that_it_issued_the_code(sent: str, issuer: str) -> None:
    assert paste(f"?code={TWICE}&iss={sent}").issuer == issuer


def test_a_state_that_is_no_text_is_never_right() -> None:
    with pytest.raises(errors.StateMismatch):
        paste(f"?code={TWICE}&state=x", expected_state="x\udc80")


@pytest.mark.parametrize(
    ("expected", "sent"),
    [
        (STATE, STATE),
        (STATE, STATE.replace("-", "%2D")),
        (STATE, STATE.replace("-", "%252d")),
        (STATE, f"{STATE}&state={STATE}"),
        (STATE, f"{STATE[:3]}\n   {STATE[3:]}#_=_"),
        ("a b/c", "a+b%2Fc"),
        ("a+b", "a+b"),
        ("a%20b", "a%20b"),
        ("ünï", "%C3%BCn%C3%AF"),
    ],
)
def test_the_right_state(expected: str, sent: str) -> None:
    code = paste(f"?code={TWICE}&state={sent}", expected_state=expected)
    assert code.state_checked
    assert code.reveal("canonical") == CODE


@pytest.mark.parametrize(
    "sent",
    ["x", STATE[:-1], f"{STATE}x", STATE.lower(), f"{STATE}&state=x", f"x&state={STATE}", "\udc80"],
)
def test_a_wrong_state(sent: str) -> None:
    """Also if it only lacks its end: how much of it is right is nobody's business."""
    with pytest.raises(errors.StateMismatch):
        paste(f"?code={TWICE}&state={sent}", expected_state=STATE)


@pytest.mark.parametrize("text", [ADDRESS, ONCE, CODE, f"{ADDRESS}&state=", f"{ADDRESS}&State=x"])
def test_no_state(text: str) -> None:
    with pytest.raises(errors.StateMissing):
        paste(text, expected_state=STATE)
    assert not paste(text).state_checked


def test_a_state_nobody_asked_about_is_not_checked() -> None:
    assert not paste(WITH_STATE).state_checked


def test_an_empty_expected_state_lets_nothing_pass() -> None:
    for text in (ADDRESS, f"{ADDRESS}&state=", WITH_STATE):
        with pytest.raises((errors.StateMissing, errors.StateMismatch)):
            paste(text, expected_state="")


ISSUER = "https://identity.3shape.com"


@pytest.mark.parametrize("sent", [ISSUER, quote(ISSUER, safe=""), quote(quote(ISSUER), safe="")])
@pytest.mark.parametrize("behind", ["", "&state=s", "#_=_"])
def test_the_issuer(sent: str, behind: str) -> None:
    text = f"{ADDRESS}&iss={sent}{behind}"
    assert paste(text).issuer == ISSUER
    assert paste(f"{text}\n{text}", expected_issuer=ISSUER).issuer == ISSUER
    assert paste(text, expected_issuer=f"{ISSUER}/").issuer == ISSUER
    assert paste(text.replace("shape.com", "shape.com/"), expected_issuer=ISSUER).issuer
    for expected in (f"{ISSUER}/x", "https://identity.3shape.example"):
        with pytest.raises(errors.IssuerMismatch):
            paste(text, expected_issuer=expected)


def test_a_server_need_not_name_itself() -> None:
    assert paste(ADDRESS, expected_issuer=ISSUER).issuer is None


def test_a_server_may_have_to_name_itself() -> None:
    with pytest.raises(errors.IssuerMismatch, match="does not name"):
        paste(ADDRESS, expected_issuer=ISSUER, issuer_required=True)
    named = f"{ADDRESS}&iss={quote(ISSUER, safe='')}"
    assert paste(named, expected_issuer=ISSUER, issuer_required=True).issuer == ISSUER


# --- an error has to prove itself, too --------------------------------------------------------


DENIED = "https://ormco.com/?error=access_denied"
FAILED = "https://ormco.com/?error=server_error&error_description=x"


@pytest.mark.parametrize("address", [DENIED, FAILED])
@pytest.mark.parametrize(
    ("behind", "raised"),
    [
        ("", errors.StateMissing),
        ("&state=", errors.StateMissing),
        ("&state=another", errors.StateMismatch),
        (f"&state={STATE}&state=another", errors.StateMismatch),
    ],
)
def test_an_error_without_the_state_is_not_believed(
    address: str, behind: str, raised: type[errors.PasteError]
) -> None:
    """Any page can send a browser there; RFC 6749 (4.1.2.1) has a server send the state."""
    with pytest.raises(raised):
        paste(f"{address}{behind}", expected_state=STATE)
    with pytest.raises((errors.ConsentDenied, errors.AuthorizationRefused)):
        paste(f"{address}{behind}")


@pytest.mark.parametrize("address", [DENIED, FAILED])
def test_an_error_with_the_state_is_believed(address: str) -> None:
    for layers in (STATE, quote(STATE, safe="")):
        with pytest.raises((errors.ConsentDenied, errors.AuthorizationRefused)):
            paste(f"{address}&state={layers}", expected_state=STATE)


@pytest.mark.parametrize(
    ("behind", "believed"),
    [
        ("", False),
        (f"&iss={quote(ISSUER, safe='')}", True),
        (f"&iss={quote(ISSUER, safe='')}%2F", True),
        ("&iss=https%3A%2F%2Fevil.example", False),
    ],
)
def test_an_error_names_the_server_where_a_code_would(behind: str, believed: bool) -> None:
    """RFC 9207, 2: it is in every answer, also in an error."""
    raised = errors.ConsentDenied if believed else errors.NotTheRedirect
    with pytest.raises(raised):
        paste(f"{DENIED}{behind}", expected_issuer=ISSUER, issuer_required=True)


# --- every combination ----------------------------------------------------------------------


def spread(text: str, between: str, positions: list[int]) -> str:
    """``text`` with ``between`` put in at the positions."""
    for position in sorted({p % (len(text) + 1) for p in positions}, reverse=True):
        text = f"{text[:position]}{between}{text[position:]}"
    return text


FORMS: dict[str, Callable[[str, str], str]] = {
    "address": lambda code, state: f"https://ormco.com/?code={code}&state={state}",
    "other order": lambda code, state: (
        f"https://ormco.com/?state={state}&iss=https:%2F%2Fa&code={code}"
    ),
    "fragment behind": lambda code, state: f"https://ormco.com/?code={code}&state={state}#_=_",
    "in the fragment": lambda code, state: f"https://ormco.com/#state={state}&code={code}",
    "query": lambda code, state: f"?code={code}&state={state}",
    "parameters": lambda code, state: f"code={code}&state={state}",
    "code and state": lambda code, state: f"{code}&state={state}",
}
AROUND = ["{}", "  {} \n", '"{}"', "'{}'", "\u201c{}\u201d", "\u2018{}\u2019", "<{}>", "`{}`"]
INSIDE = ["", "\u200b", "\ufeff", "\n", "\r\n    ", "\n\t", " "]
AMPERSANDS = ["&", "&amp;"]


def test_every_combination_of_the_wrappings() -> None:
    for layers, lower, form, around, inside, ampersand in itertools.product(
        range(4), [False, True], FORMS.values(), AROUND, INSIDE, AMPERSANDS
    ):
        text = form(encode(CODE, layers, lower=lower), STATE).replace("&", ampersand)
        text = around.format(spread(text, inside, [30, 31, 60, -4]))
        code = paste(text, expected_state=STATE)
        assert code.reveal("canonical") == CODE, text
        assert code.layers == layers, text


classic_codes = st.builds(
    classic_code,
    handle=st.from_regex(r"[A-Za-z0-9_-]{4}", fullmatch=True),
    iv=st.binary(min_size=16, max_size=16),
    signature=st.binary(min_size=32, max_size=32),
    blocks=st.integers(0, 20),
)
opaque_codes = st.from_regex(r"[A-Z0-9]{16,64}-1", fullmatch=True) | st.from_regex(
    r"[A-Za-z0-9][A-Za-z0-9._~-]{18,80}[A-Za-z0-9]", fullmatch=True
)


@dataclass(frozen=True)
class Example:
    code: str
    shape: CodeShape


def is_odd(code: str) -> bool:
    """Opaque codes that chance makes, but no provider: of one piece repeated, dots, a host."""
    return code in (code + code)[1:-1] or "..." in code or "." in code[-8:]


examples = st.builds(Example, classic_codes, st.just(CodeShape.classic())) | st.builds(
    Example, opaque_codes.filter(lambda code: not is_odd(code)), st.just(CodeShape.opaque())
)


@given(
    example=examples,
    state=st.from_regex(r"[A-Za-z0-9_-]{1,40}", fullmatch=True),
    layers=st.integers(0, 3),
    lower=st.booleans(),
    every=st.booleans(),
    form=st.sampled_from([*FORMS.values()]),
    arounds=st.lists(st.sampled_from(AROUND), max_size=3),
    inside=st.lists(
        st.tuples(st.sampled_from(INSIDE), st.lists(st.integers(0, 10_000), max_size=4)),
        max_size=3,
    ),
    ampersand=st.sampled_from(AMPERSANDS),
    copies=st.integers(1, 3),
    separator=st.sampled_from(["", "\n", "  "]),
)
def test_wrapped_in_any_way_it_is_the_same_code(
    example: Example,
    state: str,
    layers: int,
    lower: bool,
    every: bool,
    form: Callable[[str, str], str],
    arounds: list[str],
    inside: list[tuple[str, list[int]]],
    ampersand: str,
    copies: int,
    separator: str,
) -> None:
    text = form(encode(example.code, layers, lower=lower, every=every), state)
    text = separator.join([text.replace("&", ampersand)] * copies)
    for between, positions in inside:
        text = spread(text, between, positions)
    for around in arounds:
        text = around.format(text)
    assume(len(text) <= 8192)
    code = paste(text, expected_state=state, shape=example.shape)
    assert code.reveal("canonical") == example.code
    assert code.recognised
    assert code.complete is not False


@given(examples, st.integers(0, 3))
def test_what_it_reveals_can_be_pasted_again(example: Example, layers: int) -> None:
    code = paste(encode(example.code, layers), shape=example.shape)
    for form in ("portal", "canonical", "as_pasted"):
        again = paste(code.reveal(form), shape=example.shape)
        assert again.reveal("canonical") == example.code
    assert quote(example.code, safe="") == code.reveal("portal")


@given(st.text("ab+/%25!&=?.~ ", min_size=1, max_size=30))
def test_so_can_an_unrecognised_one(text: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            code = paste(f"?code={quote(text, safe='')}")
        except errors.PasteError:
            return
        # What ends a sentence is not taken for the end of a code.
        assume(not text.strip().endswith((".", "!")))
        assert paste(f"?code={code.reveal('portal')}").reveal("canonical") == text.strip()


@given(
    st.text(st.characters(exclude_categories=()))
    | st.lists(
        st.sampled_from(
            f"code= state= error= access_denied iss= client_id= ReturnUrl= https:// ormco.com /? # "
            f"& &amp; + % 25 21 ! %ff {CODE} {TWICE} {OTHER} IAAAA … ... [ ]( ) '".split()
        )
        | st.sampled_from(" \n\0\u200b\udc80")
    ).map("".join)
    | st.builds(
        lambda text: text * (8192 // len(text)), st.text("%25aA=?&[](/.:", min_size=1, max_size=4)
    ),
    st.none() | st.text(st.characters(exclude_categories=())),
    st.sampled_from([CodeShape.classic(), CodeShape.opaque()]),
)
@example("[](\n)", None, CodeShape.classic())
def test_any_text_gives_a_code_or_one_of_its_own_errors(
    text: str, state: str | None, shape: CodeShape
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnrecognisedCodeWarning)
        try:
            code = paste(text, expected_state=state, shape=shape)
        except (
            errors.PasteError,
            errors.ConsentDenied,
            errors.AuthorizationRefused,
            errors.IssuerMismatch,
        ):
            return
    assert code.complete is not False
    assert code.state_checked == (state is not None)
    assert code.layers <= 3
    assert code.reveal("canonical").isprintable()


# --- cut at any place -----------------------------------------------------------------------


FRONTS = ["", "?code=", "https://ormco.com/?code=", "https://ormco.com/#code="]
BEHIND = ["", "&state=s", "#_=_"]


def cut_at_every_place(front: str, behind: str, layers: int, *, every: bool) -> None:
    value = encode(CODE, layers, every=every)
    for length in range(1, len(value)):
        with pytest.raises(errors.CodeIncomplete):
            paste(f"{front}{value[:length]}{behind}")


@pytest.mark.parametrize("number", range(12))
def test_cut_at_every_place(number: int) -> None:
    """Each front with each end, and each number of layers, but not in every combination."""
    cut_at_every_place(FRONTS[number % 4], BEHIND[number % 3], number // 3, every=False)


@pytest.mark.slow
@pytest.mark.parametrize("layers", range(4))
@pytest.mark.parametrize("every", [False, True])
@pytest.mark.parametrize("behind", BEHIND)
@pytest.mark.parametrize("front", FRONTS)
def test_cut_at_every_place_in_every_form(
    front: str, behind: str, layers: int, every: bool
) -> None:
    cut_at_every_place(front, behind, layers, every=every)


@given(classic_codes, st.data())
def test_cut_in_the_middle(code: str, data: st.DataObject) -> None:
    """A piece of up to eight characters is missing somewhere."""
    value = encode(code, 2)
    start = data.draw(st.integers(0, len(value) - 1))
    lost = data.draw(st.integers(1, 8))
    text = f"?code={value[:start]}{value[start + lost :]}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnrecognisedCodeWarning)
        try:
            pasted = paste(text)
        except errors.CodeIncomplete:
            return
    assert not pasted.recognised or code in pasted.reveal("canonical")


def test_cut_in_front_of_the_code() -> None:
    """Only the address is there, or a part of it."""
    for length in range(len("https://ormco.com/?code=")):
        with pytest.raises((errors.NothingPasted, errors.CodeIncomplete)):
            paste(ADDRESS[:length])


def test_cut_behind_the_code() -> None:
    for length in range(len(ADDRESS), len(WITH_STATE)):
        with pytest.raises((errors.StateMissing, errors.StateMismatch)):
            paste(WITH_STATE[:length], expected_state=STATE)
