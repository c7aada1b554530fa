"""Files that are there as a whole, or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
import sys
from collections.abc import Callable
from io import FileIO
from pathlib import Path
from typing import TypeVar

from ormco_trios.core.clock import Clock

T = TypeVar("T")


class NewFile:
    """A file in the making, in a folder that exists: it gets its name once it is complete.

    It is readable by its owner alone from the moment it exists.  Where the system can do it, it has
    no name before, so that not even a killed process leaves anything behind.

    Args:
        path: Its name, later.
        overwrite: Whether to replace a file that has this name by then.
    """

    def __init__(self, path: Path, *, overwrite: bool = True) -> None:
        self._path = path
        self._overwrite = overwrite
        self._temporary = path.with_name(f"{_leftover(path)}{secrets.token_hex(8)}")
        self._unnamed = False
        self._file: FileIO | None = None

    def open(self) -> None:
        """Begin it.

        Raises:
            FileExistsError: A file has the name and is not to be replaced.
            IsADirectoryError: A folder has the name.
            OSError: No file can be made there, or a device or a pipe has the name.
        """
        if self._path.is_dir():
            raise IsADirectoryError(f"A folder has this name: {self._path}")
        if self._path.exists() and not self._path.is_file():
            raise OSError(errno.EINVAL, "A device or a pipe has this name", str(self._path))
        if not self._overwrite and self._path.exists():
            raise _taken(self._path)
        handle = _open_unnamed(self._path.parent)
        self._unnamed = handle is not None
        if handle is None:
            # 0600 whatever the umask is.
            handle = os.open(self._temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY | _BINARY, 0o600)
        self._file = FileIO(handle, "wb")

    def write(self, block: bytes) -> None:
        """Add ``block`` at the end."""
        rest = memoryview(block)
        while rest:
            rest = rest[self._open.write(rest) :]

    def clear(self) -> None:
        """Begin again."""
        self._open.seek(0)
        self._open.truncate()

    def finish(self) -> None:
        """Give it its name, once it is on the disk.

        Raises:
            FileExistsError: A file has got the name meanwhile and is not to be replaced.
            OSError: It cannot be; a file that has the name is unchanged.
        """
        handle = self._open.fileno()
        os.fsync(handle)
        if self._unnamed:
            # With a folder's handle, which an absolute path does not need, Python follows links.
            os.link(f"/proc/self/fd/{handle}", self._temporary, src_dir_fd=0)
            self._unnamed = False
        self._open.close()
        if not self._overwrite:
            _take_name(self._temporary, self._path)
        _patiently(lambda: os.replace(self._temporary, self._path))
        _sync_folder(self._path.parent)
        self.discard()

    def discard(self) -> None:
        """Leave nothing of it behind, unless it is finished."""
        if self._file is not None:
            self._file.close()
            if not self._unnamed:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(self._temporary)

    @property
    def _open(self) -> FileIO:
        if self._file is None:
            raise ValueError("the file is not open")
        return self._file


def replace_file(path: Path, content: bytes) -> None:
    """Write ``content`` to ``path``, in a folder that exists; see `NewFile`.

    A reader sees the old content or the new one.

    Raises:
        OSError: It cannot be written; what was there before is unchanged.
    """
    file = NewFile(path)
    try:
        file.open()
        file.write(content)
        file.finish()
    finally:
        file.discard()


def read_file(path: Path, *, most: int) -> bytes:
    """What is in a file that others may replace meanwhile.

    Raises:
        OSError: It cannot be read, is no file but a pipe or a device, belongs to another user, or
            is longer than ``most`` bytes.
    """
    handle = _patiently(lambda: os.open(path, os.O_RDONLY | _BINARY | _NOT_WAITING))
    with FileIO(handle, "rb") as file:
        about = os.fstat(handle)
        if not stat.S_ISREG(about.st_mode):
            raise OSError(errno.EINVAL, "not a file", str(path))
        if not is_ours(about):
            raise OSError(errno.EPERM, "another user's file", str(path))
        content = file.read(most + 1)
    if len(content) > most:
        raise OSError(errno.EFBIG, "too long", str(path))
    return content


def is_ours(about: os.stat_result) -> bool:
    """Whether no other user but the administrator owns it; Windows does not say in this way."""
    return sys.platform == "win32" or about.st_uid in {0, os.geteuid()}


def remove_leftovers(path: Path) -> None:
    """Remove what killed programs have left of files that were to get this name.

    One that another program is making goes as well, and its `replace_file` fails.
    """
    for left in path.parent.glob(f"{_leftover(path)}*"):
        left.unlink(missing_ok=True)


def _leftover(path: Path) -> str:
    """How the names of files begin that are to get the name ``path``."""
    return f".{path.stem[:32]}-"


def _patiently(use: Callable[[], T]) -> T:
    """Use a file.  On Windows another program that has it open is in the way, for a moment."""
    for pause in _PAUSES if sys.platform == "win32" else ():
        try:
            return use()
        except PermissionError:
            Clock().sleep(pause)
    return use()


_PAUSES = (0.01, 0.05, 0.2, 0.5)
"""Seconds."""

_BINARY = getattr(os, "O_BINARY", 0)
_UNNAMED = getattr(os, "O_TMPFILE", 0)
_NOT_WAITING = getattr(os, "O_NONBLOCK", 0)
"""For opening a pipe, which nobody may ever write to."""


def _open_unnamed(folder: Path) -> int | None:
    """A file without a name, of which nothing stays unless it gets one; None if there are none."""
    if _UNNAMED and os.path.isdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            return os.open(folder, _UNNAMED | os.O_WRONLY, 0o600)
    return None


def _take_name(file: Path, name: Path) -> None:
    """Give ``file`` a second name, unless something has it; what cannot do that is only asked."""
    try:
        os.link(file, name)
    except FileExistsError:
        raise _taken(name) from None
    except OSError:
        if name.exists():
            raise _taken(name) from None


def _taken(path: Path) -> FileExistsError:
    return FileExistsError(f"A file has this name, and it is not to be replaced: {path}")


def _sync_folder(folder: Path) -> None:
    """Make the rename itself durable, where the system lets a folder be opened."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
