"""A call: what is sent, what is repeated, what becomes of an answer.  No network, no waiting."""

from __future__ import annotations

import dataclasses
import logging
import subprocess
import sys
from typing import Any

import pytest
from pydantic import BaseModel, SecretStr
from tests.oauth.scripted import Scripted

from ormco_trios import CallEvent, Clock, Environment, Retry, Timeout, __version__, errors
from ormco_trios.core.answers import json_as, refusal, retry_after
from ormco_trios.core.auth import StaticToken
from ormco_trios.core.channel import Channel, Options
from ormco_trios.core.clock import ManualClock
from ormco_trios.core.effects import Call, Flow, Local, Pause, Send
from ormco_trios.core.environment import Service
from ormco_trios.core.events import Listeners
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
            elif isinstance(effect, Local):
                try:
                    result = effect.function(*effect.arguments)
                except errors.TransportError as error:
                    effect = flow.throw(error)
                else:
                    effect = flow.send(result)
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
    (errors.AnswerTooLarge("endless"), False, False, False),
    (status(429), True, True, True),
    (status(429, retry_after="60"), True, True, True),
    (status(429, retry_after="61"), False, False, False),
    (status(500), True, False, False),
    (status(502), True, False, False),
    (status(503), True, False, False),
    (status(503, retry_after="60"), True, False, False),
    (status(503, retry_after="61"), False, False, False),
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
    assert result.happened == "cut off"


def test_attempts_are_limited_and_pauses_double_up_to_the_longest() -> None:
    call = Call(operation(), path={"thing": "1"})
    retry = Retry(attempts=7, initial=1.5, maximum=10.0)
    result, sent, pauses = carry_out(call, *[status(503)] * 9, retry=retry)
    assert isinstance(result, errors.ServerError)
    assert len(sent) == 7
    least = [1.5, 3.0, 6.0, 10.0, 10.0, 10.0]
    jitter = [pause - low for pause, low in zip(pauses, least, strict=True)]
    assert all(0.0 <= each <= 1.5 for each in jitter)
    assert len(set(jitter)) > 1
    _, _, pauses = carry_out(call, *[status(503)] * 3, OK, retry=Retry(initial=0.0))
    assert pauses == [0.0, 0.0, 0.0]


def test_a_policy_that_makes_no_sense() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Retry(attempts=0)
    for name in ("initial", "maximum", "retry_after_cap"):
        assert getattr(Retry(**{name: 0.0}), name) == 0.0  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="negative"):
            Retry(**{name: -0.1})  # type: ignore[arg-type]


def test_every_attempt_waits_for_its_turn_at_its_host() -> None:
    asked: list[str] = []

    class Turns:
        def reserve(self, host: str, clock: Clock) -> float:
            asked.append(host)
            return 0.25

    call = Call(operation(), path={"thing": "1"})
    paced = Environment.production().paced(Turns())
    _, sent, pauses = carry_out(call, NOT_DELIVERED, OK, environment=paced, retry=Retry(initial=0))
    assert asked == ["users.3shapecommunicate.com"] * 2
    assert len(sent) == 2
    assert pauses == [0.25, 0.0, 0.25]


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
        (
            {"retry-after": "21 Oct 2026 07:28:30 -0000", "date": "Wed, 21 Oct 2026 07:28:00 GMT"},
            30.0,
        ),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:30 GMT"}, None),
        ({"retry-after": " 7 "}, 7.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-5"}, None),
    ],
)
def test_both_forms_of_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(Answer(429, headers, b"")) == seconds


def test_without_a_delay_there_is_nothing_to_be_too_long() -> None:
    call = Call(operation(), path={"thing": "1"}, retry=Retry(initial=0.0, retry_after_cap=0.0))
    for code in (429, 503):
        assert len(carry_out(call, status(code), OK)[1]) == 2
        assert len(carry_out(call, status(code, retry_after="1"))[1]) == 1


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


def test_every_header_that_is_sent() -> None:
    call = Call(
        operation(authenticated=False),
        path={"thing": "1"},
        body=b"{}",
        headers={"If-Match": "7"},
    )
    _, (sent,), _ = carry_out(call, OK)
    assert (sent.request.method, sent.request.body) == ("GET", b"{}")
    assert sent.request.headers == (
        ("Accept", "application/json"),
        ("Accept-Encoding", "identity"),
        ("User-Agent", f"ormco-trios/{__version__}"),
        ("If-Match", "7"),
        ("Content-Type", "application/json"),
    )


