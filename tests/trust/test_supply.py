"""What is installed and imported does nothing by itself."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]

IMPORT_ALL = """
import socket, sys, pkgutil, importlib

def refuse(*args, **kwargs):
    raise SystemExit(f"an import wanted the network: {args}")

socket.socket.connect = socket.getaddrinfo = socket.socket.bind = refuse
import ormco_trios
for name in ormco_trios.__all__:
    getattr(ormco_trios, name)
for found in pkgutil.walk_packages(ormco_trios.__path__, "ormco_trios."):
    skipped = ("ormco_trios.testing", "ormco_trios.fleet")
    if not found.name.startswith(skipped) and not found.name.endswith("__main__"):
        importlib.import_module(found.name)
"""


def test_importing_reaches_no_network() -> None:
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr


def requirements() -> list[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    named = [r for extra in extras.values() for r in extra if not r.startswith("ormco-trios[")]
    return [*project["dependencies"], *named]


@pytest.mark.parametrize("requirement", requirements())
def test_every_dependency_has_both_bounds(requirement: str) -> None:
    assert re.fullmatch(
        r"[\w-]+(\[[\w,]+\])?>=[\w.]+,<[\w.]+", requirement.partition(";")[0].strip()
    )


def breaks() -> ModuleType:
    place = ROOT / "tools" / "break_promises.py"
    spec = importlib.util.spec_from_file_location("break_promises", place)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where dataclasses look
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("each", breaks().BREAKS, ids=lambda each: each.name)
def test_a_break_of_a_promise_still_fits(each, tmp_path: Path) -> None:
    """`nox -s promises` tries them; that takes minutes, and this no time."""
    copied = tmp_path / each.path
    copied.parent.mkdir(parents=True, exist_ok=True)
    copied.write_bytes((ROOT / each.path).read_bytes())
    each.apply(tmp_path)
    if copied.suffix == ".py":
        compile(copied.read_text("utf-8"), each.name, "exec")
    for test in each.tests:
        place, _, name = test.partition("::")
        assert not name or f"def {name}(" in (ROOT / "tests" / place).read_text("utf-8")
