"""Whatever an address answers that is not the portal's API: Communicate's half goes on."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from tests.practices import Clients, clients, signed_in

from ormco_trios import Progress, Repair, errors
from ormco_trios.core.transport import Answer, AsyncTransport, Request, Transport
from ormco_trios.onboarding.checklist import OverallState, StepName, StepState
from ormco_trios.sandbox import Approval, InProcessGateway, Sandbox

HTML = b"<!doctype html><title>OrmcoDigital</title><h1>Welcome</h1>"
OWN_401 = json.dumps(
    {"error": {"code": "credentials_refused", "message": "Wrong.", "field": None}}
).encode()

STATUSES = (200, 301, 302, 401, 403, 404, 405, 410, 418, 429, 500, 502)
BODIES = {"HTML": HTML, "nothing": b"", "JSON": b'{"error": "unauthorized"}'}
BROKEN = {
    "no answer": errors.OutcomeUnknown("No answer came in time."),
    "a reset": errors.OutcomeUnknown("The connection was lost."),
    "garbage": errors.OutcomeUnknown("What came is no HTTP."),
    "no connection": errors.NotDelivered("Nobody listens there."),
}
STRANGE: dict[str, Any] = {
    f"{status} {name}": Answer(status, {"location": "https://login.portal.example/"}, body)
    for status in STATUSES
    for name, body in BODIES.items()
} | BROKEN
PASSING = {name for name in STRANGE if name.startswith(("429", "5")) or name in BROKEN}


@dataclass
class StrangePortal:
    """Everything but the portal is the sandbox; the portal answers as it likes."""

    inner: InProcessGateway
    answer: Any
    only: str = ""
    bodies: list[bytes] = field(default_factory=list)
    asked: int = 0

    def open(self) -> Transport:
        return _Transport(self, self.inner.open())

    def open_async(self) -> AsyncTransport:
        return _AsyncTransport(self, self.inner.open_async())

    def take(self, request: Request) -> Answer | None:
        """The strange answer; None if the sandbox answers."""
        if "/ormcodigital/" not in request.url or not request.url.endswith(self.only):
            return None
        self.asked += 1
        self.bodies.append(request.body)
        if isinstance(self.answer, Exception):
            raise type(self.answer)(*self.answer.args)
        answer: Answer = self.answer
        return answer

    def passwords(self, sandbox: Sandbox) -> int:
        """How many requests held the portal's password."""
        return sum(sandbox.practice.portal_password.encode() in body for body in self.bodies)


@dataclass
class _Transport:
    portal: StrangePortal
    inner: Transport

    def send(self, request: Request) -> Answer:
        return self.portal.take(request) or self.inner.send(request)

    def close(self) -> None:
        self.inner.close()


@dataclass
class _AsyncTransport:
    portal: StrangePortal
    inner: AsyncTransport

    async def send(self, request: Request) -> Answer:
        return self.portal.take(request) or await self.inner.send(request)

    async def aclose(self) -> None:
        await self.inner.aclose()


def strange(
    both: Any, sandbox: Sandbox, answer: Any, *, only: str = "", **options: Any
) -> tuple[Clients, StrangePortal]:
    portal = StrangePortal(InProcessGateway(sandbox.world), answer, only)
    return signed_in(both, sandbox, gateway=portal, **options), portal


@pytest.mark.parametrize("name", STRANGE)
def test_the_communicate_half_does_not_notice(both: Any, name: str) -> None:
    with Sandbox(approval=Approval.immediately()) as sandbox:
        practice, portal = strange(both, sandbox, STRANGE[name])
        onboarding = practice.onboarding

        checklist = onboarding.check()
        assert checklist[StepName.SIGN_IN].state is StepState.DONE
        assert checklist[StepName.CONNECTION].state is StepState.MISSING
        for step in (StepName.PORTAL_SIGN_IN, StepName.SUBMISSION_METHOD, StepName.AUTHORIZATION):
            assert checklist[step].state is StepState.UNKNOWN
        assert checklist[StepName.PORTAL_SIGN_IN].next_action
        if name not in PASSING:
            said = checklist[StepName.PORTAL_SIGN_IN]
            assert "OrmcoDigital publishes no interface" in said.evidence
            assert f"(status {name[:3]})" in said.evidence
            assert "by hand" in (said.next_action or "")
        assert "password" not in str(checklist), "nothing was wrong with that"

        documented = (
            (errors.ServerError, errors.RateLimited, errors.TransportError)
            if name in PASSING
            else errors.PortalDiffers
        )
        for act in (onboarding.advance, practice.run, onboarding.repair):
            with pytest.raises(documented):
                act()
            (connection,) = sandbox.world.connections()
            assert connection.accepted
        for extent in Repair:
            with pytest.raises(documented):
                onboarding.repair(extent=extent, authorize=practice.authorize)
        onboarding.progress.repair = None
        assert len(sandbox.world.connections()) == 1

        diagnosis = onboarding.doctor()
        assert not diagnosis.healthy
        assert diagnosis.checklist[StepName.APPROVAL].state is StepState.DONE

        done = onboarding.disconnect()
        assert [place.state.value for place in done.places] == [
            "was not there",
            "failed",
            "removed",
        ]
        assert done.places[1].remark
        assert sandbox.world.connections() == []
        assert portal.asked
        assert portal.passwords(sandbox) == 0, "nothing had shown that it is the API"


