"""The pytest plugin, used the way its users do."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import httpx
import pytest
from tests.practices import clients, signed_in

from ormco_trios import Environment
from ormco_trios.sandbox import Approval, Sandbox
from ormco_trios.testing import LiveServiceCalled, RemoteSandbox

pytest_plugins = ["pytester"]


def test_a_whole_onboarding_in_process(both, sandbox) -> None:
    signed_in(both, sandbox).run()
    assert sandbox.journal.count("connections.request", ok=True) == 1


@pytest.mark.socket
def test_a_whole_onboarding_on_a_server(both, sandbox_server) -> None:
    assert sandbox_server.base_url.startswith("http://127.0.0.1:")
    signed_in(both, sandbox_server).run()


@pytest.mark.ormco_sandbox(approval=Approval.after(3600), token_lifetime=60)
def test_the_marker_and_the_clock(both, sandbox, sandbox_clock) -> None:
    assert sandbox.clock is sandbox_clock
    before = sandbox_clock.time()
    signed_in(both, sandbox).run()
    assert sandbox_clock.time() - before >= 3600
    assert sandbox.journal.find("oauth.token", ok=True)


def test_all_services_mocked_at_their_live_addresses(
    both, mock_communicate, mock_oauth, mock_ormcodigital, no_live_services
) -> None:
    assert mock_communicate is mock_oauth is mock_ormcodigital
    sandbox = mock_communicate
    assert sandbox.environment.communicate == Environment.production().communicate
    made = signed_in(both, sandbox)
    made.run()
    assert made.onboarding.check().state.value == "connected"
    # The portal is asked without a password first: only its own 401 shows that it is the API.
    assert [(e.operation, e.status) for e in sandbox.journal if not e.ok] == [("trios.status", 401)]


def test_each_service_on_its_own(both, mock_communicate, no_live_services) -> None:
    made = clients(both, mock_communicate)
    with pytest.raises(LiveServiceCalled, match=r"auth\.3shapecommunicate\.com.*mock_oauth"):
        made.oauth.sign_in_with_password("somebody@clinic.example", "secret")
    with pytest.raises(LiveServiceCalled, match="mock_ormcodigital"):
        made.ormco.profile.get()


def test_a_client_that_is_injected_is_mocked_too(
    both, mock_communicate, mock_oauth, no_live_services
) -> None:
    sandbox = mock_communicate
    used: list[str] = []
    hooks = {"request": [both.callback(lambda request: used.append(request.url.path))]}
    client = both.wrap((httpx.AsyncClient if both.is_async else httpx.Client)(event_hooks=hooks))
    with client:
        oauth = both.oauth(
            environment=sandbox.environment,
            client_id=sandbox.client_id,
            client_secret=sandbox.client_secret,
            redirect_uri=sandbox.redirect_uri,
            http_client=client,
        )
        oauth.sign_in_with_password(sandbox.practice.email, sandbox.practice.password)
        communicate = both.communicate(
            environment=sandbox.environment, auth=oauth.auth, http_client=client
        )
        assert communicate.users.me().email == sandbox.practice.email
        assert used == ["/oauth/token", "/api/users/me"]
        assert sandbox.journal.operations() == ["oauth.token", "users.me"]
        ormco = both.ormcodigital(
            environment=sandbox.environment, username="x", password="y", http_client=client
        )
        with pytest.raises(LiveServiceCalled, match="mock_ormcodigital"):
            ormco.profile.get()


def test_no_live_services_holds_for_other_clients_too(no_live_services) -> None:
    with pytest.raises(LiveServiceCalled, match=r"nearest .* users\.3shapecommunicate\.com"):
        urllib.request.urlopen("https://user.3shapecommunicate.com/")


def test_loading_the_plugin_costs_nothing() -> None:
    code = (
        "import sys, ormco_trios.testing.plugin; print([m for m in sys.modules if m in "
        "('httpx', 'respx', 'pydantic', 'uvicorn', 'ormco_trios.sandbox', 'ormco_trios.core')])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


@pytest.mark.socket
@pytest.mark.parametrize("fixture", ["sandbox", "sandbox_world"])
def test_a_fault_that_never_fired_fails_the_test(pytester: pytest.Pytester, fixture: str) -> None:
    pytester.makepyfile(
        f"""
        def test_it({fixture}):
            {fixture}.fault("users.me", status=503, retry_after=2)
        """
    )
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*never fired*users.me: status=503, retry_after=2*"])


def test_a_failure_shows_what_the_sandbox_refused(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import httpx
        from ormco_trios import Environment

        def test_it(mock_communicate, mock_oauth):
            base = Environment.production().communicate
            httpx.get(f"{base}/api/user/me")
            httpx.get(f"{base}/api/users/me/connection/1")
            httpx.get(f"{Environment.production().auth_classic}/oauth/token?access=1")
            assert False
        """
    )
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*What the ormco-trios sandbox refused*",
            "GET (no such route): 404.*nearest is /communicate/api/users/me*'users' as part 3*",
            "GET (no such route): 405.*only for DELETE.",
            "GET /auth/oauth/token: 400. oauth.token_info knows no query parameter 'access'.",
        ]
    )


