"""What is seen in a browser, and how something is found in it by the guide's words.

A page is a value here, so finding is tested without a browser.  `page.js` makes it of a real one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ormco_trios.ormcodigital.phrases import (
    INTRAORAL_SCANNER,
    SUBMISSION_METHOD,
    Phrase,
)

_PRESSED = ("button", "link", "menuitem", "tab")
_ROLES: dict[str, tuple[str, ...]] = {
    "press": _PRESSED,
    "field": ("field",),
    "choice": ("radio", "checkbox", "option", *_PRESSED),
    "words": (),
}


@dataclass(frozen=True, slots=True)
class Thing:
    """One visible element.

    Attributes:
        role: As ARIA's, with ``field`` for what text is typed in, ``select`` for the native list,
            ``list`` for another one, and ``text`` for words that are nothing else.
        name: What can be read on it, else its accessible name; the words of a ``text``.
        frame: Which frame of which window it is in.
        path: It and what it is inside of, from the inside out, by number within its frame.
        box: Left, top, width, height, in the frame's pixels.
        behind: Whether it is outside of a modal dialog that is open.
        checked: Whether it is chosen.
        value: What a list shows.
        options: What a native list offers.
        secret: Whether what is typed here is hidden, as a password is.
        form: The number of its form.
        submits: Whether it sends that form.
        sends_to: The address that the form is sent to, as the page says it.
        clickable: Whether words look as if something happens when they are clicked.
        trusted: Whether its frame, and what its form is sent to, are the portal's, by address.
        ref: The browser's own reference to it.
    """

    role: str
    name: str
    frame: int = 0
    path: tuple[int, ...] = ()
    box: tuple[float, float, float, float] = (0, 0, 1, 1)
    behind: bool = False
    enabled: bool = True
    checked: bool = False
    value: str = ""
    options: tuple[str, ...] = ()
    secret: bool = False
    editable: bool = True
    form: int | None = None
    submits: bool = False
    sends_to: str = ""
    text: str = ""
    clickable: bool = False
    trusted: bool = True
    ref: Any = None

    @property
    def window(self) -> int:
        """Which window it is in; the frames of each begin at a hundred of their own."""
        return self.frame // 100

    def together(self, other: Thing) -> bool:
        """Whether it is in the same form as ``other``, or both are in none on the same page."""
        return self.frame == other.frame and self.form == other.form

    def beside(self, other: Thing) -> bool:
        """Whether it is in the same line as ``other``, to its right."""
        (x, y, _, h), (left, top, width, height) = self.box, other.box
        middle = y + h / 2
        return self.frame == other.frame and x >= left + width / 2 and top <= middle <= top + height

    def below(self, other: Thing) -> bool:
        """Whether it is right under ``other``."""
        (x, y, w, _), (left, top, width, height) = self.box, other.box
        return (
            self.frame == other.frame
            and top + height / 2 <= y <= top + height + 40
            and x < left + width
            and left < x + w
        )


@dataclass(frozen=True, slots=True)
class Window:
    """One window of the browser.

    Attributes:
        heading: Its first heading, or else its title.
        words: The lines that it shows, each with whether it is an alert or the like.
    """

    url: str
    heading: str
    things: tuple[Thing, ...]
    words: tuple[tuple[str, bool], ...] = ()


@dataclass(frozen=True, slots=True)
class Seen:
    """All windows of the portal at one moment.

    Attributes:
        busy: Whether a page is still being loaded, or an answer is waited for.
        refused: How many answers to the portal's own requests had a status of 400 or more so far.
        answers: How many answers came to the portal's own requests so far.
        said: What the browser's own dialogs said since something was done last.
        asked: What they asked so far; no program answers that for a person.
    """

    windows: tuple[Window, ...] = ()
    busy: bool = False
    refused: int = 0
    answers: int = 0
    said: tuple[str, ...] = ()
    asked: tuple[str, ...] = ()

    @property
    def things(self) -> list[Thing]:
        """What can be seen, in all windows."""
        return [thing for window in self.windows for thing in window.things]

    @property
    def lines(self) -> dict[str, bool]:
        """The lines that can be read, each with whether it is an alert or the like."""
        return {line: loud for window in self.windows for line, loud in window.words}

    @property
    def heading(self) -> str:
        """Of the window that came last."""
        return self.windows[-1].heading if self.windows else ""

    def find(self, phrase: Phrase) -> list[Thing]:
        """What the words name: one thing, or none, or several among which nobody can tell.

        By role and name; else by the words alone; a field is beside or below them.
        """
        things = [thing for thing in self.things if not thing.behind]
        roles = _ROLES[phrase.role]
        named = _innermost(t for t in things if t.role in roles and phrase.matches(t.name))
        words = _innermost(t for t in things if t.role == "text" and phrase.matches(t.name))
        if phrase.role == "field":
            fields = [thing for thing in things if thing.role == "field"]
            return named or _one_each(words, fields)
        return named or words

    def find_around(self, phrase: Phrase, field: Thing) -> list[Thing]:
        """As `find`, in the smallest part of the page around ``field`` that has the words."""
        found = self.find(phrase)
        for around in field.path:
            near = [thing for thing in found if _same(thing, field) and around in thing.path]
            if near:
                return near
        return found

    def shows(self, phrase: Phrase) -> bool:
        """Whether the words are anywhere, also in a list."""
        return any(
            any(map(phrase.matches, (thing.name, thing.value, *thing.options)))
            for thing in self.things
        )

    def offers(self, option: Phrase) -> bool:
        """Whether it can be chosen as it is, by its words or in a native list."""
        return any(t.role != "text" for t in self.find(option)) or any(
            option.matches(each) for t in self.things for each in t.options
        )

    def scanner_list(self, option: Phrase) -> list[Thing]:
        """The only list beside *Submission Method* [assumed], or the native one with the words."""
        things = self.things
        native = [
            thing
            for thing in things
            if thing.role == "select" and any(map(option.matches, thing.options))
        ]
        if native:
            return native
        lists = _innermost(thing for thing in things if thing.role in {"list", "select"})
        anchors = self.find(INTRAORAL_SCANNER)
        anchors += [thing for thing in things if SUBMISSION_METHOD.matches(thing.name)]
        for anchor in anchors:
            for around in anchor.path:
                near = [each for each in lists if around in each.path and _same(each, anchor)]
                if len(near) > 1:
                    near = [each for each in near if each.beside(anchor)] or near
                if near:
                    return near
        return [] if anchors else lists

    def clickable_beside(self, phrase: Phrase) -> list[Thing]:
        """Words beside ``phrase`` that look as if a list opens when they are clicked."""
        named = self.find(phrase)
        return _innermost(
            thing
            for thing in self.things
            if thing.role == "text" and thing.clickable and any(map(thing.beside, named))
        )


def _same(one: Thing, other: Thing) -> bool:
    return one.frame == other.frame


def _innermost(things: Iterable[Thing]) -> list[Thing]:
    """Without what only surrounds another."""
    found = list(things)
    return [
        thing
        for thing in found
        if not any(
            other is not thing and _same(thing, other) and thing.path[:1] and _inside(other, thing)
            for other in found
        )
    ]


def _inside(inner: Thing, outer: Thing) -> bool:
    return outer.path[0] in inner.path[1:]


def _one_each(words: Sequence[Thing], fields: Sequence[Thing]) -> list[Thing]:
    """The fields that belong to the words by where they are: beside them, or else below."""
    found: list[Thing] = []
    for each in words:
        near = [field for field in fields if field.beside(each)]
        near = near or [field for field in fields if field.below(each)]
        found += sorted(near, key=lambda field: field.box[:2])[:1]
    return list({id(thing): thing for thing in found}.values())


def submit_of(seen: Seen, field: Thing) -> Thing | None:
    """The only button that sends the sign-in form of ``field``; None where Enter has to do it.

    Where there is no form, the only button with words beside or around the field [assumed].
    """
    here = [thing for thing in seen.things if _same(thing, field)]
    if field.form is not None:
        submits = [thing for thing in here if thing.form == field.form and thing.submits]
        return submits[0] if len(submits) == 1 else None
    for around in field.path[1:]:
        near = [t for t in here if t.role == "button" and t.text and around in t.path]
        if near:
            return near[0] if len(near) == 1 else None
    return None
