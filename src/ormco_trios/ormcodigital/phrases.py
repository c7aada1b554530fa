"""The words of the real portal's screens: the only facts about it that are published.

Everything that looks at the portal's pages takes its words from this table.  What the guide's
screenshots print is a fact; what its sentences call a thing is weaker, since the page may say it
otherwise.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Source = Literal["printed", "sentence", "assumed"]
"""Whether a screenshot of the guide prints the words, a sentence of it names them, or nobody."""

Role = Literal["field", "press", "choice", "words"]
"""What the words are on a page: a field's, of what is pressed, of what is chosen, or only read."""


@dataclass(frozen=True, slots=True)
class Phrase:
    """Words on a page of the portal.

    Attributes:
        name: What the library calls it.
        words: As the guide writes them; several where it writes them in several ways.
        source: How strong the evidence is [guide], or that there is none [assumed].
        role: What they are the words of.
    """

    name: str
    words: tuple[str, ...]
    source: Source
    role: Role = "words"

    def matches(self, text: str) -> bool:
        """Whether ``text`` is these words and nothing else; see `folded`."""
        found = folded(text)
        return any(found == folded(words) for words in self.words)


USERNAME = Phrase("username", ("Username",), "sentence", "field")
# The one public trace of such a portal asks for an e-mail [seen]; the words are ours.
EMAIL = Phrase("email", ("E-mail", "Email", "E-mail address", "Email address"), "assumed", "field")
PASSWORD = Phrase("password", ("Password",), "sentence", "field")
ACCOUNT = Phrase("account", ("My Account",), "sentence", "press")
PROFILE = Phrase("profile", ("My Profile",), "sentence", "press")
SUBMISSION_METHOD = Phrase("submission_method", ("Submission Method",), "printed")
SOURCE = Phrase("source", ("Source",), "printed")
INTRAORAL_SCANNER = Phrase("intraoral_scanner", ("Intraoral Scanner",), "printed", "choice")
TRIOS = Phrase("trios", ("3Shape Trios",), "printed", "choice")
PVS = Phrase("pvs", ("PVS",), "printed", "choice")
# The screenshot has a blank in it, the sentence has none.
CONNECT = Phrase(
    "connect", ("Connect 3 Shape to Insignia", "Connect 3Shape to Insignia"), "printed", "press"
)
ENTER_CODE_TITLE = Phrase("enter_code_title", ("Enter Authorization Code",), "printed")
HERE = Phrase("here", ("here", "click here"), "printed", "press")
CODE = Phrase("code", ("Enter Code :",), "printed", "field")
CANCEL = Phrase("cancel", ("Cancel",), "printed", "press")
OK = Phrase("ok", ("Ok",), "printed", "press")
UPDATE = Phrase("update", ("Update",), "printed", "press")
SHIPPING_ADDRESS = Phrase("shipping_address", ("Default Shipping Address",), "printed")

PHRASES = (
    USERNAME,
    EMAIL,
    PASSWORD,
    ACCOUNT,
    PROFILE,
    SUBMISSION_METHOD,
    SOURCE,
    INTRAORAL_SCANNER,
    TRIOS,
    PVS,
    CONNECT,
    ENTER_CODE_TITLE,
    HERE,
    CODE,
    CANCEL,
    OK,
    UPDATE,
    SHIPPING_ADDRESS,
)


@dataclass(frozen=True, slots=True)
class Wordless:
    """A control that has no words in the guide, and how it is found [assumed].

    Attributes:
        shown: What it is.
        rule: Which one it is.
    """

    shown: str
    rule: str


WORDLESS = (
    Wordless(
        "how the browser finds the sign-in form's button",
        "the only button that submits the form; else *Enter* is pressed in the field",
    ),
    Wordless(
        "how the browser finds the drop-down",
        "the only list beside *Submission Method*, or the one that offers *3Shape Trios*",
    ),
)


def folded(text: str) -> str:
    """``text`` without case, blanks, and the marks around it (a colon, a star, an arrow)."""
    return re.sub(r"^\W+|\W+$", "", re.sub(r"\s+", "", text)).casefold()


_BY_WORDS = {folded(words): phrase for phrase in PHRASES for words in phrase.words}


def phrase_of(text: str) -> Phrase | None:
    """The phrase that ``text`` is, if it is one."""
    return _BY_WORDS.get(folded(text))
