"""Executes the notebook of the documentation from a clean state and stores it with its outputs.

``python tools/notebook.py`` writes; with ``--check`` it says which cells give something else than
is stored, and fails if one does.  Pictures are not compared, since their bytes depend on fonts, nor
are numbers, since waits have a random part.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).resolve().parent.parent / "docs" / "notebook.ipynb"


def executed(stored: Any) -> Any:
    """The notebook with the outputs that it gives now."""
    fresh: Any = nbformat.from_dict(stored)
    for cell in fresh.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    NotebookClient(fresh, timeout=120, kernel_name="python3").execute()
    for cell in fresh.cells:
        cell.metadata.clear()  # when it was executed
        if cell.cell_type == "code":
            cell.outputs = [_stable(output) for output in cell.outputs]
    fresh.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    return fresh


def _stable(output: Any) -> Any:
    """The same without what is another one each time."""
    output.pop("transient", None)
    if len(output.get("data", {})) > 1:
        # Beside a picture or a table it only names the object.
        output.data.pop("text/plain", None)
    return output


def told(cell: Any) -> list[str]:
    """What a cell shows, without pictures and numbers."""
    shown: list[str] = []
    for output in cell.get("outputs", []):
        texts = [output.get("text", ""), *output.get("data", {}).values()]
        kinds = ["", *output.get("data", {})]
        shown += (
            kind if kind.startswith("image/") else re.sub(r"[\d.]+", "0", text)
            for kind, text in zip(kinds, texts, strict=True)
        )
    return shown


def main(argv: list[str] | None = None) -> int:
    """Write or compare, and return the exit code."""
    parser = argparse.ArgumentParser(description="Execute the notebook of the documentation.")
    parser.add_argument("--check", action="store_true", help="only compare; fail on a difference")
    check: bool = parser.parse_args(argv).check
    stored = nbformat.read(NOTEBOOK, as_version=4)
    fresh = executed(nbformat.read(NOTEBOOK, as_version=4))
    if not check:
        nbformat.write(fresh, NOTEBOOK)
        return 0
    pairs = zip(stored.cells, fresh.cells, strict=True)
    other = [now.id for before, now in pairs if told(before) != told(now)]
    for id in other:
        print(f"{id} gives something else than is stored; run `nox -s notebook`.", file=sys.stderr)
    return 1 if other else 0


if __name__ == "__main__":
    sys.exit(main())
