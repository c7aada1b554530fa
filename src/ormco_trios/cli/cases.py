"""An account's cases, without their patients unless they are asked for."""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from rich.table import Table

from ormco_trios.cli.common import complain, harmless, prompt
from ormco_trios.cli.settings import Account, configured_account, sandbox_account
from ormco_trios.communicate.case_files import Download
from ormco_trios.communicate.case_sync import EVERY_PRACTICE, CaseCursor, CaseWindow, digest_of
from ormco_trios.communicate.models import Case, CaseFile
from ormco_trios.core.errors import (
    AnswerTooLarge,
    ConfigurationError,
    NotFound,
    PermissionDenied,
    UnexpectedAnswer,
    UntrustedHost,
)
from ormco_trios.core.files import replace_file

Fetch = Callable[[CaseFile, Path], Download]

_OF_ONE_FILE = (PermissionDenied, NotFound, UnexpectedAnswer, UntrustedHost, AnswerTooLarge)
"""What does not keep the other files from being fetched: the same would happen again."""


def list_(
    search: bool,
    since: datetime | None,
    until: datetime | None,
    limit: int,
    patients: bool,
    as_json: bool,
    practice: str,
    sandbox: bool,
) -> None:
    text = prompt("Search for") if search else None
    with _account(sandbox, practice) as account:
        start, end = _utc(since), _utc(until)
        space = account.communicate.cases

        def read() -> list[Case]:
            found = (
                space.list(since=start, until=end, practice=practice)
                if text is None
                else space.search(text, since=start, until=end, practice=practice)
            )
            return list(islice(found, limit + 1))

        found = account.use(read)
    shown, more = found[:limit], len(found) > limit
    if as_json:
        listed = [_as_json(case, patients=patients) for case in shown]
        print(json.dumps({"cases": listed, "more": more}, indent=2))
    else:
        _show(Console(), shown, patients=patients)
        if more:
            click.echo(f"\nThere are more than {limit}: see more with --limit.")


def get(
    id: str, version: int | None, patients: bool, as_json: bool, practice: str, sandbox: bool
) -> None:
    with _account(sandbox, practice) as account:
        space = account.communicate.cases
        case = account.use(
            lambda: (
                space.get(id, practice=practice)
                if version is None
                else space.version(id, version, practice=practice)
            )
        )
        if as_json:
            print(json.dumps(_as_json(case, patients=patients), indent=2))
            return
        console = Console()
        _show(console, [case], patients=patients)
        view = Table(box=None, pad_edge=False, header_style="dim")
        for column in ("No.", "File", "Type", "Jaw"):
            view.add_column(column, justify="right" if column == "No." else "left")
        for number, file in enumerate(case.files, 1):
            view.add_row(
                str(number),
                *(harmless(text) for text in (file.file_type, file.type, file.jaw_type)),
            )
        console.print()
        console.print(view)


def download(
    id: str,
    to: Path,
    types: tuple[str, ...],
    as_ply: bool,
    max_bytes: int | None,
    overwrite: bool,
    as_json: bool,
    practice: str,
    sandbox: bool,
) -> None:
    with _account(sandbox, practice) as account:
        case = account.use(lambda: account.communicate.cases.get(id, practice=practice))
        wanted = _wanted(case, types, as_ply=as_ply)
        if not wanted:
            raise NotFound(
                "The case has no such files.",
                operation="cases.download",
                status=200,
                advice="See which it has with: ormco-trios cases get",
            )
        with _fetching(account, as_json, as_ply, max_bytes, overwrite) as fetch:
            made = _download(wanted, to, fetch)
        if as_json:
            print(json.dumps({"case": case.id, "version": case.version, "files": made}, indent=2))
        else:
            _say(made)
        sys.exit(1 if any("error" in each for each in made) else 0)


def _stored(cursor: Path) -> CaseCursor | None:
    if not cursor.exists():
        return None
    try:
        # What is not even text is no cursor either, and from_json says so.
        return CaseCursor.from_json(cursor.read_text("utf-8", errors="replace"))
    except ConfigurationError as error:
        raise ConfigurationError(
            error.happened, advice="Name another file with --cursor, or one that is not there yet."
        ) from None


