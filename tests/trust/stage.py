"""A practice with every client, its traffic over a `Wire`, and arguments for every method."""

from __future__ import annotations

import contextlib
import inspect
import logging
import pickle
import traceback
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tests.practices import Hands
from tests.trust.wire import Trouble, Wire

from ormco_trios import (
    Address,
    CommunicateClient,
    Done,
    Environment,
    NeedsPerson,
    OAuthClient,
    Onboarding,
    OrmcoDigitalClient,
    Region,
    Retry,
    SubmissionMethod,
    TaskKind,
    errors,
)
from ormco_trios.communicate.approval import begin_wait
from ormco_trios.core.events import AuditEvent, CallEvent
from ormco_trios.core.model import WireModel
from ormco_trios.core.shield import Shielded
from ormco_trios.operations import Operation, Safety, Service, json_as, nothing
from ormco_trios.ormcodigital.tasks import TaskAnswer
from ormco_trios.sandbox import Approval, InProcessGateway, Sandbox

OMIT = object()
"""The parameter's default will do: it can hold neither a secret nor a person."""

TESTS = str(Path(__file__).resolve().parents[1])
"""Where the tests are, whose own variables hold what they gave to the library."""

PATIENT = "Sentinel-Patient, Quirin"

LIFECYCLE = frozenset({"close", "aclose"})


class Stage:
    """One practice at the sandbox, which signs in wherever that is needed."""

    def __init__(self, both: Any) -> None:
        self.both = both
        self.sandbox = Sandbox(approval=Approval.after(3600))
        self.who = self.sandbox.practice
        self.wire = Wire(InProcessGateway(self.sandbox.world))
        self.events: list[CallEvent] = []
        self.audits: list[AuditEvent] = []
        self._common: dict[str, Any] = {
            "environment": Environment.sandbox(
                self.sandbox.base_url, gateway=self.wire, clock=self.sandbox.world.clock
            ),
            "on_event": self.events.append,
            "on_audit": self.audits.append,
            "retry": Retry(attempts=2),
        }
        self.wire.remember(self.who.password, self.who.portal_password, self.who.portal_username)
        self.wire.remember(self.sandbox.client_secret, self.who.email)

    # --- clients, each made when it is needed: thousands of stages need only one or two ------

    @cached_property
    def oauth(self) -> Any:
        """Signed in, with the token in ``token``."""
        made = self.both.oauth(
            client_id=self.sandbox.client_id,
            client_secret=self.sandbox.client_secret,
            redirect_uri=self.sandbox.redirect_uri,
            account=self.who.email,
            **self._common,
        )
        self.token = made.sign_in_with_password(self.who.email, self.who.password)
        return made

    @cached_property
    def communicate(self) -> Any:
        return self.both.communicate(auth=self.oauth.auth, **self._common)

    @cached_property
    def ormco(self) -> Any:
        return self.both.ormcodigital(
            username=self.who.portal_username, password=self.who.portal_password, **self._common
        )

    @cached_property
    def onboarding(self) -> Any:
        return self.both.onboarding(
            communicate=self.communicate, ormco=self.ormco, oauth=self.oauth
        )

    def shown(self) -> Iterator[object]:
        """What of the clients is likely to be printed."""
        if "oauth" in vars(self):
            yield from (self.oauth.application, self.oauth.auth)
        for each in ("onboarding", "by_hand"):
            if each in vars(self):
                yield getattr(self, each).progress

    @cached_property
    def by_hand(self) -> Any:
        """An onboarding whose portal is a person."""
        return self.both.onboarding(
            communicate=self.communicate, oauth=self.oauth, account=self.who.email
        )

    # --- arguments, each made when it is needed ---------------------------------------------

    @property
    def lab(self) -> Any:
        return self.communicate.labs.find(Region.EUROPE)

    @property
    def connection(self) -> Any:
        return self.communicate.connections.request(self.lab)

    def code(self, oauth: Any) -> tuple[Any, Any]:
        """An authorization and its code."""
        request = oauth.authorization_request()
        return request, self.finished(request)

    def finished(self, request: Any) -> Any:
        return request.finish(self.paste(request.url), clock=self.sandbox.clock)

    def paste(self, url: str) -> str:
        """What the doctor's address bar shows, remembered as a sentinel."""
        self.remember(url)
        return self.remember(self.sandbox.authorize(url, email=self.who.email))

    def remember(self, address: str) -> str:
        """``address``, which is a sentinel now, and so is each part of its query."""
        self.wire.remember(address)
        self.wire.body(address.partition("?")[2].encode())
        return address

    def pending(self) -> str:
        """An onboarding that waits for the address, and the address."""
        needed = self.advanced()
        return self.paste(needed.url)

    def advanced(self) -> Any:
        self.onboarding.advance()
        self.sandbox.approve()
        return self.onboarding.advance()

    def authorize(self, needed: Any) -> str:
        return self.paste(needed.url)

    def answer(self) -> TaskAnswer:
        """Of an onboarding by hand that waits for it."""
        while not isinstance(outcome := self.by_hand.advance(), NeedsPerson):
            self.sandbox.approve()
        return self.do(outcome)

    def do(self, needed: NeedsPerson) -> TaskAnswer:
        """What a person answers."""
        if needed.task.kind is TaskKind.GET_ADDRESS:
            address = self.remember(Hands(self.sandbox).press_here())
            return Address(address, account_shown=self.who.email)
        if needed.task.text is not None:
            self.wire.remember(needed.task.text.get_secret_value())
        return Done()


