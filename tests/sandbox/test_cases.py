"""Cases on the regional servers: the contract's section 3."""

from __future__ import annotations

import hashlib
import re

import pytest

from ormco_trios.sandbox.world.seeds import CLINIC_EMAIL, LAB_EMAILS

NOBODY = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def cases(call):
    token = call.token()

    def get(path, *, token=token, server="eu", method="GET", **query):
        return call.send(method, f"/metadata-{server}/api{path}", token=token, query=query)

    return get


def test_pages_of_ten_newest_first(call, cases) -> None:
    first, second, third = (call.json(cases("/cases", page=str(n))) for n in range(3))
    assert [len(page["Cases"]) for page in (first, second, third)] == [10, 2, 0]
    assert first["Count"] == second["Count"] == 12
    created = [case["Created"] for case in first["Cases"] + second["Cases"]]
    assert created == sorted(created, reverse=True)


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({"from": "2025-12-30T00:00:00Z"}, 2),
        ({"from": "2025-12-20", "to": "2025-12-22T00:00:00Z"}, 2),
        ({"to": "2000-01-01"}, 0),
    ],
)
def test_spans(call, cases, query, count) -> None:
    assert call.json(cases("/cases", page="0", **query))["Count"] == count


@pytest.mark.parametrize("text", ["2025-12-30T00:00:00", "30.12.2025", "2025-13-01", "now"])
def test_times_have_one_form(cases, text) -> None:
    assert cases("/cases", page="0", **{"from": text}).status == 400


@pytest.mark.parametrize("path", ["/cases/search", "/v3/cases/search"])
@pytest.mark.parametrize(("text", "count"), [("muster", 1), ("SANDBOX-0000", 9), ("nobody", 0)])
def test_search(call, cases, path, text, count) -> None:
    assert call.json(cases(path, page="0", searchString=text))["Count"] == count


def test_updated_cases_are_a_list(call, cases) -> None:
    found = call.json(cases("/updatedcases", **{"from": "2025-12-28T00:00:00Z"}))
    assert isinstance(found, list)
    assert len(found) == 4


def test_times_come_with_and_without_decimals_and_zone(call, cases) -> None:
    case = call.json(cases("/cases", page="0"))["Cases"][0]
    stamp = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d"
    assert re.fullmatch(stamp + r"\.\d{3}", case["Created"])
    assert re.fullmatch(stamp + "Z", case["UpdatedOn"])
    assert re.fullmatch(stamp + r"\.\d\dZ", case["ReceivedOn"])


def test_only_actors_and_only_on_the_right_server(call, cases) -> None:
    key = call.json(cases("/cases", page="0"))["Cases"][0]["Id"]
    assert call.json(cases(f"/cases/{key}"))["Id"] == key
    assert call.json(cases(f"/cases/{key.upper()}", token=call.token(LAB_EMAILS["eu"])))
    for reply, sentence in [
        (
            cases(f"/cases/{key}", token=call.token(CLINIC_EMAIL)),
            f"You don't have permission to access case {key}",
        ),
        (cases(f"/cases/{key}", server="am"), f"No case with Id {key} could be found"),
        (cases(f"/cases/{NOBODY}"), f"No case with Id {NOBODY} could be found"),
        (
            cases(f"/cases/increments/{NOBODY}"),
            f"No increment with Id {NOBODY} could be found",
        ),
        (cases(f"/cases/{key}/comments/{NOBODY}/text"), "Comment not found"),
        (
            cases(f"/cases/{key}/state/lost", method="PUT"),
            "Unsupported state: lost",
        ),
    ]:
        assert reply.status == 400
        assert call.json(reply) == sentence


def test_states_make_versions(call, cases) -> None:
    key = call.json(cases("/cases", page="0"))["Cases"][0]["Id"]
    reply = cases(f"/cases/{key}/state/approved", method="PUT")
    assert (reply.status, reply.body) == (200, b"")
    case = call.json(cases(f"/cases/{key}"))
    assert (case["State"], case["Version"]) == ("Approved", 2)
    assert call.json(cases(f"/cases/{key}/version/1"))["State"] == "Sent"
    assert cases(f"/cases/{key}/version/3").status == 400


def test_increments_and_comments(call, cases) -> None:
    case = next(iter(call.world.state.cases.values()))
    assert call.json(cases(f"/cases/increments/{case.increments[0]}"))["Id"] == case.id
    ((key, text),) = case.comments.items()
    assert call.json(cases(f"/cases/{case.id}/comments/{key}/text")) == text


def test_files(call, cases) -> None:
    case = call.json(cases("/cases", page="0"))["Cases"][0]
    base = call.sandbox.base_url
    (picture,), (scan,) = case["Attachments"], case["Scans"]
    path = picture["Href"].removeprefix(f"{base}/metadata-eu/api")
    reply = cases(path)
    assert reply.header("content-type") == "application/octet-stream"
    assert hashlib.sha1(reply.body).hexdigest() == picture["Hash"]

    path = scan["Href"].removeprefix(f"{base}/metadata-eu/api")
    reply = cases(path)
    assert reply.status == 400
    assert "permission" in call.json(reply)
    assert cases(path, token=call.token(LAB_EMAILS["eu"])).status == 200
    call.world.user(call.sandbox.practice.email).may_download_stl = True
    reply = cases(path)
    assert reply.header("content-type") == "application/stl"


def test_servers(call, cases) -> None:
    assert call.json(cases("/servers")) == [
        f"{call.sandbox.base_url}/metadata-{server}" for server in ("am", "as", "eu")
    ]
