"""The names that users import, and what importing them costs."""

from __future__ import annotations

import ast
import importlib
import inspect
import subprocess
import sys
import typing
from collections.abc import Iterator
from typing import Any

import pytest
from tests.test_reference import PUBLIC as PUBLIC_MODULES

import ormco_trios

PUBLIC = """
    Address ApprovalUpdate ApprovalWait AsyncBrowserPortal AsyncCommunicateClient
    AsyncManualPortal AsyncOAuthClient AsyncOnboarding AsyncOrmcoDigitalClient
    AsyncRedirectReceiver AsyncTaskPage AsyncTokenStore AuditEvent AuthorizationCode
    AuthorizationRequest AuthorizationServer BrowserPortal CallEvent Case CaseCursor CaseFile
    CaseWindow Checklist Clock CodeShape CommunicateClient Connected Connection ConnectionState
    Diagnosis Disconnected Done Download Environment Failed FileTokenStore Finding Interruption
    KeyringTokenStore ManualPortal MemoryTokenStore NeedsAuthorization NeedsPerson OAuthClient
    Onboarding OrmcoDigitalClient Outcome OverallState Place PlaceState PollSchedule Progress
    Purpose RedirectReceiver Region Repair Repaired Reply Retry Source Step StepName StepState
    SubmissionMethod Task TaskAnswer TaskKind TaskPage Timeout Token TokenBucket TokenStore
    UnrecognisedCodeWarning User Waiting __version__ errors
""".split()

# Extras, the sandbox, and what is only needed once a call fails or a token is kept in a file.
NOT_YET = {
    "asyncio",
    "click",
    "email",
    "filelock",
    "httpx",
    "importlib.metadata",
    "keyring",
    "ormco_trios.cli",
    "ormco_trios.fleet",
    "ormco_trios.sandbox",
    "ormco_trios.testing",
    "platformdirs",
    "procrastinate",
    "respx",
    "rich",
    "ssl",
    "starlette",
    "tenacity",
    "uvicorn",
}


def test_the_names_are_these() -> None:
    assert sorted(ormco_trios.__all__) == sorted(PUBLIC)


@pytest.mark.parametrize("name", PUBLIC)
def test_every_name_is_there(name: str) -> None:
    assert getattr(ormco_trios, name) is not None
    assert name in dir(ormco_trios)


def test_errors_are_one_tree() -> None:
    root = ormco_trios.errors.OrmcoTriosError
    named = vars(ormco_trios.errors).values()
    classes = [c for c in named if isinstance(c, type) and issubclass(c, BaseException)]
    assert len(classes) > 1
    assert [c for c in classes if not issubclass(c, root)] == []


def public_classes() -> list[type]:
    """Those that are exported, and those that their attributes and results are made of."""
    modules = map(importlib.import_module, PUBLIC_MODULES)
    exported = [getattr(module, name) for module in modules for name in module.__all__]
    found: dict[Any, None] = {}
    waiting = [*exported, *vars(ormco_trios.errors).values()]
    while waiting:
        kind = waiting.pop()
        waiting += typing.get_args(kind)
        if isinstance(kind, type) and ours(kind) and kind not in found:
            found[kind] = None
            waiting += typing.get_type_hints(kind).values()
            waiting += [typing.get_type_hints(f).get("return") for f in public_functions(kind)]
    return list(found)


def public_functions(kind: type) -> Iterator[Any]:
    """The constructor, and what is behind the public methods and properties."""
    for name in dir(kind):
        member: Any = inspect.getattr_static(kind, name)
        for attribute in ("__func__", "fget", "func"):
            member = getattr(member, attribute, member)
        public = name == "__init__" or name[0] != "_"
        if public and inspect.isfunction(member) and ours(member):
            yield member


def ours(made: Any) -> bool:
    return str(made.__module__).startswith("ormco_trios")


def test_type_hints_can_be_read_at_run_time() -> None:
    """Containers for dependency injection, and tools that write documentation, do that."""
    classes = public_classes()
    assert {"Cases", "World", "RemoteSandbox"} <= {each.__name__ for each in classes}
    functions = [each for kind in classes for each in public_functions(kind)]
    assert len(functions) > 500
    for each in functions:
        typing.get_type_hints(each)


def test_a_name_that_is_not_there() -> None:
    with pytest.raises(AttributeError, match="Nonsense"):
        getattr(ormco_trios, "Non" + "sense")


def test_the_version_is_a_version() -> None:
    assert ormco_trios.__version__.split(".")[0].isdecimal()


def modules_after(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True
    )
    return set(ast.literal_eval(done.stdout))


def test_importing_the_package_imports_nothing_else() -> None:
    loaded = modules_after("import ormco_trios")
    assert "ormco_trios" in loaded
    assert loaded & {*NOT_YET, "pydantic", "pydantic_core"} == set()


@pytest.mark.parametrize(
    "statement",
    [
        "from ormco_trios import *",
        "from ormco_trios import CommunicateClient, OAuthClient, OrmcoDigitalClient, Onboarding",
    ],
)
def test_importing_the_names_imports_no_extra(statement: str) -> None:
    # httpx imports click and rich where they are installed, Playwright asyncio.
    assert modules_after(statement) & NOT_YET <= modules_after(
        "import httpx, pydantic, playwright.async_api, playwright.sync_api"
    )


def test_importing_the_package_builds_no_model() -> None:
    """Building one takes as long as a call, and the first one loads pydantic's plugins."""
    code = """
from ormco_trios import *
from pydantic import BaseModel
kinds = BaseModel.__subclasses__()
for kind in kinds:
    kinds += kind.__subclasses__()
print([kind.__name__ for kind in kinds if kind.__pydantic_complete__], len(kinds))
"""
    done = subprocess.run(
        [sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True
    )
    built, _, count = done.stdout.rpartition(" ")
    assert built == "[]"
    assert int(count) > 10