def test_the_marker_takes_only_options(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.ormco_sandbox("held")
        def test_it(sandbox):
            pass
        """
    )
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider")
    result.stdout.fnmatch_lines(["*takes named options only*"])


@pytest.mark.socket
def test_a_failure_shows_what_a_shared_server_refused(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import httpx

        def test_it(sandbox_world):
            httpx.get(f"{sandbox_world.base_url}/communicate/api/users/me", trust_env=False)
            assert False
        """
    )
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["GET /communicate/api/users/me: 401. There is no Authorization*"])


# --- one server for several suites ---------------------------------------------------------------


@pytest.mark.socket
def test_a_world_of_its_own_in_a_shared_server(both, sandbox_world) -> None:
    made = clients(both, sandbox_world)
    before = sandbox_world.clock.time()
    assert before == Sandbox().clock.time(), "time begins where the other fixtures' does"
    sandbox_world.fault("users.me", status=503, retry_after=2)
    with pytest.raises(ValueError, match="no operation"):
        sandbox_world.fault("users.mee", status=503)
    made.run()
    assert made.onboarding.check().state.value == "connected"
    assert sandbox_world.clock.time() > before
    assert sandbox_world.journal.count("connections.request", ok=True) == 1
    assert sandbox_world.approve() == 0
    sandbox_world.reset()
    assert len(sandbox_world.journal) == 0
    assert sandbox_world.state["connections"] == []


@pytest.mark.socket
def test_a_world_is_forgotten_and_begins_anew() -> None:
    with Sandbox(server=True) as server:
        world = RemoteSandbox(f"{server.base_url}/w/one")
        world.clock.advance(3600)
        world.discard()
        assert world.clock.time() == server.clock.time()
    with pytest.raises(ConnectionError, match="No sandbox answers"):
        world.clock.time()
    world.close()


SUITE = """
import os, socket

import pytest
from ormco_trios import CommunicateClient, OAuthClient, Retry, errors

MINE = int(os.environ["MINE"])


def test_alone(sandbox_world):
    with socket.create_connection(("127.0.0.1", int(os.environ["MEET"])), timeout=60) as both:

        def meet():
            both.sendall(b".")
            assert both.recv(1) == b"."

        world, who, start = sandbox_world, sandbox_world.practice, sandbox_world.clock.time()
        oauth = OAuthClient(
            world.environment,
            client_id=world.client_id,
            client_secret=world.client_secret,
            redirect_uri=world.redirect_uri,
        )
        oauth.sign_in_with_password(who.email, who.password)
        communicate = CommunicateClient(world.environment, auth=oauth.auth, retry=Retry.never())
        communicate.users.me()
        meet()  # both have begun
        for lab in range(MINE):
            email = ("insignia.support@ormco.com", "insignia.supportasia@ormco.com")[lab]
            communicate.connections.request(communicate.users.get(email))
        world.clock.advance(MINE * 600)
        world.fault("users.get", status=503)
        meet()  # both have done what the other must not see
        assert world.clock.time() - start == MINE * 600
        assert world.approve() == len(world.state["connections"]) == MINE
        assert world.journal.count("connections.request", ok=True) == MINE
        meet()  # neither has used up its fault
        with pytest.raises(errors.ServerError):
            communicate.users.get(who.email)
        communicate.users.get(who.email)
        assert world.journal.count("users.get") == MINE + 2
        communicate.close()
        oauth.close()
"""


@pytest.mark.slow
@pytest.mark.socket
def test_two_suites_side_by_side_share_one_server_and_nothing_else(tmp_path: Path) -> None:
    """Two pytest processes, which wait for each other, so that they are at it at the same time."""
    (tmp_path / "test_suite.py").write_text(SUITE)
    with (
        Sandbox(server=True, approval=Approval.held()) as server,
        socket.create_server(("127.0.0.1", 0)) as place,
    ):
        place.settimeout(60)
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "test_suite.py"]
        suites = [
            subprocess.Popen(
                [*command, "--ormco-sandbox-url", server.base_url],
                cwd=tmp_path,
                env={**os.environ, "MEET": str(place.getsockname()[1]), "MINE": str(number)},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            for number in (1, 2)
        ]
        try:
            guests = [place.accept()[0] for _ in suites]
            for guest in guests:
                guest.settimeout(60)
            for _ in range(3):
                for guest in guests:
                    guest.recv(1)
                for guest in guests:
                    guest.sendall(b".")
            outputs = [suite.communicate(timeout=60)[0] for suite in suites]
        finally:
            for suite in suites:
                suite.kill()
                suite.communicate()
        for guest in guests:
            guest.close()
        assert [suite.returncode for suite in suites] == [0, 0], "\n".join(outputs)
        assert all("1 passed" in output for output in outputs)
        assert len(server.journal) == 0
