"""The ``ormco-trios`` command; needs the extra ``cli``."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command, or say which extra is missing."""
    try:
        from ormco_trios.cli.app import cli
    except ModuleNotFoundError as error:
        if error.name not in {"click", "rich"}:
            raise
        sys.exit("The command line needs an extra: pip install 'ormco-trios[cli]'")
    cli()
