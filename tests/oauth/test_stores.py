"""Where tokens are kept: as a whole, for their owner alone, and locked for one at a time."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.backends.fail import Keyring as NoKeyring
from keyring.errors import KeyringLocked, PasswordDeleteError
from pydantic import SecretStr
from tests.trust.stage import Seen

from ormco_trios import Clock, FileTokenStore, KeyringTokenStore, MemoryTokenStore, Token, errors
from ormco_trios.core import files
from ormco_trios.oauth import stores

TOKEN = Token(SecretStr("sandbox-old"), datetime(2026, 3, 1, tzinfo=UTC), SecretStr("r1"), "api")
NEWER = Token(SecretStr("sandbox-new"), None, SecretStr("r2"))
LONG = Token(SecretStr("sandbox-" + "x" * 5000), None, SecretStr("r3"))


class InMemory(KeyringBackend):
    """A keyring that is as narrow as Windows'."""

    priority = 1  # pyright: ignore[reportAssignmentType]

    def __init__(self) -> None:
        super().__init__()
        self.entries: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.entries.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        assert len(password.encode("utf-16-le")) <= 2560
        self.entries[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        try:
            del self.entries[service, username]
        except KeyError:
            raise PasswordDeleteError from None


@contextmanager
def using(backend: KeyringBackend) -> Iterator[None]:
    before = keyring.get_keyring()
    keyring.set_keyring(backend)
    try:
        yield
    finally:
        keyring.set_keyring(before)


@pytest.fixture
def backend() -> Iterator[InMemory]:
    backend = InMemory()
    with using(backend):
        yield backend


Make = Callable[[], Any]


@pytest.fixture(params=["memory", "file", "keyring"])
def make(request: pytest.FixtureRequest, tmp_path: Path, backend: InMemory) -> Make:
    """Gives a store; the ones over files and the keyring share what they keep."""
    memory = MemoryTokenStore()
    return {
        "memory": lambda: memory,
        "file": lambda: FileTokenStore(tmp_path / "a" / "tokens"),
        "keyring": lambda: KeyringTokenStore(folder=tmp_path / "locks"),
    }[request.param]


def test_it_keeps_what_it_is_given(make: Make) -> None:
    assert make().load("a") is None
    make().delete("a")
    for token in (TOKEN, LONG, NEWER, LONG, TOKEN):
        make().save("a", token)
        make().save("b@clinic.example", NEWER)
        assert make().load("a") == token
    make().delete("a")
    assert make().load("a") is None
    assert make().load("b@clinic.example") == NEWER


def test_one_lock_for_each_account(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def wait(seconds: float) -> None:
        pytest.fail("a lock was waited for")

    monkeypatch.setattr(time, "sleep", wait)
    first, second = make(), make()
    assert first.try_lock("a")
    assert not first.try_lock("a")
    assert not second.try_lock("a")
    assert second.try_lock("b")
    first.unlock("a")
    assert second.try_lock("a")
    second.unlock("a")
    second.unlock("b")


def test_a_lock_is_not_the_threads(make: Make) -> None:
    """Of a task that goes on elsewhere, for example."""
    first, second = make(), make()
    locked: list[bool] = []
    thread = threading.Thread(target=lambda: locked.append(first.try_lock("a")))
    thread.start()
    thread.join()
    first.unlock("a")
    assert locked == [True]
    assert second.try_lock("a")
    second.unlock("a")


# --- files ----------------------------------------------------------------------------------


@pytest.mark.skipif(os.name == "nt", reason="Windows has no modes")
@pytest.mark.parametrize(
    "use", [lambda s: s.try_lock("a"), lambda s: s.save("a", TOKEN)], ids=["lock", "save"]
)
def test_the_folder_is_its_owners_alone_from_the_start(
    tmp_path: Path, use: Callable[[Any], object]
) -> None:
    before = os.umask(0o000)
    try:
        use(FileTokenStore(tmp_path / "tokens"))
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "tokens").stat().st_mode) == 0o700