@pytest.mark.parametrize("value", ["a\nb", "ä", "\x7f"])
def test_a_header_cannot_be_split_or_garbled(value: str) -> None:
    for call, auth in (
        (Call(operation(), path={"thing": "1"}), StaticToken(value)),
        (Call(operation(), path={"thing": "1"}, headers={"If-Match": value}), StaticToken("t")),
    ):
        result, sent, _ = carry_out(call, OK, auth=auth)
        assert isinstance(result, errors.ConfigurationError)
        assert sent == []


def test_another_host_of_the_environment() -> None:
    at = "https://eu2.3shapecommunicate.com/below/"
    _, (sent,), _ = carry_out(Call(operation(), path={"thing": "1"}, base_url=at), OK)
    assert sent.request.url == "https://eu2.3shapecommunicate.com/below/api/things/1"


def test_a_delay_that_ends_at_a_moment_counts_from_now_if_the_answer_has_no_date() -> None:
    call = Call(operation(), path={"thing": "1"})
    moment = "Thu, 01 Jan 2026 00:00:20 GMT"  # 20 seconds into the life of a ManualClock
    assert carry_out(call, status(429, retry_after=moment), OK)[2] == [20.0]
    dated = status(429, retry_after=moment, date="Thu, 01 Jan 2026 00:00:15 GMT")
    assert carry_out(call, dated, OK)[2] == [5.0]


def test_a_call_may_have_its_own_patience() -> None:
    call = Call(operation(), path={"thing": "1"}, retry=Retry.never())
    assert len(carry_out(call, status(503), OK)[1]) == 1
    call = Call(operation(), path={"thing": "1"}, retry=Retry(attempts=6))
    assert len(carry_out(call, *[status(503)] * 5, OK)[1]) == 6


def test_a_repetition_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "ormco_trios"):
        carry_out(Call(operation(), path={"thing": "1"}), status(429, retry_after="17"), OK)
    assert [record.getMessage() for record in caplog.records] == [
        "GET /api/things/{thing}: trying again in 17.0 s after RateLimited (attempt 1)"
    ]


def test_what_an_event_says(caplog: pytest.LogCaptureFixture) -> None:
    events: list[CallEvent] = []
    clock = ManualClock()
    clock.advance(100)
    channel = Channel(
        Environment.production(),
        None,
        auth={},
        clock=clock,
        options=Options(),
        listeners=Listeners(events.append),
    )
    flow = channel.call(Call(operation(Safety.WRITE, authenticated=False), path={"thing": "1"}))
    with caplog.at_level(logging.DEBUG, "ormco_trios"):
        next(flow)
        clock.advance(3)
        assert isinstance(flow.throw(NOT_DELIVERED), Pause)
        next(flow)
        clock.advance(2)
        with pytest.raises(errors.ServerError) as caught:
            flow.send(status(503, x_request_id="r-7"))
    assert caught.value.request_id == "r-7"
    always = {
        "operation": "test.it",
        "service": "communicate",
        "method": "GET",
        "route": "/api/things/{thing}",
    }
    assert [dataclasses.asdict(event) for event in events] == [
        {
            **always,
            "status": None,
            "error": "NotDelivered",
            "duration": 3.0,
            "attempt": 1,
            "request_id": None,
        },
        {
            **always,
            "status": 503,
            "error": None,
            "duration": 2.0,
            "attempt": 2,
            "request_id": "r-7",
        },
    ]
    assert [r.getMessage() for r in caplog.records if r.levelno == logging.DEBUG] == [
        "GET /api/things/{thing}: NotDelivered in 3.000 s (attempt 1, request -)",
        "GET /api/things/{thing}: 503 in 2.000 s (attempt 2, request r-7)",
    ]


