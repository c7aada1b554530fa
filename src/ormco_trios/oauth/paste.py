"""From whatever a person pasted to an authorization code, or to what is wrong with it.

A short pipeline of pure functions::

    clean -> find parameters -> pick the code -> decode to the shape -> check issuer and state

A paste that came by mail or chat is read in each of its `wrapping.forms`.

None of them raises.  A problem is *returned*, as the exception to raise, because every frame in
here holds the paste in its locals, and an error reporter that records locals would record a code
that still works.  `AuthorizationCode.from_pasted` raises, after it has let go of the text.

Parameter names are case-sensitive, as RFC 6749 (section 1.1) has it: a paste that went through
something that changes the case of ``code=`` has a code whose case is changed as well.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field, replace
from hmac import compare_digest
from typing import TypeAlias
from urllib.parse import unquote

from ormco_trios.core.errors import (
    AuthorizationError,
    AuthorizationRefused,
    CodeIncomplete,
    ConsentDenied,
    IssuerMismatch,
    NothingPasted,
    NotTheRedirect,
    SeveralCodes,
    StateMismatch,
    StateMissing,
)
from ormco_trios.oauth.shape import CodeShape
from ormco_trios.oauth.wrapping import HIDDEN, forms

MAX_PASTE = 64 * 1024
"""Characters of a paste: a mail with all its headers."""

MAX_LENGTH = 8 * 1024
"""Characters of a code."""

MAX_LAYERS = 3
VISIBLE = re.compile(r"[\x20-\x7e]+")
"""What a code consists of (RFC 6749, appendix A.11)."""

Parameters = dict[str, list[str]]

_WRAPS = "\t\n\v\f\r\x85"
_MARKDOWN_LINK = re.compile(r"\s*\[[^\]]*\]\((.+)\)\s*", re.DOTALL)
_DROPPED_CATEGORIES = {"Cf", "Pi", "Pf"}  # invisible, and typographic quotes
_DROPPED = set('"`<>\u201e\u201a')  # the rest of the quotes; none of these is in an address raw
_AT_THE_ENDS = "'(),;[]"
_END_OF_SENTENCE = re.compile(r"(?<=[\w%=~-])(?:\.(?!\.)|[:!?*,;'\])}])+\Z")
_MARKED = re.compile(r"(?:([*~|]{1,3})(.+)\1|(_{1,2})(https?://.+)\3)[.,:;!?]*", re.IGNORECASE)
_WORD = re.compile(r"[^\W\d_]{1,20}[.,:;!?]*")
_SHORTEST_REPEATED = 16
_MOST_LINES = 32
"""Into how many lines one address is wrapped."""

_AMPERSAND = re.compile(r"&(?:(?:amp|#38|#x26);)+", re.IGNORECASE)
_NEXT_ADDRESS = re.compile(r"(?<!=)(?=https?://)", re.IGNORECASE)
_PARAMETER = re.compile(r"(?:^|[?&#])([A-Za-z_]+)=(?=([^&#]*))")

_ADDRESS = re.compile(
    r"^https?(?::|$)|://|[?]|\w=[\w%]"  # an address, or parameters
    r"|^(?:[\w-]+\.)+[a-z]{2,6}(?:[:/]|$)"  # a host, its scheme left out
)
_LEFT_OF_THE_NAME = re.compile(r"^(?:ode|de|e)?=(?=.)")
_AUTHORIZATION_LINK = {"client_id", "response_type", "redirect_uri", "code_challenge"}
_RETURN_ADDRESS = {"returnurl", "return_url", "return_to"}
_AUTHORIZATION_PAGE = re.compile(r"/(?:oauth|connect)/authori[sz]e", re.IGNORECASE)
_LOGIN_PAGE = re.compile(r"/[\w-]*(?:log-?[io]n|sign-?in|consent)[\w-]*(?:[/?#]|$)", re.IGNORECASE)

_BEGINS = re.compile(r"code(?:=|%3D)|!|%(?:25)*21", re.IGNORECASE)
_ELLIPSIS = re.compile(r"…|\.{3}(?=[&#]|$)")
_CUT_ESCAPE = re.compile(r"%[0-9A-Fa-f]?\Z")

_MISCONFIGURED = "Check client_id, redirect address and scopes against what was registered."
_LATER = "Wait a few minutes, then open the authorization link again."
_ADVICE = {
    "access_denied": None,
    "invalid_request": _MISCONFIGURED,
    "unauthorized_client": _MISCONFIGURED,
    "unsupported_response_type": _MISCONFIGURED,
    "invalid_scope": _MISCONFIGURED,
    "invalid_client": _MISCONFIGURED,
    "invalid_grant": None,
    "unsupported_grant_type": _MISCONFIGURED,
    "server_error": _LATER,
    "temporarily_unavailable": _LATER,
}
"""RFC 6749's error values (sections 4.1.2.1 and 5.2), and what to do where it is not the usual."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One code as it was read from a paste; its ``repr`` shows nothing of it."""

    as_pasted: str = field(repr=False)
    canonical: str = field(repr=False)
    layers: int
    recognised: bool
    complete: bool | None
    issuer: str | None = None