@pytest.mark.skipif(os.name == "nt", reason="Windows has no modes")
def test_its_owner_alone_can_read_it(tmp_path: Path) -> None:
    before = os.umask(0o000)
    try:
        store = FileTokenStore(tmp_path / "tokens")
        store.save("a", TOKEN)
        store.try_lock("a")
        store.save("a", NEWER)
        store.unlock("a")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "tokens").stat().st_mode) == 0o700
    files = list((tmp_path / "tokens").iterdir())
    assert sorted(file.suffix for file in files) == [".json", ".lock"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_no_file_is_named_after_a_person(tmp_path: Path) -> None:
    FileTokenStore(tmp_path).save("mira@clinic.example", TOKEN)
    (file,) = tmp_path.iterdir()
    assert "mira" not in file.name


def test_without_a_folder_it_is_the_users_data_folder(tmp_path: Path) -> None:
    FileTokenStore().save("a", TOKEN)
    (file,) = tmp_path.rglob("*.json")
    assert file.parts[-3:-1] == ("ormco-trios", "tokens")
    keyring = KeyringTokenStore()
    assert keyring.try_lock("a")
    assert list(file.parent.glob("*.lock")) == list(tmp_path.rglob("*.lock")) != []
    keyring.unlock("a")


def test_a_keyrings_locks_are_where_it_is_told(tmp_path: Path) -> None:
    store = KeyringTokenStore(folder=tmp_path / "own")
    assert store.try_lock("a")
    assert [file.suffix for file in (tmp_path / "own").iterdir()] == [".lock"]
    store.unlock("a")


def test_a_file_that_is_not_ours(tmp_path: Path) -> None:
    store = FileTokenStore(tmp_path)
    store.save("a", TOKEN)
    (file,) = tmp_path.iterdir()
    file.write_text("{", "utf-8")
    with pytest.raises(errors.ConfigurationError, match="authorize again"):
        store.load("a")


@pytest.mark.parametrize("cleaned", [False, True], ids=["there", "cleaned up"])
def test_a_failure_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cleaned: bool
) -> None:
    store = FileTokenStore(tmp_path)
    store.save("a", TOKEN)

    def full(temporary: str, path: Path) -> None:
        # In the same folder, since a file cannot be moved to another disk at once.
        assert Path(temporary).parent == path.parent == tmp_path
        assert Path(temporary).name.startswith(".")
        if cleaned:
            Path(temporary).unlink()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(errors.ConfigurationError, match="No space left on device"):
        store.save("a", NEWER)
    assert store.load("a") == TOKEN
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("opens", [True, False], ids=["a folder opens", "it does not"])
def test_it_is_on_the_disk_before_it_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opens: bool
) -> None:
    steps: list[str] = []
    replace, fsync, open_ = os.replace, os.fsync, os.open

    def replacing(source: str, target: Path) -> None:
        steps.append("replace")
        replace(source, target)

    def syncing(handle: int) -> None:
        steps.append("folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "file")
        fsync(handle)

    def opening(path: Any, *args: Any, **kwargs: Any) -> int:
        if path == tmp_path and not opens:
            raise PermissionError("a folder cannot be opened here")
        return open_(path, *args, **kwargs)

    monkeypatch.setattr(os, "replace", replacing)
    monkeypatch.setattr(os, "fsync", syncing)
    monkeypatch.setattr(os, "open", opening)
    FileTokenStore(tmp_path).save("a", TOKEN)
    assert steps == ["file", "replace", *(["folder"] if opens else [])]
    assert FileTokenStore(tmp_path).load("a") == TOKEN


PROLOGUE = """
import os, signal, sys
from pydantic import SecretStr
from ormco_trios import FileTokenStore, Token
store = FileTokenStore(sys.argv[1])
"""


def start(code: str, folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROLOGUE + code, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
@pytest.mark.parametrize("step", ["write", "fsync", "replace"])
def test_a_kill_in_the_middle_leaves_a_readable_token(tmp_path: Path, step: str) -> None:
    FileTokenStore(tmp_path).save("a", TOKEN)
    die = "lambda *_: os.kill(os.getpid(), signal.SIGKILL)"
    where = {
        "write": f"Token.to_json = {die}",
        "fsync": f"os.fsync = {die}",
        "replace": f"os.replace = {die}",
    }[step]
    with start(f"{where}\nstore.save('a', Token(SecretStr('sandbox-new')))", tmp_path) as process:
        pass
    assert process.returncode == -signal.SIGKILL
    assert FileTokenStore(tmp_path).load("a") == TOKEN
    FileTokenStore(tmp_path).save("a", NEWER)
    assert FileTokenStore(tmp_path).load("a") == NEWER


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_a_lock_ends_with_its_holder(tmp_path: Path) -> None:
    code = "print(store.try_lock('a'), flush=True); sys.stdin.read()"
    store = FileTokenStore(tmp_path)
    with start(code, tmp_path) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "True\n"
        assert not store.try_lock("a")
        process.kill()
    assert store.try_lock("a")
    store.unlock("a")


# --- damaged, in the way, or open to others --------------------------------------------------

REFRESH = "sandbox-s3ntinel"
KEPT = Token(SecretStr("sandbox-a"), None, SecretStr(REFRESH))
DAMAGED = {
    "not utf-8": KEPT.to_json().encode() + b"\xff\xfe\xff",
    "utf-16 with an odd end": KEPT.to_json().encode("utf-16") + b"x",
    "cut": KEPT.to_json().encode()[:-3],
    "deep": b'{"access_token": "%s", "x": ' % REFRESH.encode() + b"[" * 200_000,
    "another type": b'{"access_token": ["%s"]}' % REFRESH.encode(),
    "no text": KEPT.to_json().replace('"sandbox-a"', "7").encode(),
    "a refresh token that is none": KEPT.to_json().replace(f'"{REFRESH}"', "{}").encode(),
    "a moment nowhere": KEPT.to_json()
    .replace('"expires_at": null', '"expires_at": "2026"')
    .encode(),
    "a list": b'["%s"]' % REFRESH.encode(),
    "nothing": b"",
}


def hides(error: BaseException) -> None:
    """Nothing of the token is in the error, however a crash reporter looks at it."""
    seen = Seen()
    seen.look_at_error(error)
    assert seen.leaks({REFRESH}) == []
    assert error.__cause__ is error.__context__ is None


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_file_is_one_clear_error(tmp_path: Path, name: str) -> None:
    store = FileTokenStore(tmp_path)
    store.save("a", KEPT)
    (file,) = tmp_path.iterdir()
    file.write_bytes(DAMAGED[name])
    with pytest.raises(errors.ConfigurationError, match="Delete it and authorize again") as caught:
        store.load("a")
    hides(caught.value)
    store.save("a", KEPT)
    assert store.load("a") == KEPT


USES: dict[str, Callable[[Any], object]] = {
    "load": lambda store: store.load("a"),
    "save": lambda store: store.save("a", KEPT),
    "delete": lambda store: store.delete("a"),
    "lock": lambda store: store.try_lock("a"),
}


@pytest.mark.parametrize("use", USES)
def test_a_folder_that_cannot_be_used(tmp_path: Path, use: str) -> None:
    (tmp_path / "file").write_text("in the way")
    store = FileTokenStore(tmp_path / "file" / "tokens")
    with pytest.raises(errors.ConfigurationError, match=r"folder of tokens .*cannot be") as caught:
        USES[use](store)
    assert str(tmp_path) in str(caught.value)
    hides(caught.value)


def test_a_folder_in_the_place_of_the_file(tmp_path: Path) -> None:
    store = FileTokenStore(tmp_path)
    store.save("a", KEPT)
    (file,) = tmp_path.iterdir()
    file.unlink()
    file.mkdir()
    for use in ("load", "save", "delete"):
        with pytest.raises(errors.ConfigurationError, match="cannot be used") as caught:
            USES[use](store)
        hides(caught.value)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such files")
@pytest.mark.timeout(20)
@pytest.mark.parametrize("kind", ["a pipe", "a device", "huge"])
def test_what_has_no_end_is_not_read(tmp_path: Path, kind: str) -> None:
    store = FileTokenStore(tmp_path)
    store.save("a", KEPT)
    (file,) = tmp_path.iterdir()
    if kind == "huge":
        with file.open("wb") as opened:
            opened.truncate(1 << 40)
    else:
        file.unlink()
        os.mkfifo(file) if kind == "a pipe" else file.symlink_to("/dev/zero")
    with pytest.raises(errors.ConfigurationError, match="cannot be used"):
        store.load("a")
    if kind == "huge":
        store.save("a", KEPT)
        assert store.load("a") == KEPT
    else:
        with pytest.raises(errors.ConfigurationError, match="has this name"):
            store.save("a", KEPT)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such owners")
@pytest.mark.parametrize("what", ["folder", "file"])
def test_what_another_user_owns_is_not_used(
    tmp_path: Path, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where anybody may make files, one that is there already may be a token of theirs."""
    FileTokenStore(tmp_path).save("a", KEPT)
    (file,) = tmp_path.iterdir()
    theirs = file if what == "file" else tmp_path
    number = theirs.stat().st_ino
    monkeypatch.setattr(files, "is_ours", lambda about: about.st_ino != number)
    monkeypatch.setattr(stores, "is_ours", files.is_ours)
    with pytest.raises(errors.ConfigurationError, match="another user"):
        FileTokenStore(tmp_path).load("a")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such owners")
@pytest.mark.parametrize(("owner", "ours"), [(0, True), (1000, True), (1001, False)])
def test_whose_a_file_is(owner: int, ours: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert files.is_ours(os.stat_result((0o600, 1, 1, 1, owner, 0, 0, 0, 0, 0))) is ours


@pytest.mark.parametrize("account", ["\ud800", "a\0b", "", "../a", "x" * 100_000], ids=range(5))
def test_an_account_may_have_any_name(tmp_path: Path, account: str) -> None:
    store = FileTokenStore(tmp_path / "tokens")
    assert store.try_lock(account)
    store.save(account, TOKEN)
    store.unlock(account)
    assert store.load(account) == TOKEN
    assert {file.parent for file in tmp_path.rglob("*.json")} == {tmp_path / "tokens"}


def test_a_folder_that_no_system_has() -> None:
    with pytest.raises(errors.ConfigurationError, match="cannot be used"):
        FileTokenStore("a\0b").load("a")


@pytest.mark.parametrize("use", ["save", "delete"])
def test_what_a_killed_save_has_left_is_swept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, use: str
) -> None:
    monkeypatch.setattr(files, "_UNNAMED", 0)  # as on macOS and Windows
    die = "lambda *_: os.kill(os.getpid(), signal.SIGKILL)"
    code = (
        "from ormco_trios.core import files\nfiles._UNNAMED = 0\n"
        f"os.replace = {die}\nstore.save('a', Token(SecretStr('{REFRESH}')))"
    )
    with start(code, tmp_path):
        pass
    FileTokenStore(tmp_path).save("b", TOKEN)
    left = [file for file in tmp_path.iterdir() if REFRESH in file.read_text()]
    assert len(left) == 1, "the test kills too early"
    if use == "delete":
        FileTokenStore(tmp_path).delete("a")
    else:
        FileTokenStore(tmp_path).save("a", TOKEN)
    assert [file for file in tmp_path.iterdir() if REFRESH in file.read_text()] == []
    assert FileTokenStore(tmp_path).load("b") == TOKEN


def test_two_that_save_at_a_time_do_not_take_each_others_for_leftovers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_UNNAMED", 0)
    stores = [FileTokenStore(tmp_path) for _ in range(4)]

    def save(store: FileTokenStore) -> None:
        for _ in range(20):
            store.save("a", NEWER)

    with ThreadPoolExecutor(4) as threads:
        for done in [threads.submit(save, store) for store in stores]:
            done.result()
    assert stores[0].load("a") == NEWER
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.skipif(os.name == "nt", reason="Windows has no modes")
@pytest.mark.parametrize("kind", [FileTokenStore, KeyringTokenStore])
@pytest.mark.parametrize("mode", [0o700, 0o750, 0o755, 0o770, 0o777, 0o1777])
def test_a_folder_that_is_open_to_others(
    tmp_path: Path, kind: Any, mode: int, caplog: pytest.LogCaptureFixture
) -> None:
    tmp_path.chmod(mode)
    store = kind(folder=tmp_path)
    if mode == 0o777:
        for _ in range(2):
            with pytest.raises(errors.ConfigurationError, match=r"chmod 700.*Every user .*replace"):
                store.try_lock("a")
        return
    for _ in range(2):
        assert store.try_lock("a")
        store.unlock("a")
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == (mode != 0o700), "said once, where it has to be"
    assert all(f"chmod 700 {tmp_path}" in message for message in said)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no modes")
def test_what_a_stranger_can_have_put_there_is_not_read(tmp_path: Path) -> None:
    FileTokenStore(tmp_path).save("a", TOKEN)
    tmp_path.chmod(0o777)
    for use in ("load", "save", "lock"):
        with pytest.raises(errors.ConfigurationError, match="Every user"):
            USES[use](FileTokenStore(tmp_path))
    tmp_path.chmod(0o700)
    assert FileTokenStore(tmp_path).load("a") == TOKEN


@pytest.mark.parametrize("busy", [1, 3, 99])
def test_on_windows_who_reads_is_in_the_way_for_a_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, busy: int
) -> None:
    """There a file that is open, by a reader or a virus scanner, cannot be replaced."""
    store = FileTokenStore(tmp_path)
    store.save("a", TOKEN)
    slept: list[float] = []
    left = busy
    replace = os.replace

    def in_use(source: str, target: Path) -> None:
        nonlocal left
        left -= 1
        if left >= 0:
            raise PermissionError(13, "Access is denied")
        replace(source, target)

    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(os, "replace", in_use)
    monkeypatch.setattr(Clock, "sleep", lambda _, seconds: slept.append(seconds))
    if busy == 99:
        with pytest.raises(errors.ConfigurationError, match="Access is denied"):
            store.save("a", NEWER)
        assert store.load("a") == TOKEN
    else:
        store.save("a", NEWER)
        assert store.load("a") == NEWER
        assert len(slept) == busy
    assert sum(slept) < 1


# --- the keyring ----------------------------------------------------------------------------


def test_long_tokens_are_cut_and_nothing_is_left_behind(backend: InMemory, tmp_path: Path) -> None:
    store = KeyringTokenStore("my-app", folder=tmp_path)
    store.save("a", LONG)
    assert len(backend.entries) > 4
    assert {service for service, _ in backend.entries} == {"my-app"}
    store.save("a", LONG)
    parts = len(backend.entries)
    store.save("a", TOKEN)
    assert len(backend.entries) == 1
    store.save("a", LONG)
    assert len(backend.entries) == parts
    store.delete("a")
    assert backend.entries == {}


def test_a_keyring_that_fails_in_the_middle_keeps_the_old_one(
    backend: InMemory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = KeyringTokenStore(folder=tmp_path)
    store.save("a", LONG)
    written = 0
    set_password = InMemory.set_password

    def failing(self: InMemory, service: str, username: str, password: str) -> None:
        nonlocal written
        written += 1
        if written == 3:
            raise KeyringLocked("secret")
        set_password(self, service, username, password)

    monkeypatch.setattr(InMemory, "set_password", failing)
    newer = Token(SecretStr("sandbox-" + "y" * 5000))
    with pytest.raises(errors.ConfigurationError, match=r"Unlock the keyring.*KeyringLocked"):
        store.save("a", newer)
    assert store.load("a") == LONG


def test_a_missing_part_is_said_and_can_be_repaired(backend: InMemory, tmp_path: Path) -> None:
    store = KeyringTokenStore(folder=tmp_path)
    store.save("a", LONG)
    part = next(name for name in backend.entries if name[1] != "a")
    del backend.entries[part]
    with pytest.raises(errors.ConfigurationError, match="missing"):
        store.load("a")
    store.save("a", NEWER)
    assert store.load("a") == NEWER
    assert len(backend.entries) == 1


def test_an_entry_that_is_not_ours(backend: InMemory, tmp_path: Path) -> None:
    backend.set_password("ormco-trios", "a", "somebody's password")
    with pytest.raises(errors.ConfigurationError, match=r"Delete it.*not one of ours") as caught:
        KeyringTokenStore(folder=tmp_path).load("a")
    assert "somebody" not in str(caught.value)


@pytest.mark.timeout(20)
@pytest.mark.parametrize("head", ["rubbish", "-1 parts a", "999999999999 parts a", ""])
def test_a_damaged_entry_can_be_replaced_and_deleted(
    backend: InMemory, tmp_path: Path, head: str
) -> None:
    store = KeyringTokenStore(folder=tmp_path)
    backend.set_password("ormco-trios", "a", head)
    with pytest.raises(errors.ConfigurationError, match="Delete it and authorize again"):
        store.load("a")
    store.save("a", NEWER)
    assert store.load("a") == NEWER
    backend.set_password("ormco-trios", "a", head)
    store.delete("a")
    assert backend.entries == {}


@pytest.mark.parametrize(
    "use",
    [
        lambda store: store.load("a"),
        lambda store: store.save("a", TOKEN),
        lambda store: store.delete("a"),
    ],
    ids=["load", "save", "delete"],
)
def test_no_keyring_is_said_clearly(tmp_path: Path, use: Callable[[Any], object]) -> None:
    with (
        using(NoKeyring()),
        pytest.raises(errors.ConfigurationError, match=r"FileTokenStore.*no keyring"),
    ):
        use(KeyringTokenStore(folder=tmp_path))


def test_without_the_package_it_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(errors.ConfigurationError, match=r"ormco-trios\[keyring\]"):
        KeyringTokenStore(folder=tmp_path).load("a")


class Talkative(InMemory):
    """Fails in a way of its own, with what it was given at hand."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def get_password(self, service: str, username: str) -> str | None:
        return '{"' if isinstance(self.error, ValueError) else None

    def set_password(self, service: str, username: str, password: str) -> None:
        held = f"{service} {username} {password}"
        if held:
            raise self.error


@pytest.mark.parametrize(
    "error", [KeyringLocked("no"), RuntimeError("dbus"), OSError(5, "broken"), ValueError("odd")]
)
def test_a_keyring_that_fails_keeps_nothing(tmp_path: Path, error: Exception) -> None:
    """Its frames hold what it was given, and they are not ours to empty."""
    with using(Talkative(error)), pytest.raises(errors.ConfigurationError) as caught:
        KeyringTokenStore(folder=tmp_path).save("a", KEPT)
    assert "keyring" in str(caught.value)
    hides(caught.value)
