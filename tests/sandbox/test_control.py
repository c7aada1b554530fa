"""The control API."""

from __future__ import annotations

import pytest

from ormco_trios.core.clock import Clock


def test_state_and_journal(call) -> None:
    call.connect(call.token())
    call.sandbox.fault("users.me", status=500, nth=99)
    state = call.json(call.get("/sandbox/state"))
    assert state["now"] == "2026-01-01T00:00:00Z"
    assert [c["ConnectionAccepted"] for c in state["connections"]] == [False]
    assert state["portal"]["practice.eu"] == "not_connected"
    assert state["operations"] == {"oauth.token": 1, "users.me": 1, "connections.request": 1}
    assert state["faults_never_fired"] == ["users.me: status=500, nth=99"]
    journal = call.json(call.get("/sandbox/journal"))
    assert [entry["operation"] for entry in journal] == call.sandbox.journal.operations()
    assert journal[0]["ok"] is True


@pytest.mark.parametrize("deep", [b"[" * 500_000, b'{"a":' * 100_000])
@pytest.mark.parametrize("path", ["clock", "faults", "switches", "approve", "restore"])
def test_json_that_is_nested_too_deeply(call, path, deep) -> None:
    reply = call.post(f"/sandbox/{path}", body=deep)
    assert reply.status == 400
    assert "too deeply" in reply.header("x-sandbox-explain")


def test_clock(call, make) -> None:
    reply = call.post("/sandbox/clock", body={"advance": 90})
    now = {"now": "2026-01-01T00:01:30Z", "time": 1_767_225_690.0}
    assert call.json(reply) == call.json(call.get("/sandbox/clock")) == now
    for wrong in ({}, {"advance": -1}, {"advance": "1"}, {"advance": True}, {"advance": 1e308}):
        assert call.post("/sandbox/clock", body=wrong).status == 400
    for beyond in (b'{"advance": NaN}', b'{"advance": Infinity}', b'{"advance_to": "9999-12-31"}'):
        assert call.post("/sandbox/clock", body=beyond).status == 400
    assert make(clock=Clock()).post("/sandbox/clock", body={"advance": 1}).status == 409


def test_faults(call) -> None:
    body = {"operation": "users.me", "status": 503, "retry_after": 1}
    assert call.post("/sandbox/faults", body=body).status == 201
    assert call.get("/communicate/api/users/me").status == 503
    call.post("/sandbox/faults", body=body)
    assert call.send("DELETE", "/sandbox/faults").status == 204
    assert call.get("/communicate/api/users/me").status == 401


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"status": "500"},
        {"status": 500, "operation": 1},
        {"status": 500, "operation": "users.mee"},
        {"status": 500, "nth": None},
        {"status": 500, "when": "never"},
        {"status": 500, "retry_after": True},
        {"network": "gone"},
        {"status": 500, "colour": "red"},
    ],
)
def test_faults_are_checked(call, wrong) -> None:
    assert call.post("/sandbox/faults", body=wrong).status == 400


def test_approve(call) -> None:
    for email in (call.sandbox.practice.email, call.sandbox.practice_in("am").email):
        call.connect(call.token(email))
    (one, other) = call.world.connections()
    for wrong, status in (({"connection": 1}, 400), ({"connection": "none"}, 404)):
        assert call.post("/sandbox/approve", body=wrong).status == status
    reply = call.post("/sandbox/approve", body={"connection": other.id})
    assert (call.json(reply), one.accepted, other.accepted) == ({"approved": 1}, False, True)
    assert call.json(call.post("/sandbox/approve", body={})) == {"approved": 1}


def test_reset(call) -> None:
    call.connect(call.token())
    assert call.post("/sandbox/reset", body={}).status == 204
    assert not call.world.connections()
    assert len(call.sandbox.journal) == 0


def test_a_foreign_page_cannot_use_it(call) -> None:
    """What a form can send is refused: only JSON, which needs a preflight that nobody answers."""
    assert call.post("/sandbox/reset", form={"x": "1"}).status == 415
    assert call.post("/sandbox/reset").status == 415
