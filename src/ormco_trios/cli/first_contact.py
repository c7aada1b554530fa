"""What one recorded walk through the real portal says about our assumptions."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import urlsplit

import click

from ormco_trios.cli.common import json_option, reporting
from ormco_trios.core.errors import ConfigurationError


@click.group(name="first-contact")
def first_contact() -> None:
    """Learn from one walk through the real portal what holds of what we assume about it."""


@first_contact.command()
@click.argument("out", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--portal",
    metavar="ADDRESS",
    required=True,
    envvar="ORMCO_TRIOS_PORTAL_ADDRESS",
    help="Where you sign in to OrmcoDigital.",
)
@click.option(
    "--browser",
    metavar="FILE",
    envvar="ORMCO_TRIOS_BROWSER",
    help="Which browser to start; by default the Chromium, Chrome or Edge that is there.",
)
def record(out: Path, portal: str, browser: str | None) -> None:
    """Record one walk through the guide, in a browser that opens, for *judge*.

    Only OrmcoDigital and 3Shape are recorded, in memory. What is written holds no value: every
    text that the guide does not print is a placeholder. If anything that you typed would be left,
    nothing is written. Close the browser's windows when you are done.
    """
    import asyncio

    from ormco_trios.ormcodigital.browser.extra import need_playwright
    from ormco_trios.ormcodigital.browser.sites import portal_address

    with reporting(as_json=False):
        if out.exists():
            raise ConfigurationError(f"There is a file {out} already; nothing was recorded.")
        need_playwright()
        address = portal_address(portal)
        from ormco_trios.ormcodigital.browser.recorder import record as record_walk
        from ormco_trios.ormcodigital.first_contact.redact import Sites

        click.echo("Do what the guide says, and close the windows when you are done.", err=True)
        host = urlsplit(address)
        made = asyncio.run(
            record_walk(address, Sites(f"{host.scheme}://{host.netloc}"), executable=browser)
        )
        out.write_text(json.dumps(made, indent=1), "utf-8")
        click.echo(f"Written, without any value: {out}. Now: ormco-trios first-contact judge {out}")


@first_contact.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--portal", metavar="ADDRESS", help="The portal's address, if it cannot be told.")
@click.option(
    "--html", "page", type=click.Path(dir_okay=False, path_type=Path), help="Write a page as well."
)
@json_option
def judge(file: Path, portal: str | None, page: Path | None, as_json: bool) -> None:
    """Hold each assumption against a recording: what *record* wrote, or a browser's HAR export.

    A browser's export holds passwords and patients' data. It is redacted in memory before it is
    read, and nothing of it is kept; delete it afterwards. On a terminal the user name and the
    password that were typed are asked for, since a script may send them under any name.
    """
    from ormco_trios.ormcodigital.first_contact.judge import judge as judge_recording
    from ormco_trios.ormcodigital.first_contact.redact import is_redacted

    with reporting(as_json):
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
    import sys

    from ormco_trios.ormcodigital.first_contact.export import code_in, logins_in, portal_in
    from ormco_trios.ormcodigital.first_contact.redact import Sites, redact

    code = code_in(recording)
    portal = portal or portal_in(recording, code)
    typed = logins_in(recording, portal)
    if sys.stdin.isatty():
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
