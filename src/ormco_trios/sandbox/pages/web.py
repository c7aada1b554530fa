"""What the pages share: who is signed in, and asking what a program would ask.

A page has no rules of its own.  It calls the handlers that answer the API, with the account of its
session in place of a token, and shows what they say.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ormco_trios.sandbox.pages import sessions
from ormco_trios.sandbox.pages.sessions import Site
from ormco_trios.sandbox.services.calls import Handler, InboundCall
from ormco_trios.sandbox.wire.messages import (
    Headers,
    Json,
    Refused,
    WireReply,
    WireRequest,
    redirect,
)
from ormco_trios.sandbox.world.state import PortalAccount, UserRecord, WebSession
from ormco_trios.sandbox.world.world import World


@dataclass
class Visit:
    """One request for a page of a site, by a browser with a session there."""

    world: World
    call: InboundCall
    site: Site
    session: WebSession
    cookie: Headers

    @classmethod
    def of(cls, world: World, call: InboundCall, site: Site) -> Visit:
        """The visit that a request for a page is."""
        session, cookie = sessions.current(world, call, site)
        return cls(world, call, site, session, cookie)

    @classmethod
    def with_form(cls, world: World, call: InboundCall, site: Site, *fields: str) -> Visit:
        """The visit that a form of ours, sent, is; ``call.form`` has its fields.

        Raises:
            Refused: It is not ours, or not this session's.
        """
        session, _ = sessions.check_form(world, call, *fields, site=site)
        return cls(world, call, site, session, ())

    @property
    def user(self) -> UserRecord | None:
        """Who is signed in to Communicate."""
        return self.world.state.users.get(self.session.user or "")

    @property
    def account(self) -> PortalAccount | None:
        """Who is signed in to the portal."""
        return self.world.state.portal_accounts.get(self.session.user or "")

    def ask(
        self,
        handler: Handler,
        *,
        path: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        body: Json = None,
        headers: Headers = (),
    ) -> Any:
        """What a handler of the API answers to this visitor, as JSON.

        Raises:
            Refused: It says no.
        """
        content = b"" if body is None else json.dumps(body).encode()
        request = WireRequest("", "", "", headers, content)
        inner = InboundCall(
            request,
            self.call.template,
            path or {},
            query or {},
            self.call.now,
            signed_in=self.user if self.site == "communicate" else None,
            portal=self.account if self.site == "portal" else None,
        )
        try:
            reply = handler(self.world, inner)
        finally:
            self.call.wrote = self.call.wrote or inner.wrote
        return reply.json() if reply.body else None

    def go(self, path: str) -> WireReply:
        """Show another page, after a form."""
        return redirect(self.world.page_address(path), headers=self.cookie, status=303)


def attempt(
    show: Callable[[Refused | None], WireReply], deed: Callable[[], WireReply]
) -> WireReply:
    """The reply to a form: the deed's, or the page again with what was refused."""
    try:
        return deed()
    except Refused as refused:
        reply = show(refused)
        headers = (*reply.headers, ("x-sandbox-explain", refused.explain))
        return WireReply(refused.status, headers, reply.body)