Outcome: TypeAlias = Reading | AuthorizationError


def read_paste(
    text: str,
    *,
    shape: CodeShape,
    expected_state: str | None = None,
    expected_issuer: str | None = None,
    issuer_required: bool = False,
) -> Outcome:
    """Read the code from ``text``, or say what is wrong, as the exception to raise."""
    if len(text) > MAX_PASTE:
        return NothingPasted("More than 64 KiB were pasted: a whole page, and not an address.")
    reader = _Reader(shape, expected_state, expected_issuer, issuer_required)
    best: Outcome = _no_code()
    for form in forms(text):
        outcome = reader.read(form)
        if reader.several or _worth(outcome) >= _GOOD:
            return outcome
        if _worth(outcome) > _worth(best):
            best = outcome
    if isinstance(best, NothingPasted) and HIDDEN.search(text):
        return NothingPasted(
            "A mail filter has replaced the address by a link that does not hold it.",
            advice="Copy the address from the browser again, and bring it in another way: in a "
            "file that is attached, or by a chat.",
        )
    return best


def _no_code() -> NothingPasted:
    return NothingPasted("There is no code in what was pasted.")


_GOOD = 4


def _worth(outcome: Outcome) -> int:
    """How much the reading of one form says, compared with another's."""
    if isinstance(outcome, Reading):
        return _GOOD if outcome.recognised else 2
    if isinstance(outcome, NothingPasted):
        return 0
    return 1 if isinstance(outcome, CodeIncomplete) else 3


@dataclass(slots=True)
class _Reader:
    """Reads forms of one paste.

    Attributes:
        several: Whether two different whole codes were found, which settles it.
        left: How often it is read on; a paste can be made so that there is no end to it.
    """

    shape: CodeShape
    state: str | None
    issuer: str | None
    issuer_required: bool
    several: bool = False
    left: int = 200

    def read(self, text: str) -> Outcome:
        """All of it as one address that was wrapped, or else the addresses in it."""
        pieces = _clean(text)
        if isinstance(pieces, AuthorizationError):
            return pieces
        whole = "".join(pieces)
        outcome = self._address(whole) if len(whole) <= MAX_LENGTH else _no_code()
        if len(pieces) == 1:
            return outcome
        doubtful = isinstance(outcome, Reading) and not outcome.complete
        if doubtful and "=" not in whole and any(map(_WORD.fullmatch, pieces)):
            return NothingPasted("These are words, and there is no code among them.")
        if _worth(outcome) >= _GOOD:
            return outcome
        found, odd = self._addresses(pieces)
        if len({reading.canonical for reading in found}) > 1:
            self.several = True
            return SeveralCodes("There are two different codes in what was pasted.")
        if found and not (odd and isinstance(outcome, SeveralCodes)):
            return found[0]
        return outcome

    def _addresses(self, pieces: list[str]) -> tuple[list[Reading], bool]:
        """Each address among the pieces: it begins one of them, and ends where it is good.

        Returns:
            What was read, and whether there is something else that could be a code.
        """
        found: list[Reading] = []
        odd = False
        first = 0
        while first < len(pieces):
            text = ""
            beginning, first = first, first + 1
            if not _BEGINS.search(pieces[beginning]):
                continue
            for number in range(beginning, min(beginning + _MOST_LINES, len(pieces))):
                text += pieces[number]
                self.left -= 1
                if self.left < 0 or len(text) > MAX_LENGTH:
                    break
                outcome = self._address(text)
                if isinstance(outcome, Reading) and outcome.complete is not False:
                    if outcome.recognised:
                        found.append(outcome)
                        first = number + 1
                        break
                    odd = odd or number == beginning
        return found, odd

    def _address(self, text: str) -> Outcome:
        """The code in one address, or in what a person left of it."""
        whole, outer = _unwrap(_once(_bare(text)))
        parameters = _parameters(whole)
        issuers = [_issuer(value) for value in parameters.get("iss", ())]
        wrong_issuer = _check_issuer(issuers, self.issuer, self.issuer_required)
        wrong_state = _check_state(parameters.get("state", []), self.state)
        if (refusal := _sent_instead(parameters)) is not None:
            # Any page can send a browser to such an address: it has to prove what a code has to.
            return _foreign_error() if wrong_issuer is not None else wrong_state or refusal
        if (problem := _another_page(whole, parameters)) is not None:
            return problem
        reading = _pick(whole, self.shape, outer)
        if isinstance(reading, AuthorizationError):
            return reading
        return (
            wrong_issuer
            or wrong_state
            or replace(
                reading, layers=reading.layers + outer, issuer=issuers[0] if issuers else None
            )
        )


