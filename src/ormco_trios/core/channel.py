"""A call: prepared, signed in, sent, repeated where that is harmless, and read.

This is the one loop in the library that sends and pauses, and being a flow it does neither itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from email.utils import format_datetime
from typing import Any, Generic, TypeVar
from urllib.parse import quote, urlsplit

from pydantic import SecretStr, ValidationError

from ormco_trios._version import __version__
from ormco_trios.core._uninterrupted import Unfinished
from ormco_trios.core.answers import error_as, refusal, request_id_of
from ormco_trios.core.auth import Auth, check_token_fits
from ormco_trios.core.clock import Clock
from ormco_trios.core.effects import Call, Flow, Local, Pause, Send, Sink
from ormco_trios.core.environment import Environment, Service
from ormco_trios.core.errors import (
    CodeOutcomeUnknown,
    ConfigurationError,
    NotSignedIn,
    OrmcoTriosError,
    OutcomeUnknown,
    TransportError,
    UnexpectedAnswer,
)
from ormco_trios.core.events import CallEvent, Listeners
from ormco_trios.core.log import logger
from ormco_trios.core.operation import Operation, Safety, url_encoded, utf8
from ormco_trios.core.retry import Retry
from ormco_trios.core.transport import Answer, Request, Timeout

T = TypeVar("T")
C = TypeVar("C", covariant=True)

_HEADERS = (
    ("Accept", "application/json"),
    ("Accept-Encoding", "identity"),
    ("User-Agent", f"ormco-trios/{__version__}"),
)


@dataclass(frozen=True, slots=True)
class Options:
    """The limits every call runs under, and the operations that replace others by name."""

    timeout: Timeout = Timeout()
    retry: Retry = Retry()
    operations: Mapping[str, Operation[Any]] = field(default_factory=dict[str, Operation[Any]])

    def but(self, *, timeout: Timeout | None = None, retry: Retry | None = None) -> Options:
        """The same with what is given replaced."""
        if timeout is None and retry is None:
            return self
        return replace(self, timeout=timeout or self.timeout, retry=retry or self.retry)


class Channel(Generic[C]):
    """What one client knows about reaching its services.

    ``C`` is the kind of transport; only a runner touches it, a sync one or an async one.
    """

    __slots__ = (
        "auth",
        "clock",
        "environment",
        "listeners",
        "options",
        "transport",
        "unfinished",
    )

    def __init__(
        self,
        environment: Environment,
        transport: C,
        *,
        auth: Mapping[Service, Auth],
        clock: Clock,
        options: Options,
        listeners: Listeners | None = None,
        unfinished: Unfinished | None = None,
    ) -> None:
        self.environment = environment
        self.transport = transport
        self.auth = auth
        self.clock = clock
        self.options = options
        self.listeners = listeners or Listeners()
        self.unfinished = unfinished or Unfinished()

    def with_options(self, options: Options) -> Channel[C]:
        """The same channel with other limits; the connections are shared."""
        return Channel(
            self.environment,
            self.transport,
            auth=self.auth,
            clock=self.clock,
            options=options,
            listeners=self.listeners,
            unfinished=self.unfinished,
        )

    def call(self, call: Call[T]) -> Flow[T]:
        """Carry out ``call`` as the retry table of `core.retry` allows."""
        replaced = self.options.operations.get(call.operation.name)
        if replaced is not None:
            own = call.operation.authenticated
            call = replace(call, operation=replace(replaced, authenticated=own))
        operation = call.operation
        if operation.write is not None:
            call = replace(call, body=operation.write(call.body))
        policy = call.retry or self.options.retry
        auth = self.auth.get(operation.service) if operation.authenticated else None
        token: SecretStr | None = None
        if auth is not None:
            token = auth.current() or (yield from auth.renew(None))
        if operation.authenticated and token is None:
            raise ConfigurationError(
                f"The {operation.service.value} service needs a sign-in, and there is none.",
                advice="Give the client a token or an authentication.",
            )
        request = self._prepare(call, token)
        pacer = self.environment.pacer
        schedule = None
        renewed = False
        attempt = 1
        while True:
            if pacer is not None:
                host = urlsplit(request.url).netloc
                turn: float = yield from Local(pacer.reserve, (host, self.clock))
                if turn > 0.0:
                    yield from Pause(turn)
            if call.permit is not None:
                yield from call.permit
            began = self.clock.monotonic()
            failure: OrmcoTriosError
            try:
                answer = yield from Send(self.transport, request)
                if call.sink is not None and 200 <= answer.status < 300:
                    yield from self._pour(call, call.sink, answer, began, attempt)
            except TransportError as error:
                failure = error
                if isinstance(failure, OutcomeUnknown) and operation.safety is Safety.ONCE:
                    failure = CodeOutcomeUnknown(failure.happened).with_detail(failure.detail)
                if self.listeners.wanted:
                    self._tell(call, began, attempt, failure)
            else:
                if self.listeners.wanted:
                    self._tell(call, began, attempt, answer)
                if 200 <= answer.status < 300:
                    return self._read(call, answer)
                failure = (operation.refuse or refusal)(operation, self._dated(answer))
                if isinstance(failure, NotSignedIn) and auth is not None and not renewed:
                    renewed = True
                    token = yield from auth.renew(token)
                    if token is None:
                        raise failure
                    request = self._prepare(call, token)
                    continue
            if attempt >= policy.attempts or not policy.allows(operation.safety, failure):
                raise failure
            if call.sink is not None and not call.sink.repeatable:
                raise failure
            if schedule is None:
                from ormco_trios.core._retry import Schedule

                schedule = Schedule(policy)
            pause = schedule.pause_after(failure)
            logger.info(
                "%s %s: trying again in %.1f s after %s (attempt %d)",
                operation.method,
                operation.route,
                pause,
                type(failure).__name__,
                attempt,
            )
            yield from Pause(pause)
            attempt += 1

    def _pour(
        self, call: Call[Any], sink: Sink, answer: Answer, began: float, attempt: int
    ) -> Flow[None]:
        """Hand the body to ``sink``; a transport that cannot stream has it in one piece."""
        try:
            yield from sink.begin(answer)
            if answer.stream is None:
                yield from sink.take([answer.body])
                return
            while block := (yield from Local(answer.stream.read)):
                yield from sink.take(block)
        except TransportError:
            raise
        except BaseException:
            # The sink's own failure, or nobody wants the rest; it was answered all the same.
            if self.listeners.wanted:
                self._tell(call, began, attempt, answer)
            raise

    def _dated(self, answer: Answer) -> Answer:
        """The answer with a ``Date``, from which a delay given as a moment counts [rfc 9110]."""
        if "retry-after" not in answer.headers or "date" in answer.headers:
            return answer
        date = format_datetime(self.clock.now(), usegmt=True)
        return replace(answer, headers={**answer.headers, "date": date})

    def _tell(
        self, call: Call[Any], began: float, attempt: int, outcome: Answer | OrmcoTriosError
    ) -> None:
        answer = outcome if isinstance(outcome, Answer) else None
        event = CallEvent(
            operation=call.operation.name,
            service=call.operation.service.value,
            method=call.operation.method,
            route=call.operation.route,
            status=None if answer is None else answer.status,
            error=type(outcome).__name__ if answer is None else None,
            duration=self.clock.monotonic() - began,
            attempt=attempt,
            request_id=None if answer is None else request_id_of(answer),
        )
        self.listeners.tell(event, call.path)

    def _prepare(self, call: Call[Any], token: SecretStr | None) -> Request:
        operation = call.operation
        if token is not None:
            check_token_fits(token, self.environment)
        if call.base_url is None:
            base = self.environment.base_url(operation.service)
        else:
            base = call.base_url.rstrip("/")
            self.environment.check_trusted(base)
        path = operation.route
        if call.path or operation.parameters:
            if frozenset(call.path) != operation.parameters:
                raise ConfigurationError(
                    f"The path parameters that were given are not those of the route {path}."
                )
            path = path.format_map({name: _segment(value) for name, value in call.path.items()})
        url = f"{base}{path}"
        if call.query:
            url = f"{url}?{url_encoded(call.query)}"
        headers = [*_HEADERS, *call.headers.items()]
        if call.body:
            headers.append(("Content-Type", operation.content_type))
        if token is not None:
            headers.append(("Authorization", f"Bearer {token.get_secret_value()}"))
        values = "".join([value for _, value in headers])
        if not (values.isascii() and values.isprintable()):
            raise ConfigurationError(
                "A token, or another value of a header, holds characters that a header cannot."
            )
        return Request(
            operation.method,
            url,
            tuple(headers),
            call.body,
            self.options.timeout,
            stream=call.sink is not None,
        )

    def _read(self, call: Call[T], answer: Answer) -> T:
        # Raised outside the handler: pydantic's error quotes the body.
        try:
            return call.operation.parse(answer)
        except ValidationError as error:
            where = _places(error)
        except ValueError:
            where = ""
        raise error_as(
            UnexpectedAnswer,
            call.operation,
            answer,
            "The answer is not what the contract says: "
            f"{len(answer.body)} bytes of {_media_type(answer)}{where}.",
        )


def route_calls(flow: Flow[T], channels: Mapping[Service, Channel[Any]]) -> Flow[T]:
    """The same flow with each `Call` replaced by what it takes to carry it out."""
    result: Any = None
    error: BaseException | None = None
    try:
        while True:
            try:
                effect = flow.throw(error) if error is not None else flow.send(result)
            except StopIteration as stop:
                value: T = stop.value
                return value
            result, error = None, None
            try:
                if isinstance(effect, Call):
                    channel = channels[effect.operation.service]
                    result = yield from route_calls(channel.call(effect), channels)
                else:
                    result = yield effect
            except GeneratorExit:
                raise
            except BaseException as caught:  # noqa: BLE001 - handed to the flow, whatever it is
                error = caught
    finally:
        flow.close()


def _places(error: ValidationError) -> str:
    """Which fields did not fit and why, without their values."""
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    named = [f"{'.'.join(map(str, p['loc'])) or 'body'}: {p['type']}" for p in problems[:3]]
    return f" ({'; '.join(named)})"


def _segment(value: str) -> str:
    if value in {"", ".", ".."}:
        raise ConfigurationError("An id must not be empty or consist of dots.")
    return quote(utf8(value), safe="@")


def _media_type(answer: Answer) -> str:
    """The declared media type if it is a plain one: the header is the service's to choose."""
    declared = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    known = {"application/json", "text/html", "text/plain", "application/octet-stream"}
    return declared if declared in known else "another type"
