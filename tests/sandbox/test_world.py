"""What holds for every request: strictness, journal, faults, repeatability, threads."""

from __future__ import annotations

import re
import threading

import pytest

from ormco_trios.core.clock import Clock, HurriedClock, ScaledClock
from ormco_trios.sandbox import Approval, Switches, World
from ormco_trios.sandbox.dispatch.table import TABLE
from ormco_trios.sandbox.wire.messages import WireRequest

ME = "/communicate/api/users/me"


@pytest.mark.parametrize(
    ("method", "path", "options", "status", "explain"),
    [
        ("GET", "/communicate/api/user/me", {}, 404, "nearest is /communicate/api/users/me"),
        ("GET", "/home", {}, 404, "nearest"),
        ("GET", "nonsense", {}, 404, "nearest"),
        ("GET", "/metadata-af/api/cases", {"query": {"page": "0"}}, 404, "nearest"),
        ("PATCH", ME, {}, 405, "only for GET"),
        ("HEAD", ME, {}, 405, "only for GET"),
        ("GET", ME, {"query": {"page": "0"}}, 400, "no query parameter 'page'"),
        ("GET", ME, {"query": "KY-s!IAAAAsecret"}, 400, "(a name it cannot show)"),
        ("GET", ME, {"body": {}}, 400, "takes no body"),
        ("GET", "/metadata-eu/api/cases", {}, 400, "needs the query parameter 'page'"),
        ("GET", "/metadata-eu/api/cases", {"query": "page=0&page=1"}, 400, "comes twice"),
        ("GET", "/metadata-eu/api/cases", {"query": "page=-1"}, 400, "numbered from 0"),
        ("GET", "/communicate/api/users/somebody", {}, 400, "'me', a GUID or an e-mail"),
    ],
)
def test_only_the_contract(call, method, path, options, status, explain) -> None:
    reply = call.send(method, path, token=call.token(), **options)
    assert reply.status == status
    assert explain in reply.header("x-sandbox-explain")


def test_405_names_the_methods(call) -> None:
    reply = call.send("PATCH", "/ormcodigital/api/profile")
    assert reply.header("allow") == "GET, PUT"


def test_every_route_is_its_own() -> None:
    assert len({(route.method, route.template) for route in TABLE}) == len(TABLE)
    for route in TABLE:
        path = re.sub(r"\{server\}", "eu", route.template)
        path = re.sub(r"\{\w+\}", "x", path)
        first = next(r for r in TABLE if r.method == route.method and r.pattern.fullmatch(path))
        assert first is route


# --- journal --------------------------------------------------------------------------------


def test_the_journal_tells_what_happened_and_no_secret(call) -> None:
    session = call.session()
    call.draft(session, call.portal_code(session))
    call.save(session)
    token = call.token()
    call.get(ME, token=token, query="KY-s!IAAAAsecret")
    call.get("/communicate/api/users/nobody@clinic.example", token=token)
    text = "\n".join(map(str, call.sandbox.journal))
    for secret in (session, token, "IAAAA", "sandbox-", "clinic.example", "code="):
        assert secret not in text.replace("request_id='sandbox-", "")
    assert call.sandbox.journal.operations() == [
        "session.create",
        "trios.authorization",
        "oauth.authorize",
        "oauth.sign_in",
        "oauth.authorize",
        "oauth.consent",
        "pages.landing",
        "trios.submit_code",
        "profile.get",
        "profile.update",
        "oauth.token",
        "users.me",
        "users.get",
    ]
    entry = call.sandbox.journal[9]
    assert (entry.method, entry.route) == ("PUT", "/ormcodigital/api/profile")
    assert entry.wrote
    assert call.sandbox.journal.count("users.me", ok=True) == 0
    assert call.sandbox.journal.count(ok=False) == 2
    assert call.sandbox.journal.count(wrote=True) == 6


def test_an_unknown_path_is_in_the_journal_without_the_path(call) -> None:
    call.get("/code/KY-s!IAAAA")
    (entry,) = call.sandbox.journal
    assert (entry.operation, entry.route, entry.status) == ("unknown", "", 404)


def test_reprs_hold_no_secrets(call) -> None:
    token, session = call.token(), call.session()
    call.draft(session, call.portal_code(session))
    request = WireRequest("GET", "/x?secret", "secret", (("Authorization", "secret"),), b"secret")
    assert "secret" not in repr(request)
    text = repr(call.world.state) + repr(call.sandbox.practice)
    for secret in (token, session, "IAAAA", "password-practice", "secret-of"):
        assert secret not in text


# --- faults ---------------------------------------------------------------------------------


def test_a_fault_fires_as_often_as_planned(call) -> None:
    token = call.token()
    call.sandbox.fault("users.me", status=503, retry_after=7, times=2, nth=2)
    replies = [call.get(ME, token=token) for _ in range(5)]
    assert [r.status for r in replies] == [200, 503, 503, 200, 200]
    assert replies[1].header("retry-after") == "7"
    assert "planned fault" in call.sandbox.journal[-3].explain