def connection_id(stage: Stage) -> str:
    id = stage.connection.id
    assert isinstance(id, str)
    return id


def a_case(stage: Stage) -> Any:
    return next(iter(stage.communicate.cases.list()))


def first_record(stage: Stage) -> Any:
    return stage.sandbox.world.state.cases[a_case(stage).id]


def exchange_of(name: str) -> Callable[[Stage], Any]:
    """The two arguments of ``exchange`` belong together."""

    def make(stage: Stage) -> Any:
        made = stage.__dict__.setdefault("_code", stage.code(stage.oauth))
        return made[0] if name == "request" else made[1]

    return make


def portal_code(stage: Stage) -> Any:
    from ormco_trios import AuthorizationRequest

    link = stage.ormco.trios.authorization_request()
    return stage.finished(AuthorizationRequest.from_url(link.authorization_url))


ARGUMENTS: dict[str, Any] = {
    # By the parameter's name, or by "method.parameter" where one name means several things.
    "id_or_email": lambda stage: stage.who.email,
    "region": lambda stage: Region.EUROPE,
    "lab": lambda stage: stage.lab,
    "connections.get.id": connection_id,
    "connections.approve.id": connection_id,
    "connections.reject.id": connection_id,
    "connections.remove.id": connection_id,
    "region_for.account": lambda stage: stage.communicate.users.me(),
    "cases.get.id": lambda stage: a_case(stage).id,
    "cases.version.id": lambda stage: a_case(stage).id,
    "number": lambda stage: 1,
    "increment.id": lambda stage: first_record(stage).increments[0],
    "case": a_case,
    "comment.id": lambda stage: next(iter(first_record(stage).comments)),
    "file": lambda stage: a_case(stage).attachments[0],
    "user": lambda stage: stage.lab,
    "cursor": OMIT,
    "practice": OMIT,
    "overlap": OMIT,
    "size": OMIT,
    "every_version": OMIT,
    "limit": OMIT,
    "as_ply": OMIT,
    "overwrite": OMIT,
    "progress": lambda stage: lambda received, expected: None,
    # The test's own folder: see _no_traces.
    "to": lambda stage: Path.home() / "downloaded",
    "text": lambda stage: "muster",
    "updated.since": lambda stage: stage.sandbox.clock.now() - timedelta(days=30),
    "since": OMIT,
    "until": OMIT,
    "applications.remove.id": lambda stage: "0f8fad5b-d9cb-469f-a165-70867728950e",
    "connection": lambda stage: stage.connection,
    "wait": lambda stage: begin_wait(
        stage.connection.id, clock=stage.sandbox.clock, timeout=timedelta(hours=2)
    ),
    "profile": lambda stage: stage.ormco.profile.get(),
    "method": lambda stage: SubmissionMethod.pvs(),
    "exchange.code": exchange_of("code"),
    "exchange.request": exchange_of("request"),
    "submit_code.code": portal_code,
    "username": lambda stage: stage.who.email,
    "password": lambda stage: stage.who.password,
    "token": lambda stage: stage.token,
    "pasted": Stage.pending,
    "account_shown": lambda stage: stage.who.email,
    "login_hint": lambda stage: stage.who.email,
    "authorize": lambda stage: stage.both.callback(stage.authorize),
    "person": lambda stage: stage.both.callback(stage.do),
    "onboarding.finish_task.answer": lambda stage: Done(),
    "by_hand.finish_task.answer": Stage.answer,
    "finish_task.id": OMIT,
    "forget_sign_in.revoke": lambda stage: True,
    "advance.repair": OMIT,
    "on_update": lambda stage: repr,
    "timeout": lambda stage: timedelta(hours=2),
    "in_flight": OMIT,
    "transport": OMIT,
    "per_host": OMIT,
    "on_progress": lambda stage: repr,
    "schedule": OMIT,
    "scopes": OMIT,
    "extent": OMIT,
    "retry": OMIT,
    "sign_out": OMIT,
    "redirect_uri": OMIT,
    "with_options.timeout": OMIT,
    "communicate.call.operation": lambda stage: Operation(
        "own.me", Service.COMMUNICATE, "GET", "/api/users/me", json_as(WireModel)
    ),
    "oauth.call.operation": lambda stage: Operation(
        "own.token",
        Service.AUTH_CLASSIC,
        "POST",
        "/oauth/token",
        nothing,
        safety=Safety.WRITE,
        authenticated=False,
        content_type="application/x-www-form-urlencoded",
    ),
    "oauth.call.body": lambda stage: urlencode(
        {
            "grant_type": "password",
            "username": stage.who.email,
            "password": stage.who.password,
            "client_id": stage.sandbox.client_id,
            "client_secret": stage.sandbox.client_secret,
        }
    ).encode(),
    "ormco.call.operation": lambda stage: Operation(
        "own.sign_in",
        Service.ORMCODIGITAL,
        "POST",
        "/api/session",
        json_as(WireModel),
        safety=Safety.WRITE,
        authenticated=False,
    ),
    "ormco.call.body": lambda stage: {
        "username": stage.who.portal_username,
        "password": stage.who.portal_password,
    },
    "call.path": OMIT,
    "call.query": OMIT,
    "call.body": OMIT,
}


