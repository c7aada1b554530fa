"""The everyday commands; `nox -l` lists them, CONTRIBUTING.md explains them."""

from __future__ import annotations

import json
import os
import re
import shutil
import tarfile
import tempfile
import zipfile
from hashlib import sha256
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "venv"
nox.options.download_python = "never"
nox.options.error_on_missing_interpreters = False
nox.options.reuse_existing_virtualenvs = True
nox.options.sessions = ["tests", "slow", "lint", "types", "docs", "build"]
# The tests start many Pythons; each but the first then finds the modules compiled.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

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
    """All tests but the slow ones; pytest's own arguments go after `--`."""
    install(session, "tests", project=".[all]")
    # As a module, so that it finds the plugin in tools/.
    session.run("python", "-m", "pytest", "-p", "tools.cpu", *(session.posargs or ["-n", "auto"]))


# `tests` takes the Python that runs nox; `tests-3.12` and so on that one, if the machine has it.
nox.session(name="tests")(run_tests)
for version in VERSIONS:
    nox.session(name=f"tests-{version}", python=version)(run_tests)


# Selections of the tests, which run in the environment of `tests`.


@nox.session(venv_backend="none")
def slow(session: nox.Session) -> None:
    """The slow tests: processes that are killed, a real browser, very many inputs."""
    session.notify("tests", ["-m", "slow", "-n", "auto", *session.posargs])


@nox.session(venv_backend="none")
def fast(session: nox.Session) -> None:
    """The tests that need no socket and no other process, for every day."""
    session.notify("tests", ["-m", "not slow and not socket", "-n", "auto", *session.posargs])


@nox.session(venv_backend="none")
def slowest(session: nox.Session) -> None:
    """Which tests cost most, by CPU time, and what all of them cost."""
    session.notify("tests", ["-q", "--slowest", "40", "-n", "auto", *session.posargs])


@nox.session(name="oauth-servers")
def oauth_servers(session: nox.Session) -> None:
    """The sign-in against two OAuth servers that others wrote; needs Node.js with npm."""
    install(session, "oauth-servers", project=".[all]")
    folder = session.create_tmp()
    session.run(
        *("npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", folder),
        "oidc-provider@9",
        external=True,
    )
    session.run(
        *("pytest", "tests/oauth/test_servers.py", *session.posargs),
        env={"OAUTH_SERVERS_NODE_MODULES": str(Path(folder, "node_modules"))},
    )


@nox.session
def accessibility(session: nox.Session) -> None:
    """axe-core over every page that a person looks at, and pictures of them; needs npm."""
    install(session, "tests", "docs", project=".[all]")
    session.run("mkdocs", "build", "--strict", "--quiet", env={"NO_MKDOCS_2_WARNING": "1"})
    folder = session.create_tmp()
    session.run(
        "npm", "pack", "axe-core@4", "--silent", f"--pack-destination={folder}", external=True
    )
    (archive,) = Path(folder).glob("axe-core-*.tgz")
    with tarfile.open(archive) as packed:
        packed.extract("package/axe.min.js", folder, filter="data")
    session.run(
        *("pytest", "-m", "slow", "tests/browser/test_accessible.py", *session.posargs),
        env={"AXE_CORE": str(Path(folder, "package", "axe.min.js"))},
    )


@nox.session
def portals(session: nox.Session) -> None:
    """A browser on seven foreign portals, and all that goes wrong there; takes half an hour."""
    install(session, "tests", project=".[all]")
    session.run("python", "-m", "pytest", "tests/ormcodigital/portals/matrix.py", *session.posargs)


@nox.session(name="paste-table")
def paste_table(session: nox.Session) -> None:
    """What five libraries make of each paste, to docs/paste-table.md."""
    install(session, "paste-table", project=".")
    session.run("python", "benchmarks/paste_table.py", "docs/paste-table.md")


@nox.session(name="by-hand")
def by_hand(session: nox.Session) -> None:
    """A person at a browser does the portal's half, killed at every moment, in every way."""
    install(session, "tests", project=".[all]")
    session.run(
        *("python", "-m", "pytest", "-m", "slow", "tests/browser/test_by_hand.py"),
        *session.posargs,
        env={"BY_HAND": "all"},
    )


