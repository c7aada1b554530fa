"""The pytest plugin, used the way its users do."""

from __future__ import annotations

import subprocess
import sys
import urllib.request

import pytest
from tests.practices import clients, signed_in

from ormco_trios import Environment
from ormco_trios.sandbox import Approval
from ormco_trios.testing import LiveServiceCalled

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
    assert sandbox.journal.count(ok=False) == 0


def test_each_service_on_its_own(both, mock_communicate, no_live_services) -> None:
    made = clients(both, mock_communicate)
    with pytest.raises(LiveServiceCalled, match=r"auth\.3shapecommunicate\.com.*mock_oauth"):
        made.oauth.sign_in_with_password("somebody@clinic.example", "secret")
    with pytest.raises(LiveServiceCalled, match="mock_ormcodigital"):
        made.ormco.profile.get()


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


def test_a_fault_that_never_fired_fails_the_test(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        def test_it(sandbox):
            sandbox.fault("users.me", status=503, retry_after=2)
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
