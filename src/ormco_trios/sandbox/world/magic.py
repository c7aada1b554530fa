"""Magic e-mail addresses: they make things happen through any layer above the wire.

A request that names one, in its path or in its body, meets what is before the ``@``:

========================================  ====================================================
``status-503@magic.example``              any status from 400 to 599
``reset@…``, ``close@…``, ``hang@…``,     the connection breaks, stays silent, or the answer is
``truncate@…``, ``slow-body@…``           cut or slow
``html@…``, ``wrong-types@…``,            the answer is wrong inside
``extra-fields@…``, ``missing-fields@…``
========================================  ====================================================

Three practices can sign in, and differ in what becomes of their connection requests:
``approved@magic.example`` at once, ``held@magic.example`` never, ``removed@magic.example`` removed
by the lab after an hour.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import unquote_plus

from ormco_trios.sandbox.wire.messages import WireRequest
from ormco_trios.sandbox.world.approval import Approval
from ormco_trios.sandbox.world.faults import Fault

DOMAIN = "magic.example"

APPROVALS: Mapping[str, Approval] = {
    "approved": Approval.immediately(),
    "held": Approval.held(),
    "removed": Approval.removed_after(3600.0),
}
"""What becomes of these practices' connection requests."""

_MAGIC = re.compile(rf"([a-z0-9-]{{1,32}})@{re.escape(DOMAIN)}", re.IGNORECASE)
_STATUS = re.compile(r"status-([45]\d\d)")
_TROUBLES: Mapping[str, str] = {
    "reset": "network=reset",
    "close": "network=close",
    "hang": "network=read_timeout",
    "truncate": "network=truncate",
    "slow-body": "network=slow_body",
    "html": "mangle=html",
    "not-json": "mangle=not_json",
    "wrong-types": "mangle=wrong_types",
    "extra-fields": "mangle=extra_fields",
    "missing-fields": "mangle=missing_fields",
}


def fault_of(request: WireRequest) -> Fault | None:
    """The trouble that a magic e-mail address in the request asks for."""
    text = f"{request.path}\n{request.body[:4096].decode('latin-1')}"
    if DOMAIN not in text.lower():
        return None
    found = _MAGIC.search(unquote_plus(text))
    return _fault(found[1].lower()) if found else None


def _fault(name: str) -> Fault | None:
    status = _STATUS.fullmatch(name)
    if status:
        return Fault(status=int(status[1]))
    trouble = _TROUBLES.get(name)
    return Fault.parse(trouble) if trouble else None
