"""The everyday commands; `nox -l` lists them, CONTRIBUTING.md explains them."""

from __future__ import annotations

import os
import shutil
import tempfile
import zipfile
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "venv"
nox.options.download_python = "never"
nox.options.error_on_missing_interpreters = False
nox.options.reuse_existing_virtualenvs = True
nox.options.sessions = ["tests", "lint", "types", "docs", "build"]

PYPROJECT = nox.project.load_toml("pyproject.toml")
VERSIONS = nox.project.python_versions(PYPROJECT)


def install(session: nox.Session, *groups: str, project: str | None = None) -> None:
    """Install dependency groups, and the project with the extras that ``project`` names."""
    needed: list[str] = []
    for group in groups:
        needed += nox.project.dependency_groups(PYPROJECT, group)
    if project is not None:
        needed += ["--editable", project]
    session.install("--quiet", *needed)


def run_tests(session: nox.Session) -> None:
    """The whole suite; pytest's own arguments go after `--`."""
    install(session, "tests", project=".[all]")
    session.run("pytest", *(session.posargs or ["-n", "auto"]))


# `tests` takes the Python that runs nox; `tests-3.12` and so on that one, if the machine has it.
nox.session(name="tests")(run_tests)
for version in VERSIONS:
    nox.session(name=f"tests-{version}", python=version)(run_tests)


@nox.session
def lint(session: nox.Session) -> None:
    """Style, banned imports, formatting, and whether the generated modules are up to date."""
    install(session, "lint")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("python", "tools/mirror.py", "--check")


@nox.session
def types(session: nox.Session) -> None:
    """Mypy and pyright, both in strict mode."""
    install(session, "types", project=".[all]")
    session.run("mypy")
    session.run("pyright")


@nox.session
def docs(session: nox.Session) -> None:
    """The documentation, to site/; `nox -s docs -- serve` shows it while you write."""
    install(session, "docs")
    command = session.posargs or ["build", "--strict", "--quiet"]
    session.run("mkdocs", *command, env={"NO_MKDOCS_2_WARNING": "1"})


@nox.session
def mirror(session: nox.Session) -> None:
    """Write the sync modules anew from the async ones."""
    install(session, "mirror")
    session.run("python", "tools/mirror.py")


@nox.session
def build(session: nox.Session) -> None:
    """Source distribution and wheel, to dist/; the wheel is complete and works on its own."""
    install(session, "build")
    shutil.rmtree("dist", ignore_errors=True)
    session.run("python", "-m", "build", silent=True)
    (wheel,) = Path("dist").glob("*.whl")

    inside = set(zipfile.ZipFile(wheel).namelist())
    shipped = {
        path.relative_to("src").as_posix()
        for path in Path("src/ormco_trios").rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    if missing := shipped - inside:
        session.error(f"{wheel.name} lacks {', '.join(sorted(missing))}")
    if "ormco_trios/py.typed" not in inside:
        session.error(f"{wheel.name} lacks py.typed")
    if not any("openapi" in name and name.endswith((".json", ".yaml")) for name in inside):
        session.error(f"{wheel.name} lacks the OpenAPI file")

    with tempfile.TemporaryDirectory() as clean:
        session.run("python", "-m", "venv", clean)
        python = Path(clean, *(("Scripts", "python.exe") if os.name == "nt" else ("bin", "python")))
        session.run(
            *(str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
            str(wheel.resolve()),
            external=True,
        )
        # Without extras, every name of the face has to be there.
        session.run(
            *(str(python), "-I", "-c"),
            "import ormco_trios as o; [getattr(o, n) for n in o.__all__]; print(o.__version__)",
            external=True,
        )
