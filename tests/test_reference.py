"""The reference names everything that is public, once, and nothing else."""

from __future__ import annotations

import importlib
import re
import runpy
from collections import Counter
from pathlib import Path

from ormco_trios.core.environment import Service

ROOT = Path(__file__).resolve().parent.parent
PAGES = ROOT / "docs" / "reference"
PUBLIC = (
    "ormco_trios",
    "ormco_trios.fleet",
    "ormco_trios.forms",
    "ormco_trios.operations",
    "ormco_trios.sandbox",
    "ormco_trios.testing",
)


def test_every_public_name_has_an_entry() -> None:
    named = Counter(
        name
        for page in PAGES.glob("*.md")
        for name in re.findall(r"^::: (\S+)$", page.read_text("utf-8"), re.MULTILINE)
    )
    public = {
        f"{module}.{name}"
        for module in PUBLIC
        for name in importlib.import_module(module).__all__
        if name not in {"__version__", "errors"}
    }
    assert set(named) ^ public == set()
    assert max(named.values()) == 1


def test_what_is_written_from_the_code_is_up_to_date() -> None:
    pages = runpy.run_path(str(ROOT / "tools" / "reference.py"))["pages"]()
    for name, text in pages.items():
        assert (PAGES / name).read_text("utf-8") == text, "run python tools/reference.py"


def test_every_setting_is_on_the_page_of_settings() -> None:
    read = {f"ORMCO_TRIOS_{service.name}_URL" for service in Service}
    for module in (ROOT / "src").rglob("*.py"):
        text = module.read_text("utf-8")
        read |= set(re.findall(r"\bORMCO_TRIOS_[A-Z_]*[A-Z]\b", text))
        read |= {
            f"ORMCO_TRIOS_{name}" for name in re.findall(r'needed_setting\(\w+, "(\w+)"', text)
        }
    listed = re.findall(
        r"^\| `(ORMCO_TRIOS_\w+)`", (PAGES / "settings.md").read_text(), re.MULTILINE
    )
    assert len(read) > 10
    assert read <= set(listed)
    assert len(listed) == len(set(listed))
