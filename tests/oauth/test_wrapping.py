"""A paste that came by mail or chat: whatever these programs wrap around it is seen through."""

from __future__ import annotations

import contextlib
import quopri
import re
import string
import time
import warnings
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from email.message import EmailMessage
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.oauth.test_paste import ADDRESS, CODE, ONCE, OTHER, STATE, TWICE, WITH_STATE

from ormco_trios.core import errors
from ormco_trios.oauth.code import AuthorizationCode, UnrecognisedCodeWarning
from ormco_trios.oauth.paste import MAX_PASTE
from ormco_trios.oauth.shape import CodeShape

paste = AuthorizationCode.from_pasted

OPAQUE = "8A2F0011AABBCCDD-1"
OPAQUE_ADDRESS = f"https://ormco.com/?code={OPAQUE}&state={STATE}"


# --- the programs, from their own descriptions ----------------------------------------------


def safe_links(url: str) -> str:
    return (
        f"https://eur02.safelinks.protection.outlook.com/?url={quote(url, safe='')}"
        "&data=05%7C02%7Canna%40praxis.example%7C0&sdata=Ab%2Fc%3D&reserved=0"
    )


def proofpoint_1(url: str) -> str:
    return (
        f"https://urldefense.proofpoint.com/v1/url?u={quote(url, safe=':/')}&k=abc%3D&r=d&m=e&s=f"
    )


def proofpoint_2(url: str) -> str:
    encoded = quote(url, safe=":/").replace("-", "-2D").replace("_", "-5F")
    encoded = encoded.replace("%", "-").replace("/", "_")
    return f"https://urldefense.proofpoint.com/v2/url?u={encoded}&d=DwMFaQ&c=euGZ&r=x&m=y&s=z&e="


def proofpoint_3(url: str) -> str:
    kept = string.ascii_letters + string.digits + ":/.?&=-_~!#"
    replaced = "".join(c for c in url if c not in kept)
    runs = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"
    starred = re.sub(
        f"[^{re.escape(kept)}]+",
        lambda run: "*" if len(run[0]) == 1 else f"**{runs[len(run[0]) - 2]}",
        url,
    )
    listed = urlsafe_b64encode(replaced.encode()).decode().rstrip("=")
    return f"https://urldefense.com/v3/__{starred}__;{listed}!!Ab-9!Gx_1$"


def check_point(url: str) -> str:
    return f"https://protect.checkpoint.com/v2/___{url}___.YXAzOmFubmE6YTpvOmFi"


def sophos(url: str) -> str:
    return f"https://eu-central-1.protection.sophos.com/?d=ormco.com&u={b64encode(url.encode()).decode()}&i=x"


def barracuda(url: str) -> str:
    return f"https://linkprotect.cudasvc.com/url?a={quote(url, safe='').lower()}&c=E,1,ab&typo=1"


def cisco(url: str) -> str:
    return f"https://secure-web.cisco.com/1aBcD/{quote(url, safe='')}"


def google(url: str) -> str:
    return f"https://www.google.com/url?q={quote(url, safe='')}&sa=D&source=editors&usg=AO"


FILTERS = [safe_links, proofpoint_1, proofpoint_2, proofpoint_3, check_point, sophos, cisco, google]


def anchor(url: str) -> str:
    link = url.replace("&", "&amp;")
    return f'<p>Here:</p><a href="{link}" target="_blank">{url[:30]}&hellip;</a><br>'


def slack(url: str) -> str:
    return f"<{url}|{url}>"


def quoted_printable(text: str) -> str:
    return quopri.encodestring(text.encode()).decode()


def mail(text: str, *, html: bool = False, how: str = "quoted-printable") -> str:
    """A whole message, as a program shows its source."""
    message = EmailMessage()
    message["From"] = "anna@praxis.example"
    message["Subject"] = "The address"
    message["DKIM-Signature"] = "v=1; a=rsa-sha256; d=praxis.example; bh=" + "Ab/9" * 40
    message.set_content(f"Grüße, hier ist sie:\n\n{text}\n\nAnna\n", cte=how)
    if html:
        message.add_alternative(f"<html><body>{anchor(text)}</body></html>", "html", cte=how)
    return message.as_string()


# --- the code is the last thing in it -------------------------------------------------------

