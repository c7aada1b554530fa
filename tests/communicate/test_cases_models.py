"""What a case says: its files once, its scans by jaw, and whose it is."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from pydantic import ValidationError

from ormco_trios.communicate.models import Actor, Case, CaseFile, User, account_id
from ormco_trios.communicate.operations import CASES
from ormco_trios.core.transport import Answer

ANNA = "c11c0000-0000-4000-8000-00000000000a"
BERT = "c11c0000-0000-4000-8000-00000000000b"
LAB = "1ab00000-0000-4000-8000-000000000001"
NOBODY = "00000000-0000-0000-0000-000000000000"


def listed(*files: tuple[str | None, str | None], **also: Any) -> list[CaseFile]:
    return [CaseFile(id=id, hash=sha1, **also) for id, sha1 in files]


def ids(case: Case) -> list[str | None]:
    return [file.id for file in case.files]


def test_attachments_hold_all_files_and_each_comes_once() -> None:
    case = Case(
        id="1",
        attachments=listed(("a", "1"), ("b", "2"), ("c", "3"), name="n"),
        scans=listed(("A", "1"), jaw_type="upper", type="scan"),
        designs=listed(("b", "2"), type="design"),
    )
    assert ids(case) == ["a", "b", "c"]
    first, second, third = case.files
    assert (first.name, first.jaw_type, first.type) == ("n", "upper", "scan")
    assert (second.type, third.type) == ("design", None)


def test_what_is_not_among_the_attachments_follows_them() -> None:
    case = Case(id="1", attachments=None, scans=listed(("s", "1")), designs=listed(("d", "2")))
    assert ids(case) == ["s", "d"]
    case = Case(id="1", attachments=listed(("a", "1")), scans=listed(("s", "2")))
    assert ids(case) == ["a", "s"]
    assert Case(id="1").files == ()


def test_a_scan_with_an_id_of_its_own_is_known_by_its_hash() -> None:
    case = Case(
        id="1",
        attachments=listed(("a", "ABC"), ("b", "def")),
        scans=listed(("s", "abc"), (None, "DEF"), jaw_type="lower"),
    )
    assert ids(case) == ["a", "b"]
    assert [file.jaw_type for file in case.files] == ["lower", "lower"]


def test_two_attachments_with_the_same_content_are_two_files() -> None:
    case = Case(
        id="1",
        attachments=listed(("a", "1"), ("b", "1"), ("a", "1")),
        scans=listed(("b", "1"), ("a", "1")),
    )
    assert ids(case) == ["a", "b"]


def test_files_that_nothing_is_known_of_are_all_kept() -> None:
    files = [CaseFile(), CaseFile(), CaseFile(href="h"), CaseFile(href="h")]
    assert len(Case(id="1", attachments=files).files) == 3


def test_an_answer_with_unknown_fields_keeps_them() -> None:
    case = Case.model_validate_json(
        '{"Id": "1", "Attachments": [{"Id": "a", "New": 1}], "Scans": [{"Id": "a", "Newer": 2}]}'
    )
    (file,) = case.files
    assert file.model_extra == {"New": 1, "Newer": 2}


@pytest.mark.parametrize(
    ("said", "jaw"),
    [
        ("upper", "upper"),
        ("Upper", "upper"),
        ("LOWER", "lower"),
        ("UpperJaw", "upper"),
        ("upper and lower", "other"),
        ("bite", "other"),
        ("", "other"),
        (None, "other"),
    ],
)
def test_scans_by_jaw(said: str | None, jaw: str) -> None:
    scan = CaseFile(id="s", jaw_type=said)
    expected: dict[str, tuple[CaseFile, ...]] = {"upper": (), "lower": (), "other": ()}
    assert Case(id="1", scans=[scan]).scans_by_jaw() == expected | {jaw: (scan,)}
    assert Case(id="1").scans_by_jaw() == expected


# --- whose it is ---------------------------------------------------------------------------------

FORMS = [ANNA, ANNA.upper(), f"{{{ANNA}}}", ANNA.replace("-", ""), f" {ANNA} "]


@pytest.mark.parametrize("form", FORMS)
def test_a_practice_is_known_by_its_id_in_any_form(form: str) -> None:
    assert Case(id="1", creator_id=form).belongs_to(ANNA)
    assert Case(id="1", creator_id=ANNA).belongs_to(form)
    assert Case(id="1", actors=[Actor(id=form)]).belongs_to(User(id=ANNA))
    assert Case(id="1", creator_id=BERT, actors=[Actor(id=form)]).sent_to(ANNA)
    assert account_id(form) == uuid.UUID(ANNA).hex


@pytest.mark.parametrize(
    "case",
    [
        Case(id="1"),
        Case(id="1", actors=None),
        Case(id="1", actors=[]),
        Case(id="1", creator_id="", actors=[Actor(), Actor(id="")]),
        Case(id="1", creator_id=NOBODY, actors=[Actor(id=NOBODY)]),
        Case(id="1", creator_id=BERT, actors=[Actor(email="anna@praxis.example", name=ANNA)]),
        Case(id=ANNA, operator_id=ANNA, creator_id=BERT),
        Case(id="1", creator_id=ANNA[:-1], actors=[Actor(id=f"{ANNA}0")]),
    ],
)
def test_who_is_not_named_by_an_id_has_no_part_in_it(case: Case) -> None:
    for nobody in (ANNA, "", NOBODY, "anna@praxis.example"):
        assert not case.belongs_to(nobody)
        assert not case.sent_to(nobody)


def test_a_case_is_sent_to_whom_it_names_besides_its_creator() -> None:
    case = Case(id="1", creator_id=ANNA, actors=[Actor(id=ANNA), Actor(id=LAB)])
    assert case.sent_to(LAB)
    assert not case.sent_to(ANNA)
    assert not case.sent_to(BERT)
    assert not Case(id="1", creator_id=LAB, actors=[Actor(id=LAB)]).sent_to(LAB)
    assert not Case(id="1", creator_id=LAB).sent_to(LAB)


@pytest.mark.parametrize(
    "odd",
    [
        {"DeliveryDate": ""},
        {"Created": "/Date(1700000000000)/"},
        {"Version": "draft"},
        {"StateFlag": {"Name": "Sent"}},
        {"Comments": [[1], "c"]},
        {"Patient": "Anna"},
        {"Actors": [None]},
        {"Attachments": [None, {"Hash": [1]}], "Patient": 5},
    ],
)
def test_an_odd_field_stops_no_case(odd: dict[str, Any]) -> None:
    actors = [{"Id": "anna"}]
    cases = [{"Id": "1", "State": "Designed"}, {"Id": "2", "Actors": actors} | odd]
    page = CASES.parse(Answer(200, {}, json.dumps({"Cases": cases, "Count": 2}).encode()))
    one, two = page.cases or []
    assert (one.id, one.state, two.id) == ("1", "Designed", "2")
    assert two.belongs_to("anna") is ("Actors" not in odd)


@pytest.mark.parametrize(
    "odd", [{"Id": None}, {"CreatorId": {}}, {"Actors": "anna"}, {"Actors": [{"Id": {}}]}]
)
def test_whose_a_case_is_is_never_left_out(odd: dict[str, Any]) -> None:
    answers: list[dict[str, Any]] = [
        {"Cases": [{"Id": "1"} | odd]},
        {"Cases": {}},
        {"Cases": [None]},
    ]
    for answer in answers:
        with pytest.raises(ValidationError):
            CASES.parse(Answer(200, {}, json.dumps(answer).encode()))