@nox.session
def chaos(session: nox.Session) -> None:
    """500 onboardings while everything fails and workers are killed; `-- --seed 7` for others."""
    install(session, "tests", project=".[all]")
    session.run("python", "-m", "tests.trust.chaos", *session.posargs)


@nox.session
def fleet(session: nox.Session) -> None:
    """A thousand practices live while workers die, and ten thousand wait a day; takes an hour."""
    install(session, "tests", project=".[all]")
    for form in ("queue", "one-machine"):
        session.run("python", "-m", "tests.fleet.chaos", form, *session.posargs)
    session.run("python", "-m", "tests.fleet.waiting")
    if os.geteuid() == 0 and shutil.which("ip") and shutil.which("tc"):
        session.run("python", "-m", "tests.fleet.vanished")


@nox.session
def recipes(session: nox.Session) -> None:
    """The documentation's recipes for other people's engines."""
    install(session, "tests", "recipes", project=".[all]")
    session.run("pytest", "tests/fleet/test_recipes.py", *session.posargs)
    session.chdir("docs/recipes")
    session.run("mypy", "--strict", "practices.py", "dbos_app.py", "temporal_app.py")


@nox.session
def promises(session: nox.Session) -> None:
    """Each promise of SECURITY.md broken on purpose: a test has to notice; `-- -k WORD`."""
    install(session, "tests", project=".[all]")
    session.run("python", "tools/break_promises.py", *session.posargs)


@nox.session
def mutation(session: nox.Session) -> None:
    """Changes to core and oauth that no test notices; a part: `-- 'ormco_trios.oauth.paste*'`."""
    install(session, "mutation", project=".[all]")
    # The same examples for every mutant: none is killed or spared by chance.
    session.run("mutmut", "run", *session.posargs, env={"HYPOTHESIS_PROFILE": "ci"})
    session.run("mutmut", "results")


@nox.session
def lowest(session: nox.Session) -> None:
    """The tests with the lowest version of each dependency that pyproject.toml allows."""
    extras = PYPROJECT["project"]["optional-dependencies"]
    direct = [*PYPROJECT["project"]["dependencies"], *(d for e in extras.values() for d in e)]
    bounds = [re.match(r"([\w-]+)(?:\[[\w,]+\])?>=([\w.]+)", each) for each in direct]
    # From the beginning, so that pip finds versions of the tools that go with them.
    constraints = Path(session.create_tmp(), "lowest.txt")
    constraints.write_text("\n".join(f"{found[1]}=={found[2]}" for found in bounds if found))
    # Schemathesis, which tries the sandbox from outside, wants a newer rich than we do.
    tools = [
        each
        for each in nox.project.dependency_groups(PYPROJECT, "tests")
        if not each.startswith("schemathesis")
    ]
    session.install("--quiet", *tools, "--editable", ".[all]", "--constraint", str(constraints))
    session.run("python", "-m", "pip", "check")
    session.run(
        *("pytest", "--ignore", "tests/sandbox/test_others.py"),
        *(session.posargs or ["-n", "auto"]),
    )


@nox.session
def audit(session: nox.Session) -> None:
    """Known holes in what users install with every extra; one that nobody can look up fails too."""
    install(session, "audit", project=".[all]")
    report = Path(session.create_tmp(), "audit.json")
    report.unlink(missing_ok=True)
    session.run(
        *("pip-audit", "--progress-spinner", "off", "--format", "json", "--output", str(report)),
        *session.posargs,
        success_codes=[0, 1],
    )
    found = json.loads(report.read_text("utf-8"))["dependencies"]
    holes = [f"{one['name']}: {hole['id']}" for one in found for hole in one.get("vulns", [])]
    # pip-audit itself is content when the database knows none of the packages.
    own = PYPROJECT["project"]["name"]
    unknown = [one["name"] for one in found if "skip_reason" in one and one["name"] != own]
    if holes:
        session.error(f"known holes: {', '.join(holes)}")
    if unknown:
        session.error(f"not audited, since the database has no entry: {', '.join(unknown)}")