# --- clean ----------------------------------------------------------------------------------


def _clean(text: str) -> list[str] | AuthorizationError:
    """The paste without what mail programs, chats and terminals put around and into it.

    Returned in pieces, where blanks or wraps were: nearly always they belong together, but two
    codes one below the other do not.
    """
    if any(unicodedata.category(char) == "Cc" and char not in _WRAPS for char in text):
        return CodeIncomplete("There are control characters in it, which no address has.")
    text = "".join(
        char
        for char in text
        if unicodedata.category(char) not in _DROPPED_CATEGORIES and char not in _DROPPED
    )
    if link := _MARKDOWN_LINK.fullmatch(text):
        text = link[1]
    pieces = text.split()
    if not _bare("".join(pieces)):
        return NothingPasted("Nothing was pasted.")
    return pieces


def _bare(text: str) -> str:
    """``text`` without what ends a sentence or marks it in a chat; an ellipsis stays."""
    text = text.strip(_AT_THE_ENDS)
    if marked := _MARKED.fullmatch(text):
        text = marked[2] or marked[4]
    return _END_OF_SENTENCE.sub("", text).strip(_AT_THE_ENDS)


def _once(text: str) -> str:
    """``text``, or one copy of it if it is the same thing pasted several times over."""
    period = (text + text).find(text, 1)
    return text[:period] if period >= _SHORTEST_REPEATED else text


# --- find parameters ------------------------------------------------------------------------


def _layers(text: str, most: int = MAX_LAYERS) -> list[str]:
    """``text`` as it is, then without one layer of percent-encoding, and so on while it changes.

    A ``+`` stays one: in a code it means itself.
    """
    layers = [text.strip()]
    while len(layers) <= most and (decoded := unquote(layers[-1]).strip()) != layers[-1]:
        layers.append(decoded)
    return layers


def _parameters(text: str) -> Parameters:
    """Values by name, still encoded, wherever they stand: query, fragment, or a bare list.

    The same address may be in the text again, right behind the first.  Empty values say nothing,
    except for the code, where an empty one is a cut one.
    """
    text = _NEXT_ADDRESS.sub("&", _AMPERSAND.sub("&", text))
    parameters: Parameters = {}
    for name, value in _PARAMETER.findall(text):
        bare = value.strip(_AT_THE_ENDS)
        if bare or name == "code":
            parameters.setdefault(name, []).append(bare)
    return parameters


def _unwrap(text: str) -> tuple[str, int]:
    """Take an address out of a link checker's address, or out of its own encoding as a whole.

    Returns it with the number of layers removed; at least one is left for the code itself.
    """
    telling = _AUTHORIZATION_LINK | _RETURN_ADDRESS | {"code", "error"}
    for outer, decoded in enumerate(_layers(text, MAX_LAYERS - 1)):
        names = _parameters(decoded)
        if not telling.isdisjoint(names) or not _RETURN_ADDRESS.isdisjoint(map(str.lower, names)):
            return decoded, outer
    return text, 0


def _sent_instead(parameters: Parameters) -> AuthorizationError | None:
    """What the authorization server sent instead of a code, if it did."""
    if "error" not in parameters:
        return None
    known = [text for value in parameters["error"] for text in _layers(value) if text in _ADVICE]
    error = known[0] if known else "other"
    description = _description(parameters.get("error_description", [""])[0])
    if "access_denied" in known:
        return ConsentDenied("Cancel was chosen on the consent page.", description=description)
    return AuthorizationRefused(
        f"The authorization server sent the error {error!r} instead of a code.",
        error=error,
        description=description,
        advice=_ADVICE.get(error),
    )


def _description(value: str) -> str | None:
    """The server's own words, made harmless."""
    return harmless(_layers(value.replace("+", " "))[-1]) or None


def harmless(text: str) -> str:
    """What a page said: RFC 6749's characters, no word as long as a code, at most 200."""
    text = re.sub(r"[^\x20-\x21\x23-\x5b\x5d-\x7e]", " ", text)
    words = ["[...]" if len(word) > 24 else word for word in text.split()]
    return " ".join(words)[:200]


def leads_to(text: str, redirect_uri: str) -> bool:
    """Whether a paste holds an address of ``redirect_uri``, in any encoding."""
    return any(redirect_uri in layer for layer in _layers("".join(text.split())))


