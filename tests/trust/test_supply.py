"""What is installed and imported does nothing by itself."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

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
    if not found.name.startswith(("ormco_trios.testing", "ormco_trios.fleet")):
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
