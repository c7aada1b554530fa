"""The practices of a fleet: an id each, and what it takes to sign in to the portal."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from ormco_trios.communicate.emails import is_email
from ormco_trios.communicate.regions import Region
from ormco_trios.core.errors import ConfigurationError
from ormco_trios.core.shield import shielded
from ormco_trios.ormcodigital.portal import PortalWay

_ID = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"

PracticeId = Annotated[str, Field(pattern=_ID)]
"""It is in logs and reports, so it must not say who the practice is."""


def check_id(practice: str) -> str:
    """The id, if it may be in queues, logs and reports.

    Raises:
        ConfigurationError: It may not, such as an e-mail address.
    """
    if re.fullmatch(_ID, practice) is None:
        raise ConfigurationError(
            "A practice's id is up to 64 letters, digits, dots, underscores and hyphens.",
            advice="Use an id of your own that does not say who the practice is.",
        )
    return practice


def check_known(practice: str) -> str:
    """The id, if there can be a practice with it.

    Raises:
        LookupError: It is not an id, whatever it came from.
    """
    if re.fullmatch(_ID, practice) is None:
        raise LookupError("there is no such practice")
    return practice


class FleetPractice(BaseModel):
    """One practice of a fleet.

    Attributes:
        id: Your own name for it: letters, digits, ``.``, ``_`` and ``-``; no e-mail address.
        region: Which of Ormco's labs; by default what the account's country clearly says.
        account: The e-mail of the 3Shape account that is meant; another one is refused.
        portal: What does the portal's part: a person at the practice (``manual``), or its API where
            there is one; by default the API if there is a user name, and else a person.
        portal_username: Of its OrmcoDigital account; only for the API, as is ``portal_password``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    id: PracticeId
    region: Region | None = None
    account: str | None = Field(default=None, repr=False)
    portal: PortalWay | None = None
    portal_username: str | None = Field(default=None, min_length=1, repr=False)
    portal_password: SecretStr | None = Field(default=None, min_length=1)

    @field_validator("account")
    @classmethod
    def _is_email(cls, account: str | None) -> str | None:
        if account is not None and not is_email(account):
            raise PydanticCustomError("email", "it is no e-mail address")
        return account

    @field_validator("portal")
    @classmethod
    def _needs_no_window(cls, portal: PortalWay | None) -> PortalWay | None:
        if portal is PortalWay.BROWSER:
            raise PydanticCustomError("portal", "it is manual or api: a fleet opens no windows")
        return portal

    @model_validator(mode="after")
    def _fits_the_portal(self) -> Self:
        has = (self.portal_username is not None, self.portal_password is not None)
        if self.by_hand and any(has):
            raise PydanticCustomError(
                "portal", "with the portal by hand, leave portal_username and portal_password out"
            )
        if not self.by_hand and not all(has):
            raise PydanticCustomError(
                "portal", "the portal's API needs both portal_username and portal_password"
            )
        return self

    @property
    def by_hand(self) -> bool:
        """Whether a person does the portal's part, so that nothing is sent there."""
        if self.portal is None:
            return self.portal_username is None and self.portal_password is None
        return self.portal is PortalWay.MANUAL

    def to_json(self) -> str:
        """Everything, the password included: for a store that is encrypted, never for a log."""
        password = self.portal_password
        return json.dumps(
            {
                "id": self.id,
                "region": self.region and self.region.value,
                "account": self.account,
                "portal": self.portal and self.portal.value,
                "portal_username": self.portal_username,
                "portal_password": password and password.get_secret_value(),
            }
        )


_COLUMNS = (
    "Each line has an id, and may have a region (europe, north_america, asia_pacific), an account "
    "(the 3Shape account's e-mail), a portal (manual or api), and for the latter a portal_username "
    "and a portal_password; a CSV file begins with these names."
)


@shielded
def read_practices(path: str | Path) -> dict[str, FleetPractice]:
    """The practices in a file, by their ids.

    Args:
        path: CSV with a heading (``id``, ``region``, ``account``, ``portal``,
            ``portal_username``, ``portal_password``; all but the first may be missing; separated
            by commas, semicolons or tabs), or JSON lines if it ends in ``.jsonl``.

    Raises:
        ConfigurationError: A line is not a practice, or an id is there twice; names the line
            and the column, and quotes nothing of it.
    """
    path = Path(path)
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"The list of practices cannot be read ({type(error).__name__}).",
            advice="The list of practices has to be a text file in UTF-8.",
        ) from None
    rows = _json_lines(text) if path.suffix.lower() in {".jsonl", ".ndjson"} else _csv(text)
    practices = {practice.id: practice for practice in _checked(rows)}
    if not practices:
        raise ConfigurationError("There is no practice in the list.", advice=_COLUMNS)
    return practices


def _checked(rows: Iterable[tuple[int, Any]]) -> Iterator[FleetPractice]:
    lines: dict[str, int] = {}
    for line, row in rows:
        practice, problem = _practice(row)
        if practice is None:
            raise ConfigurationError(f"Line {line} is not a practice: {problem}.", advice=_COLUMNS)
        if practice.id in lines:
            raise ConfigurationError(
                f"Line {line} has the id of line {lines[practice.id]}.",
                advice="Each practice has one line.",
            )
        lines[practice.id] = line
        yield practice


def _practice(row: object) -> tuple[FleetPractice | None, str]:
    """The practice, or what is wrong with it."""
    try:
        return FleetPractice.model_validate(row), ""
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        return None, f"{'.'.join(map(str, first['loc'])) or 'the whole'}: {first['msg']}"


def _csv(text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    heading = text.lstrip().partition("\n")[0]
    delimiter = max(",;\t", key=heading.count)
    # With newline="", since a password may hold what other lines end with.
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        reader.fieldnames = [name.strip().lower() for name in reader.fieldnames or ()]
        for row in reader:
            cells: dict[str | None, Any] = {**row}
            if not any(cells.values()):
                continue  # as spreadsheets leave them behind
            if None in cells or None in cells.values():
                raise _broken(reader.line_num, "does not have as many cells as the heading")
            for name in ("id", "region", "account", "portal", "portal_username"):
                if name in row:
                    row[name] = row[name].strip()
            yield reader.line_num, {name: cell for name, cell in row.items() if cell}
    except csv.Error:
        raise _broken(reader.line_num, "is not CSV") from None


def _json_lines(text: str) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            row: Any = json.loads(line)
        except (ValueError, RecursionError):
            row = None
        if not isinstance(row, dict):
            raise _broken(number, "is not a JSON object")
        yield number, row


def _broken(line: int, how: str) -> ConfigurationError:
    return ConfigurationError(
        f"Line {line} {how}.", advice="Correct this line of the list and try again."
    )
