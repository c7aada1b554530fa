"""Who is registered in every World: the applications, and a sample practice of each region."""

from __future__ import annotations

from ormco_trios.sandbox.world import seeds
from ormco_trios.sandbox.world.seeds import Practice
from ormco_trios.sandbox.world.state import Server
from ormco_trios.sandbox.world.world import World


class Registered:
    """What a program needs to be one of them; the same in this process and at a distance."""

    account_client_id = seeds.ACCOUNT_CLIENT_ID
    account_confidential_client_id = seeds.ACCOUNT_CONFIDENTIAL_CLIENT_ID
    client_id = seeds.CLIENT_ID

    _registry: World
    """One that has them; at a distance, one like the World that is meant."""

    @property
    def client_secret(self) -> str:
        """Of the practice application of the classic dialect."""
        return self._registry.settings.token_prefix + seeds.CLIENT_SECRET

    @property
    def account_client_secret(self) -> str:
        """Of the confidential application of the account dialect."""
        return self._registry.settings.token_prefix + seeds.ACCOUNT_CLIENT_SECRET

    @property
    def redirect_uri(self) -> str:
        """Registered for the two practice applications."""
        return self._registry.public(seeds.APP_REDIRECT)

    @property
    def practice(self) -> Practice:
        """The sample practice in Europe; ``practice_in`` has the other regions'."""
        return self._registry.practice()

    def practice_in(self, server: Server) -> Practice:
        """The sample practice of a region: ``eu``, ``am`` (America) or ``as`` (Asia)."""
        return self._registry.practice(server)