class Untold(AssertionError):
    """A method has a parameter that `ARGUMENTS` does not know."""


def arguments(stage: Stage, path: str, method: Any) -> dict[str, Any]:
    """What to call ``method`` with, by the names of its parameters."""
    made: dict[str, Any] = {}
    namespace, _, name = path.rpartition(".")
    space = namespace.rpartition(".")[2]
    for parameter in inspect.signature(method).parameters.values():
        keys = (f"{space}.{name}.{parameter.name}", f"{name}.{parameter.name}", parameter.name)
        make = next((ARGUMENTS[key] for key in keys if key in ARGUMENTS), None)
        if make is None:
            raise Untold(
                f"{path} has the parameter {parameter.name!r}, and nothing in ARGUMENTS of "
                f"{__name__} makes one: add a line for {keys[0]!r}."
            )
        if make is not OMIT:
            made[parameter.name] = make(stage)
    return made


def public_methods() -> dict[str, Any]:
    """Every public method of every client and namespace, found by looking: ``users.me`` etc."""
    with contextlib.closing(Sandbox()) as sandbox:
        environment = sandbox.environment
    oauth = OAuthClient(environment, client_id="x", redirect_uri="https://x.example/")
    communicate = CommunicateClient(environment, auth=oauth.auth)
    ormco = OrmcoDigitalClient(environment, username="x", password="y")
    onboarding = Onboarding(communicate=communicate, ormco=ormco, oauth=oauth)
    found: dict[str, Any] = {}
    roots = {
        "communicate": communicate,
        "ormco": ormco,
        "oauth": oauth,
        "onboarding": onboarding,
        "by_hand": Onboarding(communicate=communicate, oauth=oauth),
    }
    for root, client in roots.items():
        for path, owner in _spaces(root, client):
            assert isinstance(owner, Shielded), f"{path} is not Shielded"
            for name in dir(type(owner)):
                member = getattr(type(owner), name)
                if name.startswith("_") or name in LIFECYCLE or not inspect.isroutine(member):
                    continue
                found[f"{path}.{name}"] = getattr(owner, name)
    return found


def _spaces(path: str, owner: Any) -> Iterator[tuple[str, Any]]:
    yield path, owner
    for name in dir(type(owner)):
        if not name.startswith("_") and isinstance(getattr(type(owner), name), property):
            value = getattr(owner, name)
            if isinstance(value, Shielded):
                yield from _spaces(f"{path}.{name}", value)


# --- what came to light ----------------------------------------------------------------------


