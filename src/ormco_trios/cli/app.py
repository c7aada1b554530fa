"""The commands."""

from __future__ import annotations

import json
import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

import click
from rich.console import Console

from ormco_trios._version import __version__
from ormco_trios.cli.cases import cases
from ormco_trios.cli.common import F, ask_for_account, ask_for_address, json_option, reporting
from ormco_trios.cli.display import (
    Display,
    Lines,
    LiveTable,
    Silent,
    print_diagnosis,
    print_result,
)
from ormco_trios.cli.first_contact import first_contact
from ormco_trios.cli.fleet import fleet
from ormco_trios.cli.lab import approve
from ormco_trios.cli.settings import (
    APPROVAL_HOURS,
    SPEED,
    Authorize,
    Practice,
    configured_practice,
    need_server,
    sandbox_practice,
)
from ormco_trios.communicate.regions import Region
from ormco_trios.oauth.receiver import RedirectReceiver
from ormco_trios.onboarding.checklist import Checklist, OverallState
from ormco_trios.onboarding.outcomes import NeedsAuthorization, Purpose, Repair
from ormco_trios.ormcodigital.tasks import Address

if TYPE_CHECKING:
    from ormco_trios.sandbox import Sandbox

EXIT_CODES = {
    OverallState.CONNECTED: 0,
    OverallState.WAITING: 3,
    OverallState.NEEDS_AUTHORIZATION: 4,
    OverallState.INCOMPLETE: 5,
    OverallState.BROKEN: 6,
    OverallState.UNKNOWN: 7,
}
"""0 connected, 1 error, 2 wrong usage, 3 to 7 by state, 130 interrupted."""


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="ormco-trios")
def cli() -> None:
    """Connect a practice's 3Shape TRIOS account to Ormco.

    Without --sandbox the commands read ORMCO_TRIOS_CLIENT_ID, _CLIENT_SECRET, _REDIRECT_URI,
    _DIALECT, _PORTAL_USERNAME, _PORTAL_PASSWORD and _ENVIRONMENT.  No secret is ever an argument.

    \b
    Exit codes: 0 connected, 1 error, 2 wrong usage, 3 waiting for Ormco,
    4 a person has to authorize, 5 steps are missing, 6 broken,
    7 not known, 130 interrupted.
    """  # noqa: D301 - click wants the character, not the two


for _family in (approve, cases, first_contact, fleet):
    cli.add_command(_family)


def _common(command: F) -> F:
    for option in (
        json_option,
        click.option(
            "--region",
            type=click.Choice([region.value for region in Region]),
            help="Which of Ormco's labs; by default what the account's country clearly says, or "
            "else its own region at 3Shape.",
        ),
        click.option(
            "--account",
            metavar="EMAIL",
            help="The 3Shape account that is meant; another one is refused before anything is "
            "asked for. Its sign-in is kept apart from other accounts'.",
        ),
        click.option(
            "--sandbox",
            is_flag=True,
            help="Use a simulator on this machine and play the doctor: nothing real is touched.",
        ),
    ):
        command = option(command)
    return command


@cli.command()
@click.option(
    "--requests", "show_requests", is_flag=True, help="List the requests that the sandbox saw."
)
@_common
def connect(
    sandbox: bool, region: str | None, account: str | None, as_json: bool, show_requests: bool
) -> None:
    """Do everything that is missing, until scans can be sent.

    Safe to interrupt and to repeat: it goes on from wherever the practice stands.
    """
    console = Console()
    display = _display(console, as_json)
    watched = isinstance(display, LiveTable)
    with reporting(as_json), _practice(sandbox, region, account, watched=watched) as practice:
        with display:
            if sandbox:
                pace = f"goes {SPEED:.0f} times faster" if watched else "takes no time"
                display.say(
                    f"Sandbox: waiting {pace}; Ormco approves after {APPROVAL_HOURS:.0f} hours."
                )
            connected = practice.onboarding.run(
                authorize=_authorize(practice, display), on_update=display.update
            )
        if show_requests and practice.sandbox is not None:
            for entry in practice.sandbox.journal:
                click.echo(f"{entry.status} {entry.method:6} {entry.route}", err=True)
        _finish(console, connected.checklist, as_json)


@cli.command()
@_common
def check(sandbox: bool, region: str | None, account: str | None, as_json: bool) -> None:
    """Show the checklist and change nothing."""
    with reporting(as_json), _practice(sandbox, region, account) as practice:
        _finish(Console(), practice.onboarding.check(), as_json)


