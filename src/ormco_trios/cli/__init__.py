"""The ``ormco-trios`` command; needs the extra ``cli``."""

from __future__ import annotations

import codecs
import io
import sys

_PLAIN = str.maketrans("\u2714\u2718\u2026\u25cb\u2588", "+!~-#")
"""What stands for the marks of `Checklist` and for bars, where an encoding lacks them."""


def _plainly(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    lacking = error.object[error.start : error.end].translate(_PLAIN)
    return "".join(c if c.isascii() else "?" for c in lacking), error.end


def main() -> None:
    """Run the command, or say which extra is missing."""
    # Windows writes a file or a pipe in an encoding of 256 characters.
    codecs.register_error("ormco_trios", _plainly)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="ormco_trios")
    try:
        from ormco_trios.cli.app import cli
    except ModuleNotFoundError as error:
        if error.name not in {"click", "rich"}:
            raise
        print("The command needs an extra: pip install 'ormco-trios[cli]'", file=sys.stderr)
        sys.exit(2)
    cli()