def test_the_password_goes_once_where_it_is_not_taken(both: Any) -> None:
    """An address that refuses in the API's words and then answers a sign-in in others."""
    with Sandbox(approval=Approval.immediately()) as sandbox:
        own_403 = Answer(403, {}, OWN_401)
        html = [Answer(404, {}, HTML), Answer(200, {}, HTML), Answer(302, {}, b"")]
        for answer in (*html, own_403):
            practice, portal = strange(both, sandbox, answer, only="/api/session")
            practice.onboarding.check()
            saved = practice.onboarding.progress.to_json()
            assert sandbox.practice.portal_password not in saved
            with pytest.raises(errors.PortalDiffers):
                practice.ormco.profile.get()
            with pytest.raises(errors.PortalDiffers):
                practice.run()
            assert portal.passwords(sandbox) == 1

            # Other processes, with what was remembered: nothing is asked of that address at all.
            for _ in range(2):
                other, again = strange(
                    both,
                    sandbox,
                    answer,
                    only="/api/session",
                    progress=Progress.from_json(saved),
                )
                assert other.onboarding.check()[StepName.PORTAL_SIGN_IN].state is StepState.UNKNOWN
                with pytest.raises(errors.PortalDiffers, match=r"by hand.*status \d"):
                    other.run()
                assert not other.onboarding.disconnect().complete
                assert again.passwords(sandbox) == 0
            # Another address is another setting.
            progress = Progress.from_json(saved)
            (address,) = progress.portal.differs
            progress.portal.differs = {"https://elsewhere.example": 404}
            clients(both, sandbox, progress=progress).onboarding.check()
            # Back at the first address, it is remembered still.
            progress.portal.differs[address] = answer.status
            back, again = strange(both, sandbox, answer, only="/api/session", progress=progress)
            back.onboarding.check()
            assert again.passwords(sandbox) == 0


def test_a_password_whose_fate_is_unknown_is_not_sent_again_by_itself(both: Any) -> None:
    with Sandbox(approval=Approval.immediately()) as sandbox:
        for broken in (BROKEN["no answer"], BROKEN["a reset"], BROKEN["garbage"]):
            practice, portal = strange(both, sandbox, broken, only="/api/session")
            practice.onboarding.check()
            assert portal.passwords(sandbox) == 1


def test_a_wrong_password_is_noticed_before_the_wait(both: Any) -> None:
    with Sandbox(approval=Approval.held()) as sandbox:
        practice = signed_in(both, sandbox, password="sandbox-wrong")
        began = sandbox.clock.monotonic()
        with pytest.raises(errors.PortalSignInRefused, match=r"^Check the OrmcoDigital user name"):
            practice.run()
        assert sandbox.clock.monotonic() == began
        # What does not need the portal has been done.
        assert sandbox.journal.count("connections.request", ok=True) == 1
        step = practice.onboarding.check()[StepName.PORTAL_SIGN_IN]
        assert step.state is StepState.BROKEN
        with pytest.raises(errors.PortalSignInRefused):
            practice.onboarding.advance()
        # A password that was refused can lock an account when it is sent again and again.
        assert sandbox.journal.count("session.create") == 1
        progress = Progress.from_json(practice.onboarding.progress.to_json())
        assert practice.onboarding.check().state is OverallState.WAITING

        right = signed_in(both, sandbox, progress=progress)
        sandbox.approve()
        assert right.run().checklist.state is OverallState.CONNECTED


def test_a_401_that_is_not_the_apis_own_is_no_wrong_password(both: Any) -> None:
    with Sandbox() as sandbox:
        own, portal = strange(both, sandbox, Answer(401, {}, OWN_401))
        with pytest.raises(errors.PortalSignInRefused):
            own.ormco.profile.get()
        assert portal.passwords(sandbox) == 1
        for body in (b"", HTML, b"{}", b'{"error": "x"}', b'{"error": {"code": 1}}'):
            other, portal = strange(both, sandbox, Answer(401, {}, body))
            with pytest.raises(errors.PortalDiffers, match="status 401"):
                other.ormco.profile.get()
            assert portal.passwords(sandbox) == 0


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example/oauth/authorise",
        "https://auth.3shapecommunicate.com.evil.example/oauth/authorise",
        "https://www.3shapecommunicate.com/oauth/authorise",
        "{auth}/oauth/authorise\r\nX: y",
        "https://auth.3shapecommunicate.com@evil.example/oauth/authorise",
    ],
)
def test_a_link_that_does_not_lead_to_3shape_is_shown_to_nobody(both: Any, address: str) -> None:
    query = "?client_id=a&redirect_uri=https://ormco.com/&response_type=code"
    with Sandbox(approval=Approval.immediately()) as sandbox:
        link = address.format(auth=sandbox.environment.auth_classic) + query
        body = json.dumps({"authorization_url": link, "expires_in": 600}).encode()
        practice, _ = strange(both, sandbox, Answer(200, {}, body), only="/authorization")
        with pytest.raises(errors.UntrustedHost, match="does not lead to 3Shape"):
            practice.onboarding.advance()
        assert practice.onboarding.progress.pending is None


def test_a_portal_that_fails_for_a_while_is_asked_again(both: Any) -> None:
    with Sandbox(approval=Approval.immediately()) as sandbox:
        practice, portal = strange(both, sandbox, Answer(503, {}, HTML))
        with pytest.raises(errors.ServerError):
            practice.run()
        portal.only = "/nowhere"
        assert practice.run().checklist.state is OverallState.CONNECTED


def test_no_client_is_made_where_there_is_no_address(both: Any) -> None:
    from ormco_trios import Environment

    for environment in (Environment.production(), Environment.staging()):
        with pytest.raises(errors.ConfigurationError, match="Leave `ormco` out"):
            both.ormcodigital(environment=environment, username="a", password="b")
    client = both.ormcodigital(
        environment=Environment.production(portal_api="https://api.portal.example"),
        token="sandbox-token",
    )
    # A token of the sandbox goes to no live host.
    with pytest.raises(errors.ConfigurationError, match="token of the sandbox"):
        client.profile.get()