LAST = {
    "full stop": "{}.",
    "comma and blank": "{}, ",
    "semicolon": "{};",
    "colon": "{}:",
    "exclamation mark": "{}!",
    "question mark": "{}?",
    "quotation mark": '{}"',
    "single quote": "{}'",
    "typographic quote and stop": "\u201c{}\u201d.",
    "stop inside the quotes": '"{}."',
    "bracket and stop": "({}).",
    "square bracket": "[{}]",
    "bold": "**{}**",
    "bold in a chat": "*{}*",
    "italic": "_{}_",
    "struck": "~~{}~~",
    "spoiler": "||{}||",
    "italic and stop": "_{}_.",
    "code": "`{}`",
    "code block": "```\n{}\n```",
    "angle brackets and stop": "<{}>.",
    "Markdown in a sentence": "see [this page]({}) please",
    "Slack": "<{}|ormco.com>",
    "quoted reply": "> {}",
    "sentence": "Here it is: {}. Thanks, Anna",
    "signature": "{}\n-- \nAnna Example\nPraxis Example",
    "phone": "{}\n\nSent from my phone",
}


@pytest.mark.parametrize("around", LAST.values(), ids=LAST)
@pytest.mark.parametrize(
    "text", [ADDRESS, ONCE, TWICE, WITH_STATE], ids=["address", "1", "2", "state"]
)
def test_what_stands_behind_the_code_is_no_part_of_it(around: str, text: str) -> None:
    if text in (ONCE, TWICE) and (around.startswith("_") or "](" in around):
        pytest.skip("an underscore may be a code's own, and only an address is a link")
    code = paste(around.format(text), expected_state=STATE if text is WITH_STATE else None)
    assert code.reveal("canonical") == CODE


@pytest.mark.parametrize(
    "name", ["full stop", "comma and blank", "quotation mark", "bold", "italic"]
)
def test_also_where_nobody_knows_how_long_a_code_is(name: str) -> None:
    for text in (f"https://ormco.com/?code={OPAQUE}", OPAQUE_ADDRESS):
        state = STATE if text is OPAQUE_ADDRESS else None
        code = paste(LAST[name].format(text), shape=CodeShape.opaque(), expected_state=state)
        assert code.reveal("canonical") == OPAQUE


def test_an_issuer_that_is_last() -> None:
    text = f"{ADDRESS}&iss=https://identity.3shape.com."
    assert paste(text, expected_issuer="https://identity.3shape.com").issuer


# --- filters --------------------------------------------------------------------------------


@pytest.mark.parametrize("wrap", [*FILTERS, barracuda], ids=lambda wrap: wrap.__name__)
@pytest.mark.parametrize("around", ["{}", "<{}>", "see {} .", "{}\n\nAnna"])
def test_a_filters_link(wrap: Callable[[str], str], around: str) -> None:
    url = ADDRESS if wrap is not barracuda else ADDRESS.replace(TWICE, CODE.replace("!", "%21"))
    text = around.format(wrap(url))
    if wrap is barracuda:
        # Made lower case as a whole: nothing of a code survives that, and it is said.
        with pytest.raises(errors.PasteError):
            paste(text)
        return
    assert paste(text).reveal("canonical") == CODE


@pytest.mark.parametrize("wrap", FILTERS, ids=lambda wrap: wrap.__name__)
def test_an_opaque_code_in_a_filters_link(wrap: Callable[[str], str]) -> None:
    code = paste(wrap(OPAQUE_ADDRESS), shape=CodeShape.opaque(), expected_state=STATE)
    assert code.reveal("canonical") == OPAQUE


@pytest.mark.parametrize("inner", FILTERS, ids=lambda wrap: wrap.__name__)
def test_cancel_behind_a_filters_link(inner: Callable[[str], str]) -> None:
    with pytest.raises(errors.ConsentDenied):
        paste(inner("https://ormco.com/?error=access_denied&state=s"))


def test_wrapped_lines_in_a_filters_link() -> None:
    for wrap in FILTERS:
        link = wrap(ADDRESS)
        text = "\n".join(link[i : i + 72] for i in range(0, len(link), 72))
        assert paste(text).reveal("canonical") == CODE, wrap.__name__


@pytest.mark.parametrize(
    "link",
    [
        "https://protect-eu.mimecast.com/s/AbCdEfGh?domain=ormco.com",
        "https://url.emailprotection.link/?bAbC~",
    ],
)
def test_a_filter_that_hides_the_address(link: str) -> None:
    with pytest.raises(errors.NothingPasted, match="another way"):
        paste(link)


# --- a mail's source ------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["quoted-printable", "base64"])
@pytest.mark.parametrize("html", [False, True])
@pytest.mark.parametrize(
    "wrap", [str, safe_links, proofpoint_2, proofpoint_3], ids=lambda wrap: wrap.__name__
)
def test_a_mails_source(wrap: Callable[[str], str], html: bool, how: str) -> None:
    text = mail(wrap(WITH_STATE), html=html, how=how)
    assert paste(text, expected_state=STATE).reveal("canonical") == CODE


