"""An endpoint as a value: what to send, what the answer means, and whether twice is harmless."""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeAlias, TypeVar
from urllib.parse import urlencode

from pydantic import BaseModel
from pydantic_core import PydanticSerializationError, to_json

from ormco_trios.core.environment import Service
from ormco_trios.core.errors import ConfigurationError, OrmcoTriosError
from ormco_trios.core.provenance import Fact, Facts
from ormco_trios.core.transport import Answer

T = TypeVar("T")

Method: TypeAlias = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
Body: TypeAlias = BaseModel | Mapping[str, object] | bytes | None

_ROUTE = re.compile(r"(?:/(?:[^{}#\s]|\{\w+\})*)?")


class Safety(enum.Enum):
    """What sending the same request twice does; the retry table is built on this."""

    READ = "read"
    """Changes nothing: repeated after any failure that may pass."""
    IDEMPOTENT = "idempotent"
    """Changes something, and a second time the same: repeated likewise."""
    WRITE = "write"
    """A second time may do harm: repeated only if the first was provably not carried out.

    That is so if it never arrived, and if the service answered 429 [rfc 6585, 4].
    """
    ONCE = "once"
    """As `WRITE`, and it holds a single-use code or token: with an answer, that is lost as well."""


# Without slots: with them and frozen, `Operation[User](...)` fails in Python 3.11.
@dataclass(frozen=True)
class Operation(Generic[T]):
    """One endpoint.

    Attributes:
        name: For errors, logs and the sandbox's journal, such as ``users.me``.
        service: Whose base URL and whose sign-in it uses.
        route: Path below the base URL, with ``{name}`` for each path parameter.
        parse: Turns a successful answer into the result; may raise ``ValueError``.
        refuse: Turns an unsuccessful answer into an error; by default its status decides.
        safety: What sending it twice does; has to be given for what is not a GET or HEAD.
        authenticated: Whether it carries the service's bearer token.
        content_type: Of the body, if a call has one.
        write: Changes the body before it is sent, where a service names its fields otherwise.
        provenance: How it is known: under ``path`` what it is for, under ``answer`` what comes
            back, and each refusal under its status and words.
        parameters: The names of the path parameters, read from ``route``.

    Raises:
        ConfigurationError: ``route`` is no path, or what sending a write twice does is not said.
    """

    name: str
    service: Service
    method: Method
    route: str
    parse: Callable[[Answer], T] = field(repr=False)
    refuse: Callable[[Operation[Any], Answer], OrmcoTriosError] | None = field(
        default=None, repr=False
    )
    safety: Safety = Safety.READ
    authenticated: bool = True
    content_type: str = "application/json"
    write: Callable[[bytes], bytes] | None = field(default=None, repr=False)
    provenance: Facts = field(default_factory=dict[str, Fact], repr=False, compare=False)
    parameters: frozenset[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if _ROUTE.fullmatch(self.route) is None:
            raise ConfigurationError(
                f"The route of the operation {self.name} is no path such as /api/users/{{user}}."
            )
        if self.safety is Safety.READ and self.method not in {"GET", "HEAD"}:
            raise ConfigurationError(
                f"The operation {self.name} is a {self.method} and does not say what sending it "
                "twice does.",
                advice="Give it a safety: Safety.WRITE if you do not know.",
            )
        object.__setattr__(self, "parameters", frozenset(re.findall(r"\{(\w+)\}", self.route)))


def encode(body: Body) -> bytes:
    """A body as it is sent: bytes as they are, everything else as JSON.

    Raises:
        ConfigurationError: There is something in it that JSON does not have.
    """
    if body is None or isinstance(body, bytes):
        return body or b""
    try:
        return to_json(body, by_alias=True)
    except (PydanticSerializationError, RecursionError):
        failure = ConfigurationError("There is something in the body that JSON does not have.")
    raise failure


def utf8(text: str) -> bytes:
    """A text as it is sent, in an address or a form.

    Raises:
        ConfigurationError: It holds a part of a character, as arguments and settings in another
            encoding do.
    """
    try:
        return text.encode()
    except UnicodeEncodeError:
        # It holds the text, which may be a password.
        failure = ConfigurationError(
            "A text holds a part of a character and cannot be sent; nothing was.",
            advice="Read it in the encoding that it was written in: settings and arguments have to "
            "be in the one of the machine, which mostly is UTF-8.",
        )
    raise failure


def url_encoded(fields: Mapping[str, str]) -> str:
    """A query or a form; raises as `utf8`."""
    return urlencode({name: utf8(value) for name, value in fields.items()})