def _another_page(text: str, parameters: Parameters) -> AuthorizationError | None:
    """Tell the address of a page that comes before the one with the code."""
    if "code" in parameters:
        return None
    names = {name.lower() for name in parameters}
    if _LOGIN_PAGE.search(text) or not names.isdisjoint(_RETURN_ADDRESS):
        return NotTheRedirect("This is the address of a login or consent page.")
    if _AUTHORIZATION_PAGE.search(text) or not names.isdisjoint(_AUTHORIZATION_LINK):
        return NotTheRedirect("This is the authorization link itself, not where it leads to.")
    return None


# --- pick the code --------------------------------------------------------------------------


def _pick(whole: str, shape: CodeShape, outer: int) -> Outcome:
    """The one code of an address, decoded and found undamaged."""
    if _ELLIPSIS.search(whole):
        return CodeIncomplete("There is an ellipsis where a part of it was left out.")
    values = _values(whole)
    if not values:
        return _no_code()
    readings = [_decode(value, shape, MAX_LAYERS - outer) for value in values]
    if len({reading.canonical for reading in readings}) > 1:
        return SeveralCodes("There are two different codes in what was pasted.")
    return _damage(readings[0], shape) or readings[0]


def _values(text: str) -> list[str]:
    """The values of ``code``, or else the text itself if it can be a bare code.

    A bare code may have lost ``https://.../?code=``, as the guide wants it, and kept what follows.
    """
    if values := _parameters(text).get("code"):
        return values
    head = _bare(re.split("[&#]", text, maxsplit=1)[0])
    head = _LEFT_OF_THE_NAME.sub("", head)
    return [] if not head or _ADDRESS.search(head) else [head]


# --- decode to the shape --------------------------------------------------------------------


def _decode(value: str, shape: CodeShape, most: int = MAX_LAYERS) -> Reading:
    """Decode until the code has its shape; if it never has, exactly once, as any query is.

    Never until nothing changes any more: other providers' codes may contain a ``%``.
    """
    layers = _layers(value, most)
    for number, text in enumerate(layers):
        if shape.matches(text):
            return Reading(value, text, number, recognised=True, complete=shape.complete(text))
    once = min(1, len(layers) - 1)
    return Reading(value, layers[once], once, recognised=False, complete=None)


def _damage(reading: Reading, shape: CodeShape) -> AuthorizationError | None:
    """What can be seen to be wrong with the code, without a network."""
    if not reading.as_pasted:
        return CodeIncomplete("It ends where the code should begin.")
    if reading.recognised:
        if reading.complete is False:
            return CodeIncomplete(
                "The lengths inside the code do not fit: a part is missing, or something is added."
            )
        return None
    if _CUT_ESCAPE.search(reading.as_pasted):
        return CodeIncomplete("It ends in the middle of a percent escape.")
    if not VISIBLE.fullmatch(reading.canonical):
        return CodeIncomplete("There are characters in the code that no code has.")
    if "..." in reading.canonical:
        return CodeIncomplete("There is an ellipsis where a part of it was left out.")
    if any(shape.damaged(text) for text in _layers(reading.as_pasted)):
        return CodeIncomplete("Only a part of the code is there, or it was changed by hand.")
    return None


# --- check issuer and state -----------------------------------------------------------------


def _issuer(value: str) -> str:
    """The issuer's address (RFC 9207), decoded until it is one, else once."""
    layers = _layers(value)
    return next((text for text in layers if "://" in text), layers[min(1, len(layers) - 1)])


def _check_issuer(
    issuers: list[str], expected: str | None, required: bool
) -> AuthorizationError | None:
    """Compare as RFC 9207 has it, but for a slash at the end; not every server sends one."""
    if required and not issuers:
        return IssuerMismatch(
            "The address does not name the authorization server, although it always does."
        )
    if expected is None or all(same_issuer(issuer, expected) for issuer in issuers):
        return None
    return IssuerMismatch("The address names another authorization server than the one asked.")


def same_issuer(one: str, other: str) -> bool:
    """Whether two issuers are one: their settings here and there differ by a slash at the end."""
    return one.rstrip("/") == other.rstrip("/")


def _foreign_error() -> AuthorizationError:
    return NotTheRedirect(
        "This is an error of another authorization server, or of one that hides its name."
    )


def _check_state(states: list[str], expected: str | None) -> AuthorizationError | None:
    """Compare in constant time; never hint at how much of the state was right."""
    if expected is None:
        return None
    if not states:
        return StateMissing("The state, which ties the answer to this authorization, is missing.")
    same = [_same_state(state, expected) for state in states]
    if all(same):
        return None
    return StateMismatch("The state belongs to another authorization than this one.")


def _same_state(value: str, expected: str) -> bool:
    """Whether ``value`` is the expected state, in any of its layers, form-encoded or not."""
    wanted = expected.encode("utf-8", "surrogatepass")
    texts = [text for plus in (value, value.replace("+", " ")) for text in _layers(plus)]
    same = [compare_digest(text.encode("utf-8", "surrogatepass"), wanted) for text in texts]
    return any(same)
