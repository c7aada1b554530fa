"""The words of the real portal's screens: the only facts about it that anybody outside has.

Everything that looks at the portal's pages takes its words from this table.  What the guide's
screenshots print is a fact; what its sentences call a thing is weaker, since the page may say it
otherwise.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Source = Literal["printed", "sentence"]
"""Whether a screenshot of the guide prints the words, or only a sentence of it names them."""


@dataclass(frozen=True, slots=True)
class Phrase:
    """Words on a page of the portal.

    Attributes:
        name: What the library calls it.
        words: As the guide writes them; several where it writes them in several ways.
        source: How strong the evidence is [guide].
    """

    name: str
    words: tuple[str, ...]
    source: Source

    def matches(self, text: str) -> bool:
        """Whether ``text`` is these words and nothing else; see `folded`."""
        found = folded(text)
        return any(found == folded(words) for words in self.words)


PHRASES = (
    Phrase("username", ("Username",), "sentence"),
    Phrase("password", ("Password",), "sentence"),
    Phrase("account", ("My Account",), "sentence"),
    Phrase("profile", ("My Profile",), "sentence"),
    Phrase("submission_method", ("Submission Method",), "printed"),
    Phrase("source", ("Source",), "printed"),
    Phrase("intraoral_scanner", ("Intraoral Scanner",), "printed"),
    Phrase("trios", ("3Shape Trios",), "printed"),
    Phrase("pvs", ("PVS",), "printed"),
    # The screenshot has a blank in it, the sentence has none.
    Phrase("connect", ("Connect 3 Shape to Insignia", "Connect 3Shape to Insignia"), "printed"),
    Phrase("enter_code_title", ("Enter Authorization Code",), "printed"),
    Phrase("here", ("here", "click here"), "printed"),
    Phrase("code", ("Enter Code :",), "printed"),
    Phrase("cancel", ("Cancel",), "printed"),
    Phrase("ok", ("Ok",), "printed"),
    Phrase("update", ("Update",), "printed"),
    Phrase("shipping_address", ("Default Shipping Address",), "printed"),
)


def folded(text: str) -> str:
    """``text`` without case, blanks and the colon at its end, which the guide itself varies."""
    return re.sub(r"\s+", "", text).removesuffix(":").casefold()


_BY_WORDS = {folded(words): phrase for phrase in PHRASES for words in phrase.words}


def phrase_of(text: str) -> Phrase | None:
    """The phrase that ``text`` is, if it is one."""
    return _BY_WORDS.get(folded(text))