def sync(
    cursor: Path,
    since: datetime | None,
    to: Path | None,
    types: tuple[str, ...],
    as_ply: bool,
    max_bytes: int | None,
    patients: bool,
    as_json: bool,
    practice: str,
    sandbox: bool,
) -> None:
    stored = _stored(cursor)
    with _account(sandbox, practice) as account:
        console = Console()
        windows, changed, failed = 0, 0, False

        def show(window: CaseWindow, fetch: Fetch) -> bool:
            """Print it; whether all files that were wanted are there."""
            listed = [_as_json(case, patients=patients) for case in window.cases]
            made: list[dict[str, Any]] = []
            for case, shown in zip(window.cases, listed, strict=True):
                if to is not None:
                    wanted = _wanted(case, types, as_ply=as_ply)
                    shown["downloads"] = _download(wanted, to / _folder_name(case), fetch)
                    made += shown["downloads"]
            if as_json:
                _print_window(listed, window.cursor)
            elif window.cases:
                _show(console, window.cases, patients=patients)
                _say(made)
            return not any("error" in each for each in made)

        def read() -> None:
            nonlocal windows, changed, failed
            # The folders are this command's own, and what was interrupted is fetched again.
            with _fetching(account, as_json, as_ply, max_bytes, overwrite=True) as fetch:
                for window in account.communicate.cases.sync(
                    stored,
                    since=None if stored else _utc(since),
                    practice=practice,
                    # Files are fetched again from the beginning of a window.
                    size=500 if to is None else 10,
                ):
                    failed |= not show(window, fetch)
                    with _writing():
                        replace_file(cursor, window.cursor.to_json().encode())
                    windows += 1
                    changed += len(window.cases)

        account.use(read)
        if as_json and not windows:
            _print_window([], stored)
        elif not as_json and not changed:
            click.echo("Nothing has changed.")
        sys.exit(1 if failed else 0)


def _print_window(listed: list[dict[str, Any]], cursor: CaseCursor | None) -> None:
    position = None if cursor is None else cursor.position.isoformat()
    print(json.dumps({"cases": listed, "position": position}), flush=True)


@contextmanager
def _account(sandbox: bool, practice: str) -> Generator[Account]:
    with (
        sandbox_account(lab=practice != EVERY_PRACTICE) if sandbox else configured_account()
    ) as account:
        yield account


def _utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.replace(tzinfo=UTC)


# --- files ---------------------------------------------------------------------------------------


def _wanted(case: Case, types: tuple[str, ...], *, as_ply: bool) -> list[tuple[CaseFile, str]]:
    """Files of a case with the names they get here: none is the service's own choice."""
    kinds = {each.casefold().lstrip(".") for each in types}
    jaws: dict[str | None, str] = {
        scan.id: jaw for jaw, scans in case.scans_by_jaw().items() for scan in scans if scan.id
    }
    wanted: list[tuple[CaseFile, str]] = []
    for number, file in enumerate(case.files, 1):
        kind = (file.file_type or "").casefold().lstrip(".")
        jaw = jaws.get(file.id)
        if (kinds and kind not in kinds) or (as_ply and jaw is None):
            continue
        ending = "ply" if as_ply else kind if re.fullmatch(r"[a-z0-9]{1,8}", kind) else "bin"
        middle = f"-{jaw}" if jaw in ("upper", "lower") else ""
        wanted.append((file, f"{number:02}{middle}.{ending}"))
    return wanted


def _folder_name(case: Case) -> str:
    plain = re.fullmatch(r"[0-9A-Za-z-]{1,64}", case.id) is not None
    id = case.id if plain else hashlib.sha256(case.id.encode()).hexdigest()[:32]
    return f"{id}-v{case.version or digest_of(case)}"


