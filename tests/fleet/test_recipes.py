"""The recipes for other people's engines, as far as each runs without a server.

They need packages that nothing else needs: `nox -s recipes` has them.
"""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

RECIPES = Path(__file__).resolve().parents[2] / "docs" / "recipes"


@pytest.fixture
def practices(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The recipes' common module, fresh, with one practice in it."""
    monkeypatch.syspath_prepend(RECIPES)
    before = set(sys.modules)
    module = importlib.import_module("practices")
    module.accounts["p"] = module.sandbox.practice
    yield module
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(RECIPES)):
            del sys.modules[name]


def open_the_link(practices: Any) -> None:
    """What the web application does with an answer."""
    if "p" in practices.links:
        practices.authorized("p", practices.sandbox.authorize(practices.links.pop("p")))


def assert_connected(practices: Any) -> None:
    assert practices.open_practice("p").check().state.value == "connected"
    assert practices.sandbox.journal.count("connections.request", wrote=True) == 1


def test_the_common_part(practices: Any) -> None:
    while practices.do_round("p").again_in is not None:
        open_the_link(practices)
    assert_connected(practices)
    practices.sandbox.fault("users.me", status=503, retry_after=7, times=9)
    assert practices.do_round("p").again_in in (7, 60)


def test_celery(practices: Any) -> None:
    pytest.importorskip("celery")
    recipe = importlib.import_module("celery_app")
    recipe.app.conf.task_always_eager = True
    recipe.due["p"] = time.time()
    for _ in range(20):
        recipe.sweep.delay()
        open_the_link(practices)
        if "p" in recipe.due:
            recipe.due["p"] = 0.0  # in time
    assert recipe.due == {}
    assert_connected(practices)


def test_django(practices: Any) -> None:
    django: Any = pytest.importorskip("django")
    importlib.import_module("django.conf").settings.configure(
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        USE_TZ=True,
    )
    django.setup()
    connection = importlib.import_module("django.db").connection
    timezone = importlib.import_module("django.utils.timezone")
    recipe = importlib.import_module("django_command")
    with connection.schema_editor() as editor:
        editor.create_model(recipe.PracticeOnboarding)
    row = recipe.PracticeOnboarding.objects.create(practice="p", due=timezone.now())
    for _ in range(20):
        recipe.Command().handle()
        open_the_link(practices)
        row.refresh_from_db()
        if row.due is None:
            break
        row.due = timezone.now()  # in time
        row.save()
    assert row.problem == ""
    assert_connected(practices)


def test_dbos(practices: Any, tmp_path: Path) -> None:
    dbos = pytest.importorskip("dbos")
    recipe = importlib.import_module("dbos_app")
    url = f"sqlite:///{tmp_path / 'dbos.sqlite'}"
    dbos.DBOS(config={"name": "recipe", "system_database_url": url, "run_admin_server": False})
    dbos.DBOS.launch()
    try:
        recipe.start("p")
        recipe.start("p")
        for _ in range(400):
            time.sleep(0.05)
            open_the_link(practices)
            recipe.wake("p")
            status = dbos.DBOS.get_workflow_status("connect-p")
            if status is not None and status.status == "SUCCESS":
                break
        assert dbos.DBOS.retrieve_workflow("connect-p").get_result() == ""
    finally:
        dbos.DBOS.destroy()
    assert_connected(practices)


def test_temporals_activity(practices: Any) -> None:
    testing = pytest.importorskip("temporalio.testing")
    recipe = importlib.import_module("temporal_app")
    environment = testing.ActivityEnvironment()
    while environment.run(recipe.advance, "p").again_in is not None:
        open_the_link(practices)
    assert_connected(practices)
