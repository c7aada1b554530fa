"""The simulator as a command."""

from __future__ import annotations

import threading

import click

from ormco_trios.cli.common import reporting
from ormco_trios.cli.settings import need_server
from ormco_trios.sandbox import Approval, ControlledClock, Fault, Sandbox, Switches


@click.command(name="sandbox")
@click.option("--port", default=0, show_default="any free one", help="Port on 127.0.0.1.")
@click.option(
    "--time-scale",
    type=click.FloatRange(min=0),
    default=1.0,
    show_default=True,
    help="How fast its time goes; 0 stands still.",
)
@click.option(
    "--approve-after",
    type=click.FloatRange(min=0),
    default=60.0,
    show_default=True,
    help="Seconds of its time until Ormco's lab approves.",
)
@click.option(
    "--seed",
    type=click.Path(exists=True, dir_okay=False),
    help="A YAML or JSON file with what else exists.",
)
@click.option(
    "--fault", "faults", multiple=True, help="Such as users.me:status=503,times=2; may be repeated."
)
@click.option(
    "--switch",
    "switches",
    multiple=True,
    help="What nobody knows of the real services, such as roles=absent; may be repeated.",
)
def sandbox(
    port: int,
    time_scale: float,
    approve_after: float,
    seed: str | None,
    faults: tuple[str, ...],
    switches: tuple[str, ...],
) -> None:
    """Run the simulator until interrupted, and say how to use it."""
    with reporting(as_json=False):
        need_server()
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
        except ValueError as error:
            raise click.UsageError(str(error)) from error
        with box:
            for fault in planned:
                box.world.plan(fault)
            _introduce(box)
            try:
                threading.Event().wait()
            finally:
                for fault in box.world.faults.unused():
                    click.echo(f"This fault never fired: {fault.describe()}", err=True)


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
