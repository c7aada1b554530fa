"""What one recorded walk through the real portal says about our assumptions."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import urlsplit

import click

from ormco_trios.cli.common import is_terminal
from ormco_trios.core.errors import ConfigurationError


def record(out: Path, portal: str, browser: str | None) -> None:
    import asyncio

    from ormco_trios.ormcodigital.browser.extra import need_playwright
    from ormco_trios.ormcodigital.browser.sites import portal_address
    from ormco_trios.ormcodigital.first_contact.redact import Sites

    if out.exists():
        raise ConfigurationError(f"There is a file {out} already; nothing was recorded.")
    need_playwright()
    parts = urlsplit(portal_address(portal))
    from ormco_trios.ormcodigital.browser.recorder import record as record_walk

    click.echo("Do what the guide says, and close the windows when you are done.", err=True)
    sites = Sites(f"{parts.scheme}://{parts.netloc}")
    made = asyncio.run(record_walk(portal, sites, executable=browser))
    out.write_text(json.dumps(made, indent=1), "utf-8")
    click.echo(f"Written, without any value: {out}. Next: ormco-trios first-contact judge {out}")


def judge(file: Path, portal: str | None, page: Path | None, as_json: bool) -> None:
    from ormco_trios.ormcodigital.first_contact.judge import judge as judge_recording
    from ormco_trios.ormcodigital.first_contact.redact import is_redacted

    recording = _read(file)
    if not is_redacted(recording):
        recording = _redacted(recording, portal)
    report = judge_recording(recording)
    if page is not None:
        page.write_text(report.to_html(), "utf-8")
    click.echo(report.to_json() if as_json else str(report))


def _read(file: Path) -> object:
    try:
        document: object = json.loads(file.read_bytes())
    except (ValueError, RecursionError):
        pass
    else:
        return document
    # Raised here, since the decoder's error holds the document.
    raise ConfigurationError(
        "The file is no HAR recording: it is not JSON.",
        advice="Export it again: DevTools, Network, *Export HAR*.",
    )


def _redacted(recording: object, portal: str | None) -> object:
    from ormco_trios.ormcodigital.first_contact.export import code_in, logins_in, portal_in
    from ormco_trios.ormcodigital.first_contact.redact import Sites, redact

    code = code_in(recording)
    portal = portal or portal_in(recording, code)
    typed = logins_in(recording, portal)
    if is_terminal():
        for name, label in (("username", "User name"), ("password", "Password")):
            given = click.prompt(
                f"{label} that was typed at the portal (empty if unknown)",
                default="",
                show_default=False,
                hide_input=True,
                err=True,
            )
            if given:
                typed[name] = given
    if code:
        typed["code"] = code
    return redact(recording, typed, Sites(portal))
