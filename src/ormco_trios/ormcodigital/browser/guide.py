"""The portal's half of the guide in a browser: every decision, as flows over `Page`.

What is not in the table of phrases is neither pressed nor typed in: then a person is asked to go
on in the window.  Nothing that a page says counts as success: the guide prints no words for it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from pydantic import SecretStr

from ormco_trios.core.effects import Flow, Page
from ormco_trios.core.errors import OrmcoTriosError
from ormco_trios.ormcodigital.browser.actions import (
    Action,
    Arrived,
    Choose,
    Fill,
    Look,
    Obstructed,
    Open,
    Press,
    Submit,
)
from ormco_trios.ormcodigital.browser.page import Seen, Thing, submit_of
from ormco_trios.ormcodigital.facts import (
    ConnectionFact,
    MethodFact,
    PortalView,
    SignInFact,
    Source,
)
from ormco_trios.ormcodigital.flows import PortalCode
from ormco_trios.ormcodigital.manual import HandPortal
from ormco_trios.ormcodigital.models import SubmissionMethod, TriosState
from ormco_trios.ormcodigital.phrases import (
    ACCOUNT,
    CODE,
    CONNECT,
    EMAIL,
    HERE,
    INTRAORAL_SCANNER,
    OK,
    PASSWORD,
    PROFILE,
    PVS,
    SUBMISSION_METHOD,
    TRIOS,
    UPDATE,
    USERNAME,
    Phrase,
)
from ormco_trios.ormcodigital.portal import PortalVisit, PortalWay
from ormco_trios.ormcodigital.tasks import CONSENT, Address, Reply, Task, TaskKind

T = TypeVar("T")

_TROUBLE = re.compile(
    r"again|authori|cannot|code|denied|error|expir|fail|incorrect|invalid|mis(s|match)|n.t\b|"
    r"\bno\b|\bnot\b|\bold\b|please|problem|refus|reject|require|sign|sorry|unable|unknown|wrong",
    re.IGNORECASE,
)
"""Words after which nothing counts as seen before a person has read them."""

_WINDOW = "Go on in the browser window that this program has opened."


@dataclass(frozen=True, slots=True)
class Patience:
    """How long is waited for what is not there yet, in looks of `actions.STEP` seconds.

    Attributes:
        quiet: After so many looks at which nothing was loaded and nothing changed.
        most: After so many in any case.
    """

    quiet: int = 30
    most: int = 400


@dataclass(frozen=True, slots=True)
class Login:
    """The practice's own login at the portal."""

    username: str
    password: SecretStr


class Stuck(Exception):
    """A person has to go on."""

    def __init__(self, task: Task) -> None:
        super().__init__(task.title)
        self.task = task


