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
    Covered,
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
    ENTER_CODE_TITLE,
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
    phrase_of,
)
from ormco_trios.ormcodigital.portal import PortalVisit, PortalWay
from ormco_trios.ormcodigital.tasks import CONSENT, Address, Reply, Task, TaskKind

T = TypeVar("T")

_GOOD = frozenset(
    "accepted activated active applied changed complete completed confirmed connected done enabled "
    "established linked received recorded registered saved stored submitted success successful "
    "successfully thank thanks updated verified".split()
)
_PLAIN = frozenset(
    "3shape a account all and are at authorization been by can case cases changes click code "
    "communicate connection data details for from great has have in information insignia intraoral "
    "is it last method my now of ok on ormco our practice preferences press profile save scan "
    "scanner scans select send settings since submission the this to today trios update was we "
    "were will with you your".split()
)
_METHODS = frozenset("3 3shape intraoral method pvs scanner shape source submission trios".split())


def says_nothing_else(line: str) -> bool:
    """Whether a line can say nothing but that something was saved, or what the method is.

    The guide prints no such words, so none of them counts as success.  But whatever has another
    word in it, in whatever language, has to be read by a person.
    """
    found = re.findall(r"\w+", line.casefold())
    # A date or a time; a number alone may be that of an error, and a nought says that nothing was.
    numbers = [word for word in found if word.isdecimal() and word.strip("0")]
    words = {word for word in found if word not in numbers}
    if not words:
        return len(numbers) > 1
    saved = bool(words & _GOOD) and words <= _GOOD | _PLAIN
    return "?" not in line and (words <= _METHODS or saved)


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
        self._before: set[str] = set()  # what the portal showed before a code was entered
        self._told: set[str] = set()  # what a person was told to read is told again
        self._entered = False  # Ok or Update was pressed: what is new from then on is its answer
        self._heard = 0  # so many questions of the browser were passed on to a person
        self._named: bool = False  # the user name was sent on a page of its own
        self._signing_in = False  # a person may have signed in
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
                if not self._fresh and not _code_fields(seen):
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
                yield from self._press(HERE, leads_away=True, of_the_code=True)
                self._sent_off = _at_3shape(visit.account)
                self._usual(seen)
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
        so_far, said = "", dict[str, bool]()
        try:
            seen = yield from self._to_code_field()
            if len(_code_fields(seen)) != 1:
                raise Stuck(self._task(seen, _why(_code_fields(seen), CODE)))
            so_far = "The code was typed in, and neither Ok nor Update was pressed."
            code.spend("the hand-over to OrmcoDigital in a browser")
            yield from self._type_code(code.reveal("portal"))
            self._usual(seen)
            yield from self._press(OK, of_the_code=True)
            self._entered = True
            so_far = "Ok was pressed, and Update was not. Without Update nothing is connected."
            _, closed = yield from self._until(
                lambda seen: True if not seen.busy and not _code_fields(seen) else None, said
            )
            if closed is None:
                return self._doubtful(f"{so_far} The window of the code is still open.", said)
            self._fresh = False
            yield from self._choose_trios()  # the page may have been drawn again
            before = yield from self._press_update()
            so_far = "Ok and Update were pressed, and the profile was not read back."
            refused = yield from self._answer(before, said)
            seen = yield from self._profile_anew()
            said |= self._new(seen)
        except Stuck as stuck:
            if not so_far:
                return stuck.task
            return self._doubtful(" ".join((so_far, *stuck.task.steps[:-2])), said)
        except OrmcoTriosError as error:
            if not so_far:
                raise
            return self._doubtful(f"{so_far} {error.happened}", said)
        return self._seen_of(seen, visit, said, refused=refused)

    def set_submission_method(self, visit: PortalVisit) -> Flow[Task | None]:
        try:
            yield from self._choose_trios()
            yield from self._answer((yield from self._press_update()), {})
            seen = yield from self._profile_anew()
            self._note(seen, visit)
        except Stuck as stuck:
            return stuck.task
        return None if method(seen) == SubmissionMethod.trios() else self._task(seen)

    save_draft = set_submission_method

    def renew(self, visit: PortalVisit) -> Flow[None]:
        yield from ()
        visit.memory.forget()

    def disconnect(self, visit: PortalVisit) -> Flow[Task]:
        return self._hand.disconnect(visit)

    def done(self, task: TaskKind, visit: PortalVisit) -> None:
        if task is TaskKind.IN_THE_WINDOW:
            self._fresh, self._signing_in = False, True  # a person was at it
            return
        doubt, self._doubt = self._doubt, None
        self._hand.done(task, visit)
        known = visit.memory.connection
        if doubt is not None and known is not None and task is TaskKind.ENTER_CODE:
            evidence = " ".join(doubt.steps[:-2])
            visit.memory.connection = known.model_copy(update={"evidence": evidence})

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
                yield from self._insist(self._sign_in, "sign-in")
                continue
            self._usual(seen)
            pressed.append(step)
            yield from self._press(step)
            if step is PROFILE:
                self._fresh = True
        raise Stuck(self._task(seen))

    def _sign_in(self) -> Flow[None]:
        """Type the login, once; the user name may have a page of its own."""
        seen: Seen = yield from self._do(Look())
        asked = seen.find(PASSWORD) or seen.find(USERNAME) or seen.find(EMAIL)
        if self._signing_in and asked and (self._login is None or self._tried):
            # A person has done it, and the page goes on.
            seen, gone = yield from self._until(lambda seen: _asked_no_more(seen, asked[-1]))
            if gone:
                return
        login, user, password = self._sign_in_form(seen)
        self._usual(seen)
        if user is not None and user.editable and not self._named:
            yield from self._do(Fill(user, login.username))
        if password is not None:
            yield from self._do(Fill(password, login.password.get_secret_value()))
        # What was typed may have drawn it again.
        seen = yield from self._do(Look())
        _, user, password = self._sign_in_form(seen)
        last = password or user
        button = None if last is None else submit_of(seen, last)
        named = self._named
        self._named, self._tried = named or user is not None, password is not None
        try:
            if last is not None:
                yield from self._do(Submit(last) if button is None else Press(button))
        except Obstructed as error:
            now: Seen = yield from Page(self._browser, Look())
            nothing_sent = now.answers == seen.answers and not now.busy
            if nothing_sent and not isinstance(error, Covered):
                self._named, self._tried = named, False
            raise
        # A form that is still there once everything is quiet has refused.
        yield from self._until(lambda seen: _asked_no_more(seen, last))

    def _sign_in_form(self, seen: Seen) -> tuple[Login, Thing | None, Thing | None]:
        """The fields for the user name and the password, if the login may be typed there."""
        user = seen.find(USERNAME) or seen.find(EMAIL)
        password = seen.find(PASSWORD)
        if self._login is None:
            raise Stuck(self._task(seen, "Sign in to OrmcoDigital in the window."))
        if self._tried or (self._named and not password):
            raise Stuck(self._task(seen, "OrmcoDigital asks for the sign-in again: do it there."))
        if len(user) > 1 or len(password) > 1:
            raise Stuck(self._task(seen, _why(user if len(user) > 1 else password, PASSWORD)))
        fields = [*user, *password]
        buttons = filter(None, [submit_of(seen, each) for each in fields[-1:]])
        if not all(each.trusted for each in (*fields, *buttons)):
            raise Stuck(self._task(seen, _ELSEWHERE))
        if password and not password[0].secret:
            raise Stuck(self._task(seen, "The password would be readable there: sign in yourself."))
        secrets = [t for t in seen.things if t.secret and fields and t.together(fields[-1])]
        if len(secrets) > 1:
            raise Stuck(self._task(seen, "This form asks for more than one password."))
        return self._login, next(iter(user), None), next(iter(password), None)

    def _to_code_field(self) -> Flow[Seen]:
        self._told.clear()  # what the profile shows before there is a code says nothing about it
        seen: Seen = yield from self._do(Look())
        if not _code_fields(seen):
            yield from self._choose_trios()
            self._usual((yield from self._do(Look())))
            yield from self._press(CONNECT)
        seen, field = yield from self._until(lambda seen: _ready(_code_fields(seen)))
        if field is None:
            raise Stuck(self._task(seen, _why(_code_fields(seen), CODE)))
        return seen

    def _choose_trios(self) -> Flow[None]:
        """*Intraoral Scanner*, and *3Shape Trios* in the list beside it."""
        seen = yield from self._to_profile()
        if method(seen) == SubmissionMethod.trios():
            return
        self._fresh = False
        self._usual(seen)
        # Where there is only the list, it says both.
        if seen.offers(INTRAORAL_SCANNER) or not seen.offers(TRIOS):
            yield from self._choose(INTRAORAL_SCANNER)
        yield from self._choose(TRIOS)

    def _choose(self, option: Phrase) -> Flow[None]:
        yield from self._insist(lambda: self._choose_once(option), option.words[0])

    def _choose_once(self, option: Phrase) -> Flow[None]:
        """By its words, in a native list, or in a list that has to be opened first."""

        def there(seen: Seen) -> list[Thing]:
            choices = [t for t in seen.find(option) if t.role != "text"]
            return choices or seen.scanner_list(option) or seen.clickable_beside(INTRAORAL_SCANNER)

        seen, things = yield from self._until(lambda seen: _ready(there(seen)))
        if things is None:
            raise Stuck(self._task(seen, _why(there(seen), option)))
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

    def _seen_of(
        self, seen: Seen, visit: PortalVisit, said: dict[str, bool], *, refused: bool
    ) -> Task | None:
        """What can be seen after *Update*, on the profile that was read anew."""
        self._note(seen, visit)
        if method(seen) != SubmissionMethod.trios():
            return self._doubtful("Update was pressed, and 3Shape Trios is not chosen now.", said)
        if refused:
            return self._doubtful("Update was pressed, and an answer to it was an error.", said)
        if not all(map(says_nothing_else, said)):
            return self._doubtful("Update was pressed, and only you can read the answer.", said)
        evidence = "Ok and Update were pressed"
        words = " ".join(_to_show(said))
        evidence += f'; the page then said "{words}"' if words else "; the page said nothing new"
        visit.memory.connection = ConnectionFact(
            value=TriosState.CONNECTED,
            source=Source.BROWSER,
            at=visit.clock.now(),
            evidence=f"{evidence}; the profile shows 3Shape Trios.",
        )
        return None

    def _press_update(self) -> Flow[Seen]:
        """What there was before it."""
        before: Seen = yield from self._do(Look())
        self._usual(before)
        yield from self._press(UPDATE)
        self._entered = True
        return before

    def _answer(self, before: Seen, said: dict[str, bool]) -> Flow[bool]:
        """Whether an answer to *Update* was refused; what the page says goes to ``said``."""
        # It may come late, and be gone again: until nothing moves any more.
        seen, _ = yield from self._until(lambda _: None, said)
        return seen.refused > before.refused

    def _profile_anew(self, seen: Seen | None = None) -> Flow[Seen]:
        """The profile as the portal gives it now."""
        self._fresh = False
        here: Seen = seen or (yield from self._do(Look()))
        way = next((p for p in (PROFILE, ACCOUNT) if _leads_on(here.find(p))), None)
        if way is not None:
            yield from self._press(way)
            if way is ACCOUNT:
                yield from self._until(lambda seen: _ready(seen.find(PROFILE)))
                if (yield from self._do(Look())).find(PROFILE):
                    yield from self._press(PROFILE)
        now, _ = yield from self._until(lambda seen: None if seen.busy else seen)
        if now.answers == here.answers:  # a heading was pressed, or the page kept what it had
            yield from self._do(Open())
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

    def _until(
        self, wanted: Callable[[Seen], T | None], said: dict[str, bool] | None = None
    ) -> Flow[tuple[Seen, T | None]]:
        """Look until ``wanted`` is there, or nothing moves any more.

        Args:
            wanted: What is looked for.
            said: Takes what the page says meanwhile, also if only for a moment.
        """
        quiet, still, before, seen = 0, 0, None, Seen()
        for _ in range(self._patience.most):
            seen = yield from self._do(Look())
            if said is not None:
                said |= self._new(seen)
            asked, self._heard = seen.asked[self._heard :], len(seen.asked)
            if asked:
                raise Stuck(self._task(seen, _ASKED.format(self._harmless(asked[0]))))
            now = (seen.lines, len(seen.things))
            still = 0 if now != before else still + 1
            # Some pages wait for an answer all the time.
            found = wanted(replace(seen, busy=seen.busy and still < self._patience.quiet))
            if found is not None:
                return seen, found
            quiet = 0 if seen.busy or now != before else quiet + 1
            if quiet >= self._patience.quiet:
                break
            before = now
        return seen, None

    def _press(
        self, phrase: Phrase, *, leads_away: bool = False, of_the_code: bool = False
    ) -> Flow[None]:
        """Press the only thing with these words; ``of_the_code``, the one at the code's field."""

        def found(seen: Seen) -> list[Thing]:
            fields = _code_fields(seen) if of_the_code else []
            return seen.find_around(phrase, fields[0]) if len(fields) == 1 else seen.find(phrase)

        yield from self._reach(phrase, found, lambda it: Press(it, leads_away=leads_away))

    def _type_code(self, text: str) -> Flow[None]:
        yield from self._reach(CODE, _code_fields, lambda it: Fill(it, text))

    def _reach(
        self,
        phrase: Phrase,
        find: Callable[[Seen], list[Thing]],
        act: Callable[[Thing], Action],
    ) -> Flow[None]:
        """Do something with the one thing that is found."""

        def once() -> Flow[None]:
            seen, thing = yield from self._until(lambda seen: _ready(find(seen)))
            if thing is None:
                raise Stuck(self._task(seen, _why(find(seen), phrase)))
            yield from self._do(act(thing))

        yield from self._insist(once, phrase.words[0])

    def _insist(self, step: Callable[[], Flow[None]], what: str) -> Flow[None]:
        """Take a step; again where the page was drawn again since it was looked at."""
        for _ in range(5):
            try:
                yield from step()
            except Covered:
                break
            except Obstructed:
                continue
            return
        seen = yield from self._do(Look())
        raise Stuck(self._task(seen, _COVERED.format(what)))

    def _do(self, action: Action) -> Flow[Any]:
        """Perform it in the browser.

        Raises:
            Obstructed: It did not get through.
        """
        return (yield from Page(self._browser, action))

    def _note(self, seen: Seen, visit: PortalVisit) -> None:
        """Remember what the profile shows."""
        now, memory = visit.clock.now(), visit.memory
        memory.signed_in = SignInFact(
            value=True, source=Source.BROWSER, at=now, evidence="The profile is shown."
        )
        if self._fresh:
            memory.submission_method = MethodFact(value=method(seen), source=Source.BROWSER, at=now)

    # --- what a person is told --------------------------------------------------------------

    def _usual(self, seen: Seen) -> None:
        """Remember what the portal shows, as long as no code was entered."""
        if not self._entered:
            self._before.update(seen.lines.keys() - self._told)

    def _new(self, seen: Seen) -> dict[str, bool]:
        """The lines that were not there before a code was entered, each with whether it is loud."""
        new = {line: loud for line, loud in seen.lines.items() if line not in self._before}
        lines = {**dict.fromkeys(seen.said, True), **new}
        return {
            shown: loud
            for line, loud in lines.items()
            if phrase_of(line) is None and (shown := self._harmless(line))
        }

    def _harmless(self, line: str) -> str:
        """A line as it may be shown: no control characters, no secret, not too long."""
        secret = None if self._login is None else self._login.password.get_secret_value()
        if secret and secret in line:
            return ""
        words = "".join(c if c.isprintable() else " " for c in line).split()
        return " ".join("[...]" if len(word) > 24 else word for word in words)[:200]

    def _task(self, seen: Seen, why: str = "") -> Task:
        heading = self._harmless(seen.heading)
        said = " ".join(f'"{line}"' for line in _to_show(self._new(seen)) if line != heading)
        self._told.update(seen.lines.keys() - self._before)
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

    def _doubtful(self, what: str, said: dict[str, bool]) -> Task:
        """Keep asking whether the code was taken: nobody but a person can read the page."""
        words = " ".join(f'"{line}"' for line in _to_show(said))
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


