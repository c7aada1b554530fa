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
    key = call.json(cases("/cases", page="0"))["Cases"][1]["Id"]
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
    key = call.json(cases("/cases", page="0"))["Cases"][1]["Id"]
    reply = cases(f"/cases/{key}/state/approved", method="PUT")
    assert (reply.status, reply.body) == (200, b"")
    case = call.json(cases(f"/cases/{key}"))
    assert (case["StateFlag"], case["Version"]) == ("Approved", 2)
    assert call.json(cases(f"/cases/{key}/version/1"))["StateFlag"] == "Sent"
    assert cases(f"/cases/{key}/version/3").status == 400


def test_increments_and_comments(call, cases) -> None:
    case = next(iter(call.world.state.cases.values()))
    assert call.json(cases(f"/cases/increments/{case.increments[0]}"))["Id"] == case.id
    ((key, text),) = case.comments.items()
    assert call.json(cases(f"/cases/{case.id}/comments/{key}/text")) == text


def test_files(call, cases) -> None:
    case = next(c for c in call.json(cases("/cases", page="0"))["Cases"][1:] if c["Designs"])
    base = call.sandbox.base_url
    everything = {one["Name"]: one for one in case["Attachments"]}
    listed = [one["Id"] for one in case["Scans"] + case["Designs"]]
    assert len(everything) == 4
    assert listed == [one["Id"] for one in everything.values() if one["Type"] != "Image"]
    assert [(s["FileType"], s["JawType"]) for s in case["Scans"]] == [
        ("dcm", "upper"), ("dcm", "lower"),
    ]  # fmt: skip
    assert case["Href"] == f"{base}/metadata-eu/api/cases/{case['Id']}"
    for one in case["Scans"]:
        path = one["Href"].removeprefix(f"{base}/metadata-eu/api")
        reply = cases(path)
        assert reply.header("content-type") == "application/octet-stream"
        assert hashlib.sha1(reply.body).hexdigest() == one["Hash"]
        assert cases(f"/cases/{case['Id']}/attachments/{one['Id']}").body == reply.body
        assert cases(f"{path}/ply").body.startswith(b"ply\n")

    (design,) = case["Designs"]
    path = design["Href"].removeprefix(f"{base}/metadata-eu/api")
    assert cases(f"{path}/ply").status == 400
    reply = cases(path)
    assert reply.status == 400
    assert "permission" in call.json(reply)
    assert cases(path, token=call.token(LAB_EMAILS["eu"])).status == 200
    call.world.user(call.sandbox.practice.email).may_download_stl = True
    reply = cases(path)
    assert reply.header("content-type") == "application/stl"


@pytest.mark.parametrize("server", ["eu", "am", "as"])
def test_every_region_has_cases_and_lists_its_own_server_first(call, cases, server) -> None:
    token = call.token(call.sandbox.practice_in(server).email)
    found = call.json(cases("/cases", server=server, token=token, page="0"))["Cases"]
    assert [case["StateFlag"] for case in found[:2]] == ["Created", "Sent"]
    assert all(case["Attachments"] and case["Scans"] for case in found)
    first, *rest = call.json(cases("/servers", server=server, token=token))
    assert first == f"{call.sandbox.base_url}/metadata-{server}/api/"
    assert len(rest) == 2


@pytest.mark.parametrize(
    ("position", "expected"),
    [
        ("retired", "https://www.3shapecommunicate.com/api/"),
        ("foreign", "https://metadata.clinic.example/api/"),
        ("null", None),
    ],
)
def test_the_list_of_servers_may_name_others(call, cases, position, expected) -> None:
    call.sandbox.switch(servers=position)
    assert call.json(cases("/servers"))[0] == expected


def test_a_case_is_sent_over_an_active_connection_only(call, cases) -> None:
    practice = call.sandbox.practice
    case = call.world.add_case(practice.email, patient=("Mina", "Bogen"))
    lab = call.token(practice.lab_email)
    with pytest.raises(ValueError, match="no active connection"):
        call.world.send_case(case.id, practice.lab_email)
    assert cases(f"/cases/{case.id}", token=lab).status == 400
    call.connect(call.token())
    call.world.approve()
    call.sandbox.clock.advance(60)
    call.world.send_case(case.id, practice.lab_email)
    sent = call.json(cases(f"/cases/{case.id}", token=lab))
    assert (sent["StateFlag"], sent["Version"]) == ("Sent", 2)
    assert sent["ReceivedOn"] == sent["UpdatedOn"].replace("Z", ".00Z")
    assert [actor["Email"] for actor in sent["Actors"]] == [
        practice.email, call.world.user(practice.lab_email).email,
    ]  # fmt: skip
    call.sandbox.switch(actors="unnamed")
    sent = call.json(cases(f"/cases/{case.id}", token=lab))
    assert [(one["Email"], one["Name"]) for one in sent["Actors"]] == [(None, None)] * 2


def test_a_file_of_any_size_is_made_while_it_is_read(call, cases) -> None:
    size = 3 * 64 * 1024 + 7
    case = call.world.add_case(call.sandbox.practice.email, files={"upper.dcm": size})
    (file,) = call.json(cases(f"/cases/{case.id}"))["Attachments"]
    reply = cases(f"/cases/{case.id}/attachments/{file['Hash']}")
    assert (reply.body, reply.size) == (b"", size)
    blocks = list(reply.blocks())
    assert len(set(blocks)) == len(blocks) == 4
    assert sum(map(len, blocks)) == size
    assert hashlib.sha1(reply.whole()).hexdigest() == file["Hash"]


@pytest.mark.parametrize(
    ("position", "expected"), [("heeded", 1), ("ignored", 4), ("refused", None)]
)
def test_nobody_knows_what_to_does_among_the_updated(call, cases, position, expected) -> None:
    call.sandbox.switch(updated_until=position)
    span = {"from": "2025-12-28T00:00:00Z", "to": "2025-12-29T00:00:00Z"}
    reply = cases("/updatedcases", **span)
    assert reply.status == (400 if expected is None else 200)
    assert expected is None or len(call.json(reply)) == expected
