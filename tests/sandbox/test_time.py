"""Time, snapshots, and Worlds beside each other."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest
from tests.practices import clients, signed_in

from ormco_trios import Environment
from ormco_trios.sandbox import Approval, ControlledClock, Sandbox
from ormco_trios.sandbox.world.seed_files import approval_of, check


def test_one_clock_for_everything(make) -> None:
    call = make(clock=ControlledClock(0, start=1_767_225_600.0), approval=Approval.after(86_400))

    def clock(**body: object) -> str:
        return str(call.json(call.post("/sandbox/clock", body=body))["now"])

    token = call.token()
    call.connect(token)
    assert clock(advance=86_399) == "2026-01-01T23:59:59Z"
    assert clock(advance_to="2026-01-02T00:00:00+00:00") == "2026-01-02T00:00:00Z"
    assert call.get("/communicate/api/users/me", token=token).status == 401  # expired
    assert call.me(call.token())["Connections"][0]["ConnectionAccepted"] is True


@pytest.mark.parametrize(
    "wrong",
    [{"advance_to": "2025-01-01T00:00:00Z"}, {"advance_to": "soon"}, {"advance": 1, "scale": 1}],
)
def test_time_does_not_go_back(make, wrong) -> None:
    call = make(clock=ControlledClock(0, start=1_767_225_600.0))
    assert call.post("/sandbox/clock", body=wrong).status == 400


def test_scaled_time_runs(make) -> None:
    clock = ControlledClock(0, start=0)
    call = make(clock=clock)
    assert call.post("/sandbox/clock", body={"scale": 1e6}).status == 200
    before = clock.time()
    clock.sleep(1000)
    assert clock.time() - before >= 1000
    assert call.post("/sandbox/clock", body={"scale": -1}).status == 400


def test_a_frozen_clock_advances_when_a_client_waits(both) -> None:
    sandbox = Sandbox(clock=ControlledClock(0), approval=Approval.after(3600))
    signed_in(both, sandbox).run()


def test_snapshot_and_restore(call) -> None:
    token = call.token()
    name = call.json(call.post("/sandbox/snapshots", body={}))["snapshot"]
    for _ in range(2):
        call.connect(token)
        assert len(call.world.connections()) == 1
        assert call.post("/sandbox/restore", body={"snapshot": name}).status == 204
        assert not call.world.connections()
        assert call.me(token)["Connections"] == []
    assert call.post("/sandbox/restore", body={"snapshot": "none"}).status == 404


@pytest.mark.socket
def test_two_suites_on_one_server_do_not_see_each_other(both) -> None:
    with Sandbox(server=True) as sandbox, httpx.Client(trust_env=False) as client:
        bases = [f"{sandbox.base_url}/w/{name}" for name in ("one", "two")]
        post = client.post(f"{bases[0]}/sandbox/clock", json={"advance": 86_400})
        assert post.status_code == 200
        body = {"operation": "users.me", "status": 503}
        client.post(f"{bases[0]}/sandbox/faults", json=body)
        states = [client.get(f"{base}/sandbox/state").json() for base in (*bases, sandbox.base_url)]
        assert [state["base_url"] for state in states] == [*bases, sandbox.base_url]
        assert [state["faults_never_fired"] for state in states] == [
            ["users.me: status=503"],
            [],
            [],
        ]
        assert states[0]["now"] > states[1]["now"]

        # A whole onboarding in one of them, links and pages included.
        made = clients(both, sandbox)
        environment = Environment.sandbox(bases[1], clock=sandbox.clock)
        oauth = both.oauth(
            environment=environment,
            client_id=sandbox.client_id,
            client_secret=sandbox.client_secret,
            redirect_uri=f"{bases[1]}/practice-app/",
        )
        who = sandbox.practice
        oauth.sign_in_with_password(who.email, who.password)
        communicate = both.communicate(environment=environment, auth=oauth.auth)
        assert communicate.users.me().email == who.email
        seen = [client.get(f"{base}/sandbox/journal").json() for base in bases]
        assert [len(entries) for entries in seen] == [0, 2]
        assert not len(sandbox.journal)
        assert client.get(f"{sandbox.base_url}/w/{'x' * 41}/sandbox/state").status_code == 404
        well_known = f"{sandbox.base_url}/.well-known/oauth-authorization-server"
        found = client.get(f"{well_known}/w/one/identity")
        assert found.json()["issuer"] == f"{sandbox.base_url}/w/one/identity"
        page = client.get(f"{bases[0]}/communicate/User/SignIn")
        assert "Path=/w/one;" in page.headers["set-cookie"]
        assert f'action="/w/one{"/communicate/User/SignIn"}"' in page.text
        del made


SEED = {
    "practices": [
        {"name": "smile", "server": "am", "connection": "active", "portal": "connected"},
        {"name": "grin", "approval": {"removed_after": 60}, "connection": "waiting"},
        {"name": "new", "profile": {"phone": "+1 503 555 0100"}},
    ]
}
YAML = """
practices:
  - {name: smile, server: am, connection: active, portal: connected}
  - name: grin
    approval: {removed_after: 60}
    connection: waiting
  - {name: new, profile: {phone: "+1 503 555 0100"}}
"""


@pytest.mark.parametrize("kind", ["json", "yaml"])
def test_a_seed_from_a_file(tmp_path: Path, kind) -> None:
    file = tmp_path / f"seed.{kind}"
    file.write_text(json.dumps(SEED) if kind == "json" else YAML)
    sandbox = Sandbox(seed_file=file)
    world = sandbox.world
    for _ in range(2):
        assert [row.accepted for row in world.connections()] == [True, False]
        assert sandbox.practice_with("smile@clinic.example").country == "US"
        account = world.state.portal_accounts["smile"]
        assert account.link is not None
        assert world.state.portal_accounts["new"].profile["phone"] == "+1 503 555 0100"
        sandbox.clock.advance(61)
        world.state.settle(sandbox.clock.time())
        assert len(world.connections()) == 1
        world.reset()


@pytest.mark.parametrize(
    "wrong",
    [
        [],
        {"users": []},
        {"practices": [{}]},
        {"practices": [{"name": "x", "colour": "red"}]},
        {"practices": [{"name": "x", "server": "us"}]},
        {"practices": [{"name": "x", "connection": "maybe"}]},
        {"practices": [{"name": "x", "portal": "maybe"}]},
        {"practices": [{"name": "x", "approval": {"after": "soon"}}]},
    ],
)
def test_a_wrong_seed_is_refused(wrong) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        check(wrong)


def test_approvals_in_words() -> None:
    assert approval_of({"after_polls": 2}) == Approval.after_polls(2)
    assert approval_of({"after": 5}) == Approval.after(5)
