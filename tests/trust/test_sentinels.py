"""No secret and no person comes to light: not in a log, a message, a `repr`, or a traceback.

Every public method of every client, in sync and async, is found by looking, and driven through
success and through trouble at its requests.  Whatever crossed the wire is a sentinel.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import SyncOrAsync
from tests.practices import clients
from tests.trust.stage import (
    LIFECYCLE,
    TROUBLES,
    Interrupted,
    Seen,
    Stage,
    Untold,
    arguments,
    public_methods,
)
from tests.trust.wire import MARK, Trouble, Wire

from ormco_trios import Environment, OrmcoDigitalClient, errors
from ormco_trios.communicate.operations import ME
from ormco_trios.core._http.transport import AsyncHttpxTransport, HttpxTransport
from ormco_trios.core.auth import StaticToken
from ormco_trios.core.clock import Clock
from ormco_trios.core.log import logger
from ormco_trios.core.shield import Shielded
from ormco_trios.core.transport import AsyncTransport, Transport
from ormco_trios.oauth.stores import FileTokenStore
from ormco_trios.sandbox import Approval, Sandbox

PASSING = {"status 401", "status 503", "not delivered", "lost before", "truncated"}
"""Troubles that also strike once: then the call renews its token, or tries again."""

nothing = contextlib.nullcontext()
METHODS = sorted(public_methods())


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Unrecognised codes warn; what is said there is looked at."""
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        yield


def drive(
    both: Any, path: str, trouble: Trouble | None, *, first: int = 1, times: int | None = None
) -> tuple[int, list[str], str]:
    """Call one method with trouble at its ``first`` request: how many requests it made, what
    leaked, and how it ended."""
    stage = Stage(both)
    ended = "well"
    with Seen() as seen, warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        owner: Any = stage
        *spaces, name = path.split(".")
        for space in spaces:
            owner = getattr(owner, space)
        given = arguments(stage, path, public_methods_of[path])
        stage.wire.arm(trouble, first=first, times=times)
        try:
            result = getattr(owner, name)(**given)
            seen.look(result)
            kind = type(getattr(result, "_target", result))
            if hasattr(kind, "__next__") or hasattr(kind, "__anext__"):
                with result if hasattr(kind, "__exit__") or hasattr(kind, "__aexit__") else nothing:
                    seen.look(list(result))
        except (errors.OrmcoTriosError, Interrupted) as error:
            ended = type(error).__name__
            seen.look_at_error(error)
        except TypeError as error:
            # A test that calls wrongly tests nothing.
            raise AssertionError(f"{path}: {error}") from error
        count = stage.wire.requests
    seen.texts += [str(w.message) for w in warned]
    seen.texts += [repr(e) for e in (*stage.events, *stage.audits)]
    seen.texts += [repr(e) + str(e.as_json()) for e in stage.sandbox.journal]
    for value in (owner, *stage.shown()):
        seen.look(value)
    return count, seen.leaks(stage.wire.sentinels | {MARK}), ended


public_methods_of = public_methods()


@pytest.mark.parametrize("path", METHODS)
def test_nothing_comes_to_light(both: Any, path: str) -> None:
    count, leaks, ended = drive(both, path, None)
    assert leaks == []
    assert ended == "well" or path in MAY_FAIL, ended
    for name, trouble in TROUBLES.items() if count else ():
        for times in (None, 1) if name in PASSING else (None,):
            _, leaks, ended = drive(both, path, trouble, times=times)
            assert leaks == [], f"{name}, {times} times: {ended}"


@pytest.mark.slow
@pytest.mark.parametrize("path", METHODS)
def test_nothing_comes_to_light_at_the_last_request(both: Any, path: str) -> None:
    count, *_ = drive(both, path, None)
    for name, trouble in TROUBLES.items() if count > 1 else ():
        _, leaks, ended = drive(both, path, trouble, first=count)
        assert leaks == [], f"{name} at request {count}: {ended}"


MAY_FAIL = {
    # The practice is not the lab.
    "communicate.connections.approve",
    "communicate.connections.reject",
    # There is no draft.
    "ormco.trios.save_draft",
    # The sandbox's registered address is not a loopback one.
    "oauth.receive_redirect",
    # Where there is an API, there is no task; by hand, no authorization of this library's.
    "onboarding.finish_task",
    "by_hand.finish_authorization",
}


# --- where else it could show --------------------------------------------------------------------


class Sockets:
    """Real sockets, for a `Wire` to be in front of."""

    def open(self) -> Transport:
        return HttpxTransport()

    def open_async(self) -> AsyncTransport:
        return AsyncHttpxTransport()


@pytest.mark.socket
def test_over_real_sockets(both: Any) -> None:
    """httpx, httpcore, asyncio and the server log as well."""
    with Sandbox(server=True, approval=Approval.after_polls(2)) as sandbox, Seen() as seen:
        wire = Wire(Sockets())
        made = clients(both, sandbox, gateway=wire)
        sandbox.fault("users.me", status=503)
        sandbox.fault("profile.get", network="reset")
        made.run()
        seen.look(made.onboarding.check())
        assert len(seen.texts) > 50
        assert len(wire.sentinels) > 20
        assert seen.leaks(wire.sentinels | {MARK}) == []