class Seen(logging.Handler):
    """Collects all that could be read later: log records, and what `look` is given."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts += [self.format(record), repr(record.args), record.name]

    def __enter__(self) -> Seen:
        root = logging.getLogger()
        self._level = root.level
        root.setLevel(logging.DEBUG)
        # Instead of pytest's own handlers, which would format all of it as well.
        self._handlers, root.handlers[:] = root.handlers[:], [self]
        return self

    def __exit__(self, *_: object) -> None:
        root = logging.getLogger()
        root.handlers[:] = self._handlers
        root.setLevel(self._level)

    def look(self, value: object) -> None:
        """At an object that a method returned."""
        if isinstance(value, str):  # what was asked for as text is the text
            return
        self.texts += [repr(value), str(value), f"{value}"]
        if isinstance(value, list | tuple):
            for part in value:
                self.look(part)

    def look_at_error(self, error: BaseException) -> None:
        """At an exception as a crash reporter sees it."""
        self.texts += [repr(error), str(error), repr(vars(error))]
        if isinstance(error, errors.OrmcoTriosError):
            self.texts.append(pickle.dumps(error).decode("latin-1"))
        seen: set[int] = set()
        waiting: list[BaseException | None] = [error]
        while waiting:
            here = waiting.pop()
            if here is None or id(here) in seen:
                continue
            seen.add(id(here))
            waiting += [here.__cause__, here.__context__]
            if isinstance(here, BaseExceptionGroup):
                waiting += here.exceptions
            self.texts.append(str(here))
            frames = traceback.StackSummary.extract(
                (
                    (frame, line)
                    for frame, line in traceback.walk_tb(here.__traceback__)
                    if not frame.f_code.co_filename.startswith(TESTS)
                ),
                capture_locals=True,
                lookup_lines=False,
            )
            self.texts += [f"{each.filename}:{each.name} {each.locals}" for each in frames]

    def leaks(self, sentinels: set[str]) -> list[str]:
        """Where one of the sentinels can be read."""
        together = "\n".join(self.texts)
        found = [s for s in sentinels if s in together]
        return [f"{s!r} in {text[:400]}" for s in found for text in self.texts if s in text]


# --- trouble ---------------------------------------------------------------------------------


class Interrupted(BaseException):
    """Ctrl-C, or a cancelled task."""


def _status(code: int, body: bytes, kind: str = "application/json", **headers: str) -> Trouble:
    from ormco_trios.core.transport import Answer

    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda request, pass_on: Answer(code, {"content-type": kind, **named}, body)


def _mangled(change: Callable[[bytes], bytes], kind: str = "application/json") -> Trouble:
    """A success whose body was damaged on the way."""
    from ormco_trios.core.transport import Answer

    def make(request: Any, pass_on: Callable[[], Any]) -> Any:
        answer = pass_on()
        return Answer(200, {**answer.headers, "content-type": kind}, change(answer.body))

    return make


def _raise(kind: type[BaseException], *said: str, after: bool = False) -> Trouble:
    def make(request: Any, pass_on: Callable[[], Any]) -> Any:
        if after:
            pass_on()
        raise kind(*said)  # one that is raised twice keeps the frames of both times

    return make


_SENTENCE = f'"s3ntinel-sentence {PATIENT}: %s"'
_OBJECT = (
    b'{"error": {"code": "s3ntinel-code", "field": "code", "message": "s3ntinel-message"},'
    b' "error_description": "s3ntinel-description"}'
)
_OAUTH = b'{"error": "%s", "error_description": "s3ntinel-description"}'

TROUBLES: dict[str, Trouble] = {
    **{
        f"status {code}": _status(code, _OBJECT)
        for code in (302, 401, 403, 404, 409, 412, 418, 422, 500, 503)
    },
    "400 not found": _status(400, (_SENTENCE % "No case could be found").encode()),
    "400 forbidden": _status(400, (_SENTENCE % "You don't have permission").encode()),
    "400 else": _status(400, (_SENTENCE % "else").encode()),
    **{
        f"400 {code}": _status(400, _OAUTH % code.encode())
        for code in ("invalid_request", "invalid_client", "s3ntinel-error")
    },
    "429": _status(429, _OBJECT, retry_after="9999"),
    "500 page": _status(500, b"<html>s3ntinel-page</html>", "text/html; s3ntinel-type"),
    "truncated": _mangled(lambda body: body[: len(body) // 2]),
    "page": _mangled(lambda body: b"<html>" + body, "text/html; s3ntinel-type"),
    "nested": _mangled(lambda body: b'{"Id": ' + (body or b"{}") + b"}"),
    "wrong types": _mangled(lambda body: body.replace(b": ", b": [") or b"s3ntinel-body"),
    "invalid utf-8": _mangled(lambda body: b"\xff" + body),
    "listed": _mangled(lambda body: b"[" + (body or b"0") + b"]"),
    "not delivered": _raise(errors.NotDelivered, "The service could not be reached."),
    "lost before": _raise(errors.OutcomeUnknown, "The answer did not arrive."),
    "lost after": _raise(errors.OutcomeUnknown, "The answer did not arrive.", after=True),
    "interrupted": _raise(Interrupted),
    "interrupted after": _raise(Interrupted, after=True),
}
