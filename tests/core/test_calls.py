"""A call: what is sent, what is repeated, what becomes of an answer.  No network, no waiting."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import SecretStr

from ormco_trios import Environment, Retry, errors
from ormco_trios.core._options import Options
from ormco_trios.core.answers import refusal, retry_after
from ormco_trios.core.auth import StaticToken
from ormco_trios.core.channel import Channel
from ormco_trios.core.clock import ManualClock
from ormco_trios.core.effects import Call, Flow, Pause, Send
from ormco_trios.core.environment import Service
from ormco_trios.core.operation import Operation, Safety
from ormco_trios.core.transport import Answer

OK = Answer(200, {}, b"fine")
NOT_DELIVERED = errors.NotDelivered("no route")
UNKNOWN = errors.OutcomeUnknown("cut off")


def status(code: int, **headers: str) -> Answer:
    return Answer(code, {k.replace("_", "-"): v for k, v in headers.items()}, b"secret body")


def operation(safety: Safety = Safety.READ, **changes: Any) -> Operation[str]:
    return Operation(
        **{
            "name": "test.it",
            "service": Service.COMMUNICATE,
            "method": "GET",
            "route": "/api/things/{thing}",
            "parse": lambda answer: answer.body.decode(),
            "refuse": refusal,
            "safety": safety,
            **changes,
        }
    )


def carry_out(
    call: Call[str], *answers: Answer | errors.TransportError, **options: Any
) -> tuple[str | Exception, list[Send], list[float]]:
    """Drive a call with prepared answers; what came of it, what was sent, how long it paused."""
    channel = Channel(
        options.pop("environment", Environment.production()),
        None,
        auth={Service.COMMUNICATE: options.pop("auth", StaticToken("t0k"))},
        clock=ManualClock(),
        options=Options(retry=options.pop("retry", Retry())),
    )
    flow: Flow[str] = channel.call(call)
    waiting = list(answers)
    sent: list[Send] = []
    pauses: list[float] = []
    try:
        effect = next(flow)
        while True:
            if isinstance(effect, Send):
                sent.append(effect)
                answer = waiting.pop(0)
                if isinstance(answer, Exception):
                    effect = flow.throw(answer)
                else:
                    effect = flow.send(answer)
            else:
                assert isinstance(effect, Pause)
                pauses.append(effect.seconds)
                effect = flow.send(None)
    except StopIteration as stop:
        return stop.value, sent, pauses
    except errors.OrmcoTriosError as error:
        return error, sent, pauses


REPEATED = [
    # what came, then whether a read, a write and a single use are sent again
    (NOT_DELIVERED, True, True, True),
    (UNKNOWN, True, False, False),
    (status(429), True, True, True),
    (status(429, retry_after="59"), True, True, True),
    (status(429, retry_after="61"), False, False, False),
    (status(500), True, False, False),
    (status(502), True, False, False),
    (status(503), True, False, False),
    (status(504), True, False, False),
    (status(501), False, False, False),
    (status(400), False, False, False),
    (status(404), False, False, False),
    (status(302), False, False, False),
]


@pytest.mark.parametrize("safety", list(Safety))
@pytest.mark.parametrize(("first", "read", "write", "once"), REPEATED)
def test_the_table_of_what_is_repeated(
    first: Any, read: bool, write: bool, once: bool, safety: Safety
) -> None:
    repeated = {
        Safety.READ: read,
        Safety.IDEMPOTENT: read,
        Safety.WRITE: write,
        Safety.ONCE: once,
    }[safety]
    result, sent, _ = carry_out(Call(operation(safety), path={"thing": "1"}), first, OK)
    assert len(sent) == (2 if repeated else 1)
    assert (result == "fine") is repeated


def test_a_lost_single_use_is_an_error_of_its_own() -> None:
    result, _, _ = carry_out(Call(operation(Safety.ONCE), path={"thing": "1"}), UNKNOWN)
    assert type(result) is errors.CodeOutcomeUnknown


def test_attempts_are_limited_and_pauses_grow() -> None:
    call = Call(operation(), path={"thing": "1"})
    result, sent, pauses = carry_out(call, *[status(503)] * 9, retry=Retry(attempts=5))
    assert isinstance(result, errors.ServerError)
    assert len(sent) == 5
    assert len(pauses) == 4
    assert 0.5 <= pauses[0] <= 1.0
    assert pauses[3] >= 4.0


def test_retry_after_is_obeyed_to_the_second() -> None:
    call = Call(operation(), path={"thing": "1"})
    _, _, pauses = carry_out(call, status(429, retry_after="17"), OK)
    assert pauses == [17.0]


def test_a_delay_past_the_cap_is_handed_to_the_caller() -> None:
    call = Call(operation(), path={"thing": "1"})
    result, _, pauses = carry_out(call, status(429, retry_after="3600"))
    assert isinstance(result, errors.RateLimited)
    assert result.retry_after == 3600
    assert pauses == []


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "120"}, 120.0),
        (
            {
                "retry-after": "Wed, 21 Oct 2026 07:28:30 GMT",
                "date": "Wed, 21 Oct 2026 07:28:00 GMT",
            },
            30.0,
        ),
        (
            {
                "retry-after": "Wed, 21 Oct 2026 07:27:00 GMT",
                "date": "Wed, 21 Oct 2026 07:28:00 GMT",
            },
            0.0,
        ),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-5"}, None),
    ],
)
def test_both_forms_of_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(Answer(429, headers, b"")) == seconds


class Renewing:
    """A sign-in whose first token is refused."""

    def __init__(self) -> None:
        self.renewals: list[SecretStr | None] = []

    def current(self) -> SecretStr | None:
        return SecretStr("old")

    def renew(self, rejected: SecretStr | None) -> Flow[SecretStr | None]:
        self.renewals.append(rejected)
        yield from ()
        return SecretStr("new")


def test_a_401_renews_once_and_replays_once() -> None:
    auth = Renewing()
    call = Call(operation(Safety.ONCE), path={"thing": "1"})
    result, sent, _ = carry_out(call, status(401), OK, auth=auth)
    assert result == "fine"
    assert auth.renewals == [SecretStr("old")]
    assert dict(sent[1].request.headers)["Authorization"] == "Bearer new"

    result, sent, _ = carry_out(call, status(401), status(401), auth=Renewing())
    assert isinstance(result, errors.NotSignedIn)
    assert len(sent) == 2


def test_what_is_sent() -> None:
    call = Call(operation(), path={"thing": "a/b c?d"}, query={"q": "x&y"})
    _, (sent,), _ = carry_out(call, OK)
    assert (
        sent.request.url == "https://users.3shapecommunicate.com/api/things/a%2Fb%20c%3Fd?q=x%26y"
    )
    assert dict(sent.request.headers)["Authorization"] == "Bearer t0k"
    assert "t0k" not in repr(sent.request)
    assert "things" not in repr(sent.request)


@pytest.mark.parametrize("id", ["", ".", ".."])
def test_an_id_that_changes_the_path_is_refused(id: str) -> None:
    result, sent, _ = carry_out(Call(operation(), path={"thing": id}))
    assert isinstance(result, errors.ConfigurationError)
    assert sent == []


def test_a_sandbox_token_never_leaves_the_machine() -> None:
    call = Call(operation(), path={"thing": "1"})
    result, sent, _ = carry_out(call, auth=StaticToken("sandbox-abc"))
    assert isinstance(result, errors.ConfigurationError)
    assert sent == []
    local = Environment.sandbox("http://127.0.0.1:8025")
    result, sent, _ = carry_out(call, OK, auth=StaticToken("sandbox-abc"), environment=local)
    assert result == "fine"


@pytest.mark.parametrize(
    "body", [b"<html>", b"", b'{"Id": ', b"[]", b"\xff\xfe", b'{"Id": null}', b"null"]
)
def test_a_body_that_does_not_fit_is_not_quoted(body: bytes) -> None:
    from ormco_trios.communicate.operations import ME

    flow = Channel(
        Environment.production(),
        None,
        auth={Service.COMMUNICATE: StaticToken("t")},
        clock=ManualClock(),
        options=Options(),
    ).call(Call(ME))
    next(flow)
    with pytest.raises(errors.UnexpectedAnswer) as caught:
        flow.send(Answer(200, {"content-type": "text/html; x=secret"}, body))
    assert "secret" not in str(caught.value)
    assert caught.value.__context__ is None


def test_no_sign_in_at_all_is_said_before_anything_is_sent() -> None:
    call = Call(operation(service=Service.ORMCODIGITAL), path={"thing": "1"})
    result, sent, _ = carry_out(call)
    assert isinstance(result, errors.ConfigurationError)
    assert sent == []
