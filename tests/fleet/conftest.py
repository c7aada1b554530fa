"""What the tests of the fleet share: one PostgreSQL, and a database for each test."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator

import pytest
from tests.fleet.database import new_database, postgres, program

_NUMBERS = itertools.count()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    if program("postgres") is None and "CI" not in os.environ:
        pytest.skip("PostgreSQL is missing; apt-get install postgresql brings it")
    with postgres() as conninfo:
        yield conninfo


@pytest.fixture
def conninfo(postgres_server: str) -> str:
    """An empty database."""
    return new_database(postgres_server, f"test_{next(_NUMBERS)}")