def test_a_piece_of_a_mails_source() -> None:
    text = quoted_printable(f"{WITH_STATE}\n")
    assert "=3D" in text
    assert "=\n" in text
    assert paste(text, expected_state=STATE).reveal("canonical") == CODE
    one_line = WITH_STATE.replace("=", "=3D")
    assert paste(one_line, expected_state=STATE).reveal("canonical") == CODE
    code = paste(OPAQUE_ADDRESS.replace("=", "=3D"), shape=CodeShape.opaque())
    assert code.reveal("canonical") == OPAQUE


def test_a_code_that_begins_like_a_quoted_equals_sign() -> None:
    own = f"3Dab{CODE[4:]}"
    assert paste(f"https://ormco.com/?code={own}").reveal("canonical") == own
    hexadecimal = "3DAF0011AABBCCDD-1"
    text = f"https://ormco.com/?code={hexadecimal}&scope=openid&state=s"
    assert paste(text, shape=CodeShape.opaque()).reveal("canonical") == hexadecimal
    assert (
        paste(f"?code={hexadecimal}", shape=CodeShape.opaque()).reveal("canonical") == hexadecimal
    )


@pytest.mark.parametrize("wrap", [anchor, slack], ids=lambda wrap: wrap.__name__)
def test_markup(wrap: Callable[[str], str]) -> None:
    assert paste(wrap(WITH_STATE), expected_state=STATE).reveal("canonical") == CODE


def test_an_address_in_wrapped_lines_among_others() -> None:
    wrapped = "\n".join(ADDRESS[i : i + 30] for i in range(0, len(ADDRESS), 30))
    text = f"Hello,\nthis is what I see:\n\n{wrapped}\n\nThanks\nAnna\n"
    assert paste(text).reveal("canonical") == CODE


def test_two_codes_stay_two() -> None:
    other = ADDRESS.replace(TWICE, OTHER)
    for text in (mail(f"{ADDRESS}\n{other}"), f"{safe_links(ADDRESS)}\n{safe_links(other)}"):
        with pytest.raises(errors.SeveralCodes):
            paste(text)


# --- words ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "hello world",
        "I pressed it",
        "It worked.",
        "done, thanks!",
        "das hat geklappt",
        "not found 404",
    ],
)
@pytest.mark.parametrize(
    "shape", [CodeShape.classic(), CodeShape.opaque()], ids=["classic", "opaque"]
)
def test_words_are_no_code(text: str, shape: CodeShape) -> None:
    with pytest.raises(errors.NothingPasted, match="ENTIRE address"):
        paste(text, shape=shape)


# --- whatever it is -------------------------------------------------------------------------

WRAPPINGS = st.sampled_from(
    [
        *FILTERS,
        anchor,
        slack,
        quoted_printable,
        mail,
        lambda text: f"{text}.",
        lambda text: f"**{text}**",
    ]
)


@given(st.lists(WRAPPINGS, max_size=2))
def test_in_one_another(wraps: list[Callable[[str], str]]) -> None:
    """One program hands it to the next; what is not seen through is an error and no other code."""
    text = ADDRESS
    for wrap in wraps:
        text = wrap(text)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UnrecognisedCodeWarning)
        try:
            assert paste(text).reveal("canonical") == CODE
        except (errors.PasteError, UnrecognisedCodeWarning):
            assert len(wraps) > 1, [w.__name__ for w in wraps]


@given(
    st.text(st.characters(exclude_categories=()))
    | st.lists(
        st.sampled_from(
            "https://urldefense.com/v3/__ __;JQ! v2/url?u= -3Fcode-3D ?u=aHR0c =3D =\n "
            '<a href=" </a> '
            f"[x](http:// ) ___ ** * | {CODE} {TWICE} code= aGVsbG8 %21 \n".split(" ")
        )
    ).map("".join)
)
def test_any_text_gives_a_code_or_an_error(text: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnrecognisedCodeWarning)
        try:
            paste(text)
        except errors.AuthorizationError:
            return


@pytest.mark.parametrize(
    "piece",
    [
        "[",
        "<a ",
        "<",
        "=3D",
        "=\n",
        "A" * 60 + "\n",
        "code=x ",
        "%21 ",
        "https://a/?code=",
        "___",
        "*",
        "[x](http://a)",
    ],
)
def test_it_takes_no_longer_than_it_is_long(piece: str) -> None:
    """Time for a paste of the greatest length: nothing in here is quadratic."""

    def seconds(length: int) -> float:
        text = (piece * (length // len(piece) + 1))[:length]
        began = time.process_time()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with contextlib.suppress(errors.AuthorizationError):
                paste(text)
        return time.process_time() - began

    seconds(1000)
    small = max(seconds(MAX_PASTE // 8), 0.02)
    assert seconds(MAX_PASTE) < 40 * small
