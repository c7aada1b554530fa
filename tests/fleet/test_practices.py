"""Lists of practices: as spreadsheets save them, and with errors that quote nothing."""

from __future__ import annotations

import traceback
from pathlib import Path

import pytest
from pydantic import SecretStr

from ormco_trios import Region, errors
from ormco_trios.fleet import FleetPractice, read_practices

HEADING = "id,region,portal_username,portal_password"


def read(
    tmp_path: Path, text: str | bytes, name: str = "practices.csv"
) -> dict[str, FleetPractice]:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_practices(path)


@pytest.mark.parametrize(
    "text",
    [
        f"{HEADING}\nmilan-1,europe,anna,hunter2\n",
        f"\ufeff{HEADING}\r\nmilan-1,europe,anna,hunter2\r\n",
        f"{HEADING.replace(',', ';')}\nmilan-1;europe;anna;hunter2",
        f"{HEADING.replace(',', chr(9))}\nmilan-1\teurope\tanna\thunter2\n",
        'portal_password,id,portal_username,region\nhunter2,"milan-1",anna,europe\n\n',
        f"{HEADING}\n\nmilan-1,europe,anna,hunter2\n,,,\n,,,\n",
        f"{HEADING.upper().replace(',', ', ')}\n milan-1 , europe ,anna ,hunter2\n",
    ],
    ids=["plain", "excel", "semicolons", "tabs", "other-order", "empty lines", "blanks"],
)
def test_csv(tmp_path: Path, text: str) -> None:
    (practice,) = read(tmp_path, text).values()
    assert (practice.id, practice.region, practice.portal_username) == (
        "milan-1",
        Region.EUROPE,
        "anna",
    )
    assert practice.portal_password == SecretStr("hunter2")
    assert not practice.by_hand
    assert "anna" not in repr(practice)
    assert "hunter2" not in repr(practice)


def test_the_portal_by_hand_needs_no_password(tmp_path: Path) -> None:
    text = "id,account,portal\nmilan-1,anna@praxis.example,\nleeds-2,,manual\nrome-3,,\n"
    milan, leeds, rome = read(tmp_path, text).values()
    assert milan.account == "anna@praxis.example"
    assert "anna" not in repr(milan)
    for each in (milan, leeds, rome):
        assert each.by_hand
        assert FleetPractice.model_validate_json(each.to_json()) == each


def test_only_ids(tmp_path: Path) -> None:
    assert list(read(tmp_path, "id\na\nb\n")) == ["a", "b"]


def test_json_lines(tmp_path: Path) -> None:
    text = '{"id": "a", "portal_username": "u", "portal_password": "p"}\n\n'
    assert list(read(tmp_path, text, "practices.jsonl")) == ["a"]
    assert (
        FleetPractice.model_validate_json(read(tmp_path, text, "p.jsonl")["a"].to_json()).id == "a"
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (f"{HEADING}\nanna@clinic.example,,anna,hunter2", "Line 2 is not a practice: id: "),
        (f"{HEADING}\na,atlantis,anna,hunter2", "Line 2 is not a practice: region: "),
        (f"{HEADING}\na,,anna,hunter2\na,,anna,hunter2", "Line 3 has the id of line 2"),
        (
            f"{HEADING}\na,,anna,",
            "Line 2 is not a practice: the whole: the portal's API needs both",
        ),
        ("id,account\na,anna", "Line 2 is not a practice: account: it is no e-mail address"),
        ("id,portal\na,browser", "Line 2 is not a practice: portal: "),
        (f"{HEADING},portal\na,,anna,hunter2,manual", "with the portal by hand, leave"),
        ("id,portal\na,api", "the portal's API needs both"),
        (f"{HEADING}\na,,anna", "Line 2 does not have as many cells"),
        (f"{HEADING}\na,,anna,hunter2,more", "Line 2 does not have as many cells"),
        (f"{HEADING},notes\na,,anna,hunter2,vip", "Line 2 is not a practice: notes: "),
        (f'{HEADING}\na,,anna,"hunter2', "is not CSV"),
        (f"{HEADING}\na,europa,anna,hunter2", "a region (europe, north_america, asia_pacific"),
        ("milan-1,europe,anna,hunter2", "There is no practice in the list"),
        ("", "There is no practice in the list"),
        (b"\xff\xfe\x00", "cannot be read"),
    ],
)
def test_what_is_wrong_is_named_and_not_quoted(
    tmp_path: Path, text: str | bytes, says: str
) -> None:
    with pytest.raises(errors.ConfigurationError) as caught:
        read(tmp_path, text)
    assert says in str(caught.value)
    for secret in ("hunter2", "anna", "vip"):
        assert secret not in str(caught.value)


@pytest.mark.parametrize("password", ["x\ny", "x\x0cy", " x ", "x;y", 'x"y'])
def test_a_password_is_taken_as_it_is(tmp_path: Path, password: str) -> None:
    cell = password.replace('"', '""')
    (practice,) = read(tmp_path, f'{HEADING}\na,,anna,"{cell}"\n').values()
    assert practice.portal_password == SecretStr(password)


def test_what_is_wrong_leaves_no_password_in_a_traceback(tmp_path: Path) -> None:
    for text in (f"{HEADING}\na,,anna,hunter2\na,,anna,hunter2", b"hunter2\xff"):
        with pytest.raises(errors.ConfigurationError) as caught:
            read(tmp_path, text)
        trace = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
        ours = [frame for frame in trace.stack if "/ormco_trios/" in frame.filename]
        assert ours
        assert "hunter2" not in str([frame.locals for frame in ours])
        assert "hunter2" not in repr(vars(caught.value.__context__ or caught.value))


@pytest.mark.parametrize(
    "line", ["[1]", "not json", '{"id": 1}', pytest.param("[" * 100_000, id="deep")]
)
def test_json_lines_that_are_not(tmp_path: Path, line: str) -> None:
    with pytest.raises(errors.ConfigurationError, match="Line 1"):
        read(tmp_path, line, "practices.jsonl")


def test_a_list_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(errors.ConfigurationError, match="cannot be read"):
        read_practices(tmp_path / "nothing.csv")
