"""An authorization code: secret, short-lived, and good for one use."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, Literal, NoReturn, final
from urllib.parse import quote

from ormco_trios.core.clock import Clock
from ormco_trios.core.errors import AuthorizationError, CodeIncomplete, CodeSpent
from ormco_trios.oauth.paste import MAX_LENGTH, VISIBLE, read_paste
from ormco_trios.oauth.shape import CodeShape

Form = Literal["canonical", "portal", "as_pasted"]

_CLASSIC = CodeShape.classic()
_SHOWN = 4
_LONG_ENOUGH_TO_SHOW = 16


class UnrecognisedCodeWarning(UserWarning):
    """The code does not look like one of this provider's; it is used as it is."""


class _Sealed:
    """Text that shows up nowhere by itself: not in a repr, a traceback or a debugger's list."""

    __slots__ = ("open",)

    def __init__(self, text: str) -> None:
        self.open: Callable[[], str] = lambda: text


def _type_unless_text(value: object) -> str | None:
    """The name of a type that is not `str`."""
    return None if isinstance(value, str) else type(value).__name__


@final
class AuthorizationCode:
    """An authorization code, as a person pasted it or a program received it.

    There is no way to print, copy or pickle it: one code has one reader, and one object.  Ask for
    its text with `reveal`, and mark it as used with `spend` *before* it is sent anywhere.

    Attributes:
        layers: How many layers of percent-encoding were removed from what was pasted.
        recognised: Whether it has the provider's shape.
        complete: Whether all of it is there; None if its shape cannot tell.
        state_checked: Whether ``state`` was compared with the one that was sent.
        issuer: The authorization server that says it issued the code (RFC 9207), if it does.
        received_at: When it was pasted.
        expires_at: When it stops working at the latest, counted from the paste (it was issued a
            little earlier); None if the provider does not say how long its codes live.
    """

    __slots__ = (
        "__weakref__",
        "_as_pasted",
        "_canonical",
        "_lock",
        "_spent_for",
        "complete",
        "expires_at",
        "issuer",
        "layers",
        "received_at",
        "recognised",
        "state_checked",
    )

    def __init__(
        self,
        canonical: str,
        *,
        shape: CodeShape = _CLASSIC,
        clock: Clock | None = None,
        received_at: datetime | None = None,
        state_checked: bool = False,
        issuer: str | None = None,
        layers: int = 0,
        as_pasted: str | None = None,
    ) -> None:
        """Take a code that is already decoded completely.

        A web framework decodes a redirect once, which is one layer too few for a classic code: a
        handler passes its query string to `from_pasted` instead.

        Args:
            canonical: The code.
            shape: How the provider's codes look.
            clock: Where the time comes from, if ``received_at`` is not given.
            received_at: When the code came in, with a time zone.
            state_checked: Whether the caller has compared ``state``.
            issuer: The ``iss`` that came beside the code.
            layers: For the record, how many layers of encoding the caller removed.
            as_pasted: For the record, the code before that.

        Raises:
            CodeIncomplete: It is empty, or has characters that no code has.
        """
        usable = len(canonical) <= MAX_LENGTH and VISIBLE.fullmatch(canonical) is not None
        recognised, complete = shape.matches(canonical), shape.complete(canonical)
        direct = as_pasted is None
        self._canonical = _Sealed(canonical)
        self._as_pasted = self._canonical if as_pasted is None else _Sealed(as_pasted)
        self._lock = threading.Lock()
        self._spent_for: str | None = None
        # From here on there may be a traceback, and it must find nothing in this frame.
        del canonical, as_pasted
        if not usable:
            raise CodeIncomplete("The code is empty or has characters that no code has.")
        self.layers: Final = layers
        self.recognised: Final = recognised
        self.complete: Final = complete
        self.state_checked: Final = state_checked
        self.issuer: Final = issuer
        self.received_at: Final = (clock or Clock()).now() if received_at is None else received_at
        self.expires_at: Final[datetime | None] = (
            None if shape.lifetime is None else self.received_at + shape.lifetime
        )
        if not recognised:
            warnings.warn(
                f"The code does not look like a code of the {shape.name} sign-in. It is used as it "
                "is; if it is refused, copy the ENTIRE address and paste it again.",
                UnrecognisedCodeWarning,
                stacklevel=2 if direct else 3,
            )

    @classmethod
    def from_pasted(
        cls,
        text: str,
        *,
        expected_state: str | None = None,
        expected_issuer: str | None = None,
        issuer_required: bool = False,
        shape: CodeShape = _CLASSIC,
        clock: Clock | None = None,
    ) -> AuthorizationCode:
        """Find the code in whatever a person pasted.

        That is the whole address of the page they were redirected to, or any part of it that holds
        the code; percent-encoded up to three times; wrapped, indented, quoted, in brackets, with
        invisible characters; edited as the guide says, or only half.  Nothing is sent anywhere.

        Args:
            text: The paste; a redirect's query string or address will do as well.
            expected_state: The ``state`` that the authorization sent.
            expected_issuer: The issuer that was asked; compared if the address names one.
            issuer_required: Whether the server always names itself, as some say of themselves
                (RFC 9207): then an answer that does not is refused.
            shape: How the provider's codes look.
            clock: Where the time of the paste comes from.

        Raises:
            NothingPasted: There is no code in it, or it is longer than 64 KiB.
            SeveralCodes: It holds two different codes.
            CodeIncomplete: The code is cut, damaged, or shortened with an ellipsis.
            NotTheRedirect: It is the authorization link itself, or a login page.
            StateMissing: A state is expected and there is none.
            StateMismatch: The state belongs to another authorization.
            IssuerMismatch: The code comes from another authorization server, or hides from which.
            ConsentDenied: The person chose Cancel.
            AuthorizationRefused: The authorization server sent another error.

        What the server sent instead of a code is believed only if it has the state and the issuer
        that a code would need.  Where neither is known, any page can make such an address: do not
        give up an authorization for it, but ask again.

        Warns:
            UnrecognisedCodeWarning: There is a code, but not one of the expected shape.
        """
        wrong_type = _type_unless_text(text)
        outcome = None
        if wrong_type is None:
            outcome = read_paste(
                text,
                shape=shape,
                expected_state=expected_state,
                expected_issuer=expected_issuer,
                issuer_required=issuer_required,
            )
        state_checked = expected_state is not None
        # From here on there may be a traceback, and it must find nothing in this frame.
        del text, expected_state
        if outcome is None:
            raise TypeError(f"the paste must be a str, not {wrong_type}")
        if isinstance(outcome, AuthorizationError):
            raise outcome
        return cls(
            outcome.canonical,
            shape=shape,
            clock=clock,
            state_checked=state_checked,
            issuer=outcome.issuer,
            layers=outcome.layers,
            as_pasted=outcome.as_pasted,
        )

    @property
    def spent(self) -> bool:
        """Whether it was used, and cannot be used again."""
        return self._spent_for is not None

    def spend(self, purpose: str) -> None:
        """Mark the code as used, before it is sent: a second use is told so.

        Args:
            purpose: What for, to complete "it was used for ..." in a message.

        Raises:
            CodeSpent: It was used before.
        """
        with self._lock:
            first = self._spent_for
            if first is None:
                self._spent_for = purpose
        if first is not None:
            raise CodeSpent(f"This code was used before, for {first}; nothing was sent.")

    def reveal(self, form: Form) -> str:
        """The code's text, in the form that its reader wants.

        Args:
            form: ``canonical`` for a token endpoint, which form-encodes it once; ``portal`` for
                OrmcoDigital's field, with exactly one layer of percent-encoding (``%21``);
                ``as_pasted`` as it was in the paste, for a look at what a person did.
        """
        if form == "canonical":
            return self._canonical.open()
        if form == "portal":
            return quote(self._canonical.open(), safe="")
        if form == "as_pasted":
            return self._as_pasted.open()
        raise ValueError("form must be 'canonical', 'portal' or 'as_pasted'")

    def __repr__(self) -> str:
        text = self._canonical.open()
        shown = text[:_SHOWN] if len(text) >= _LONG_ENOUGH_TO_SHOW else ""
        spent = ", spent" if self.spent else ""
        return f"<AuthorizationCode {shown}..., {len(text)} characters{spent}>"

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        """Refuse to be copied or pickled: two objects would be two uses of one code."""
        raise TypeError("an AuthorizationCode cannot be copied or pickled; a code has one reader")
