"""Which cases are new or changed since a position: pure, so that it can be tried with any answer.

The service answers with everything since a moment, in one list [doc].  What is given on is cut
into windows of our own, oldest change first, each with the cursor that follows it.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from ormco_trios.communicate.models import Case, account_id
from ormco_trios.core.errors import ConfigurationError

EVERY_PRACTICE = "*"
"""The filter that lets the cases of all practices pass."""

OVERLAP = timedelta(hours=1)
"""How far back each look goes again, for changes that the service lists late."""

BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)
"""Before any case; the documentation's own example begins here [doc]."""

_FORMAT = 1


@dataclass(frozen=True, slots=True)
class CaseCursor:
    """Up to where `cases.sync` has come; keep it with `to_json` between two runs.

    It holds no case's id and nothing of a patient.  Store it after you have stored the cases of
    its window: then nothing is lost, and after an interruption at most the last window comes again.

    Attributes:
        account: Id of the account whose cases they are.
        practice: The filter, as an id in its plain form, or ``*``.
        position: All changes up to here were given.
        given: Digests of versions that were given and may be listed again, each with its moment in
            seconds since 1970; minus infinity for one that is listed although it is older than what
            was asked for, and is remembered as long as it is.
    """

    account: str
    practice: str
    position: datetime
    given: Mapping[str, float] = field(default_factory=dict[str, float], repr=False)

    def to_json(self) -> str:
        """Everything `from_json` needs."""
        return json.dumps(
            {
                "format": _FORMAT,
                "account": self.account,
                "practice": self.practice,
                "position": self.position.isoformat(),
                "given": {
                    digest: None if math.isinf(moment) else moment
                    for digest, moment in self.given.items()
                },
            }
        )

    @classmethod
    def from_json(cls, text: str | bytes) -> CaseCursor:
        """The cursor that `to_json` wrote.

        Raises:
            ConfigurationError: It is not such a text.
        """
        try:
            data = json.loads(text)
            position = datetime.fromisoformat(data["position"])
            known = data["format"] == _FORMAT and position.tzinfo is not None
            texts = [data["account"], data["practice"], *data["given"]]
            if known and all(isinstance(each, str) for each in texts):
                given = {
                    digest: -math.inf if moment is None else float(moment)
                    for digest, moment in data["given"].items()
                }
                return cls(texts[0], texts[1], position.astimezone(UTC), given)
        except (
            ValueError,
            KeyError,
            TypeError,
            AttributeError,
            OverflowError,
            RecursionError,
        ):
            pass
        raise ConfigurationError(
            "This is not a saved cursor of cases.sync.",
            advice="Use the text of cursor.to_json(), or begin again without a cursor.",
        )


@dataclass(frozen=True, slots=True)
class CaseWindow:
    """Some changed cases, oldest change first, and the cursor to store once you have kept them.

    Attributes:
        cases: None of them was in an earlier window, as id and version; may be empty.
        cursor: Where to go on.
    """

    cases: tuple[Case, ...]
    cursor: CaseCursor


def check_filter(practice: str | None) -> str:
    """A filter in the form in which ids are compared.

    Raises:
        ConfigurationError: It is neither an id nor `EVERY_PRACTICE`, so it could mean all of them.
    """
    if practice == EVERY_PRACTICE:
        return EVERY_PRACTICE
    plain = account_id(practice)
    if plain is None or "@" in plain or "*" in plain:
        raise ConfigurationError(
            "The filter for a practice is not the id of a Communicate account.",
            advice="Use the id that you stored when the practice connected, which is user.id; "
            "leave the filter out if you mean the cases of every practice.",
        )
    return plain


def passes(case: Case, practice: str) -> bool:
    """Whether a filter, as `check_filter` gives it, lets a case pass."""
    return practice == EVERY_PRACTICE or case.belongs_to(practice)


