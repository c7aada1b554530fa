"""What a flow may ask of the world.

A flow is a generator: it yields effects and receives their results, so it does no I/O itself and
does not know whether a thread or a task runs it.  Every effect can be awaited by a flow with
``yield from``, which keeps the type of its result::

    def names(id: str) -> Flow[str]:
        user = yield from Call(USER, path={"id": id})
        return user.name or ""
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

from ormco_trios.core.operation import Operation
from ormco_trios.core.retry import Retry
from ormco_trios.core.transport import Answer, Request

T = TypeVar("T")
R = TypeVar("R")

_NOTHING: Mapping[str, str] = MappingProxyType({})


def _nothing() -> Mapping[str, str]:
    return _NOTHING


class Effect(Generic[R]):
    """Something only a runner can do, with a result of type ``R``."""

    __slots__ = ()

    def __iter__(self) -> Generator[Effect[Any], Any, R]:
        result: R = yield self
        return result


Flow: TypeAlias = Generator[Effect[Any], Any, T]
"""A behaviour of more than one step that ends with a ``T``."""


class Sink(Protocol):
    """Takes the body of a successful answer block by block, so that it may be of any length."""

    @property
    def repeatable(self) -> bool:
        """Whether a body may begin again after one that broke off."""
        ...

    def begin(self, answer: Answer) -> Flow[None]:
        """A body begins: the first, or that of a new attempt after one that broke off."""
        ...

    def take(self, block: list[bytes]) -> Flow[None]:
        """The next block of it, as the pieces in which it came."""
        ...


@dataclass(frozen=True, slots=True)
class Call(Effect[T]):
    """Carry out an operation: sign in, send, retry as its safety allows, read the answer.

    Attributes:
        path: Values of the route's parameters, not yet percent-encoded.
        query: Query parameters, not yet encoded.
        body: Encoded body, of the operation's content type.
        base_url: Replaces the environment's address, after the host has been checked.
        retry: Replaces the client's; a flow that repeats by itself turns it off.
        sink: Takes the body of a successful answer, which is then empty for ``operation.parse``.
        permit: Done directly before each sending; raises if it must not be sent any more.
    """

    operation: Operation[T]
    path: Mapping[str, str] = field(default_factory=_nothing, repr=False)
    query: Mapping[str, str] = field(default_factory=_nothing, repr=False)
    body: bytes = field(default=b"", repr=False)
    headers: Mapping[str, str] = field(default_factory=_nothing, repr=False)
    base_url: str | None = field(default=None, repr=False)
    retry: Retry | None = None
    sink: Sink | None = None
    permit: Local | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Send(Effect[Answer]):
    """Send one request once, over a transport of the runner's kind.  Only `Channel.call` does."""

    transport: Any
    request: Request


@dataclass(frozen=True, slots=True)
class Page(Effect[Any]):
    """Do something in a browser of the runner's kind.

    Attributes:
        browser: What performs it, with a method ``perform``.
        action: What to do.
    """

    browser: Any
    action: object


@dataclass(frozen=True, slots=True)
class Pause(Effect[None]):
    """Let ``seconds`` pass."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Together(Effect[list[Any]]):
    """Run several flows at once, which emit nothing and ask nobody; their results, in order.

    With threads the first one stays in its own, as a browser has to.
    """

    flows: tuple[Flow[Any], ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class AskHuman(Effect[Any]):
    """Show ``prompt`` to a person and get back what they answer."""

    prompt: object


@dataclass(frozen=True, slots=True)
class Emit(Effect[None]):
    """Tell the caller something on the way: a progress callback, or the next item of a watch."""

    item: object


@dataclass(frozen=True, slots=True)
class Local(Effect[Any]):
    """Call a function outside the flow, such as a token store's; it may be a coroutine function."""

    function: Callable[..., Any] = field(repr=False)
    arguments: tuple[Any, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Uninterrupted(Effect[R]):
    """Carry out ``flow`` to its end, also if the caller is cancelled or interrupted meanwhile.

    For what must not be cut off; it may emit nothing and ask nobody.
    """

    flow: Flow[R] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Blocking(Effect[None]):
    """Call a function that takes its time, such as writing a file; an event loop uses a thread."""

    function: Callable[..., None] = field(repr=False)
    arguments: tuple[Any, ...] = field(default=(), repr=False)