@cli.command()
@click.option(
    "--extent",
    type=click.Choice([extent.name.lower().replace("_", "-") for extent in Repair]),
    default="what-is-broken",
    show_default=True,
    help="Begin with more, when everything looks well and scans do not arrive.",
)
@_common
def repair(
    sandbox: bool, region: str | None, account: str | None, as_json: bool, extent: str
) -> None:
    """Mend a connection that broke, with the least that helps."""
    chosen = Repair[extent.upper().replace("-", "_")]
    console = Console()
    with reporting(as_json), _practice(sandbox, region, account, lived=True) as practice:
        with _display(console, as_json) as display:
            repaired = practice.onboarding.repair(
                extent=chosen, authorize=_authorize(practice, display), on_update=display.update
            )
        if not as_json and repaired.interruption is not None:
            click.echo(str(repaired.interruption))
        _finish(console, repaired.checklist, as_json)


@cli.command()
@click.option("--sign-out", is_flag=True, help="Forget this library's own sign-in as well.")
@click.option("--yes", is_flag=True, help="Do not ask whether you are sure.")
@_common
def disconnect(
    sandbox: bool, region: str | None, account: str | None, as_json: bool, sign_out: bool, yes: bool
) -> None:
    """Take everything back: scans can no longer be sent."""
    if not (yes or sandbox):
        click.confirm("Scans can no longer be sent afterwards. Disconnect?", abort=True, err=True)
    with reporting(as_json), _practice(sandbox, region, account, lived=True) as practice:
        done = practice.onboarding.disconnect(sign_out=sign_out)
        if as_json:
            places = [
                {"name": p.name, "state": p.state.name.lower(), "remark": p.remark}
                for p in done.places
            ]
            print(json.dumps({"complete": done.complete, "places": places}))
        else:
            print(done)
        sys.exit(0 if done.complete else 1)


@cli.command()
@click.option("--verbose", is_flag=True, help="With details for support.")
@_common
def doctor(
    sandbox: bool, region: str | None, account: str | None, as_json: bool, verbose: bool
) -> None:
    """Say what is wrong, from network to portal, and what to do."""
    with reporting(as_json), _practice(sandbox, region, account) as practice:
        diagnosis = practice.onboarding.doctor()
        if as_json:
            findings = [
                {
                    "subject": f.subject,
                    "verdict": f.verdict.value,
                    "said": f.said,
                    "advice": f.advice,
                    "detail": f.detail,
                }
                for f in diagnosis.findings
            ]
            print(json.dumps({"healthy": diagnosis.healthy, "findings": findings}))
        else:
            print_diagnosis(Console(), diagnosis, verbose=verbose)
        sys.exit(0 if diagnosis.healthy else 1)


@cli.command(name="sandbox")
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
def serve(
    port: int,
    time_scale: float,
    approve_after: float,
    seed: str | None,
    faults: tuple[str, ...],
    switches: tuple[str, ...],
) -> None:
    """Run the simulator until interrupted, and say how to use it."""
    import threading

    from ormco_trios.sandbox import Approval, ControlledClock, Fault, Sandbox, Switches

    with reporting(as_json=False):
        need_server()
        try:
            planned = [Fault.parse(text) for text in faults]
            changes = dict(text.partition("=")[::2] for text in switches)
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


@contextmanager
def _practice(
    sandbox: bool,
    region: str | None,
    account: str | None,
    *,
    lived: bool = False,
    watched: bool = False,
) -> Generator[Practice]:
    chosen = None if region is None else Region(region)
    with (
        sandbox_practice(chosen, account, lived=lived, watched=watched)
        if sandbox
        else configured_practice(chosen, account)
    ) as practice:
        yield practice


def _display(console: Console, as_json: bool) -> Display:
    if as_json:
        return Silent()
    return LiveTable(console) if console.is_terminal else Lines(console)


def _authorize(practice: Practice, display: Display) -> Authorize:
    plays = practice.authorize
    if plays is None:
        return lambda needed: _ask(needed, display, practice.receiver)

    def play(needed: NeedsAuthorization) -> str | Address:
        display.say("The sandbox plays the doctor: signs in to 3Shape and allows access.")
        return plays(needed)

    return play


def _ask(
    needed: NeedsAuthorization, display: Display, receiver: RedirectReceiver | None
) -> str | Address:
    display.pause()
    pasted = ask_for_address(
        needed.request,
        needed.purpose.explanation,
        hint=needed.hint,
        problem=needed.problem,
        receiver=receiver,
    )
    if needed.purpose is Purpose.SIGN_IN:
        return pasted
    return Address(pasted, account_shown=ask_for_account())


def _finish(console: Console, checklist: Checklist, as_json: bool) -> NoReturn:
    if as_json:
        print(checklist.model_dump_json(indent=2))
    else:
        print_result(console, checklist)
    sys.exit(EXIT_CODES[checklist.state])
