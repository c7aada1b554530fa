"""Token stores for one process, for one machine, and for one person."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import threading
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from ormco_trios.core.errors import ConfigurationError
from ormco_trios.core.files import replace_file
from ormco_trios.oauth.token import Token

if TYPE_CHECKING:
    from filelock import FileLock


_PART = 1200
"""Characters in one entry of a keyring: Windows takes 2560 bytes, and counts two for each."""


class MemoryTokenStore:
    """Tokens for as long as the process lives; safe between threads and tasks.

    A process that is forked gets a copy.  Where the server rotates refresh tokens, only one of the
    two can use it: let processes share a `FileTokenStore`.
    """

    def __init__(self) -> None:
        self._tokens: dict[str, Token] = {}
        self._begin()

    def _begin(self) -> None:
        self._process = os.getpid()
        self._locks: dict[str, threading.Lock] = {}
        self._guard = threading.Lock()

    def load(self, account: str) -> Token | None:
        return self._tokens.get(account)

    def save(self, account: str, token: Token) -> None:
        self._tokens[account] = token

    def delete(self, account: str) -> None:
        self._tokens.pop(account, None)

    def try_lock(self, account: str) -> bool:
        if self._process != os.getpid():
            # What another process's threads hold is not given back here.
            self._begin()
        with self._guard:
            lock = self._locks.setdefault(account, threading.Lock())
        return lock.acquire(blocking=False)

    def unlock(self, account: str) -> None:
        self._locks[account].release()


class _FileLocks:
    """One lock file per account in a folder; a lock ends with the process that holds it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._of_parent: dict[str, FileLock] = {}
        self._begin()

    def _begin(self) -> None:
        self._process = os.getpid()
        self._locks: dict[str, FileLock] = {}
        self._guard = threading.Lock()

    def try_lock(self, account: str) -> bool:
        from filelock import FileLock, Timeout

        if self._process != os.getpid():
            # What another process holds is not ours, and must not be unlocked by being forgotten.
            self._of_parent |= self._locks
            self._begin()
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._guard:
            if account in self._locks:
                return False
            # Not thread-local: a task may be resumed, and its lock released, by another thread.
            lock = FileLock(
                self._folder / f"{_file_name(account)}.lock",
                timeout=0,
                thread_local=False,
                mode=0o600,
            )
            try:
                lock.acquire()
            except Timeout:
                return False
            self._locks[account] = lock
        return True

    def unlock(self, account: str) -> None:
        with self._guard:
            self._locks.pop(account).release()


class FileTokenStore(_FileLocks):
    """One file per account in a folder; safe between processes of one machine.

    Files are readable by their owner alone from the moment they exist, and are replaced as a
    whole: whoever reads sees the old token or the new one.

    Args:
        folder: Made if absent; by default the user's data folder for this library.
    """

    def __init__(self, folder: str | os.PathLike[str] | None = None) -> None:
        super().__init__(_data_folder() if folder is None else Path(folder))

    def load(self, account: str) -> Token | None:
        """The account's token, or None.

        Raises:
            ConfigurationError: The file is not one of ours.
        """
        try:
            # Not kept in a variable: a traceback must not find it here.
            return Token.from_json(self._path(account).read_text("utf-8"))
        except FileNotFoundError:
            return None

    def save(self, account: str, token: Token) -> None:
        path = self._path(account)
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        replace_file(path, token.to_json().encode())

    def delete(self, account: str) -> None:
        self._path(account).unlink(missing_ok=True)

    def _path(self, account: str) -> Path:
        return self._folder / f"{_file_name(account)}.json"


class KeyringTokenStore(_FileLocks):
    """Tokens in the keyring of the person who is logged in; needs the extra ``keyring``.

    A text that is too long for one entry is cut into several; the entry that names them is
    written last, so whoever reads sees the old token or the new one.

    Args:
        service: The name that the keyring shows its entries under.
        folder: Where the lock files are; by default the user's data folder for this library.
    """

    def __init__(
        self, service: str = "ormco-trios", *, folder: str | os.PathLike[str] | None = None
    ) -> None:
        super().__init__(_data_folder() if folder is None else Path(folder))
        self._service = service

    def load(self, account: str) -> Token | None:
        """The account's token, or None.

        Raises:
            ConfigurationError: There is no keyring, or it is locked, or a part is missing.
        """
        with _keyring() as keyring:
            for _ in range(3):  # a part that is gone may just have been replaced
                names = self._names(keyring, account)
                parts = [keyring.get_password(self._service, name) or "" for name in names]
                if all(parts):
                    break
            else:
                raise ConfigurationError(
                    "A part of the token is missing from the keyring.",
                    advice="Authorize again.",
                )
        return Token.from_json("".join(parts)) if parts else None

    def save(self, account: str, token: Token) -> None:
        text = token.to_json()
        parts = [text[start : start + _PART] for start in range(0, len(text), _PART)]
        with _keyring() as keyring:
            before = self._names(keyring, account)
            if len(parts) == 1:
                keyring.set_password(self._service, account, parts[0])
            else:
                head = f"{len(parts)} parts {secrets.token_hex(8)}"
                for name, part in zip(_part_names(account, head), parts, strict=True):
                    keyring.set_password(self._service, name, part)
                keyring.set_password(self._service, account, head)
            self._forget(keyring, set(before) - {account})

    def delete(self, account: str) -> None:
        with _keyring() as keyring:
            self._forget(keyring, {*self._names(keyring, account), account})

    def _forget(self, keyring: _Keyring, names: set[str]) -> None:
        for name in names:
            if keyring.get_password(self._service, name) is not None:
                keyring.delete_password(self._service, name)

    def _names(self, keyring: _Keyring, account: str) -> list[str]:
        """The names of the entries that hold the account's token."""
        head = keyring.get_password(self._service, account)
        if head is None:
            return []
        return [account] if head.startswith("{") else _part_names(account, head)


class _Keyring(Protocol):
    """A backend of the package keyring, as far as it is used here."""

    def get_password(self, service: str, username: str) -> str | None: ...

    def set_password(self, service: str, username: str, password: str) -> None: ...

    def delete_password(self, service: str, username: str) -> None: ...


@contextlib.contextmanager
def _keyring() -> Generator[_Keyring]:
    """The keyring, with its failures as ours."""
    try:
        import keyring
        from keyring.errors import KeyringError, NoKeyringError
    except ImportError:
        raise ConfigurationError(
            "The package keyring is not installed.",
            advice="Install the extra: pip install 'ormco-trios[keyring]'",
        ) from None
    try:
        yield cast(_Keyring, keyring.get_keyring())
    except NoKeyringError:
        failure = ConfigurationError(
            "This machine has no keyring, as servers and containers mostly have none.",
            advice="Use FileTokenStore, or a store over your own database.",
        )
    except KeyringError as error:
        failure = ConfigurationError(
            f"The keyring failed ({type(error).__name__}).",
            advice="Unlock the keyring and try again.",
        )
    else:
        return
    raise failure


def _part_names(account: str, head: str) -> list[str]:
    """The names of the entries that a head such as ``2 parts 0a1b`` speaks of."""
    count, _, key = head.partition(" parts ")
    if not count.isdecimal():
        raise ConfigurationError(
            "The keyring's entry is not one of ours.", advice="Delete it and authorize again."
        )
    return [f"{account} {key} {number}" for number in range(int(count))]


def _data_folder() -> Path:
    from platformdirs import user_data_path

    return user_data_path("ormco-trios") / "tokens"


def _file_name(account: str) -> str:
    """A hash, since an account's name may be somebody's e-mail."""
    return hashlib.sha256(account.encode()).hexdigest()[:32]
