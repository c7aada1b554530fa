"""Files of any size, and keeping up with cases: memory, throughput, pauses, CPU, interruptions.

``python benchmarks/cases.py`` prints all of it; each part also fails if it breaks a promise.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import inspect
import json
import math
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from harness import compare, table, versions, without_proxies
from pydantic import TypeAdapter

from ormco_trios import (
    AsyncCommunicateClient,
    CaseCursor,
    CaseFile,
    CommunicateClient,
    Environment,
    OAuthClient,
)
from ormco_trios.communicate import case_flows
from ormco_trios.communicate.case_sync import EVERY_PRACTICE, OVERLAP, CaseWindow
from ormco_trios.communicate.home import Home
from ormco_trios.communicate.models import Case
from ormco_trios.core.channel import route_calls
from ormco_trios.core.clock import ManualClock
from ormco_trios.core.effects import Emit
from ormco_trios.core.files import replace_file
from ormco_trios.core.transport import Answer, AsyncTransport, Request, Transport
from ormco_trios.sandbox import Sandbox
from ormco_trios.sandbox.world.state import CaseRecord

MIB = 1024 * 1024
SIZE = 500 * MIB
AT_ONCE = 10

# --- a server of files, in another process -------------------------------------------------------


ME = b'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{"Id":"1"}'


def serve_files(size: int) -> None:
    """Answer every request but ``users/me`` with so many bytes; prints its port."""
    import socket
    import threading

    block = os.urandom(MIB)
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    print(listener.getsockname()[1], flush=True)

    def serve(connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            answer(connection)

    def answer(connection: socket.socket) -> None:
        request = b""
        while piece := connection.recv(65536):
            request += piece
            if not request.endswith(b"\r\n\r\n"):
                continue
            if b" /communicate/api/users/me " in request:
                connection.sendall(ME)
                request = b""
                continue
            request = b""
            connection.sendall(head)
            for start in range(0, size, MIB):
                connection.sendall(block[: min(MIB, size - start)])

    while True:
        connection, _ = listener.accept()
        threading.Thread(target=serve, args=(connection,), daemon=True).start()


@contextmanager
def files_of(size: int) -> Iterator[str]:
    """The base URL of a server of files of this size."""
    command = [sys.executable, __file__, "serve", str(size)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.kill()


def file_at(base: str) -> CaseFile:
    return CaseFile(href=f"{base}/metadata-eu/api/cases/c/attachments/h")


def by_hand(client: httpx.Client, url: str, path: Path) -> None:
    """What a careful programmer writes with httpx."""
    sha1 = hashlib.sha1(usedforsecurity=False)
    headers = {"Authorization": "Bearer t"}
    with client.stream("GET", url, headers=headers) as answer, path.open("wb") as file:
        for piece in answer.raise_for_status().iter_bytes():
            sha1.update(piece)
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())


async def by_hand_async(client: httpx.AsyncClient, url: str, path: Path) -> None:
    """The same on an event loop: written as it comes, and synced in a thread."""
    sha1 = hashlib.sha1(usedforsecurity=False)
    headers = {"Authorization": "Bearer t"}
    async with client.stream("GET", url, headers=headers) as answer:
        with path.open("wb") as file:
            async for piece in answer.raise_for_status().aiter_bytes():
                sha1.update(piece)
                file.write(piece)
            file.flush()
            await asyncio.to_thread(os.fsync, file.fileno())


# --- throughput and memory -----------------------------------------------------------------------


def peak() -> float:
    """The most memory that was resident since `reset_peak`, in MiB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("this system does not tell")


