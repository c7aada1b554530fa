"""The packages: who may import whom, who knows httpx, who knows the time."""

from __future__ import annotations

import ast
import functools
import graphlib
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "ormco_trios"
MODULES = sorted(SOURCE.rglob("*.py"))

SERVICES = {"communicate", "oauth", "ormcodigital"}

# What each part may import, besides itself.  The public API may import every part below it.
LOWER = {
    "core": set[str](),
    "communicate": {"core"},
    "oauth": {"core"},
    "ormcodigital": {"core"},
    "sandbox": {"core"},
    "onboarding": {"core", *SERVICES},
    "testing": {"core", *SERVICES, "onboarding", "sandbox"},
    "fleet": {"core", *SERVICES, "onboarding", "sandbox"},
    "cli": {"core", *SERVICES, "onboarding", "sandbox", "fleet"},
    "": {"core", *SERVICES, "onboarding"},
}

# The packages of the sandbox, from the bottom up: each may import those before it.
PACKAGES = ("wire", "world", "services", "pages", "control", "dispatch", "serve", "")

# Parts at the top, which use the library as its users do.
ABOVE_THE_FACE = {"cli", "fleet", "testing"}


def name_of(path: Path) -> str:
    """The path below the package, as used in the messages."""
    return path.relative_to(SOURCE).as_posix()


def part_of(path: Path) -> str:
    """The package that ``path`` is in; the public API is the nameless one."""
    parts = path.relative_to(SOURCE).parts
    if parts == ("__main__.py",):
        return "cli"
    return parts[0] if len(parts) > 1 else ""


@functools.cache
def imports(path: Path) -> list[tuple[int, str]]:
    """Line and full name of all that a module imports, wherever and for whatever it does."""
    found: list[tuple[int, str]] = []
    for node in ast.walk(ast.parse(path.read_bytes(), str(path))):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name_of(path)}:{node.lineno}: relative import"
            found += [(node.lineno, f"{node.module}.{alias.name}") for alias in node.names]
    return found


def importers(*packages: str) -> set[str]:
    return {
        name_of(path)
        for path in MODULES
        for _, name in imports(path)
        if name.partition(".")[0] in packages
    }


def test_every_package_has_its_layer() -> None:
    assert {part_of(path) for path in MODULES} <= LOWER.keys()
    assert LOWER.keys() - {part_of(path) for path in MODULES} <= {"fleet", "testing"}


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_run_downwards(path: Path) -> None:
    part = part_of(path)
    wrong = []
    for line, name in imports(path):
        package, _, rest = name.partition(".")
        target = rest.partition(".")[0]
        if package != "ormco_trios" or target in {part, "_version"} | LOWER[part]:
            continue
        if target not in LOWER and part in {""} | ABOVE_THE_FACE:
            continue  # a name of the public API
        wrong.append(f"{name_of(path)}:{line}: imports {name}")
    assert wrong == []


def room_of(name: str) -> int:
    """How far up in the sandbox a module is; its public API is the top."""
    head, _, rest = name.removeprefix("ormco_trios.sandbox").lstrip(".").partition(".")
    return PACKAGES.index(head if rest or head in PACKAGES else "")


@pytest.mark.parametrize(
    "path", [path for path in MODULES if part_of(path) == "sandbox"], ids=name_of
)
def test_imports_run_downwards_in_the_sandbox(path: Path) -> None:
    here = room_of(module_of(path))
    wrong = [
        f"{name_of(path)}:{line}: imports {name}"
        for line, name in imports(path)
        if name.startswith("ormco_trios.sandbox.") and room_of(name) > here
    ]
    assert wrong == []


def module_of(path: Path) -> str:
    parts = path.relative_to(SOURCE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def test_there_is_no_import_circle() -> None:
    """Wherever an import is written: at the top, in a function, or for type checkers only."""
    paths = {module_of(path): path for path in MODULES}
    graph = {
        module: {
            target
            for _, name in imports(path)
            for target in [name if name in paths else name.rpartition(".")[0]]
            if target in paths and target != module
        }
        for module, path in paths.items()
    }
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))


def test_the_sandboxs_records_have_names_of_their_own() -> None:
    """Where both are imported, ``Connection`` is the client's."""

    def classes(*parts: str) -> set[str]:
        return {
            node.name
            for path in MODULES
            if part_of(path) in parts
            for node in ast.parse(path.read_bytes(), str(path)).body
            if isinstance(node, ast.ClassDef)
        }

    assert classes("sandbox") & classes("core", "onboarding", "fleet", *SERVICES) == set()


def test_one_folder_knows_httpx() -> None:
    """A type that callers see (an injected client) is named there too, and imported from there."""
    elsewhere = {
        name
        for name in importers("httpx", "httpx_aiohttp")
        if not name.startswith(("sandbox/", "testing/"))
    }
    assert {name.rpartition("/")[0] for name in elsewhere} == {"core/_http"}


def test_one_module_knows_tenacity() -> None:
    assert importers("tenacity") == {"core/_retry.py"}


def test_one_module_knows_playwright() -> None:
    """With its twin; users' own browsers are named there too."""
    assert importers("playwright") == {
        f"ormcodigital/browser/{name}.py" for name in ("async_driver", "driver")
    }


def test_extras_stay_in_their_parts() -> None:
    at_home = {
        "click": ("cli/",),
        "pyperclip": ("cli/",),
        "rich": ("cli/",),
        "jinja2": ("sandbox/",),
        "starlette": ("sandbox/",),
        "uvicorn": ("sandbox/",),
        "respx": ("testing/", "sandbox/"),
        "procrastinate": ("fleet/",),
    }
    for package, homes in at_home.items():
        assert {name for name in importers(package) if not name.startswith(homes)} == set()


TIMERS = {
    "asyncio.sleep",
    "datetime.datetime.now",
    "datetime.now",
    "time.sleep",
    "time.time",
}


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_time_is_injected(path: Path) -> None:
    """The linter says the same, but not in the parts that are allowed to import httpx."""
    if name_of(path) == "core/clock.py":
        return
    used = {name: line for line, name in imports(path)}
    for node in ast.walk(ast.parse(path.read_bytes(), str(path))):
        if isinstance(node, ast.Attribute):
            used[ast.unparse(node)] = node.lineno
    assert {name: line for name, line in used.items() if name in TIMERS} == {}


def test_no_registry_is_named() -> None:
    """Users install the project from a registry of their own choice."""
    hosts = [
        part.replace(" ", ".")
        for part in (
            "pypi org",
            "pythonhosted org",
            "npmjs org",
            "npmjs com",
            "yarnpkg com",
            "deb debian org",
            "archive ubuntu com",
            "crates io",
            "golang org",
            "anaconda org",
        )
    ]
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    named = []
    for name in filter(None, listed.stdout.decode().split("\0")):
        path = ROOT / name
        text = path.read_text("utf-8", errors="replace") if path.is_file() else ""
        named += [f"{name} names {host}" for host in hosts if host in text]
    assert named == []
