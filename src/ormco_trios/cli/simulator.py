"""The simulator as a command."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from typing import TypeVar

import click

from ormco_trios.core.errors import ConfigurationError
from ormco_trios.sandbox import Approval, ControlledClock, Fault, Sandbox, Switches

T = TypeVar("T")


def sandbox(
    port: int,
    time_scale: float,
    approve_after: float,
    seed: str | None,
    faults: tuple[str, ...],
    switches: tuple[str, ...],
) -> None:
    changes = {name: at for name, _, at in (text.partition("=") for text in switches)}
    planned = _given("fault", lambda: [Fault.parse(text) for text in faults])
    chosen = _given("switch", lambda: Switches().with_changes(changes))
    approval = _given("approve-after", lambda: Approval.after(approve_after))
    clock = _given("time-scale", lambda: ControlledClock(time_scale))
    box = _given(
        "seed",
        lambda: Sandbox(
            server=True,
            port=port,
            clock=clock,
            approval=approval,
            switches=chosen,
            seed_file=seed,
        ),
    )
    _given("fault", lambda: [box.world.plan(fault) for fault in planned])
    with _serving(box, port):
        try:
            _introduce(box)
            threading.Event().wait()
        except KeyboardInterrupt:
            click.echo("The sandbox has stopped, and forgets all that was in it.", err=True)
            sys.exit(130)
        finally:
            for fault in box.world.faults.unused():
                click.echo(f"This fault never fired: {fault.describe()}", err=True)


def _given(option: str, make: Callable[[], T]) -> T:
    """What an option's value makes; what is wrong with it names the option."""
    try:
        return make()
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint=f"'--{option}'") from error


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
