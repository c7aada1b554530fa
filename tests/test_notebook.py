"""The notebook of the documentation runs from a clean state, and shows what it is stored with."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.slow
@pytest.mark.socket  # the kernel is another process
def test_it_gives_what_is_stored() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "notebook.py"), "--check"],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]


def test_it_is_stored_executed_and_shows_what_it_promises() -> None:
    cells = json.loads((ROOT / "docs" / "notebook.ipynb").read_text("utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    outputs = [output for cell in code for output in cell["outputs"]]
    shown = "".join("".join(o.get("data", {}).get("text/html", "")) for o in outputs)
    assert shown.count("<table") == 4
    assert shown.count("<progress") == 3
    assert "UTC: Connected" in shown
    assert sum("image/png" in o.get("data", {}) for o in outputs) == 2
    assert "Beispiel" not in json.dumps(cells), "no patient is shown"