@nox.session
def lint(session: nox.Session) -> None:
    """Style, banned imports, formatting, and whether what is generated is up to date."""
    install(session, "lint", project=".")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("python", "tools/mirror.py", "--check")
    session.run("python", "tools/provenance.py", "--check")


@nox.session
def types(session: nox.Session) -> None:
    """Mypy and pyright, both in strict mode; what users run also as if on Windows and macOS."""
    install(session, "types", project=".[all]")
    session.run("mypy")
    session.run("pyright")
    for mypy, pyright in (("win32", "Windows"), ("darwin", "Darwin")):
        session.run("mypy", "--platform", mypy, "src", "examples")
        session.run("pyright", "--pythonplatform", pyright, "src", "examples")


@nox.session
def docs(session: nox.Session) -> None:
    """The documentation, to site/, and whether it is whole; `-- serve` shows it while you write."""
    install(session, "docs", project=".[cli]")
    command = session.posargs or ["build", "--strict", "--quiet"]
    session.run("mkdocs", *command, env={"NO_MKDOCS_2_WARNING": "1"})
    if not session.posargs:
        session.run("python", "tools/site.py", "site")


@nox.session
def mirror(session: nox.Session) -> None:
    """Write the sync modules again from the async ones."""
    install(session, "mirror")
    session.run("python", "tools/mirror.py")


@nox.session
def notebook(session: nox.Session) -> None:
    """The documentation's notebook, executed from a clean state and stored with its outputs."""
    install(session, "notebook", project=".[sandbox]")
    session.run("python", "tools/notebook.py", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """What calls, imports and clients cost, beside others' libraries; to docs/performance.md."""
    install(session, "bench", project=".[aiohttp,fleet,sandbox]")
    session.run("python", "benchmarks/report.py", "docs")
    session.run("python", "benchmarks/approvals.py", "--plot", "docs/approvals.svg")


@nox.session
def build(session: nox.Session) -> None:
    """Source distribution and wheel, to dist/; the wheel is complete and works on its own."""
    install(session, "build")
    digests = []
    for _ in range(2):
        shutil.rmtree("dist", ignore_errors=True)
        # One moment for all files: the same source is the same archive, whenever it is built.
        moment = {"SOURCE_DATE_EPOCH": "1767225600"}
        session.run("python", "-m", "build", silent=True, env=moment)
        digests.append({p.name: sha256(p.read_bytes()).digest() for p in Path("dist").iterdir()})
    if digests[0] != digests[1]:
        session.error("built twice, and not the same")
    session.run("twine", "check", "--strict", *map(str, Path("dist").iterdir()))
    (wheel,) = Path("dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        (metadata,) = (n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
        described = archive.read(metadata).decode("utf-8")
    if dead := re.findall(r"\]\((?!https?:)[^)]*\)", described):
        session.error(f"the package's page has links that lead nowhere: {', '.join(dead)}")
    if "pip install ormco-trios" not in described:
        session.error("the package's page does not say how to install it")

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
        # Without extras, every name of the public API has to be there.
        session.run(
            *(str(python), "-I", "-c"),
            "import ormco_trios as o; [getattr(o, n) for n in o.__all__]; print(o.__version__)",
            external=True,
        )


@nox.session(name="bench-approvals")
def bench_approvals(session: nox.Session) -> None:
    """What waiting costs, against its promises, and a day of 10,000 practices; takes an hour."""
    install(session, "tests", project=".[aiohttp]")
    session.install("--quiet", "matplotlib>=3.9,<4")
    session.run("python", "benchmarks/approvals.py", "--plot", "docs/approvals.svg")
    session.run("python", "benchmarks/looks.py")
    session.run(
        *("pytest", "-q", "tests/fleet/test_virtual_day.py", "--timeout", "3600"),
        env={"VIRTUAL_DAY_PRACTICES": "10000"},
    )
