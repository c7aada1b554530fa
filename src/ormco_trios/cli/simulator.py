"""The simulator as a command."""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import ExitStack, contextmanager

import click

from ormco_trios.core.errors import ConfigurationError
from ormco_trios.sandbox import Approval, ControlledClock, Fault, Sandbox, Switches


def sandbox(
    port: int,
    time_scale: float,
    approve_after: float,
    seed: str | None,
    faults: tuple[str, ...],
    switches: tuple[str, ...],
) -> None:
    try:
        planned = [Fault.parse(text) for text in faults]
        pairs = [text.partition("=") for text in switches]
        changes = {name: position for name, _, position in pairs}
        box = Sandbox(
            server=True,
            port=port,
            clock=ControlledClock(time_scale),
            approval=Approval.after(approve_after),
            switches=Switches().with_changes(changes),
            seed_file=seed,
        )
        for fault in planned:
            box.world.plan(fault)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    with _serving(box, port):
        _introduce(box)
        try:
            threading.Event().wait()
        finally:
            for fault in box.world.faults.unused():
                click.echo(f"This fault never fired: {fault.describe()}", err=True)


@contextmanager
def _serving(box: Sandbox, port: int) -> Generator[None]:
    with ExitStack() as stack:
        try:
            stack.enter_context(box)
        except OSError as error:
            raise ConfigurationError(
                f"Port {port} of this machine cannot be used: {error.strerror}.",
                advice="Choose another with --port, or leave it out for one that is free.",
            ) from None
        yield


def _introduce(box: Sandbox) -> None:
    who = box.practice
    click.echo(f"Sandbox at {box.base_url}; stop it with Ctrl-C.\n")
    click.echo(f"Pages for a person, the lab's inbox and the operator: {box.base_url}/\n")
    click.echo(f"Sample practice: {who.email}, password {who.password}\n")
    for name, value in {
        "ENVIRONMENT": "sandbox",
        "SANDBOX_URL": box.base_url,
        "CLIENT_ID": box.client_id,
        "CLIENT_SECRET": box.client_secret,
        "REDIRECT_URI": box.redirect_uri,
        "PORTAL_USERNAME": who.portal_username,
        "PORTAL_PASSWORD": who.portal_password,
    }.items():
        click.echo(f"export ORMCO_TRIOS_{name}={value}")
