"""The errors: one tree, drawn, pickled, and saying what to do first."""

from __future__ import annotations

import inspect
import pickle
import re
from typing import Any

import pytest

from ormco_trios import errors

CLASSES = [c for c in vars(errors).values() if inspect.isclass(c) and issubclass(c, Exception)]
API = {"operation": "users.me", "status": 418, "request_id": "r-1", "retry_after": 2.0}


def extras(cls: type[errors.OrmcoTriosError]) -> dict[str, Any]:
    """What an error of this class says beside its message."""
    if issubclass(cls, errors.ApiError):
        return API
    if issubclass(cls, errors.ApprovalTimeout):
        return {"wait": {"some": "wait"}}
    if issubclass(cls, errors.DownloadInterrupted):
        return {"received": 10, "expected": 20}
    if issubclass(cls, errors.TokenNotSaved):
        return {"token": {"some": "token"}}
    if issubclass(cls, errors.AuthorizationRefused):
        return {"error": "invalid_scope", "description": "no such scope"}
    if issubclass(cls, errors.ConsentDenied):
        return {"description": "not now"}
    return {}


def make(cls: type[errors.OrmcoTriosError], **options: str) -> errors.OrmcoTriosError:
    return cls("Something happened.", **extras(cls), **options)


def test_the_drawing_shows_every_class_below_its_parent() -> None:
    drawn: dict[str, str] = {}
    stack: list[tuple[int, str]] = []
    for line in (errors.__doc__ or "").splitlines():
        found = re.match(r"^([ │├└─]*)([A-Z]\w+)\b", line.removeprefix("    "))
        if not found or not ("├" in line or "└" in line or "OrmcoTriosError" in found[2]):
            continue
        depth = len(found[1])
        while stack and stack[-1][0] >= depth:
            stack.pop()
        drawn[found[2]] = stack[-1][1] if stack else "Exception"
        stack.append((depth, found[2]))
    assert drawn == {c.__name__: c.__bases__[0].__name__ for c in CLASSES}


@pytest.mark.parametrize("cls", CLASSES)
def test_it_leads_with_the_advice_and_pickles(cls: type[errors.OrmcoTriosError]) -> None:
    error = make(cls)
    assert str(error) == f"{cls.advice} (Something happened.)"
    assert error.args == ("Something happened.",)
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), str(copy), vars(copy)) == (cls, str(error), vars(error))
    for name, value in extras(cls).items():
        assert getattr(error, name) == value
    assert str(make(cls, advice="Call us.")) == "Call us. (Something happened.)"
