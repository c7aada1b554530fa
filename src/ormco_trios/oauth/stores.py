"""Token stores for one process, for one machine, and for one person."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import re
import secrets
import stat
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Concatenate, ParamSpec, Protocol, TypeVar, cast

from ormco_trios.core.errors import ConfigurationError
from ormco_trios.core.extras import extra
from ormco_trios.core.files import is_ours, read_file, remove_leftovers, replace_file
from ormco_trios.core.log import logger
from ormco_trios.core.shield import shielded
from ormco_trios.oauth.token import Token

if TYPE_CHECKING:
    from filelock import FileLock


S = TypeVar("S", bound="_FileLocks")
P = ParamSpec("P")
R = TypeVar("R")

_LONGEST = 1024 * 1024
"""Bytes of a token, all of it, and far more than any."""

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


def _of_files(method: Callable[Concatenate[S, P], R]) -> Callable[Concatenate[S, P], R]:
    """The method, with a failure of the file system as ours, and nothing left in its frames."""

    @functools.wraps(method)
    def call(self: S, /, *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return method(self, *args, **kwargs)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else None
            failure = ConfigurationError(
                f"The folder of tokens {self.folder} cannot be used: "
                f"{reason or type(error).__name__}.",
                advice="Make it a folder that this program's user can read and write, and check "
                "that the disk is not full.",
            )
        raise failure

    return shielded(call)


class _FileLocks:
    """One lock file per account in a folder; a lock ends with the process that holds it.

    Attributes:
        folder: Where the files are.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._checked = False
        self._of_parent: dict[str, FileLock] = {}
        self._begin()

    def _begin(self) -> None:
        self._process = os.getpid()
        self._locks: dict[str, FileLock] = {}
        self._guard = threading.Lock()

    @_of_files
    def try_lock(self, account: str) -> bool:
        from filelock import FileLock, Timeout

        if self._process != os.getpid():
            # What another process holds is not ours, and must not be unlocked by being forgotten.
            self._of_parent |= self._locks
            self._begin()
        self._make_folder()
        with self._guard:
            if account in self._locks:
                return False
            # Not thread-local: a task may be resumed, and its lock released, by another thread.
            lock = FileLock(
                self.folder / f"{_file_name(account)}.lock",
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

    @_of_files
    def unlock(self, account: str) -> None:
        with self._guard:
            self._locks.pop(account).release()

    def _make_folder(self) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._check_folder()

    def _check_folder(self) -> None:
        if not self._checked and sys.platform != "win32":
            self._look_who_may_use_it()
            self._checked = True

    def _look_who_may_use_it(self) -> None:
        about = self.folder.stat()
        mode = about.st_mode
        if not is_ours(about):
            raise ConfigurationError(
                f"The folder {self.folder} belongs to another user, who can replace what is in it.",
                advice="Name a folder of this program's own user for the tokens.",
            )
        if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
            raise ConfigurationError(
                f"Every user of this machine can replace the files in {self.folder}.",
                advice="Take that right away (chmod 700), and authorize again if other people "
                "use this machine.",
            )
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            logger.warning(
                "the folder of tokens is open to other users of this machine: chmod 700 %s",
                self.folder,
            )


class FileTokenStore(_FileLocks):
    """One file per account in a folder; safe between processes of one machine.

    Files are readable by their owner alone from the moment they exist, and are replaced as a
    whole: a reader sees the old token or the new one.

    Args:
        folder: Made if absent; by default the user's data folder for this library.
    """

    def __init__(self, folder: str | os.PathLike[str] | None = None) -> None:
        super().__init__(_data_folder() if folder is None else Path(folder))

    @_of_files
    def load(self, account: str) -> Token | None:
        """The account's token, or None.

        Raises:
            ConfigurationError: The file is not one of ours, or cannot be read.
        """
        try:
            content = read_file(self._path(account), most=_LONGEST)
        except FileNotFoundError:
            return None
        self._check_folder()
        return Token.from_json(content)

    @_of_files
    def save(self, account: str, token: Token) -> None:
        path = self._path(account)
        self._make_folder()
        remove_leftovers(path)
        for _ in range(99):
            # Another program that begins to save takes this one's file for a leftover.  Who saves
            # holds the lock, so it is rare; several that do not may meet many times.
            with contextlib.suppress(FileNotFoundError):
                return replace_file(path, token.to_json().encode())
        return replace_file(path, token.to_json().encode())

    @_of_files
    def delete(self, account: str) -> None:
        path = self._path(account)
        path.unlink(missing_ok=True)
        remove_leftovers(path)

    def _path(self, account: str) -> Path:
        return self.folder / f"{_file_name(account)}.json"


class _Keyring(Protocol):
    """A backend of the package keyring, as far as it is used here."""

    def get_password(self, service: str, username: str) -> str | None: ...

    def set_password(self, service: str, username: str, password: str) -> None: ...

    def delete_password(self, service: str, username: str) -> None: ...


def _in_keyring(
    method: Callable[Concatenate[S, _Keyring, P], R],
) -> Callable[Concatenate[S, P], R]:
    """The method, with the keyring, and its failures as ours.

    A failure is raised again, since the backend's own frames, which hold the token, are not ours to
    empty.
    """

    @functools.wraps(method)
    def call(self: S, /, *args: P.args, **kwargs: P.kwargs) -> R:
        with extra("keyring"):
            import keyring
            from keyring.errors import NoKeyringError
        try:
            return method(self, cast(_Keyring, keyring.get_keyring()), *args, **kwargs)
        except ConfigurationError as error:
            failure = ConfigurationError(error.happened, advice=error.advice)
        except NoKeyringError:
            failure = ConfigurationError(
                "This machine has no keyring, as servers and containers mostly have none.",
                advice="Use FileTokenStore, or a store over your own database.",
            )
        except Exception as error:  # noqa: BLE001 - each backend has failures of its own
            failure = ConfigurationError(
                f"The keyring failed ({type(error).__name__}).",
                advice="Unlock the keyring and try again.",
            )
        raise failure

    return shielded(call)


class KeyringTokenStore(_FileLocks):
    """Tokens in the keyring of the person who is logged in; needs the extra ``keyring``.

    A text that is too long for one entry is cut into several; the entry that names them is
    written last, so a reader sees the old token or the new one.

    Args:
        service: The name that the keyring shows its entries under.
        folder: Where the lock files are; by default the user's data folder for this library.
    """

    def __init__(
        self, service: str = "ormco-trios", *, folder: str | os.PathLike[str] | None = None
    ) -> None:
        super().__init__(_data_folder() if folder is None else Path(folder))
        self._service = service

    @_in_keyring
    def load(self, keyring: _Keyring, account: str) -> Token | None:
        """The account's token, or None.

        Raises:
            ConfigurationError: There is no keyring, or it is locked, or a part is missing.
        """
        for _ in range(3):  # a part that is gone may just have been replaced
            names = self._names(keyring, account)
            parts = [keyring.get_password(self._service, name) or "" for name in names]
            if all(parts):
                return Token.from_json("".join(parts)) if parts else None
        raise ConfigurationError(
            "A part of the token is missing from the keyring.", advice="Authorize again."
        )

    @_in_keyring
    def save(self, keyring: _Keyring, account: str, token: Token) -> None:
        text = token.to_json()
        parts = [text[start : start + _PART] for start in range(0, len(text), _PART)]
        before = self._written(keyring, account)
        if len(parts) == 1:
            keyring.set_password(self._service, account, parts[0])
        else:
            head = f"{len(parts)} parts {secrets.token_hex(8)}"
            for name, part in zip(_part_names(account, head), parts, strict=True):
                keyring.set_password(self._service, name, part)
            keyring.set_password(self._service, account, head)
        self._forget(keyring, set(before) - {account})

    @_in_keyring
    def delete(self, keyring: _Keyring, account: str) -> None:
        self._forget(keyring, {*self._written(keyring, account), account})

    def _forget(self, keyring: _Keyring, names: set[str]) -> None:
        for name in names:
            if keyring.get_password(self._service, name) is not None:
                keyring.delete_password(self._service, name)

    def _written(self, keyring: _Keyring, account: str) -> list[str]:
        """As `_names`; an entry that cannot be read may be replaced and deleted all the same."""
        with contextlib.suppress(ConfigurationError):
            return self._names(keyring, account)
        return []

    def _names(self, keyring: _Keyring, account: str) -> list[str]:
        """The names of the entries that hold the account's token."""
        head = keyring.get_password(self._service, account)
        if head is None:
            return []
        return [account] if head.startswith("{") else _part_names(account, head)


def _part_names(account: str, head: str) -> list[str]:
    """The names of the entries that a head such as ``2 parts 0a1b`` speaks of."""
    count, _, key = head.partition(" parts ")
    if not re.fullmatch("[1-9][0-9]{0,2}", count):
        raise ConfigurationError(
            "The keyring's entry is not one of ours.", advice="Delete it and authorize again."
        )
    return [f"{account} {key} {number}" for number in range(int(count))]


def _data_folder() -> Path:
    from platformdirs import user_data_path

    return user_data_path("ormco-trios") / "tokens"


def _file_name(account: str) -> str:
    """A hash, since an account's name may be a person's e-mail."""
    return hashlib.sha256(account.encode("utf-8", "surrogatepass")).hexdigest()[:32]