@pytest.mark.parametrize(
    ("value", "shown"),
    [("a.B:c-1_2", True), ("a" * 64, True), ("a" * 65, False), ("a b", False), ("a\n", False)],
)
def test_an_id_of_a_request_is_shown_if_it_is_one(value: str, shown: bool) -> None:
    result, _, _ = carry_out(
        Call(operation(), path={"thing": "1"}), status(400, x_request_id=value)
    )
    assert isinstance(result, errors.InvalidRequest)
    assert result.request_id == (value if shown else None)
    without, _, _ = carry_out(Call(operation(), path={"thing": "1"}), status(400))
    assert isinstance(without, errors.InvalidRequest)
    assert without.request_id is None


def test_a_view_has_limits_of_its_own(both: Any) -> None:
    server = Scripted(*[status(503)] * 7)
    client = both.communicate(environment=server.environment(), token="sandbox-t")
    hurried = client.with_options(timeout=Timeout(connect=1.5), retry=Retry.never())
    for view in (hurried, hurried.with_options(retry=Retry(attempts=2)), client):
        with pytest.raises(errors.ServerError):
            view.users.me()
    limits = [request.timeout.connect for request in server.requests]
    assert limits == [1.5] * 3 + [Timeout().connect] * 4


def test_limits_that_are_not_given_stay() -> None:
    own = Options(timeout=Timeout(connect=1.0), retry=Retry.never())
    assert own.but() == own
    assert own.but(timeout=Timeout(connect=2.0)) == Options(Timeout(connect=2.0), own.retry)
    assert own.but(retry=Retry()) == Options(own.timeout, Retry())


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


class Thing(BaseModel):
    """What the answers below should be."""

    a: int
    b: int = 0
    c: list[int] = []
    d: int = 0


@pytest.mark.parametrize(
    ("body", "content_type", "says"),
    [
        (b"{}", "application/json", "2 bytes of application/json (a: missing)."),
        (b"[]", " Text/HTML ; charset=x", "2 bytes of text/html (body: model_type)."),
        (b"{", "image/s3cret", "1 bytes of another type (body: json_invalid)."),
        (b"{", None, "1 bytes of another type (body: json_invalid)."),
        (
            b"",
            "application/octet-stream",
            "0 bytes of application/octet-stream (body: json_invalid).",
        ),
        (
            b'{"a": "s3cret", "b": "x", "c": [1, "s3cret"], "d": "x"}',
            "text/plain",
            "55 bytes of text/plain (a: int_parsing; b: int_parsing; c.1: int_parsing).",
        ),
    ],
)
def test_which_part_of_a_body_does_not_fit(
    body: bytes, content_type: str | None, says: str
) -> None:
    call = Call(operation(parse=json_as(Thing)), path={"thing": "1"})
    headers = {} if content_type is None else {"content-type": content_type}
    result, _, _ = carry_out(call, Answer(200, headers, body))
    assert type(result) is errors.UnexpectedAnswer
    assert result.happened == f"The answer is not what the contract says: {says}"
    assert result.detail == "GET /api/things/{thing}: status 200"
    assert "s3cret" not in str(result)


def test_a_body_that_no_parser_says_more_about() -> None:
    def parse(answer: Answer) -> str:
        raise ValueError("s3cret")

    result, _, _ = carry_out(Call(operation(parse=parse), path={"thing": "1"}), OK)
    assert type(result) is errors.UnexpectedAnswer
    assert result.happened.endswith(": 4 bytes of another type.")
    assert "s3cret" not in str(result)


REFUSED = [
    (300, errors.InvalidRequest, "redirects this call elsewhere; redirects are not followed"),
    (302, errors.InvalidRequest, "redirects this call elsewhere; redirects are not followed"),
    (400, errors.InvalidRequest, "does not accept the request"),
    (401, errors.NotSignedIn, "does not accept the sign-in"),
    (403, errors.PermissionDenied, "does not allow this account to do this"),
    (404, errors.NotFound, "does not know this"),
    (412, errors.ProfileChanged, "overwrote nothing, since another user saved this meanwhile"),
    (418, errors.InvalidRequest, "does not accept the request"),
    (429, errors.RateLimited, "asks for fewer requests"),
    (500, errors.ServerError, "failed"),
    (599, errors.ServerError, "failed"),
]


