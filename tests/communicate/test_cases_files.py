"""Files of cases: whole or not at all, of any size, from the right server and no other."""

from __future__ import annotations

import asyncio
import errno
import gzip
import hashlib
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import httpx_aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.practices import signed_in
from tests.trust.servers import Server, Speak
from tests.trust.wire import Wire

from ormco_trios import Environment, Retry, Timeout, errors
from ormco_trios.communicate import case_files
from ormco_trios.communicate.case_files import Download
from ormco_trios.communicate.home import Home
from ormco_trios.communicate.models import CaseFile
from ormco_trios.core import files
from ormco_trios.core.effects import Blocking, Call
from ormco_trios.core.events import CallEvent
from ormco_trios.core.transport import BLOCK, Answer
from ormco_trios.sandbox import InProcessGateway, Sandbox

ROUTE = "/api/cases/0f8f/attachments/abcd"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n"
BODY = bytes(range(256)) * (3 * BLOCK // 256) + b"end"
SHA1 = hashlib.sha1(BODY, usedforsecurity=False).hexdigest()
FAST = Retry(attempts=3, initial=0, maximum=0)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as made:
        yield made


def cases_of(both: Any, sandbox: Sandbox, **options: Any) -> Any:
    return signed_in(both, sandbox, **options).communicate.cases


def lab_cases(both: Any, sandbox: Sandbox) -> Any:
    lab = sandbox.world.user(sandbox.practice.lab_email)
    practice = signed_in(both, sandbox)
    practice.oauth.sign_in_with_password(lab.email, lab.password)
    return practice.communicate.cases


# --- in the sandbox ------------------------------------------------------------------------------


def test_a_file_is_written_as_a_whole(both: Any, sandbox: Sandbox, tmp_path: Path) -> None:
    cases = lab_cases(both, sandbox)
    target = tmp_path / "scan.stl"
    target.write_bytes(b"older and longer than what comes, for sure; " * 9)
    (scan, *_) = next(iter(cases.list())).scans
    told: list[tuple[int, int | None]] = []
    made = cases.download(scan, str(target), progress=lambda *so_far: told.append(so_far))
    content = target.read_bytes()
    assert content.startswith(b"sandbox scan")
    assert made == Download(target, len(content), scan.hash, verified=True)
    assert target.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [target]
    assert told[0][0] == 0
    assert told[-1][0] == len(content)


def test_its_content_in_blocks(both: Any, sandbox: Sandbox) -> None:
    cases = lab_cases(both, sandbox)
    (scan, *_) = next(iter(cases.list())).scans
    content = b"".join(cases.open(scan))
    assert hashlib.sha1(content, usedforsecurity=False).hexdigest() == scan.hash
    with pytest.raises(errors.UnexpectedAnswer, match="SHA-1 differs"):
        list(cases.open(scan.model_copy(update={"hash": "0" * 40})))


def test_a_file_of_any_size_which_may_break_off(
    both: Any, sandbox: Sandbox, tmp_path: Path
) -> None:
    size = 3 * BLOCK + 7
    sandbox.world.add_case(sandbox.practice.email, files={"upper.dcm": size})
    client = signed_in(both, sandbox).communicate
    (scan,) = next(iter(client.cases.list())).scans
    sandbox.fault("cases.download", network="truncate", times=2)
    told: list[int] = []
    made = client.cases.download(scan, tmp_path / "f", progress=lambda n, _: told.append(n))
    assert (made.size, made.verified) == (size, True)
    assert told.count(0) == 3
    assert told.count(size // 2) == 2
    sandbox.fault("cases.download", network="truncate", times=None)
    with pytest.raises(errors.DownloadInterrupted) as caught:
        client.cases.download(scan, tmp_path / "f")
    assert (caught.value.received, caught.value.expected) == (size // 2, size)


def test_a_practice_gets_stl_files_only_by_agreement(
    both: Any, sandbox: Sandbox, tmp_path: Path
) -> None:
    cases = cases_of(both, sandbox)
    case = next(case for case in cases.list() if case.designs)
    cases.download(case.scans[0], tmp_path / "scan")
    with pytest.raises(errors.PermissionDenied, match="account of the lab"):
        cases.download(case.designs[0], tmp_path / "design")
    sandbox.world.user(sandbox.practice.email).may_download_stl = True
    cases.download(case.designs[0], tmp_path / "design")


@pytest.mark.parametrize("odd", [None, "", "bm90IGhleA=="])
def test_without_a_hash_the_result_says_so(
    both: Any, sandbox: Sandbox, tmp_path: Path, odd: str | None
) -> None:
    cases = cases_of(both, sandbox)
    picture = next(iter(cases.list())).attachments[0].model_copy(update={"hash": odd})
    made = cases.download(picture, tmp_path / "picture")
    assert not made.verified
    assert made.sha1 == hashlib.sha1(made.path.read_bytes(), usedforsecurity=False).hexdigest()


@pytest.mark.parametrize("status", [204, 206])
def test_a_part_that_nobody_asked_for_is_not_the_file(
    both: Any, sandbox: Sandbox, tmp_path: Path, status: int
) -> None:
    cases = lab_cases(both, sandbox)
    (scan, *_) = next(iter(cases.list())).scans
    sandbox.fault("cases.download", status=status, body="not all")
    with pytest.raises(errors.UnexpectedAnswer, match="not a whole file"):
        cases.download(scan.model_copy(update={"hash": None}), tmp_path / "f")
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_stays_if_it_is_not_to_be_replaced(
    both: Any, sandbox: Sandbox, tmp_path: Path
) -> None:
    cases = cases_of(both, sandbox)
    (picture, *_) = next(iter(cases.list())).attachments
    target = tmp_path / "picture"
    target.write_bytes(b"before")
    asked = sandbox.journal.count("cases.download")
    with pytest.raises(FileExistsError, match="not to be replaced"):
        cases.download(picture, target, overwrite=False)
    assert sandbox.journal.count("cases.download") == asked, "that is said before it is fetched"

    def another_program(received: int, _: int | None) -> None:
        if received:
            (tmp_path / "new").write_bytes(b"theirs")

    with pytest.raises(FileExistsError, match="not to be replaced"):
        cases.download(picture, tmp_path / "new", overwrite=False, progress=another_program)
    assert target.read_bytes() == b"before"
    assert (tmp_path / "new").read_bytes() == b"theirs"
    assert len(list(tmp_path.iterdir())) == 2
    cases.download(picture, tmp_path / "other", overwrite=False)


@pytest.mark.parametrize(
    ("trouble", "kind"),
    [
        ("other content", errors.UnexpectedAnswer),
        ("limit", errors.AnswerTooLarge),
        ("no folder", FileNotFoundError),
        ("a folder", IsADirectoryError),
        ("cut off", errors.TransportError),
        ("disk full", OSError),
        ("interrupted", KeyboardInterrupt),
    ],
)
@pytest.mark.parametrize("unnamed", [True, False])
def test_what_fails_leaves_no_trace(
    both: Any,
    sandbox: Sandbox,
    tmp_path: Path,
    trouble: str,
    kind: type[BaseException],
    unnamed: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cases = cases_of(both, sandbox)
    (picture, *_) = next(iter(cases.list())).attachments
    target = tmp_path / "picture"
    target.write_bytes(b"before")
    options: dict[str, Any] = {}
    if not unnamed:
        monkeypatch.setattr(files, "_open_unnamed", lambda _: None)
    if trouble == "other content":
        picture = picture.model_copy(update={"hash": "0" * 40})
    elif trouble == "limit":
        options["limit"] = 5
    elif trouble == "no folder":
        target = tmp_path / "missing" / "picture"
    elif trouble == "a folder":
        target = tmp_path
    elif trouble == "cut off":
        sandbox.fault("cases.download", network="truncate", times=None)
    elif trouble == "disk full":

        def full(*_: object) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(files.NewFile, "write", full)
    else:

        def interrupt(received: int, _: int | None) -> None:
            if received:
                raise KeyboardInterrupt

        options["progress"] = interrupt
    with pytest.raises(kind) as caught:
        cases.download(picture, target, **options)
    if trouble in ("disk full", "interrupted"):
        assert any("bytes" in note for note in caught.value.__notes__), "it says how far it was"
    assert [p.name for p in tmp_path.iterdir()] == ["picture"]
    assert (tmp_path / "picture").read_bytes() == b"before"


def test_a_pipe_or_a_device_is_no_file_to_replace(
    both: Any, sandbox: Sandbox, tmp_path: Path
) -> None:
    cases = cases_of(both, sandbox)
    (picture, *_) = next(iter(cases.list())).attachments
    make_pipe = getattr(os, "mkfifo", None)
    if make_pipe is None:
        pytest.skip("there are no pipes in folders")
    make_pipe(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "pipe")
    for name in ("pipe", "link"):
        with pytest.raises(OSError, match="A device or a pipe has this name"):
            cases.download(picture, tmp_path / name)
    assert (tmp_path / "pipe").is_fifo()
    assert (tmp_path / "link").is_symlink()


# --- the right server, and no other --------------------------------------------------------------

EVIL = [
    "https://evil.example/metadata-eu",
    "https://sandbox.example@evil.example",
    "https://sandbox.example.evil.example",
    "http://sandbox.example/metadata-eu",
    "//evil.example",
    "https://sandbox.example\\@evil.example",
    "https://sandbox.example:8443/metadata-eu",
]


@pytest.mark.parametrize(
    "href",
    [
        *(f"{evil}{ROUTE}" for evil in EVIL),
        f"/metadata-eu{ROUTE}",
        "https://sandbox.example/metadata-eu/api/cases/0f8f",
        "https://sandbox.example/communicate/api/users/me",
        f"https://sandbox.example/metadata-eu{ROUTE}?next=https://evil.example",
        f"https://evil.example/?{ROUTE}",
        "",
        None,
    ],
)
def test_a_hostile_href_gets_nothing(
    both: Any, sandbox: Sandbox, href: str | None, tmp_path: Path
) -> None:
    wire = Wire(InProcessGateway(sandbox.world))
    client = both.communicate(
        environment=Environment.sandbox("https://sandbox.example", gateway=wire), token="t"
    )
    for as_ply in (False, True):
        with pytest.raises(errors.UntrustedHost):
            client.cases.download(CaseFile(href=href), tmp_path / "file", as_ply=as_ply)
        with pytest.raises(errors.UntrustedHost):
            list(client.cases.open(CaseFile(href=href), as_ply=as_ply))
    assert wire.requests == 0
    assert list(tmp_path.iterdir()) == []


@given(
    (
        st.text(max_size=60)
        | st.sampled_from(["www", "eumetadata", "users"]).map("{}.3shapecommunicate.com".format)
    ).map(lambda host: f"https://{host}{ROUTE}")
    | st.text(max_size=60)
)
def test_any_href_is_a_files_address_or_refused(href: str) -> None:
    environment = Environment.production()
    flow = case_files.read(Home(environment), CaseFile(href=href), limit=None, as_ply=False)
    try:
        effect = next(flow)
    except errors.UntrustedHost:
        return
    assert isinstance(effect, Call)
    assert effect.base_url in environment.regions.values()


# --- over sockets --------------------------------------------------------------------------------


def sized(body: bytes, *headers: bytes) -> bytes:
    head = HEAD + b"".join(each + b"\r\n" for each in headers)
    return head + b"Content-Length: %d\r\n\r\n%s" % (len(body), body)


def saying(*answers: bytes) -> Speak:
    """Say one after another, each on a connection of its own; then the last one again."""
    left = list(answers)

    def speak(connection: socket.socket) -> None:
        connection.sendall(left.pop(0) if len(left) > 1 else left[0])

    return speak


@contextmanager
def served(both: Any, speak: Speak, kind: str = "own", **options: Any) -> Iterator[Any]:
    """The cases of a client whose service speaks like this, and a file that it has."""
    events: list[CallEvent] = []
    injected: Any = None
    if kind == "injected":
        injected = (httpx.AsyncClient if both.is_async else httpx.Client)(trust_env=False)
    elif kind == "aiohttp":
        injected = httpx_aiohttp.HttpxAiohttpClient()
    with Server(speak) as server:
        client = both.communicate(
            environment=Environment.sandbox(server.url),
            token="t",
            http_client=injected,
            on_event=events.append,
            **{"retry": FAST} | options,
        )
        try:
            yield client.cases, CaseFile(href=f"{server.url}/metadata-eu{ROUTE}"), server, events
        finally:
            client.close()
            if injected is not None:
                both.run(injected.aclose if both.is_async else injected.close)


def kinds(both: Any, kind: str) -> str:
    if kind == "aiohttp" and not both.is_async:
        pytest.skip("aiohttp is asynchronous")
    return kind


def assert_almost_half(received: int, kind: str) -> None:
    # aiohttp does not give what it has got before a failure.
    missing = 2 * BLOCK if kind == "aiohttp" else len(HEAD) + 40
    assert 0 < len(BODY) // 2 - received < missing


KINDS = ["own", "injected", "aiohttp"]
socketed = pytest.mark.socket


@socketed
@pytest.mark.parametrize("kind", KINDS)
def test_a_file_of_several_blocks(both: Any, kind: str, tmp_path: Path) -> None:
    with served(both, saying(sized(BODY)), kinds(both, kind)) as (cases, file, server, events):
        named = file.model_copy(update={"hash": SHA1.upper()})
        told: list[tuple[int, int | None]] = []
        made = cases.download(named, tmp_path / "f", progress=lambda *so_far: told.append(so_far))
        assert made == Download(tmp_path / "f", len(BODY), SHA1, verified=True)
        assert (tmp_path / "f").read_bytes() == BODY
        assert [(n, t) for n, t in told if n in (0, len(BODY))] == [
            (0, len(BODY)),
            (len(BODY), len(BODY)),
        ]
        assert sorted(told) == told
        assert len(told) >= 4
        blocks = list(cases.open(named))
        assert b"".join(blocks) == BODY
        assert max(map(len, blocks)) < 2 * BLOCK
        assert len(server.heads) == 2
        assert [event.status for event in events] == [200, 200]


@socketed
@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_breaks_off_begins_anew(both: Any, kind: str, tmp_path: Path) -> None:
    half = sized(BODY)[: len(BODY) // 2]
    with served(both, saying(half, half, sized(BODY)), kinds(both, kind)) as (cases, file, *_):
        made = cases.download(file, tmp_path / "f")
        assert (made.size, made.sha1, made.verified) == (len(BODY), SHA1, False)
        assert (tmp_path / "f").read_bytes() == BODY


@socketed
@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_never_comes_whole_says_how_far_it_was(
    both: Any, kind: str, tmp_path: Path
) -> None:
    half = sized(BODY)[: len(BODY) // 2]
    with served(both, saying(half), kinds(both, kind)) as (cases, file, server, events):
        with pytest.raises(errors.DownloadInterrupted, match=f"of {len(BODY)} bytes") as caught:
            cases.download(file, tmp_path / "f")
        assert caught.value.expected == len(BODY)
        assert_almost_half(caught.value.received, kind)
        assert len(server.heads) == 3
        assert [event.error for event in events] == ["OutcomeUnknown"] * 3
        assert list(tmp_path.iterdir()) == []


@socketed
@pytest.mark.parametrize("kind", KINDS)
def test_blocks_that_were_given_are_not_given_again(both: Any, kind: str) -> None:
    half = sized(BODY)[: len(BODY) // 2]
    with served(both, saying(half), kinds(both, kind)) as (cases, file, server, _):
        got: list[bytes] = []
        with pytest.raises(errors.DownloadInterrupted):
            got.extend(cases.open(file))
        assert_almost_half(sum(map(len, got)), kind)
        assert len(server.heads) == 1
    with served(both, saying(HEAD + b"Content-Length: 9\r\n\r\n", sized(b"x" * 9))) as (
        cases,
        file,
        *_,
    ):
        assert b"".join(cases.open(file)) == b"x" * 9, "as long as none was, it may begin again"


@socketed
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("announced", [True, False])
def test_a_limit_is_kept(both: Any, kind: str, announced: bool, tmp_path: Path) -> None:
    answer = sized(BODY)
    if not announced:
        answer = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
        for start in range(0, len(BODY), BLOCK):
            piece = BODY[start : start + BLOCK]
            answer += b"%x\r\n%s\r\n" % (len(piece), piece)
        answer += b"0\r\n\r\n"
    with served(both, saying(answer), kinds(both, kind)) as (cases, file, server, _):
        told: list[int] = []
        with pytest.raises(errors.AnswerTooLarge, match=f"more than {len(BODY) - 1} bytes"):
            cases.download(
                file, tmp_path / "f", limit=len(BODY) - 1, progress=lambda n, _: told.append(n)
            )
        assert bool(told) is not announced, "an announced size is enough"
        assert len(server.heads) == 1
        assert list(tmp_path.iterdir()) == []
        assert cases.download(file, tmp_path / "f", limit=len(BODY)).size == len(BODY)


@socketed
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [0, 10, len(BODY), 40 * BLOCK])
def test_a_packed_file_is_unpacked_a_block_at_a_time(
    both: Any, kind: str, size: int, tmp_path: Path
) -> None:
    """Though nothing packed was asked for."""
    body = (BODY * 14)[:size] if size <= len(BODY) else bytes(size)
    answer = sized(gzip.compress(body), b"Content-Encoding: gzip")
    with served(both, saying(answer), kinds(both, kind)) as (cases, file, *_):
        biggest = 0
        whole = hashlib.sha1(usedforsecurity=False)
        for block in cases.open(file):
            biggest = max(biggest, len(block))
            whole.update(block)
        assert whole.digest() == hashlib.sha1(body, usedforsecurity=False).digest()
        assert biggest <= BLOCK
    cut = served(both, saying(answer[:-5]), kinds(both, kind))
    with cut as (cases, file, *_), pytest.raises(errors.TransportError):
        cases.download(file, tmp_path / "f")


def drip(pieces: int, pause: float) -> Speak:
    def speak(connection: socket.socket) -> None:
        connection.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % (pieces * BLOCK))
        for _ in range(pieces):
            connection.sendall(bytes(BLOCK - 1))
            time.sleep(pause)
            connection.sendall(b"x")

    return speak


def trickle(connection: socket.socket) -> None:
    connection.sendall(HEAD + b"Content-Length: 1000\r\n\r\n")
    for _ in range(200):
        connection.sendall(b"x")
        time.sleep(0.02)


@socketed
@pytest.mark.parametrize("kind", KINDS)
def test_the_time_limit_is_one_for_progress(both: Any, kind: str, tmp_path: Path) -> None:
    limits = Timeout(connect=5, read=5, total=0.25)
    with served(both, drip(6, 0.05), kinds(both, kind), timeout=limits) as (cases, file, *_):
        began = time.perf_counter()
        assert cases.download(file, tmp_path / "f").size == 6 * BLOCK
        assert time.perf_counter() - began > 0.25, "longer than the limit, but always going on"
    tried = {"timeout": limits, "retry": Retry.never()}
    slow = served(both, trickle, kinds(both, kind), **tried)
    with (
        slow as (cases, file, *_),
        pytest.raises(errors.DownloadInterrupted, match=r"got [1-9]\d* of 1000 bytes"),
    ):
        cases.download(file, tmp_path / "f")


@socketed
@pytest.mark.parametrize("kind", KINDS)
def test_who_stops_early_frees_the_connection(both: Any, kind: str) -> None:
    hung_up = threading.Event()

    def endless(connection: socket.socket) -> None:
        try:
            connection.sendall(HEAD + b"Content-Length: 999999999999\r\n\r\n")
            while True:
                connection.sendall(bytes(BLOCK))
        except OSError:
            hung_up.set()
            raise

    with served(both, endless, kinds(both, kind)) as (cases, file, _, events):
        blocks = cases.open(file)
        next(blocks)
        blocks.close()
        assert hung_up.wait(10)
        assert [event.status for event in events] == [200], "it is told all the same"


@socketed
@pytest.mark.anyio
async def test_a_cancelled_download_leaves_nothing(tmp_path: Path) -> None:
    from ormco_trios import AsyncCommunicateClient

    going = asyncio.Event()
    loop = asyncio.get_running_loop()

    def stalling(connection: socket.socket) -> None:
        connection.sendall(sized(BODY)[: len(BODY) // 2])
        loop.call_soon_threadsafe(going.set)
        connection.recv(1)

    with Server(stalling) as server:
        file = CaseFile(href=f"{server.url}/metadata-eu{ROUTE}")
        async with AsyncCommunicateClient(Environment.sandbox(server.url), token="t") as client:
            task = asyncio.create_task(client.cases.download(file, tmp_path / "f"))
            await going.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert os.listdir(tmp_path) == []  # noqa: PTH208


@socketed
def test_another_file_systems_rules(
    both: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No files without a name, and no second names."""

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError

    monkeypatch.setattr(files, "_open_unnamed", lambda _: None)
    monkeypatch.setattr(os, "link", refuse)
    with served(both, saying(sized(BODY))) as (cases, file, *_):
        cases.download(file, tmp_path / "f", overwrite=False)
        with pytest.raises(FileExistsError):
            cases.download(file, tmp_path / "f", overwrite=False)
        cases.download(file, tmp_path / "f")
    assert [p.name for p in tmp_path.iterdir()] == ["f"]


def test_writing_is_left_to_the_runner() -> None:
    """In an event loop that is a thread; the flow itself touches no file."""
    flow = case_files.download(
        Home(Environment.production()),
        CaseFile(href=f"https://eumetadata.3shapecommunicate.com{ROUTE}"),
        Path("nowhere"),
        limit=None,
        as_ply=False,
        overwrite=True,
        progress=None,
    )
    assert isinstance(next(flow), Blocking)
    call = flow.send(None)
    assert isinstance(call, Call)
    assert call.sink is not None
    assert isinstance(next(call.sink.begin(Answer(200, {}, b""))), Blocking)
    assert isinstance(next(call.sink.take([b"x"])), Blocking)
    flow.close()
