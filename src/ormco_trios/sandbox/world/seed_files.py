"""What else exists when a World begins, from a YAML or JSON file.

::

    switches: {roles: absent}  # see `sandbox.world.switches`
    practices:
      - name: smile            # smile@clinic.example, portal user name "smile"
        server: am             # eu (the default), am or as
        approval: held         # immediately, held, after: 3600, after_polls: 2, removed_after: 60
        connection: active     # none (the default), waiting or active
        portal: connected      # not_connected (the default) or connected
        profile: {phone: "+1 503 555 0100"}  # fields of the portal's profile
        account: {Name: Smile, City: Portland}  # fields of the user object
        cases:
          - patient: [Ada, Beispiel]
            files: {upper.dcm: 1000}  # bytes
            sent: true         # needs connection: active
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast, get_args

from ormco_trios.core.extras import extra
from ormco_trios.sandbox.world.approval import Approval
from ormco_trios.sandbox.world.state import Server
from ormco_trios.sandbox.world.switches import Switches

_FIELDS = {
    "name", "server", "approval", "connection", "portal", "profile", "account", "cases",
}  # fmt: skip


def read(path: str | Path) -> Mapping[str, Any]:
    """Read a file, by the end of its name.

    Raises:
        ValueError: It is not what the documentation of this module says.
    """
    place = Path(path)
    is_yaml = place.suffix in (".yaml", ".yml")
    try:
        text = place.read_text(encoding="utf-8")
        content = _from_yaml(text) if is_yaml else json.loads(text)
    except ValueError:
        raise ValueError(f"the seed is not {'YAML' if is_yaml else 'JSON'} in UTF-8") from None
    return check(content)


def _from_yaml(text: str) -> object:
    with extra("sandbox"):
        import yaml

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from None


def check(content: object) -> Mapping[str, Any]:
    """Make sure that it is a seed, and return it.

    Raises:
        ValueError: It is not.
    """
    seed = _mapping(content)
    if not seed or set(seed) - {"practices", "switches"}:
        raise ValueError("a seed has the keys 'practices' and 'switches', or one of them")
    Switches().with_changes(_mapping(seed.get("switches", {})))
    practices = seed.get("practices", [])
    if not isinstance(practices, list):
        raise ValueError("'practices' is a list")
    for one in cast(list[object], practices):
        practice = _mapping(one)
        if "name" not in practice:
            raise ValueError("a practice has a name")
        for name in set(practice) - _FIELDS:
            raise ValueError(f"a practice has no field {name!r}")
        if practice.get("server", "eu") not in get_args(Server):
            raise ValueError("server is am, as or eu")
        if practice.get("connection", "none") not in ("none", "waiting", "active"):
            raise ValueError("connection is none, waiting or active")
        if practice.get("portal", "not_connected") not in ("not_connected", "connected"):
            raise ValueError("portal is not_connected or connected")
        approval_of(practice.get("approval", "held"))
        _mapping(practice.get("profile", {}))
        _mapping(practice.get("account", {}))
        for case in practice.get("cases", []):
            _check_case(_mapping(case), practice.get("connection"))
    return seed


def _check_case(case: Mapping[str, Any], connection: object) -> None:
    patient, files = case.get("patient", ["Ada", "Beispiel"]), _mapping(case.get("files", {}))
    if set(case) - {"patient", "files", "sent"}:
        raise ValueError("a case has the fields patient, files and sent")
    if len(patient) != 2 or not all(isinstance(name, str) for name in patient):
        raise ValueError("patient is a first and a last name")
    if any(isinstance(size, bool) or not isinstance(size, int) for size in files.values()):
        raise ValueError("files are names, each with a number of bytes")
    if case.get("sent") and connection != "active":
        raise ValueError("a case is sent over an active connection only")


def _mapping(value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError("a seed is a mapping, and so are its parts")
    return cast(Mapping[str, Any], value)


def approval_of(value: object) -> Approval:
    """``held``, ``immediately``, or one of ``{after: seconds}`` and the like.

    Raises:
        ValueError: Anything else.
    """
    if value in ("held", "immediately"):
        return Approval.held() if value == "held" else Approval.immediately()
    if isinstance(value, Mapping) and len(cast(Mapping[str, object], value)) == 1:
        ((kind, number),) = cast(Mapping[str, object], value).items()
        if kind in ("after", "removed_after", "after_polls") and isinstance(number, int | float):
            if kind == "after_polls":
                return Approval.after_polls(int(number))
            return Approval.after(number) if kind == "after" else Approval.removed_after(number)
    raise ValueError("approval is held, immediately, or one of after, after_polls, removed_after")