def test_before_and_after_the_commit(call) -> None:
    token = call.token()
    call.sandbox.fault("connections.request", status=502)
    assert call.connect(token).status == 502
    assert not call.world.connections()
    call.sandbox.fault("connections.request", network="reset", when="after")
    assert call.connect(token).broken == "reset"
    assert len(call.world.connections()) == 1
    journal = call.sandbox.journal
    assert journal.count("connections.request", ok=True) == 0
    assert journal.count("connections.request", wrote=True) == 1


@pytest.mark.parametrize(
    ("body", "kind", "text"),
    [
        ("<h1>Sorry</h1>", "text/html; charset=utf-8", "<h1>Sorry</h1>"),
        ("Sorry", "text/plain; charset=utf-8", "Sorry"),
        (b"\x00", "application/octet-stream", "\x00"),
        ({"Id": 7}, "application/json; charset=utf-8", '{"Id": 7}'),
    ],
)
def test_bodies_of_another_kind(call, body, kind, text) -> None:
    call.sandbox.fault("users.me", body=body)
    reply = call.get(ME)
    assert (reply.status, reply.header("content-type"), reply.text) == (200, kind, text)


@pytest.mark.parametrize(
    ("operation", "path", "body"),
    [
        ("users.me", ME, "An error has occurred."),
        ("oauth.discovery", "/identity/.well-known/openid-configuration",
         {"error": "temporarily_unavailable", "error_description": "An error has occurred."}),
        ("profile.get", "/ormcodigital/api/profile",
         {"error": {"code": "temporarily_unavailable", "message": "An error has occurred.",
                    "field": None}}),
    ],
)  # fmt: skip
def test_a_status_comes_in_the_services_words(call, operation, path, body) -> None:
    call.sandbox.fault(operation, status=429)
    reply = call.get(path)
    assert (reply.status, call.json(reply)) == (429, body)


def test_a_fault_for_everything_and_for_ever(call) -> None:
    call.sandbox.fault(status=500, times=None)
    assert [call.get(path).status for path in (ME, "/ormco/", "/auth/oauth/token")] == [500] * 3
    assert call.get("/sandbox/state").status == 200


def test_unused_faults_are_known(call) -> None:
    fault = call.sandbox.fault("users.me", status=500)
    assert call.world.faults.unused() == [fault]
    call.get(ME)
    assert call.world.faults.unused() == []


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"network": "reset", "status": 500},
        {"network": "connect", "when": "after"},
        {"status": 500, "nth": 0},
        {"status": 500, "times": 0},
        {"operation": "users.mee", "status": 500},
    ],
)
def test_faults_that_make_no_sense(call, wrong) -> None:
    with pytest.raises(ValueError, match=r"."):
        call.sandbox.fault(**wrong)


# --- repeatability, time, threads -----------------------------------------------------------


def story(call) -> list[str]:
    session = call.session()
    code = call.portal_code(session)
    return [session, code, call.token(), call.me(call.token())["Id"]]


def test_the_same_seed_gives_the_same_world(make) -> None:
    assert story(make(seed=1)) == story(make(seed=1))
    assert not set(story(make(seed=1))) & set(story(make(seed=2)))


def test_reset(call) -> None:
    before = story(call)
    call.sandbox.fault(status=500)
    call.world.reset()
    assert (len(call.sandbox.journal), call.world.faults.unused()) == (0, [])
    assert story(call) == before


def test_two_worlds_do_not_see_each_other(make) -> None:
    one, other = make(), make(seed=5)
    token = one.token()
    one.connect(token)
    assert other.get(ME, token=token).status == 401
    assert not other.world.connections()


@pytest.mark.parametrize("clock", [Clock(), HurriedClock(1000), ScaledClock(1000)])
def test_any_clock_will_do(make, clock) -> None:
    call = make(clock=clock)
    assert call.me(call.token())
    with pytest.raises(TypeError, match="runs by itself"):
        call.sandbox.clock  # noqa: B018


@pytest.mark.parametrize("layers", [-1, 4])
def test_settings_are_checked(layers) -> None:
    with pytest.raises(ValueError, match="code_layers"):
        Switches(code_layers=layers)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Approval.after_polls(-1),
        lambda: Approval.after(-1),
        lambda: Approval.removed_after(-1),
    ],
    ids=["after_polls", "after", "removed_after"],
)
def test_approvals_are_checked(wrong) -> None:
    with pytest.raises(ValueError, match="must"):
        wrong()


def test_unknown_names_are_errors(call) -> None:
    world: World = call.world
    for wrong in (
        lambda: world.user("nobody@clinic.example"),
        lambda: world.approve("nothing"),
        lambda: world.remove("nothing"),
    ):
        with pytest.raises(LookupError):
            wrong()


def test_threads_take_turns(call) -> None:
    """A hundred requests for the same lab at once make one connection."""
    token = call.token()
    replies = []

    def ask() -> None:
        replies.append(call.connect(token).status)

    threads = [threading.Thread(target=ask) for _ in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(replies) == [200] + [400] * 99
    assert len(call.world.connections()) == 1
