"""Where to show the address of a page of this machine."""

from __future__ import annotations

import importlib
import sys
from html import escape
from typing import Any


def show_page(url: str) -> None:
    """In the notebook that runs this, with the page below its address; or else print it."""
    ipython: Any = sys.modules.get("IPython")
    if ipython is None or ipython.get_ipython() is None:
        print(f"Open this page on this machine: {url}")  # noqa: T201 - a person reads it
        return
    notebook: Any = importlib.import_module("IPython.display")
    notebook.display(
        notebook.HTML(
            f'<p><a href="{escape(url)}" target="_blank" rel="noopener">Open the next step</a> '
            "(on this machine)</p>"
            f'<iframe src="{escape(url)}" title="The next step" '
            'style="width:100%;max-width:46em;height:38em;border:1px solid #767676"></iframe>'
        )
    )
