"""Letting go of one practice: what is kept of it, and the access that it gave, place by place."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from ormco_trios.core.connections import AsyncHttpConnections
from ormco_trios.core.errors import OrmcoTriosError
from ormco_trios.onboarding.async_onboarding import AsyncOnboarding
from ormco_trios.onboarding.repair import Place, PlaceState

SIGN_IN = "The stored sign-in"
LOGIN = "What it signs in to the portal with"
RECORD = "The fleet's record"

KEPT = "Kept, so that what failed can be tried again; without taking access back it is deleted."


async def let_go_async(
    open_practice: Callable[[], Awaitable[AsyncOnboarding]], *, take_back: bool
) -> list[Place]:
    """Take the practice's access back, if that is asked for, and delete its sign-in."""
    connections = AsyncHttpConnections("httpx")
    places: list[Place] = []
    try:
        onboarding = await open_practice()
        onboarding.http_connections = connections
        if take_back:
            places += (await onboarding.disconnect()).places
        if failed(places):
            places.append(Place(SIGN_IN, PlaceState.FAILED, KEPT))
        else:
            there = take_back and await onboarding.forget_sign_in(revoke=True)
            # Also what could not be read, or was another account's.
            places.append(removed(SIGN_IN, await onboarding.forget_sign_in() or there))
    except OrmcoTriosError as error:
        places.append(Place(SIGN_IN, PlaceState.FAILED, error.message))
    except Exception as error:  # noqa: BLE001 - the caller's function may raise anything
        places.append(Place(SIGN_IN, PlaceState.FAILED, f"It failed with {type(error).__name__}."))
    finally:
        await connections.aclose()
    return places


def removed(name: str, was_there: bool) -> Place:
    """A place that is empty now."""
    return Place(name, PlaceState.REMOVED if was_there else PlaceState.ABSENT)


def failed(places: list[Place]) -> bool:
    """Whether something is left that a program could have removed."""
    return any(place.state is PlaceState.FAILED for place in places)
