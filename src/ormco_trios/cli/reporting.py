"""How a command says that something went wrong."""

from __future__ import annotations

import json
import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import NoReturn

import click

from ormco_trios.core.errors import OrmcoTriosError


@contextmanager
def reporting(as_json: bool) -> Generator[None]:
    """Turn the library's errors and an interruption into a message and an exit code."""
    try:
        yield
    except OrmcoTriosError as error:
        fail(as_json, type(error).__name__, error, code=1)
    except (KeyboardInterrupt, click.Abort):
        message = "Interrupted. Nothing is lost: run the same command again and it goes on."
        fail(as_json, "Interrupted", message, code=130)


def fail(as_json: bool, kind: str, message: object, *, code: int) -> NoReturn:
    if as_json:
        print(json.dumps({"state": "error", "error": {"type": kind, "message": str(message)}}))
    else:
        click.secho(str(message), fg="red", err=True)
    sys.exit(code)