def begin(
    cursor: CaseCursor | None,
    *,
    account: str,
    practice: str,
    since: datetime | None,
    overlap: timedelta,
    now: datetime,
) -> tuple[CaseCursor, datetime]:
    """The cursor to go on from, and the moment to ask from, in whole seconds.

    Raises:
        ConfigurationError: The cursor is another account's or another filter's, or lies in the
            future; nothing was read.
    """
    own = account_id(account) or account
    if cursor is None:
        start = (since or BEGINNING).astimezone(UTC).replace(microsecond=0)
        return CaseCursor(own, practice, start), start
    if since is not None:
        raise ConfigurationError("Give a cursor or the moment to begin at, not both.")
    if cursor.account != own:
        raise ConfigurationError(
            "The cursor is that of another account; nothing was read.",
            advice="Keep one cursor for each account, or begin again without a cursor.",
        )
    if cursor.practice != practice:
        raise ConfigurationError(
            "The cursor is that of another filter for a practice; nothing was read.",
            advice="Keep one cursor for each filter, or begin again without a cursor.",
        )
    back = _back(cursor.position.timestamp(), overlap)
    start = datetime.fromtimestamp(max(back, BEGINNING.timestamp()), UTC)
    if start > now:
        raise ConfigurationError(
            "The cursor lies in the future, so changes would be missed; nothing was read.",
            advice="Check this machine's clock; if it is right, begin again with since=, a moment "
            "before the last case that you have.",
        )
    return cursor, start


def windows(
    cases: Iterable[Case],
    cursor: CaseCursor,
    *,
    start: datetime,
    overlap: timedelta,
    now: datetime,
    size: int,
) -> Iterator[CaseWindow]:
    """What an answer holds that was not given yet, in windows of at most ``size`` cases.

    Args:
        cases: The answer, in any order.
        cursor: Where it goes on from.
        start: The moment that was asked from.
        overlap: How far before its position a cursor remembers what was given.
        now: No position lies after this moment, whatever the cases say.
        size: Most cases of a window, at least 1.
    """
    first, latest = start.timestamp(), now.timestamp()
    position = end = cursor.position.timestamp()
    given = {each: moment for each, moment in cursor.given.items() if not math.isinf(moment)}
    fresh: dict[str, tuple[float, int, str, Case]] = {}
    for case in cases:
        moment = changed_at(case)
        if moment >= first:
            end = max(end, min(moment, latest))
        else:
            # Listed for a reason of the service's own, perhaps each time: remembered so long.
            moment = -math.inf
        if not passes(case, cursor.practice):
            continue
        digest = digest_of(case)
        if digest in cursor.given:
            given.setdefault(digest, moment)
        else:
            fresh[digest] = (moment, case.version or 0, digest, case)
    ordered = sorted(fresh.values())
    for number in range(0, max(len(ordered), 1), size):
        chunk = ordered[number : number + size]
        if number + size >= len(ordered):
            position = end
        else:
            position = max(position, min(chunk[-1][0], latest))
        back = _back(position, overlap)
        given = {each: m for each, m in given.items() if m >= back or math.isinf(m)}
        given |= {each: m for m, _, each, _ in chunk if m >= back or math.isinf(m)}
        after = replace(cursor, position=datetime.fromtimestamp(position, UTC), given=given)
        if chunk or after != cursor:
            yield CaseWindow(tuple(case for *_, case in chunk), after)


def changed_at(case: Case) -> float:
    """When a case changed, in seconds since 1970; minus infinity if it does not say."""
    moment = case.updated_on or case.received_on or case.created
    return -math.inf if moment is None else moment.timestamp()


def digest_of(case: Case, version: int | None = None) -> str:
    """A digest of a version of a case; it tells nothing about the case."""
    version = case.version if version is None else version
    text = f"{case.id.casefold()} {changed_at(case) if version is None else version}"
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _back(position: float, overlap: timedelta) -> int:
    """The moment to ask from, in the whole seconds in which it is asked."""
    return math.floor(position - overlap.total_seconds())