@contextmanager
def _fetching(
    account: Account, as_json: bool, as_ply: bool, max_bytes: int | None, overwrite: bool
) -> Generator[Fetch]:
    """Downloads a file and draws a bar on a terminal."""
    console = Console(stderr=True)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(binary_units=True),
        TransferSpeedColumn(),
        console=console,
        transient=True,
        disable=as_json or not console.is_terminal,
    ) as progress:

        def fetch(file: CaseFile, path: Path) -> Download:
            if not as_ply and (present := _there(file, path)) is not None:
                return present
            bar = progress.add_task(path.name, total=None)
            try:
                return account.communicate.cases.download(
                    file,
                    path,
                    limit=max_bytes,
                    as_ply=as_ply,
                    overwrite=overwrite,
                    progress=lambda received, expected: progress.update(
                        bar, completed=received, total=expected
                    ),
                )
            finally:
                progress.remove_task(bar)

        yield fetch


def _download(
    wanted: Iterable[tuple[CaseFile, str]], folder: Path, fetch: Fetch
) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = []
    with _writing():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for file, name in wanted:
            path = folder / name
            try:
                done = fetch(file, path)
            except _OF_ONE_FILE as error:
                made.append(
                    {
                        "path": str(path),
                        "type": file.type,
                        "error": type(error).__name__,
                        "message": error.message,
                    }
                )
            else:
                made.append(
                    {
                        "path": str(path),
                        "type": file.type,
                        "size": done.size,
                        "sha1": done.sha1,
                        "verified": done.verified,
                    }
                )
    return made


def _say(made: Iterable[dict[str, Any]]) -> None:
    for each in made:
        if "error" in each:
            complain(f"{each['path']}: {each['message']}")
        else:
            note = "" if each["verified"] else "  (not compared with a SHA-1)"
            click.echo(f"{each['path']}  {each['size']} bytes{note}")


def _there(file: CaseFile, path: Path) -> Download | None:
    """What is there already, if it is what the case names."""
    if not file.hash or not path.is_file():
        return None
    with path.open("rb") as present:
        sha1 = hashlib.file_digest(present, "sha1").hexdigest()
    same = sha1 == file.hash.strip().casefold()
    return Download(path, path.stat().st_size, sha1, verified=True) if same else None


@contextmanager
def _writing() -> Generator[None]:
    try:
        yield
    except FileExistsError:
        problem = ConfigurationError(
            "A file of this name is there already, with another content; it was not replaced.",
            advice="Name another folder with --to, or allow it with --overwrite.",
        )
    except OSError as error:
        problem = ConfigurationError(
            f"A file could not be written: {error.strerror}.",
            advice="Check the folder and the space on its disk, and run the command again.",
        )
    else:
        return
    raise problem


# --- how they look -------------------------------------------------------------------------------


def _show(console: Console, found: Iterable[Case], *, patients: bool) -> None:
    found = list(found)
    if not found:
        console.print("There are no such cases.")
        return
    view = Table(box=None, pad_edge=False, header_style="dim")
    view.add_column("Created", no_wrap=True)
    view.add_column("State")
    view.add_column("Files", justify="right")
    if patients:
        view.add_column("Order")
        view.add_column("Patient")
    else:
        view.add_column("Id", no_wrap=True)
    for case in found:
        own = (case.three_shape_order_no, case.patient_name) if patients else (case.id,)
        view.add_row(
            "" if case.created is None else f"{case.created:%Y-%m-%d %H:%M}",
            harmless(case.state),
            str(len(case.files)),
            *(harmless(value) for value in own),
        )
    console.print(view)


def _as_json(case: Case, *, patients: bool) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id": case.id,
        "version": case.version,
        "created": case.created and case.created.isoformat(),
        "updated": case.updated_on and case.updated_on.isoformat(),
        "state": case.state,
        "state_flag": case.state_flag,
        "creator": case.creator_id,
        "actors": [actor.id for actor in case.actors or ()],
        "files": [
            {"type": f.type, "file_type": f.file_type, "jaw": f.jaw_type} for f in case.files
        ],
    }
    if patients:
        shown |= {"patient": case.patient_name, "order": case.three_shape_order_no}
    return shown
