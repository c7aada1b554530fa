"""A file is replaced as a whole, on every system."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ormco_trios.core.files import NewFile, replace_file


def test_the_old_content_or_the_new_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "kept.json"
    replace_file(path, b"old")
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError("no")))
    with pytest.raises(OSError, match="no"):
        replace_file(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_where_a_folder_cannot_be_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows: there a folder is no file, and the rename is as durable as it gets."""
    real = os.open

    def like_windows(path: Any, *args: Any, **options: Any) -> int:
        if Path(path).is_dir():
            raise PermissionError(13, "Permission denied")
        return real(path, *args, **options)

    monkeypatch.setattr(os, "open", like_windows)
    replace_file(tmp_path / "kept.json", b"new")
    assert (tmp_path / "kept.json").read_bytes() == b"new"


def test_a_file_that_is_never_opened_leaves_nothing(tmp_path: Path) -> None:
    file = NewFile(tmp_path / "new")
    file.discard()
    with pytest.raises(ValueError, match="not open"):
        file.write(b"x")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="files without a name")
def test_a_process_that_is_killed_leaves_nothing(tmp_path: Path) -> None:
    script = """
import sys, time
from pathlib import Path
from ormco_trios.core.files import NewFile
file = NewFile(Path(sys.argv[1], "new"))
file.open()
file.write(b"half")
print("written", flush=True)
time.sleep(60)
"""
    command = [sys.executable, "-c", script, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "written\n"
        process.send_signal(signal.SIGKILL)
    assert list(tmp_path.iterdir()) == []
