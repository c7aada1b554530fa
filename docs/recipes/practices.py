"""What the recipes share: how a practice is opened, and one round of it.

Yours would read and write your own tables; this one has a sandbox and a dictionary.
"""

from __future__ import annotations

from dataclasses import dataclass

from ormco_trios import (
    CommunicateClient,
    Connected,
    MemoryTokenStore,
    NeedsAuthorization,
    NeedsPerson,
    OAuthClient,
    Onboarding,
    OrmcoDigitalClient,
    Progress,
    Waiting,
    errors,
)
from ormco_trios.sandbox import Practice, Sandbox

sandbox = Sandbox()
tokens = MemoryTokenStore()
accounts: dict[str, Practice] = {}
progress: dict[str, str] = {}
links: dict[str, str] = {}

AN_HOUR = 3600.0


@dataclass(frozen=True)
class Round:
    """What a round led to.

    Attributes:
        again_in: Seconds until the next one; None when there is none.
        problem: Why there is none, if that is not because it is connected.
    """

    again_in: float | None
    problem: str = ""


def open_practice(id: str) -> Onboarding:
    """The practice, as far as an earlier round has come."""
    account = accounts[id]
    oauth = OAuthClient(
        sandbox.environment,
        client_id=sandbox.client_id,
        client_secret=sandbox.client_secret,
        redirect_uri=sandbox.redirect_uri,
        store=tokens,
        account=id,
    )
    return Onboarding(
        communicate=CommunicateClient(sandbox.environment, auth=oauth.auth),
        ormco=OrmcoDigitalClient(
            sandbox.environment,
            username=account.portal_username,
            password=account.portal_password,
        ),
        oauth=oauth,
        progress=Progress.from_json(progress[id]) if id in progress else None,
    )


def do_round(id: str) -> Round:
    """One `advance()`, kept, and when to come again."""
    practice = open_practice(id)
    try:
        outcome = practice.advance()
    except (errors.TransportError, errors.ServerError, errors.RateLimited) as error:
        hint = getattr(error, "retry_after", None)
        return Round(again_in=hint or 60.0)
    except errors.OrmcoTriosError as error:
        return Round(again_in=None, problem=str(error))
    finally:
        progress[id] = practice.progress.to_json()
    match outcome:
        case Connected():
            links.pop(id, None)
            return Round(again_in=None)
        case Waiting():
            return Round(again_in=(outcome.until - sandbox.clock.now()).total_seconds())
        case NeedsAuthorization():
            links[id] = outcome.url  # to be shown to the practice
            return Round(again_in=AN_HOUR)
        case NeedsPerson():  # only where the portal's part is done by hand
            return Round(again_in=AN_HOUR)


def authorized(id: str, pasted: str) -> None:
    """What a practice came back with, used in the request that receives it."""
    practice = open_practice(id)
    try:
        practice.finish_authorization(pasted)
    finally:
        progress[id] = practice.progress.to_json()