def reset_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def memory(base: str, mode: str) -> float:
    """How far a download goes above what was resident after a first call, in MiB; here."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder, "file")
        if mode == "sync":
            with CommunicateClient(Environment.sandbox(base), token="t") as client:
                client.users.me()
                reset_peak()
                before = peak()
                client.cases.download(file_at(base), target)
        else:

            async def run() -> float:
                async with AsyncCommunicateClient(Environment.sandbox(base), token="t") as client:
                    await client.users.me()
                    reset_peak()
                    before = peak()
                    await client.cases.download(file_at(base), target)
                    return before

            before = asyncio.run(run())
        assert target.stat().st_size == SIZE
        return peak() - before


def in_a_process_of_its_own(base: str, mode: str) -> float:
    done = subprocess.run(
        [sys.executable, __file__, "memory", base, mode], capture_output=True, check=True
    )
    return float(done.stdout)


async def throughput(base: str, rounds: int = 9) -> dict[str, float]:
    """How fast we are relative to a hand-written download: the best of interleaved rounds each.

    The best, since a disk and other programs only ever make one of them slower.
    """
    url = file_at(base).href or ""
    environment = Environment.sandbox(base)
    best: dict[str, float] = {}

    async def take(name: str, work: Callable[[], object]) -> None:
        began = time.perf_counter()
        made = work()
        if inspect.isawaitable(made):
            await made
        best[name] = min(best.get(name, math.inf), time.perf_counter() - began)

    with (
        tempfile.TemporaryDirectory() as folder,
        httpx.Client() as hand,
        CommunicateClient(environment, token="t") as ours,
    ):
        target = Path(folder, "file")
        async with (
            httpx.AsyncClient() as hand_async,
            AsyncCommunicateClient(environment, token="t") as ours_async,
        ):
            for _ in range(rounds):
                await take("hand sync", lambda: by_hand(hand, url, target))
                await take("sync", lambda: ours.cases.download(file_at(base), target))
                await take("hand async", lambda: by_hand_async(hand_async, url, target))
                await take("async", lambda: ours_async.cases.download(file_at(base), target))
    return {mode: best[f"hand {mode}"] / best[mode] for mode in ("sync", "async")}


async def longest_pause(downloads: Sequence[Awaitable[object]]) -> float:
    """The longest time for which a task that wants to run every millisecond was not let."""
    longest = 0.0

    async def watch() -> None:
        nonlocal longest
        last = time.perf_counter()
        while True:
            await asyncio.sleep(0.001)
            now = time.perf_counter()
            longest = max(longest, now - last)
            last = now

    watching = asyncio.create_task(watch())
    await asyncio.gather(*downloads)
    watching.cancel()
    return longest


async def pauses(base: str, rounds: int = 5) -> tuple[float, float]:
    """Longest pauses in seconds with ten downloads at once, by hand and ours: medians."""
    url = file_at(base).href or ""
    hand: list[float] = []
    ours: list[float] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with (
            httpx.AsyncClient(timeout=120) as client,
            AsyncCommunicateClient(Environment.sandbox(base), token="t") as us,
        ):
            for _ in range(rounds):
                hand.append(
                    await longest_pause(
                        [by_hand_async(client, url, folder / f"h{n}") for n in range(AT_ONCE)]
                    )
                )
                ours.append(
                    await longest_pause(
                        [us.cases.download(file_at(base), folder / f"o{n}") for n in range(AT_ONCE)]
                    )
                )
    return statistics.median(hand), statistics.median(ours)


# --- CPU of a sync -------------------------------------------------------------------------------


def ten_thousand_cases() -> bytes:
    """An answer with so many cases, each as the sandbox shows one."""
    with Sandbox() as sandbox, signed_in(sandbox) as client:
        one = next(iter(client.cases.list())).model_dump(by_alias=True, mode="json")
    listed = []
    for number in range(10_000):
        moment = f"2026-01-{number % 28 + 1:02}T{number % 24:02}:{number % 60:02}:00Z"
        listed.append(
            {**one, "Id": f"{number:08}-0000-4000-8000-000000000000", "UpdatedOn": moment}
        )
    return json.dumps(listed).encode()


class Canned:
    """Answers ``users/me`` and the rest, without a socket."""

    def __init__(self, body: bytes) -> None:
        me = {"Id": "1ab00000-0000-4000-8000-000000000001", "Region": {"RegionName": "Europe"}}
        self._me = Answer(200, {}, json.dumps(me).encode())
        self._body = Answer(200, {}, body)

    def open(self) -> Transport:
        return self

    def open_async(self) -> AsyncTransport:
        raise NotImplementedError

    def send(self, request: Request) -> Answer:
        return self._me if request.url.endswith("/users/me") else self._body

    def close(self) -> None:
        return


async def cpu_of_sync() -> float:
    """CPU of a sync of 10,000 cases relative to parsing the same answer."""
    body = ten_thousand_cases()
    listed = TypeAdapter(list[Case])
    environment = Environment.sandbox("http://127.0.0.1:1", gateway=Canned(body))
    with CommunicateClient(environment, token="t") as client:

        def sync() -> int:
            count = sum(len(window.cases) for window in client.cases.sync())
            assert count == 10_000
            return count

        def parse() -> int:
            return len(listed.validate_json(body))

        return (await compare({"parse": parse, "sync": sync}, calls=1, rounds=9))["sync"]


# --- interruptions -------------------------------------------------------------------------------


@contextmanager
def signed_in(sandbox: Sandbox, *, lab: bool = False) -> Iterator[CommunicateClient]:
    email = sandbox.practice.lab_email if lab else sandbox.practice.email
    with (
        OAuthClient(
            sandbox.environment,
            client_id=sandbox.client_id,
            client_secret=sandbox.client_secret,
            redirect_uri=sandbox.redirect_uri,
        ) as oauth,
        CommunicateClient(sandbox.environment, auth=oauth.auth) as client,
    ):
        oauth.sign_in_with_password(email, sandbox.world.user(email).password)
        yield client


Key = tuple[str, int | None]


class Changing:
    """A World whose cases change; knows every version that there ever was."""

    def __init__(self, sandbox: Sandbox, seed: int = 0) -> None:
        self.world = sandbox.world
        self.practice = sandbox.practice.email
        self.owner = sandbox.world.user(self.practice).id
        self.random = random.Random(seed)

    def _cases(self) -> list[CaseRecord]:
        return [c for c in self.world.state.cases.values() if c.creator == self.owner]

    def change(self) -> None:
        """A case more, or a version more of one."""
        with self.world.lock:
            now = self.world.clock.time()
            if self.random.random() < 0.3:
                self.world.add_case(self.practice, files={"upper.dcm": b"u"})
            else:
                case = self.random.choice(self._cases())
                case.save_version(now, StateFlag=self.random.choice(["Sent", "Approved"]))

    def perhaps(self) -> None:
        """Let some time pass, in which something may change."""
        assert isinstance(self.world.clock, ManualClock)
        self.world.clock.advance(self.random.choice([0, 1, 400]))
        if self.random.random() < 0.02:
            self.change()

    def versions(self) -> set[Key]:
        with self.world.lock:
            return {
                (case.id, n) for case in self._cases() for n in range(1, len(case.versions) + 1)
            }


class Kept:
    """What a program has stored: windows of cases, and the cursor of the last one."""

    def __init__(self) -> None:
        self.cursor: str | None = None
        self.seen: set[Key] = set()
        self.settled: set[Key] = set()
        self.again = 0

    def keep(self, window: CaseWindow) -> Iterator[None]:
        keys = [(case.id, case.version) for case in window.cases]
        assert len(set(keys)) == len(keys), "twice within a window"
        assert not self.settled & set(keys), "again after its cursor was stored"
        self.again += len(self.seen & set(keys))
        self.seen |= set(keys)
        yield
        self.cursor = window.cursor.to_json()
        self.settled |= set(keys)


def interrupted(
    client: CommunicateClient, kept: Kept, stop: int, meanwhile: Callable[[], None]
) -> bool:
    """One sync, ended after ``stop`` steps, each an effect or one of storing; whether it was."""
    runner = client._runner
    flow = case_flows.sync(
        Home(client.environment),
        None if kept.cursor is None else CaseCursor.from_json(kept.cursor),
        since=None,
        practice=EVERY_PRACTICE,
        overlap=OVERLAP,
        size=5,
        every_version=True,
        clock=runner.clock,
    )
    steps = route_calls(flow, runner.channels)
    taken = 0
    result: Any = None
    try:
        while True:
            try:
                effect = steps.send(result)
            except StopIteration:
                return False
            taken += 1
            if taken >= stop:
                return True
            meanwhile()
            if not isinstance(effect, Emit):
                result = runner.perform(effect, None)
                continue
            result = None
            assert isinstance(effect.item, CaseWindow)
            for _ in kept.keep(effect.item):
                taken += 1
                if taken >= stop:
                    return True
    finally:
        steps.close()


def interruptions(count: int = 5000) -> tuple[int, int]:
    """Interrupt a sync so often, at every step in turn; versions there were, and given again."""
    done = versions = again = seed = 0
    while done < count:
        seed += 1
        with Sandbox(seed=seed, token_lifetime=1e8) as sandbox, signed_in(sandbox) as client:
            changing, kept = Changing(sandbox, seed), Kept()
            for _ in range(4):
                stop = 1
                while interrupted(client, kept, stop, changing.perhaps):
                    done += 1
                    stop += 1
                for _ in range(8):
                    changing.change()
                    sandbox.clock.advance(changing.random.choice([0, 5, 5000]))
            interrupted(client, kept, 10**9, lambda: None)
            assert kept.seen == changing.versions(), "lost or invented"
            versions += len(kept.seen)
            again += kept.again
    return versions, again


# --- kills ---------------------------------------------------------------------------------------


def keep_up(base: str, token: str, folder: Path) -> None:
    """Sync for ever, as a program would that may be killed; says each step."""
    store, cursor = folder / "windows.jsonl", folder / "cursor.json"
    if store.exists() and not store.read_bytes().endswith(b"\n"):
        with store.open("ab") as file:
            file.write(b"\n")
    with CommunicateClient(Environment.sandbox(base), token=token) as client:
        while True:
            known = CaseCursor.from_json(cursor.read_text()) if cursor.exists() else None
            print("look", flush=True)
            for window in client.cases.sync(known, size=5, every_version=True):
                after = window.cursor.to_json()
                keys = [(case.id, case.version) for case in window.cases]
                line = json.dumps({"keys": keys, "cursor": sha1_of(after)}) + "\n"
                print("window", flush=True)
                with store.open("ab", buffering=0) as file:
                    for start in range(0, len(line), 100):  # so that it can be cut in two
                        file.write(line[start : start + 100].encode())
                print("stored", flush=True)
                replace_file(cursor, after.encode())
                print("cursor", flush=True)


def sha1_of(text: str) -> str:
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


def windows_in(store: Path) -> list[dict[str, Any]]:
    """What was stored whole; a line that was cut is a window that was not."""
    found: list[dict[str, Any]] = []
    for line in store.read_bytes().splitlines() if store.exists() else ():
        with contextlib.suppress(ValueError):
            found.append(json.loads(line))
    return found


def kills(count: int = 50) -> tuple[int, int]:
    """Kill a program so often while it keeps up; versions there were, and given again."""
    settled: set[Key] = set()
    seen: set[Key] = set()
    again = read = 0
    with (
        tempfile.TemporaryDirectory() as name,
        Sandbox(server=True, token_lifetime=1e8) as sandbox,
        OAuthClient(
            sandbox.environment,
            client_id=sandbox.client_id,
            client_secret=sandbox.client_secret,
            redirect_uri=sandbox.redirect_uri,
        ) as oauth,
    ):
        folder = Path(name)
        changing = Changing(sandbox)
        who = sandbox.practice
        token = oauth.sign_in_with_password(who.email, who.password).access_token
        command = [sys.executable, __file__, "keep-up", sandbox.base_url, token.get_secret_value()]

        def run(stop: int | None, *, changes: float) -> None:
            """Until it has said so much, or else until it has caught up."""
            nonlocal again, read
            with subprocess.Popen([*command, name], stdout=subprocess.PIPE, text=True) as process:
                assert process.stdout is not None
                said: list[str] = []
                for line in process.stdout:
                    said.append(line.strip())
                    if changing.random.random() < changes:
                        changing.change()
                        sandbox.clock.advance(changing.random.choice([0, 5, 5000]))
                    if len(said) == stop or (stop is None and said[-2:] == ["look", "look"]):
                        break
                process.send_signal(signal.SIGKILL)
            new = windows_in(folder / "windows.jsonl")[read:]
            read += len(new)
            stored = folder / "cursor.json"
            digest = sha1_of(stored.read_text()) if stored.exists() else ""
            for number, window in enumerate(new, 1):
                keys = {(id, version) for id, version in window["keys"]}
                assert not keys & settled, "again after its cursor was stored"
                again += len(keys & seen)
                seen.update(keys)
                if number < len(new) or window["cursor"] == digest:
                    settled.update(keys)

        for _ in range(count):
            for _ in range(changing.random.randrange(12)):
                changing.change()
            run(changing.random.randrange(1, 25), changes=0.2)
        run(None, changes=0.0)
        assert seen == changing.versions(), "lost or invented"
        assert not list(folder.glob(".*")), "something half is left"
    return len(seen), again


# --- all of it -----------------------------------------------------------------------------------

HEAD = ["", "measured", "promised"]
Row = tuple[str, str, str]


def measure() -> list[Row]:
    without_proxies()
    rows: list[Row] = []

    def say(what: str, measured: str, promised: str, kept: bool) -> None:
        rows.append((what, measured, promised))
        print(f"{'ok  ' if kept else 'MISS'} {what}: {measured} ({promised})", flush=True)

    with files_of(SIZE) as base:
        for mode in ("sync", "async"):
            above = statistics.median(in_a_process_of_its_own(base, mode) for _ in range(3))
            say(
                f"500 MiB, {mode}: memory above the start", f"{above:.1f} MiB", "5 MB", above <= 4.7
            )
        for mode, ratio in asyncio.run(throughput(base)).items():
            say(
                f"500 MiB, {mode}: throughput beside httpx by hand",
                f"{ratio:.2f}",
                "0.9",
                ratio >= 0.9,
            )
    with files_of(SIZE // AT_ONCE) as base:
        hand, ours = asyncio.run(pauses(base))
        say(
            "ten files at once: longest pause beside httpx by hand",
            f"{ours / hand:.2f} ({ours * 1000:.0f} ms)",
            "1.5",
            ours <= 1.5 * hand,
        )
    ratio = asyncio.run(cpu_of_sync())
    say("10,000 cases by sync: CPU beside parsing them", f"{ratio:.2f}", "1.2", ratio <= 1.2)
    versions_, again = interruptions()
    say(
        "5,000 interruptions, at every effect",
        f"{versions_} versions, each given; {again} again within a window",
        "none lost, none invented",
        True,
    )
    versions_, again = kills()
    say(
        "50 kills",
        f"{versions_} versions, each given; {again} again within a window",
        "none lost, none invented",
        True,
    )
    return rows


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["serve", size]:
            serve_files(int(size))
        case ["memory", base, mode]:
            print(memory(base, mode))
        case ["keep-up", base, token, folder]:
            keep_up(base, token, Path(folder))
        case _:
            print(versions("httpx", "pydantic"))
            print(table(HEAD, measure()))