def _to_show(said: Mapping[str, bool]) -> list[str]:
    """What a person is told of it: alerts, or else the first lines.

    Where much is new, it is another page, and what is no sentence there may be somebody's name.
    """
    loud = [line for line, is_loud in said.items() if is_loud]
    quiet = [line for line, is_loud in said.items() if not is_loud]
    if len(quiet) > _MANY:
        quiet = [line for line in quiet if line[-1] in _STOPS or len(line.split()) > _MANY]
    return (loud or quiet)[:_MANY]


_MANY = 3
_STOPS = ".!?:;\u2026\u3002\uff01\uff1f"
_ASKED = 'The browser asked "{}", and this program has answered Cancel: do it again yourself.'
_COVERED = 'Another element covers "{}", or the page draws it again all the time.'
_OFF = 'The page has "{}", and does not let it be used now.'
_ELSEWHERE = "This form, or what it is sent to, is not of the portal's address: sign in there."
_WINDOWS = 'There is "{}" in more than one window: close those that are not needed.'
_SEVERAL = 'The page has more than one "{}", and this program cannot tell which is meant.'


_AT_3SHAPE = """\
A window of 3Shape is open. Sign in there with your 3Shape Communicate e-mail and password: this \
program types neither.
Check which e-mail the page shows: it has to be {account}. If it is another one, do not allow \
access: sign out of 3Shape there, and say failed; you then get the page again.
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
        asks_account=True,
    )


def _why(found: list[Thing], phrase: Phrase) -> str:
    """What is wrong with what was found."""
    if len({each.window for each in found}) > 1:
        return _WINDOWS.format(phrase.words[0])
    if len(found) > 1:
        return _SEVERAL.format(phrase.words[0])
    return _OFF.format(phrase.words[0]) if found else ""


def _ready(found: list[Thing]) -> Thing | None:
    """The one thing, if it can be used now."""
    return found[0] if len(found) == 1 and found[0].enabled else None


def _leads_on(found: list[Thing]) -> bool:
    """Whether it is one thing, and no heading of the page that is shown."""
    return len(found) == 1 and (found[0].role != "text" or found[0].clickable)


_ON_PROFILE = (INTRAORAL_SCANNER, TRIOS, PVS, CONNECT)


def _next_step(seen: Seen, pressed: list[Phrase]) -> Phrase | None:
    """Where this is on the way to the profile."""
    if seen.busy:
        return None
    # Another page may name it too, as one that leads there.
    if seen.shows(SUBMISSION_METHOD) and any(map(seen.shows, _ON_PROFILE)):
        return SUBMISSION_METHOD
    if seen.find(PASSWORD):
        return PASSWORD
    if seen.find(USERNAME) or seen.find(EMAIL):
        return USERNAME
    for phrase in (PROFILE, ACCOUNT):
        if phrase not in pressed and seen.find(phrase):
            return phrase
    return None


def _code_fields(seen: Seen) -> list[Thing]:
    """Where the code is entered: a second factor asks for a code as well, without the title."""
    return [
        field
        for window in seen.windows
        for field in Seen((window,)).find(CODE)
        if Seen((window,)).find(HERE)
        or Seen((window,)).shows(ENTER_CODE_TITLE)
        or ENTER_CODE_TITLE.matches(window.heading)
    ]


def _asked_no_more(seen: Seen, field: Thing | None) -> bool | None:
    if seen.busy or field is None:
        return None
    phrase = PASSWORD if field.secret else USERNAME
    left = seen.find(phrase) if field.secret else seen.find(USERNAME) or seen.find(EMAIL)
    # On the second of two pages the name may be shown again.
    return True if not left or (not field.secret and seen.find(PASSWORD)) else None


def method(seen: Seen) -> SubmissionMethod | None:
    """What is chosen on the profile; None if that is neither of the two that are known."""

    def chosen(option: Phrase) -> bool:
        things = [t for t in seen.things if option.matches(t.name) and t.checked]
        values = [
            t for t in seen.things if t.role in {"select", "list"} and option.matches(t.value)
        ]
        return bool(things or values)

    beside = any(TRIOS.matches(t.name) for t in seen.clickable_beside(INTRAORAL_SCANNER))
    only_list = not seen.shows(INTRAORAL_SCANNER) and not seen.offers(INTRAORAL_SCANNER)
    if (chosen(INTRAORAL_SCANNER) or only_list) and (chosen(TRIOS) or beside):
        return SubmissionMethod.trios()
    return SubmissionMethod.pvs() if chosen(PVS) else None