@pytest.mark.socket
@pytest.mark.parametrize("command", [["connect"], ["connect", "--json"], ["check"], ["doctor"]])
@pytest.mark.parametrize("fault", [None, {"status": 500}, {"body": "<p>s3ntinel"}])
def test_what_the_command_prints(
    command: list[str], fault: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from click.testing import CliRunner

    from ormco_trios.cli.app import cli

    monkeypatch.setattr(Clock, "sleep", lambda self, seconds: None)
    with (
        Sandbox(server=True, approval=Approval.after_polls(1)) as sandbox,
        Seen() as seen,
        contextlib.closing(SyncOrAsync("sync")) as both,
    ):
        wire = Wire(Sockets())
        store = FileTokenStore(tmp_path)
        account = "sandbox:me"
        made = clients(both, sandbox, gateway=wire)
        made.run()
        store.save(account, made.oauth.token())
        wire.remember(sandbox.client_secret, sandbox.practice.password)
        if fault is not None:
            sandbox.fault("profile.get", times=None, **fault)
        for name, value in {
            "ENVIRONMENT": "sandbox",
            "SANDBOX_URL": sandbox.base_url,
            "CLIENT_ID": sandbox.client_id,
            "CLIENT_SECRET": sandbox.client_secret,
            "REDIRECT_URI": sandbox.redirect_uri,
            "PORTAL_USERNAME": sandbox.practice.portal_username,
            "PORTAL_PASSWORD": sandbox.practice.portal_password,
            "TOKEN_FOLDER": str(tmp_path),
            "ACCOUNT": "me",
        }.items():
            monkeypatch.setenv(f"ORMCO_TRIOS_{name}", value)
        done = CliRunner().invoke(cli, command)
        seen.texts.append(done.output)
        if done.exception is not None:
            seen.look_at_error(done.exception)
        assert done.output
        assert seen.leaks(wire.sentinels | {MARK}) == []


def test_a_constructor_that_refuses() -> None:
    with Seen() as seen, pytest.raises(errors.ConfigurationError) as caught:
        OrmcoDigitalClient(
            Environment.production(),
            username="s3ntinel-user",
            password="s3ntinel-password",
            auth=StaticToken("s3ntinel-token"),
        )
    seen.look_at_error(caught.value)
    assert seen.leaks({MARK}) == []


@pytest.mark.parametrize(
    "token", ["s3ntinel-t\u00f6ken", "s3ntinel\r\nX-Injected: 1", "s3ntinel\0"]
)
def test_a_token_that_no_header_can_hold(both: Any, token: str) -> None:
    client = both.communicate(environment=Environment.production(), token=token)
    with Seen() as seen, pytest.raises(errors.ConfigurationError) as caught:
        client.users.me()
    seen.look_at_error(caught.value)
    assert seen.leaks({MARK}) == []


# --- the suite itself ----------------------------------------------------------------------------


def test_no_client_and_no_namespace_is_left_out() -> None:
    def below(kind: type) -> Iterator[type]:
        each: type
        for each in kind.__subclasses__():
            yield each
            yield from below(each)

    driven = {type(m.__self__) for m in public_methods_of.values() if hasattr(m, "__self__")}
    left = {
        kind.__name__
        for kind in set(below(Shielded)) - driven
        if not kind.__name__.startswith("Async")
        # A fleet and a window hold more than one practice's clients; their own tests look at them.
        and not {"fleet", "browser"} & set(kind.__module__.split("."))
        and {name for name in dir(kind) if name[0] != "_" and callable(getattr(kind, name))}
        > LIFECYCLE & set(dir(kind))
    }
    assert left == {"BaseClient"}


def test_a_new_parameter_has_to_be_told() -> None:
    def method(brand_new: str) -> None: ...

    with pytest.raises(Untold, match=r"users\.method has the parameter 'brand_new'"):
        arguments(None, "communicate.users.method", method)  # type: ignore[arg-type]


def test_the_suite_would_see_it(both: Any) -> None:
    stage = Stage(both)
    stage.oauth.token()
    (secret, *_) = stage.wire.sentinels
    with Seen() as seen:
        logger.debug("it is %s", secret)
        try:
            raise errors.OrmcoTriosError(f"it is {secret}")
        except errors.OrmcoTriosError as error:
            seen.look_at_error(error)
    assert len(seen.leaks(stage.wire.sentinels)) > 3
    assert len(stage.wire.sentinels) > 5
    assert {event.operation for event in stage.events} == {"oauth.password"}


HALF = "\udce4"
"""What a byte of another encoding becomes in a setting or an argument."""


@pytest.mark.parametrize("form", ["oauth", "portal", "client", "query", "id", "scope"])
def test_a_text_that_cannot_be_sent_is_not_shown(both: Any, form: str) -> None:
    """A `UnicodeEncodeError` would have the whole text in it."""
    secret = f"sentinel-password{HALF}"
    with Sandbox() as sandbox:
        options = {"environment": sandbox.environment, "redirect_uri": sandbox.redirect_uri}
        oauth = both.oauth(**options, client_id="x", client_secret="y")
        uses: dict[str, Callable[[], object]] = {
            "oauth": lambda: oauth.sign_in_with_password("a@b.example", secret),
            "portal": lambda: both.ormcodigital(
                environment=sandbox.environment, username="a@b.example", password=secret
            ).trios.status(),
            "client": lambda: both.oauth(
                **options, client_id="x", client_secret=secret
            ).sign_in_with_password("a@b.example", "c"),
            "query": lambda: both.communicate(environment=sandbox.environment, token="t").call(
                ME, query={"searchString": secret}
            ),
            "id": lambda: both.communicate(environment=sandbox.environment, token="t").users.get(
                secret
            ),
            "scope": lambda: oauth.authorization_request(scopes=(secret,)),
        }
        with pytest.raises(errors.ConfigurationError) as caught:
            uses[form]()
    seen = Seen()
    seen.look_at_error(caught.value)
    assert seen.leaks({"sentinel-password"}) == []
    assert caught.value.__cause__ is caught.value.__context__ is None
