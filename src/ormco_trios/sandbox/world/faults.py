"""Trouble on demand: wrong statuses, odd bodies, broken connections, before or after the deed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields, replace
from random import Random
from typing import Literal, TypeAlias, get_args

from ormco_trios.sandbox.wire import mangling
from ormco_trios.sandbox.wire.mangling import Mangle
from ormco_trios.sandbox.wire.messages import (
    Json,
    Network,
    Refused,
    WireReply,
    html_reply,
    json_reply,
)

When: TypeAlias = Literal["before", "after"]

_NEEDS_A_REPLY = ("truncate", "slow_body")


@dataclass(slots=True)
class Fault:
    """One planned failure.

    Attributes:
        operation: The operation it hits; ``None`` hits every one.
        status: Status of the answer sent instead.
        retry_after: Seconds, or a date as HTTP spells it, for ``Retry-After``.
        body: Sent instead: text as HTML if it begins with ``<``, other text as it is, everything
            else as JSON; ``None`` for what a service says with that status.
        network: Fail below HTTP instead of answering.
        times: How often it fires; ``None`` for always.
        nth: It fires from the ``nth`` matching request on, counted from 1.
        when: Before anything happens, or after the operation was carried out.
        mangle: Carry the operation out, and spoil its answer in this way.
        rate: It fires for this share of the matching requests, above 0 and at most 1.
        seed: Of the choice that ``rate`` makes; the same seed hits the same requests.
        fired: How often it has fired.
    """

    operation: str | None = None
    status: int | None = None
    retry_after: float | str | None = None
    body: Json | bytes = field(default=None, repr=False)
    network: Network | None = None
    times: int | None = 1
    nth: int = 1
    when: When = "before"
    mangle: Mangle | None = None
    rate: float = 1.0
    seed: int = 0
    fired: int = 0
    _seen: int = 0
    _rng: Random = field(default_factory=Random, repr=False)

    def __post_init__(self) -> None:
        instead = self.status is not None or self.body is not None
        if not instead and self.network is None and self.mangle is None:
            raise ValueError("a fault needs a status, a body, a network failure or a mangling")
        if self.network is not None and (instead or self.mangle is not None):
            raise ValueError("a network failure has no status, no body and no mangling")
        if self.mangle is not None and instead:
            raise ValueError("a mangled answer has the status and the body of the real one")
        if self.status == 429 and self.when == "after":
            raise ValueError("status 429 means that nothing was carried out")
        if self.network == "connect" and self.when == "after":
            raise ValueError("what was never delivered cannot have been carried out")
        if self.nth < 1 or (self.times is not None and self.times < 1):
            raise ValueError("nth and times count from 1")
        if not 0 < self.rate <= 1:
            raise ValueError("rate is above 0 and at most 1")
        if self.mangle is not None or self.network in _NEEDS_A_REPLY:
            self.when = "after"  # there has to be an answer that can be spoilt
        self._rng.seed(self.seed)

    @classmethod
    def parse(cls, text: str) -> Fault:
        """Read ``operation:name=value,name=value``; the operation and its colon may be missing.

        For instance ``users.me:status=503,retry_after=2,times=3`` or ``network=reset``.

        Raises:
            ValueError: It says something that no fault can be.
        """
        head, colon, tail = text.rpartition(":")
        values: dict[str, Json] = {"operation": head} if colon else {}
        for part in tail.split(","):
            name, equals, value = (piece.strip() for piece in part.partition("="))
            if not equals:
                raise ValueError("a fault is written as operation:name=value,name=value")
            values[name] = _number_or_text(value)
        return cls.from_json(values)

    @classmethod
    def from_json(cls, values: dict[str, Json]) -> Fault:
        """Make one from its attributes' names and values.

        Raises:
            ValueError: A name or a value is none that a fault has.
        """
        for name, value in values.items():
            check = _CHECKS.get(name)
            if check is None:
                raise ValueError(f"a fault has the fields {', '.join(sorted(_CHECKS))}")
            says, fits = check
            if not fits(value):
                raise ValueError(f"{name} is {says}")
        return cls(**values)  # type: ignore[arg-type]

    @property
    def explain(self) -> str:
        """What fired, for the journal."""
        what = f"status {self.status or 200}"
        if self.network:
            what = f"network {self.network}"
        if self.mangle:
            what = f"mangled, {self.mangle}"
        return f"A planned fault fired: {what}, {self.when} the operation."

    def describe(self) -> str:
        """It, as `parse` reads it, without its body."""
        plain = [
            f"{item.name}={value}"
            for item in fields(self)
            if item.init and item.name not in ("operation", "body", "fired", "_seen", "_rng")
            if (value := getattr(self, item.name)) != item.default
        ]
        return f"{self.operation or 'any operation'}: {', '.join(plain) or 'a body'}"

    def matches(self, *names: str) -> bool:
        """Count a request for the operation of these names, and say whether the fault fires."""
        if self.operation is not None and self.operation not in names:
            return False
        self._seen += 1
        if self._seen < self.nth or (self.times is not None and self.fired >= self.times):
            return False
        if self.rate < 1 and self._rng.random() >= self.rate:
            return False
        self.fired += 1
        return True

    def reply(self, real: WireReply | None = None) -> WireReply | Refused:
        """What is sent instead; a `Refused` still has to be put into the service's words.

        Args:
            real: What the operation answered, if it was carried out.
        """
        headers = () if self.retry_after is None else (("retry-after", str(self.retry_after)),)
        if self.network is not None:
            if real is None or self.network not in _NEEDS_A_REPLY:
                return WireReply(502, broken=self.network)
            return replace(real, broken=self.network)
        if self.mangle is not None and real is not None:
            return mangling.mangle(real, self.mangle)
        status = self.status or 200
        if isinstance(self.body, bytes):
            kind = (("content-type", "application/octet-stream"),)
            return WireReply(status, kind + headers, self.body)
        if isinstance(self.body, str) and self.body.lstrip().startswith("<"):
            return html_reply(self.body, status=status, headers=headers)
        if isinstance(self.body, str):
            kind = (("content-type", "text/plain; charset=utf-8"),)
            return WireReply(status, kind + headers, self.body.encode())
        if self.body is not None:
            return json_reply(self.body, status=status, headers=headers)
        return Refused(
            status,
            "An error has occurred.",
            self.explain,
            code="temporarily_unavailable",
            headers=headers,
        )


class Faults:
    """The faults planned for one World; the first that matches a request fires.

    Attributes:
        operations: The names that a fault may have; a dispatcher says which it knows, and until
            then every name is taken.
    """

    def __init__(self) -> None:
        self._plan: list[Fault] = []
        self.operations: frozenset[str] | None = None

    def __iter__(self) -> Iterator[Fault]:
        return iter(tuple(self._plan))

    def add(self, fault: Fault) -> Fault:
        """Plan one more.

        Raises:
            ValueError: There is no such operation.
        """
        if None not in (fault.operation, self.operations) and (
            fault.operation not in (self.operations or ())
        ):
            raise ValueError(f"there is no operation {fault.operation!r}")
        self._plan.append(fault)
        return fault

    def clear(self) -> None:
        """Plan none."""
        self._plan.clear()

    def take(self, *names: str) -> Fault | None:
        """The fault that fires for a request for the operation of these names, if any."""
        return next((fault for fault in self._plan if fault.matches(*names)), None)

    def unused(self) -> list[Fault]:
        """Faults that never fired: mostly a test that tests nothing."""
        return [fault for fault in self._plan if not fault.fired]


# --- what a fault may say -------------------------------------------------------------------


def _number_or_text(value: str) -> Json:
    if value == "always":
        return None
    for kind in (int, float):
        try:
            return kind(value)
        except ValueError:
            continue
    return value


def _is_number(value: Json | bytes) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_count(value: Json | bytes) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


_CHECKS: dict[str, tuple[str, Callable[[Json | bytes], bool]]] = {
    "operation": ("a name or null", lambda v: v is None or isinstance(v, str)),
    "status": ("a status code or null", lambda v: v is None or _is_status(v)),
    "retry_after": (
        "a number of seconds, a date as text, or null",
        lambda v: v is None or isinstance(v, str) or _is_number(v),
    ),
    "body": ("any JSON", lambda _: True),
    "network": (
        f"one of {', '.join(get_args(Network))}, or null",
        lambda v: v is None or v in get_args(Network),
    ),
    "times": ("a whole number or null", lambda v: v is None or _is_count(v)),
    "nth": ("a whole number", _is_count),
    "when": ("before or after", lambda v: v in get_args(When)),
    "mangle": (
        f"one of {', '.join(get_args(Mangle))}, or null",
        lambda v: v is None or v in get_args(Mangle),
    ),
    "rate": ("a number", _is_number),
    "seed": ("a whole number", _is_count),
}


def _is_status(value: Json | bytes) -> bool:
    return _is_count(value) and 200 <= int(str(value)) <= 599