@pytest.mark.parametrize(("code", "kind", "says"), REFUSED)
def test_what_a_status_means(code: int, kind: type[errors.ApiError], says: str) -> None:
    call = Call(operation(Safety.WRITE), path={"thing": "1"}, retry=Retry.never())
    result, _, _ = carry_out(call, status(code, retry_after="7", x_request_id="r-7"))
    assert isinstance(result, errors.ApiError)
    assert type(result) is kind
    assert result.happened == f"The communicate service {says}."
    assert result.detail == f"GET /api/things/{{thing}}: status {code}"
    assert (result.advice == "Check the base URL of the service.") is (code < 400)
    assert (result.operation, result.status) == ("test.it", code)
    assert (result.request_id, result.retry_after) == ("r-7", 7.0)


def test_no_sign_in_at_all_is_said_before_anything_is_sent() -> None:
    call = Call(operation(service=Service.ORMCODIGITAL), path={"thing": "1"})
    result, sent, _ = carry_out(call)
    assert isinstance(result, errors.ConfigurationError)
    assert sent == []


# --- a body of any length ------------------------------------------------------------------------


class Pieces:
    """A body that comes in these blocks, or fails."""

    def __init__(self, *blocks: bytes | Exception) -> None:
        self.blocks = [*blocks, b""]

    def read(self) -> list[bytes]:
        block = self.blocks.pop(0)
        if isinstance(block, Exception):
            raise block
        return [block] if block else []

    def close(self) -> None: ...


class Taking:
    """A sink that keeps what it gets; ``trouble`` is raised at the first block."""

    def __init__(self, repeatable: bool = True, trouble: Exception | None = None) -> None:
        self.repeatable, self.trouble = repeatable, trouble
        self.began = 0
        self.got = b""

    def begin(self, answer: Answer) -> Flow[None]:
        self.began, self.got = self.began + 1, b""
        yield from ()

    def take(self, block: list[bytes]) -> Flow[None]:
        if self.trouble is not None:
            raise self.trouble
        self.got += b"".join(block)
        yield from ()


def fetch(sink: Taking, *answers: Answer | errors.TransportError) -> tuple[Any, list[Send]]:
    call = Call(operation(), path={"thing": "1"}, sink=sink)
    result, sent, _ = carry_out(call, *answers)
    return result, sent


def streaming(*blocks: bytes | Exception) -> Answer:
    return Answer(200, {}, b"", Pieces(*blocks))


def test_a_sink_takes_the_body_of_a_success() -> None:
    sink = Taking()
    result, (sent,) = fetch(sink, streaming(b"a", b"b"))
    assert (result, sink.got, sink.began) == ("", b"ab", 1)
    assert sent.request.stream
    # A transport that cannot stream has it in one piece.
    sink = Taking()
    assert fetch(sink, OK)[0] == "fine"
    assert sink.got == b"fine"
    # What a refusal says is none of its business.
    sink = Taking()
    result, _ = fetch(sink, status(404))
    assert isinstance(result, errors.NotFound)
    assert sink.began == 0


def test_a_body_that_breaks_off_begins_anew_if_it_may() -> None:
    broken = [streaming(b"a", errors.OutcomeUnknown("cut")), streaming(b"b")]
    sink = Taking()
    result, sent = fetch(sink, *broken)
    assert (result, sink.got, sink.began, len(sent)) == ("", b"b", 2, 2)
    sink = Taking(repeatable=False)
    result, sent = fetch(sink, streaming(b"a", errors.OutcomeUnknown("cut")), streaming(b"b"))
    assert isinstance(result, errors.OutcomeUnknown)
    assert (sink.got, len(sent)) == (b"a", 1)
    # A failure of the sink's own is none of the service's.
    sink = Taking(trouble=errors.AnswerTooLarge("more than it takes"))
    result, sent = fetch(sink, streaming(b"a"), streaming(b"b"))
    assert isinstance(result, errors.AnswerTooLarge)
    assert len(sent) == 1
    with pytest.raises(OSError, match="full"):
        fetch(Taking(trouble=OSError("full")), streaming(b"a"))


def test_an_import_that_was_interrupted_is_done_again() -> None:
    """Ctrl-C while the first pause of a process is worked out does not spoil every later one."""
    program = """
import importlib.abc, sys

class Interrupting(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.startswith("tenacity."):
            sys.meta_path.remove(self)
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupting())
try:
    import ormco_trios.core._retry
except KeyboardInterrupt:
    import ormco_trios.core._retry
    print("whole")
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.stdout == "whole\n", done.stderr
