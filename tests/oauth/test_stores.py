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

from ormco_trios import FileTokenStore, KeyringTokenStore, MemoryTokenStore, Token, errors

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


@pytest.mark.parametrize("cleaned", [False, True], ids=["there", "cleaned up by somebody"])
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
        raise OSError("no space left")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="no space"):
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