class BrowserGuide:
    """`Portal` in a browser.

    Args:
        browser: What performs the actions.
        login: The practice's own login; without it a person signs in in the window.
        patience: How long is waited.
    """

    way = PortalWay.BROWSER

    def __init__(
        self, browser: object, login: Login | None, patience: Patience = Patience()
    ) -> None:
        self._browser = browser
        self._login = login
        self._patience = patience
        self._hand = HandPortal()
        self._before: Mapping[str, bool] = {}
        self._named = False  # the user name was sent on a page of its own
        self._tried = False  # the password was sent: once is all it gets
        self._fresh = False  # the profile is as the portal gave it
        self._sent_off: Task | None = None  # *here* was pressed
        self._doubt: Task | None = None

    # --- what the onboarding calls ----------------------------------------------------------

    def look(self, visit: PortalVisit, *, everything: bool = True) -> Flow[PortalView]:
        memory = visit.memory
        if self._sent_off is not None or (self._login is None and not everything):
            return memory.view()
        task: Task | None = self._doubt
        problem: OrmcoTriosError | None = None
        if task is None:
            try:
                seen = yield from self._to_profile()
                if not self._fresh and not seen.find(CODE):
                    seen = yield from self._profile_anew(seen)
                self._note(seen, visit)
            except Stuck as stuck:
                task = stuck.task
            except OrmcoTriosError as error:
                problem = error
        return replace(memory.view(), task=task, problem=problem)

    def link(self, visit: PortalVisit) -> Flow[Address | Task]:
        try:
            if self._sent_off is None:
                seen = yield from self._to_code_field()
                yield from self._press(HERE, leads_away=True)
                self._sent_off = _at_3shape(visit.account)
                self._before = seen.lines
                # Only where 3Shape asks for nothing does it come at once.
                address = yield from self._arrival(self._patience.quiet // 4)
            else:
                address = yield from self._arrival(self._patience.quiet)
        except Stuck as stuck:
            return stuck.task
        if address is None:
            return self._sent_off
        self._sent_off = None
        return Address(address)

    def enter_code(self, code: PortalCode, visit: PortalVisit) -> Flow[Task | None]:
        entered = False
        try:
            seen = yield from self._to_code_field()
            entered = True
            code.spend("the hand-over to OrmcoDigital in a browser")
            yield from self._do(Fill(self._one(seen, CODE), code.reveal("portal")))
            self._before = seen.lines
            yield from self._press(OK)
            seen, closed = yield from self._until(
                lambda seen: seen if not seen.busy and not seen.find(CODE) else None
            )
            said = self._new_words(seen)
            if closed is None:
                return self._doubtful("Ok was pressed, and the window is still open.", said)
            self._fresh = False
            yield from self._choose_trios()  # the page may have been drawn again
            return (yield from self._update(visit, said))
        except Stuck as stuck:
            if not entered:
                return stuck.task
            return self._doubtful(" ".join(stuck.task.steps[:-2]), [])

    def set_submission_method(self, visit: PortalVisit) -> Flow[Task | None]:
        try:
            yield from self._choose_trios()
            yield from self._press_update()
            seen = yield from self._profile_anew()
            self._note(seen, visit)
        except Stuck as stuck:
            return stuck.task
        return None if _method(seen) == SubmissionMethod.trios() else self._task(seen)

    save_draft = set_submission_method

    def renew(self, visit: PortalVisit) -> Flow[None]:
        yield from ()
        visit.memory.forget()

    def disconnect(self, visit: PortalVisit) -> Flow[Task]:
        return self._hand.disconnect(visit)

    def done(self, task: TaskKind, visit: PortalVisit) -> None:
        if task is TaskKind.IN_THE_WINDOW:
            self._fresh = False  # a person was at it
            self._before = {}
            return
        self._doubt = None
        self._hand.done(task, visit)

    def failed(self, task: TaskKind, visit: PortalVisit) -> None:
        # From the beginning, with another code.
        self._doubt = self._sent_off = None
        self._fresh = False

    # --- the steps --------------------------------------------------------------------------

    def _to_profile(self) -> Flow[Seen]:
        """Sign in where that is asked for, and go to *My Account > My Profile*."""
        seen: Seen = yield from self._do(Look())
        if not seen.windows:
            yield from self._do(Open())
        pressed: list[Phrase] = []
        for _ in range(6):
            seen, step = yield from self._until(lambda seen: _next_step(seen, pressed))
            if step is None:
                raise Stuck(self._task(seen))
            if step is SUBMISSION_METHOD:
                return seen
            if step in {USERNAME, PASSWORD}:
                yield from self._sign_in(seen)
                continue
            self._before = seen.lines
            pressed.append(step)
            yield from self._press(step)
            if step is PROFILE:
                self._fresh = True
        raise Stuck(self._task(seen))

    def _sign_in(self, seen: Seen) -> Flow[None]:
        """Type the login, once; the user name may have a page of its own."""
        login = self._login
        user = seen.find(USERNAME) or seen.find(EMAIL)
        password = seen.find(PASSWORD)
        if login is None:
            raise Stuck(self._task(seen, "Sign in to OrmcoDigital in the window."))
        if self._tried or (self._named and not password):
            raise Stuck(self._task(seen, "OrmcoDigital asks for the sign-in again: do it there."))
        if len(user) > 1 or len(password) > 1:
            raise Stuck(self._task(seen, _SEVERAL.format("sign-in")))
        fields = [*user, *password]
        if not all(field.trusted for field in fields):
            raise Stuck(
                self._task(seen, "This page is not of the portal's address: sign in there.")
            )
        self._before = seen.lines
        if user and user[0].editable and not self._named:
            yield from self._do(Fill(user[0], login.username))
            self._named = True
        if password:
            yield from self._do(Fill(password[0], login.password.get_secret_value()))
            self._tried = True
        last = fields[-1]
        button = submit_of(seen, last)
        yield from self._do(Submit(last) if button is None else Press(button))
        # A form that is still there once everything is quiet has refused.
        yield from self._until(lambda seen: _asked_no_more(seen, last))

    def _to_code_field(self) -> Flow[Seen]:
        seen: Seen = yield from self._do(Look())
        if not seen.find(CODE):
            yield from self._choose_trios()
            self._before = (yield from self._do(Look())).lines
            yield from self._press(CONNECT)
        seen, field = yield from self._until(lambda seen: _ready(seen.find(CODE)))
        if field is None:
            raise Stuck(self._task(seen))
        return seen

    def _choose_trios(self) -> Flow[None]:
        """*Intraoral Scanner*, and *3Shape Trios* in the list beside it."""
        seen = yield from self._to_profile()
        if _method(seen) == SubmissionMethod.trios():
            return
        self._fresh = False
        self._before = seen.lines
        yield from self._choose(INTRAORAL_SCANNER)
        yield from self._choose(TRIOS)

    def _choose(self, option: Phrase) -> Flow[None]:
        """By its words, in a native list, or in a list that has to be opened first."""

        def there(seen: Seen) -> list[Thing] | None:
            choices = [t for t in seen.find(option) if t.role != "text"]
            return choices or seen.scanner_list(option) or seen.clickable_beside(INTRAORAL_SCANNER)

        seen, things = yield from self._until(lambda seen: _ready(there(seen) or []))
        if things is None:
            raise Stuck(self._task(seen, _SEVERAL.format(option.words[0]) if there(seen) else ""))
        if things.role == "select":
            name = next((each for each in things.options if option.matches(each)), None)
            if name is None:
                raise Stuck(self._task(seen))
            yield from self._do(Choose(things, name))
        elif option.matches(things.name) and things.role != "list":
            if not things.checked:
                yield from self._do(Press(things))
        elif not option.matches(things.value or things.name):
            yield from self._do(Press(things))
            seen, chosen = yield from self._until(
                lambda seen: _ready([t for t in seen.find(option) if t.ref != things.ref])
            )
            if chosen is None:
                raise Stuck(self._task(seen))
            yield from self._do(Press(chosen))

    def _update(self, visit: PortalVisit, said: list[str]) -> Flow[Task | None]:
        """*Update*, and what can be seen of it."""
        refused = yield from self._press_update()
        said = list(dict.fromkeys([*said, *self._new_words((yield from self._do(Look())))]))
        seen = yield from self._profile_anew()
        self._note(seen, visit)
        words = " ".join(said)
        if _method(seen) != SubmissionMethod.trios():
            return self._doubtful("Update was pressed, and 3Shape Trios is not chosen now.", said)
        if refused or _TROUBLE.search(words):
            return self._doubtful("Update was pressed.", said)
        evidence = "Ok and Update were pressed"
        evidence += f'; the page then said "{words}"' if words else "; the page said nothing new"
        visit.memory.connection = ConnectionFact(
            value=TriosState.CONNECTED,
            source=Source.BROWSER,
            at=visit.clock.now(),
            evidence=f"{evidence}; the profile shows 3Shape Trios.",
        )
        return None

    def _press_update(self) -> Flow[bool]:
        """Whether an answer to it was refused."""
        before: Seen = yield from self._do(Look())
        self._before = before.lines
        yield from self._press(UPDATE)
        seen, _ = yield from self._until(
            lambda seen: seen if not seen.busy and seen.lines != before.lines else None
        )
        # What it says may come a moment later.
        for _ in range(self._patience.quiet // 6):
            seen = yield from self._do(Look())
        return seen.refused > before.refused

    def _profile_anew(self, seen: Seen | None = None) -> Flow[Seen]:
        """The profile as the portal gives it now."""
        self._fresh = False
        here: Seen = seen or (yield from self._do(Look()))
        way = next((p for p in (PROFILE, ACCOUNT) if len(here.find(p)) == 1), None)
        if way is None:
            yield from self._do(Open())
        else:
            yield from self._press(way)
            if way is ACCOUNT:
                yield from self._until(lambda seen: _ready(seen.find(PROFILE)))
                if (yield from self._do(Look())).find(PROFILE):
                    yield from self._press(PROFILE)
        yield from self._until(lambda seen: None if seen.busy else seen)
        seen = yield from self._to_profile()
        self._fresh = True
        return seen

    def _arrival(self, looks: int) -> Flow[str | None]:
        """The address that 3Shape's window was sent to, if that happens so soon."""
        for _ in range(looks):
            yield from self._do(Look())
            address: str | None = yield from self._do(Arrived())
            if address is not None:
                return address
        return None

    # --- seeing and doing -------------------------------------------------------------------

    def _until(self, wanted: Callable[[Seen], T | None]) -> Flow[tuple[Seen, T | None]]:
        """Look until ``wanted`` is there, or nothing moves any more."""
        quiet, before, seen = 0, None, Seen()
        for _ in range(self._patience.most):
            seen = yield from self._do(Look())
            found = wanted(seen)
            if found is not None:
                return seen, found
            now = (seen.lines, len(seen.things))
            quiet = 0 if seen.busy or now != before else quiet + 1
            if quiet >= self._patience.quiet:
                break
            before = now
        return seen, None

    def _press(self, phrase: Phrase, *, leads_away: bool = False) -> Flow[None]:
        for _ in range(3):
            seen, thing = yield from self._until(lambda seen: _ready(seen.find(phrase)))
            if thing is None:
                raise Stuck(self._task(seen, self._why(seen, phrase)))
            try:
                yield from Page(self._browser, Press(thing, leads_away=leads_away))
            except Obstructed:
                continue  # drawn again between the look and the click
            return
        seen = yield from self._do(Look())
        raise Stuck(self._task(seen, f'Another element covers "{phrase.words[0]}".'))

    def _do(self, action: Action) -> Flow[Any]:
        try:
            return (yield from Page(self._browser, action))
        except Obstructed:
            seen = yield from Page(self._browser, Look())
        raise Stuck(self._task(seen))

    def _one(self, seen: Seen, phrase: Phrase) -> Thing:
        found = seen.find(phrase)
        if len(found) != 1:
            raise Stuck(self._task(seen, self._why(seen, phrase)))
        return found[0]

    def _why(self, seen: Seen, phrase: Phrase) -> str:
        return _SEVERAL.format(phrase.words[0]) if len(seen.find(phrase)) > 1 else ""

    def _note(self, seen: Seen, visit: PortalVisit) -> None:
        """Remember what the profile shows."""
        now, memory = visit.clock.now(), visit.memory
        memory.signed_in = SignInFact(
            value=True, source=Source.BROWSER, at=now, evidence="The profile is shown."
        )
        if self._fresh:
            memory.submission_method = MethodFact(
                value=_method(seen), source=Source.BROWSER, at=now
            )

    # --- what a person is told --------------------------------------------------------------

    def _new_words(self, seen: Seen) -> list[str]:
        """What the page says that it did not say before: alerts, or else the first lines."""
        new = {line: loud for line, loud in seen.lines.items() if line not in self._before}
        loud = [line for line, is_loud in new.items() if is_loud]
        return [shown for line in (loud or list(new)) if (shown := self._harmless(line))][:3]

    def _harmless(self, line: str) -> str:
        """A line as it may be shown: no control characters, no secret, not too long."""
        secret = None if self._login is None else self._login.password.get_secret_value()
        if secret and secret in line:
            return ""
        words = "".join(c if c.isprintable() else " " for c in line).split()
        return " ".join("[...]" if len(word) > 24 else word for word in words)[:200]

    def _task(self, seen: Seen, why: str = "") -> Task:
        heading = self._harmless(seen.heading)
        said = " ".join(f'"{line}"' for line in self._new_words(seen) if line != heading)
        steps = [
            why or "This program does not know what the page asks for, and touches nothing there.",
            f'The page is headed "{heading}".' if heading else "The page has no heading.",
            f"It says: {said}" if said else "",
            "Do there what is asked for, so that you are signed in and no other page is in front.",
            "Then say done: this program looks where the window is, and goes on.",
        ]
        return Task(
            kind=TaskKind.IN_THE_WINDOW,
            title=_WINDOW,
            steps=tuple(filter(None, steps)),
            question="What did OrmcoDigital say?",
        )

    def _doubtful(self, what: str, said: list[str]) -> Task:
        """Keep asking whether the code was taken: nobody but a person can read the page."""
        words = " ".join(f'"{line}"' for line in said)
        self._doubt = Task(
            kind=TaskKind.ENTER_CODE,
            title="See whether OrmcoDigital has taken the code",
            steps=tuple(
                filter(
                    None,
                    (
                        what,
                        f"The page said: {words}" if words else "",
                        "If it is connected, with Update pressed, say done.",
                        "If not, say failed: you then get a fresh code.",
                    ),
                )
            ),
            question="What did OrmcoDigital say?",
        )
        return self._doubt


_SEVERAL = 'The page has more than one "{}", and this program cannot tell which is meant.'


_AT_3SHAPE = """\
A window of 3Shape is open. Sign in there with your 3Shape Communicate e-mail and password: this \
program types neither.
Check which e-mail the page shows: it has to be {account}. If it is another one, press Cancel.
Read what the page asks. In plain words: {consent}
Press Allow access. Whatever page comes then, leave it open, and say done at once: the code works \
for at most three minutes.
"""


def _at_3shape(account: str | None) -> Task:
    whose = "your practice's own account" if account is None else account
    return Task(
        kind=TaskKind.IN_THE_WINDOW,
        title="Allow access in the window of 3Shape",
        steps=(*_AT_3SHAPE.format(account=whose, consent=CONSENT).splitlines(),),
        replies=(Reply.DONE, Reply.FAILED),
        question="What did the page say?",
        account=account,
    )


def _ready(found: list[Thing]) -> Thing | None:
    """The one thing, if it can be used now."""
    return found[0] if len(found) == 1 and found[0].enabled else None


def _next_step(seen: Seen, pressed: list[Phrase]) -> Phrase | None:
    """Where this is on the way to the profile."""
    if seen.busy:
        return None
    if seen.shows(SUBMISSION_METHOD):
        return SUBMISSION_METHOD
    if seen.find(PASSWORD):
        return PASSWORD
    if seen.find(USERNAME) or seen.find(EMAIL):
        return USERNAME
    for phrase in (PROFILE, ACCOUNT):
        if phrase not in pressed and seen.find(phrase):
            return phrase
    return None


def _asked_no_more(seen: Seen, field: Thing) -> bool | None:
    if seen.busy:
        return None
    phrase = PASSWORD if field.secret else USERNAME
    left = seen.find(phrase) if field.secret else seen.find(USERNAME) or seen.find(EMAIL)
    # On the second of two pages the name may be shown again.
    return True if not left or (not field.secret and seen.find(PASSWORD)) else None


def _method(seen: Seen) -> SubmissionMethod | None:
    """What is chosen on the profile; None if that is neither of the two that are known."""

    def chosen(option: Phrase) -> bool:
        things = [t for t in seen.things if option.matches(t.name) and t.checked]
        values = [
            t for t in seen.things if t.role in {"select", "list"} and option.matches(t.value)
        ]
        return bool(things or values)

    beside = any(TRIOS.matches(t.name) for t in seen.clickable_beside(INTRAORAL_SCANNER))
    if chosen(INTRAORAL_SCANNER) and (chosen(TRIOS) or beside):
        return SubmissionMethod.trios()
    return SubmissionMethod.pvs() if chosen(PVS) else None
