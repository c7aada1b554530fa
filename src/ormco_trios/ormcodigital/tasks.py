"""What only a person can do at the portal, in the guide's words and order, and their answers."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, TypeAlias

from pydantic import SecretStr

CONFIDENTIAL = (
    "Personal data about a patient that is exchanged through 3Shape Communicate is strictly "
    "confidential. The person or company that obtains it is the data controller, and is "
    "responsible for keeping it confidential and for making sure that every third party it passes "
    "the data on to does so as well. If you do not want this, choose Cancel."
)
CONSENT = (
    "You allow the application Ormco to open your 3Shape Communicate cases, all of them, and with "
    f"them personal health information about your patients. {CONFIDENTIAL}"
)
"""What the consent page asks [guide], in our own words; that it means all cases is [doc WF2]."""


class TaskKind(enum.Enum):
    """What a task is for."""

    GET_ADDRESS = "get_address"
    """Press *here* at the portal, allow access at 3Shape, and bring the address [guide]."""
    ENTER_CODE = "enter_code"
    """Enter the code at the portal, and press *Update* [guide]."""
    SET_METHOD = "set_method"
    """Choose *3Shape Trios* as the submission method, and press *Update* [guide]."""
    IN_THE_WINDOW = "in_the_window"
    """Go on in a browser window that this program has opened."""
    BEGIN_REPAIR = "begin_repair"
    """Be there: something that works is about to be taken away, and a person has to renew it."""
    REMOVE_ACCESS = "remove_access"
    """Remove Ormco under *Applications* [guide]."""
    DISCONNECT = "disconnect"
    """Take the connection back at the portal."""


class Reply(enum.Enum):
    """What a task can be answered with."""

    ADDRESS = "address"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Task:
    """Something that a person has to do elsewhere.

    Attributes:
        kind: What for.
        title: In one line.
        steps: What to do, in order, one sentence or two each.
        text: What to paste, where there is something; it may hold a code, so show it and keep it
            nowhere: a task that has one refuses to be pickled.
        replies: What the person can answer.
        question: What to ask them for at the end.
        if_moved: What to look for when a page or a word is not where the steps say.
        until: Until when it works at the latest, as far as is known; past it, warn.
        account: The e-mail that the consent page has to show, where one is expected.
        asks_account: Whether to ask which e-mail the consent page showed, beside an address or
            beside *done*.
        id: Names this task; an answer that names another one is not used.
        problem: What was wrong with the last answer, if there was one.
    """

    kind: TaskKind
    title: str
    steps: tuple[str, ...]
    text: SecretStr | None = None
    replies: tuple[Reply, ...] = (Reply.DONE, Reply.FAILED)
    question: str = ""
    if_moved: tuple[str, ...] = ()
    until: datetime | None = None
    account: str | None = None
    asks_account: bool = False
    id: str = ""
    problem: str | None = None

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Refuse to be copied or pickled with a code: it stays in the process that holds it."""
        if self.text is not None:
            raise TypeError("a task that shows a code cannot be copied or pickled")
        return object.__reduce_ex__(self, protocol)

    def to_dict(self) -> dict[str, Any]:
        """All of it but what to paste, as a document that JSON can hold."""
        return {
            "kind": self.kind.value,
            "title": self.title,
            "steps": [*self.steps],
            "replies": [reply.value for reply in self.replies],
            "question": self.question,
            "if_moved": [*self.if_moved],
            "until": self.until and self.until.isoformat(),
            "account": self.account,
            "asks_account": self.asks_account,
            "id": self.id,
            "problem": self.problem,
        }

    def because(self, problem: str | None) -> Task:
        """The same, saying what was wrong with the last answer."""
        return replace(self, problem=problem)


@dataclass(frozen=True, slots=True)
class Address:
    """The address that a person was sent to, or whatever they pasted for it.

    Attributes:
        text: The paste; holds a code.
        account_shown: The e-mail that the person saw on the consent page, if they were asked.
    """

    text: str = field(repr=False)
    account_shown: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Done:
    """The person says that they have done it.

    Attributes:
        account_shown: The e-mail that the person saw on the consent page, if they were asked.
    """

    account_shown: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Failed:
    """The person says that it did not work.

    Attributes:
        words: What the page showed, in its own words; shown again, made harmless.
    """

    words: str = field(default="", repr=False)


TaskAnswer: TypeAlias = Address | Done | Failed
