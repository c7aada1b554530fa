"""The simulator as a command."""

from __future__ import annotations

import click

from ormco_trios.cli.common import runs_in


@click.command(name="sandbox")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    show_default="any free one",
    help="Port on 127.0.0.1.",
)
@click.option(
    "--time-scale",
    type=click.FloatRange(min=0),
    default=1.0,
    show_default=True,
    help="How fast its time goes; 0 stops it.",
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
    help="How the services are where that is not known, such as roles=absent; may be repeated.",
)
@runs_in("simulator")
def sandbox() -> None:
    """Run the simulator until interrupted, and say how to use it."""
