"""Token stores for one process and for one machine."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from ormco_trios.oauth.token import Token

if TYPE_CHECKING:
    from filelock import FileLock


class MemoryTokenStore:
    """Tokens for as long as the process lives; safe between threads and tasks."""

    def __init__(self) -> None:
        self._tokens: dict[str, Token] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._guard = threading.Lock()

    def load(self, account: str) -> Token | None:
        return self._tokens.get(account)

    def save(self, account: str, token: Token) -> None:
        self._tokens[account] = token

    def delete(self, account: str) -> None:
        self._tokens.pop(account, None)

    def try_lock(self, account: str) -> bool:
        with self._guard:
            lock = self._locks.setdefault(account, threading.Lock())
        return lock.acquire(blocking=False)

    def unlock(self, account: str) -> None:
        self._locks[account].release()


class FileTokenStore:
    """One file per account in a folder; safe between processes of one machine.

    Files are readable by their owner alone from the moment they exist, and are replaced as a
    whole: whoever reads sees the old token or the new one.  The file's name is a hash, since an
    account's name may be somebody's e-mail.

    Args:
        folder: Made if absent; by default the user's data folder for this library.
    """

    def __init__(self, folder: str | os.PathLike[str] | None = None) -> None:
        if folder is None:
            from platformdirs import user_data_path

            folder = user_data_path("ormco-trios") / "tokens"
        self._folder = Path(folder)
        self._locks: dict[str, FileLock] = {}
        self._guard = threading.Lock()

    def load(self, account: str) -> Token | None:
        """The account's token, or None.

        Raises:
            ConfigurationError: The file is not one of ours.
        """
        try:
            text = self._path(account).read_text("utf-8")
        except FileNotFoundError:
            return None
        return Token.from_json(text)

    def save(self, account: str, token: Token) -> None:
        path = self._path(account)
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # mkstemp creates with mode 0600 whatever the umask is.
        handle, temporary = tempfile.mkstemp(prefix=f".{path.stem}-", dir=self._folder)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(token.to_json())
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)
            raise
        _sync_folder(self._folder)

    def delete(self, account: str) -> None:
        self._path(account).unlink(missing_ok=True)

    def try_lock(self, account: str) -> bool:
        from filelock import FileLock, Timeout

        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._guard:
            if account in self._locks:
                return False
            # Not thread-local: a task may be resumed, and its lock released, by another thread.
            lock = FileLock(
                self._path(account).with_suffix(".lock"), timeout=0, thread_local=False, mode=0o600
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

    def _path(self, account: str) -> Path:
        return self._folder / f"{hashlib.sha256(account.encode()).hexdigest()[:32]}.json"


def _sync_folder(folder: Path) -> None:
    """Make the rename itself durable, where the system lets a folder be opened."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
