"""The pytest plugin.  Loaded with every test suite, so it imports nothing until it is used."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from ormco_trios.core.clock import ManualClock
    from ormco_trios.sandbox import Sandbox
    from ormco_trios.testing._remote import RemoteSandbox
    from ormco_trios.testing._respx import MockedService, ServiceRouter

_MARKER = (
    "ormco_sandbox(**options): options of ormco_trios.sandbox.Sandbox for this test's fixtures, "
    "such as approval= and token_lifetime="
)
_SANDBOXES = pytest.StashKey["list[Sandbox | RemoteSandbox]"]()
_NONE: list[Sandbox | RemoteSandbox] = []
_PASSED = pytest.StashKey[bool]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Say which server `sandbox_world` uses."""
    parser.getgroup("ormco-trios").addoption(
        "--ormco-sandbox-url",
        metavar="URL",
        help="a running sandbox server for the fixture sandbox_world, which suites may share; "
        "by default each process starts one",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line("markers", _MARKER)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show, below a failure, what the sandbox refused and why."""
    report = yield
    if report.when == "call":
        item.stash[_PASSED] = report.passed
        lines: list[str] = []
        # A server that has gone is what the test has failed with.
        with contextlib.suppress(ConnectionError):
            for sandbox in item.stash.get(_SANDBOXES, _NONE) if report.failed else ():
                lines += _refusals(sandbox)
        if lines:
            report.sections.append(("What the ormco-trios sandbox refused", "\n".join(lines)))
    return report


def _refusals(sandbox: Sandbox | RemoteSandbox) -> list[str]:
    return [
        f"{entry.method} {entry.route or '(no such route)'}: {entry.status}. {entry.explain}"
        for entry in sandbox.journal
        if not entry.ok
    ]


# --- fixtures -------------------------------------------------------------------------------


@pytest.fixture
def sandbox_clock() -> ManualClock:
    """The time of this test's sandboxes: it moves only when it is advanced or slept on."""
    from ormco_trios.core.clock import ManualClock

    return ManualClock()


@pytest.fixture
def sandbox(request: pytest.FixtureRequest, sandbox_clock: ManualClock) -> Iterator[Sandbox]:
    """A sandbox in this process; ``sandbox.environment`` is for the clients."""
    yield from _open(request, sandbox_clock)


@pytest.fixture
def sandbox_server(request: pytest.FixtureRequest, sandbox_clock: ManualClock) -> Iterator[Sandbox]:
    """A sandbox on a free port of 127.0.0.1, with its pages."""
    yield from _open(request, sandbox_clock, server=True)


@pytest.fixture
def sandbox_world(request: pytest.FixtureRequest, _shared_server: str) -> Iterator[RemoteSandbox]:
    """A world of the test's own in a sandbox server that tests, and whole suites, share.

    The server is the one that ``--ormco-sandbox-url`` names, or else one for this process.  Its
    options hold for the world, too; the time moves only when it is advanced or slept on.
    """
    from uuid import uuid4

    from ormco_trios.testing._remote import RemoteSandbox

    with RemoteSandbox(f"{_shared_server}/w/{uuid4().hex}") as sandbox:
        sandbox.clock.set_scale(0)
        request.node.stash.setdefault(_SANDBOXES, []).append(sandbox)
        yield sandbox
        unused = sandbox.state["faults_never_fired"]
        sandbox.discard()
    _all_fired(request, unused)


@pytest.fixture(scope="session")
def _shared_server(request: pytest.FixtureRequest) -> Iterator[str]:
    url: str | None = request.config.getoption("ormco_sandbox_url")
    if url is not None:
        yield url.rstrip("/")
        return
    from ormco_trios.sandbox import Sandbox

    with Sandbox(server=True) as sandbox:
        yield sandbox.base_url


@pytest.fixture
def mock_communicate(_mocks: tuple[Sandbox, ServiceRouter]) -> Sandbox:
    """3Shape Communicate's live addresses are answered by a sandbox; the others are not.

    Together with the other two, the services behind the mocks are one sandbox's.
    """
    return _mock(_mocks, "communicate")


@pytest.fixture
def mock_oauth(_mocks: tuple[Sandbox, ServiceRouter]) -> Sandbox:
    """3Shape's sign-in, both generations, as `mock_communicate`."""
    return _mock(_mocks, "oauth")


@pytest.fixture
def mock_ormcodigital(_mocks: tuple[Sandbox, ServiceRouter]) -> Sandbox:
    """OrmcoDigital's API, as `mock_communicate`, at an address that only this fixture knows."""
    return _mock(_mocks, "ormcodigital")


@pytest.fixture
def no_live_services(
    _mocks: tuple[Sandbox, ServiceRouter], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A test that tries to reach a host of 3Shape's or Ormco's that is not mocked fails at once.

    It holds for every httpx client, and for whatever else resolves names in this process.
    """
    import socket

    from ormco_trios.testing._respx import LiveServiceCalled, explain, is_live

    _mocks[1].refuse_live = True
    resolve = socket.getaddrinfo

    def guarded(host: Any, *args: Any, **options: Any) -> Any:
        name = host.decode("idna") if isinstance(host, bytes) else str(host or "")
        if is_live(name):
            raise LiveServiceCalled(explain(name, []))
        return resolve(host, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", guarded)


@pytest.fixture
def _mocks(
    request: pytest.FixtureRequest, sandbox_clock: ManualClock
) -> Iterator[tuple[Sandbox, ServiceRouter]]:
    """One sandbox at the live addresses, and the router that leads there; no service yet."""
    from ormco_trios.testing._respx import MOCKED, ServiceRouter

    for sandbox in _open(request, sandbox_clock, posing_as=MOCKED):
        router = ServiceRouter(sandbox.world)
        with router:
            yield sandbox, router


def _mock(mocks: tuple[Sandbox, ServiceRouter], service: MockedService) -> Sandbox:
    sandbox, router = mocks
    router.mock(service)
    return sandbox


def _open(request: pytest.FixtureRequest, clock: ManualClock, **options: Any) -> Iterator[Sandbox]:
    """A sandbox as the test's marker wants it; at the end, its faults must have been used."""
    from ormco_trios.sandbox import Sandbox

    for marker in request.node.iter_markers("ormco_sandbox"):
        if marker.args:
            raise pytest.UsageError("the marker ormco_sandbox takes named options only")
        options = {**marker.kwargs, **options}
    options.setdefault("clock", clock)
    with Sandbox(**options) as sandbox:
        request.node.stash.setdefault(_SANDBOXES, []).append(sandbox)
        yield sandbox
        unused = [fault.describe() for fault in sandbox.world.faults.unused()]
    _all_fired(request, unused)


def _all_fired(request: pytest.FixtureRequest, unused: list[str]) -> None:
    if unused and request.node.stash.get(_PASSED, False):
        pytest.fail(
            "These planned faults never fired, so the test did not test them: " + "; ".join(unused),
            pytrace=False,
        )
