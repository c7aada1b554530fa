"""Each assumption about the portal, held against one recorded walk."""

from __future__ import annotations

import enum
import html
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

from ormco_trios.core.operation import Operation
from ormco_trios.ormcodigital import operations
from ormco_trios.ormcodigital.documents import Json
from ormco_trios.ormcodigital.first_contact.walk import (
    Exchange,
    Field,
    Walk,
    is_typed,
    method_fields,
    read_walk,
)
from ormco_trios.ormcodigital.phrases import PHRASES, folded


class Verdict(enum.Enum):
    """What a recording says about an assumption."""

    HOLDS = "holds"
    DIFFERS = "differs"
    NOT_SEEN = "not seen"


@dataclass(frozen=True, slots=True)
class Judgement:
    """One assumption and what became of it.

    Attributes:
        name: What it is called, such as ``code.route``.
        assumption: What this library assumes.
        verdict: What the recording says.
        evidence: What was seen instead, or where it was seen.
    """

    name: str
    assumption: str
    verdict: Verdict
    evidence: str


@dataclass(frozen=True, slots=True)
class Reusable:
    """What a program for the real portal can use: one step, its request, and who carries what."""

    step: str
    request: str
    carries: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """Everything one recording says."""

    judgements: tuple[Judgement, ...]
    reusable: tuple[Reusable, ...]

    def __getitem__(self, name: str) -> Judgement:
        return next(each for each in self.judgements if each.name == name)

    def __str__(self) -> str:
        lines = [
            f"[{each.verdict.value}] {each.name}: {each.assumption} {each.evidence}".rstrip()
            for each in self.judgements
        ]
        lines += ["", "What can be used:"]
        lines += [
            f"{each.step}: {each.request}" + "".join(f"\n    {what}" for what in each.carries)
            for each in self.reusable
        ]
        return "\n".join(lines)

    def to_json(self) -> str:
        """The same as a JSON document."""
        return json.dumps(
            {
                "judgements": [
                    {
                        "name": each.name,
                        "assumption": each.assumption,
                        "verdict": each.verdict.value,
                        "evidence": each.evidence,
                    }
                    for each in self.judgements
                ],
                "reusable": [
                    {"step": each.step, "request": each.request, "carries": list(each.carries)}
                    for each in self.reusable
                ],
            },
            indent=2,
        )

    def to_html(self) -> str:
        """The same as a page that loads nothing."""
        rows = "".join(
            f'<tr class="{each.verdict.name.lower()}"><td>{html.escape(each.verdict.value)}</td>'
            f"<td>{html.escape(each.name)}</td><td>{html.escape(each.assumption)}</td>"
            f"<td>{html.escape(each.evidence)}</td></tr>"
            for each in self.judgements
        )
        used = "".join(
            f"<dt>{html.escape(each.step)}</dt><dd><code>{html.escape(each.request)}</code> "
            f"{html.escape('; '.join(each.carries))}</dd>"
            for each in self.reusable
        )
        return _PAGE.format(rows=rows, used=used)


_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>First contact</title>
<style>
:root {{ color-scheme: light dark }}
body {{ font: 1rem/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem }}
body {{ padding: 0 1rem }}
table {{ border-collapse: collapse; width: 100% }}
td, th {{ border-bottom: 1px solid #8884; padding: .4rem; text-align: left; vertical-align: top }}
.holds td:first-child {{ color: light-dark(#0a6b2d, #6fdc8c) }}
.differs td:first-child {{ color: light-dark(#b00020, #ff8a80) }}
dt {{ font-weight: 600 }} td, code {{ overflow-wrap: anywhere }}
@media (max-width: 40rem) {{
  thead {{ display: none }}
  tr {{ display: block; padding: .6rem 0; border-bottom: 1px solid #8884 }}
  td {{ display: block; border: 0; padding: .1rem 0 }} td:first-child {{ font-weight: 600 }}
}}
</style>
<h1>First contact</h1>
<p>What one recorded walk says about each assumption. Every value is a placeholder.</p>
<table><thead><tr><th>Verdict</th><th>Name</th><th>Assumption</th><th>Seen</th></tr></thead>
<tbody>{rows}</tbody></table>
<h2>What can be used</h2><dl>{used}</dl></html>
"""

Judged: TypeAlias = tuple[Verdict, str]
Judge: TypeAlias = Callable[[Walk], Judged]


def judge(har: Json) -> Report:
    """Hold every assumption against a recording that `redact` made."""
    walk = read_walk(har)
    judgements = [
        Judgement(name, assumption, *decide(walk)) for name, assumption, decide in _ASSUMPTIONS
    ]
    return Report((*judgements, *_phrases(walk)), tuple(_reusable(walk)))


def _seen(step: Exchange | None, holds: Callable[[Exchange], bool], shown: str = "") -> Judged:
    if step is None:
        return Verdict.NOT_SEEN, ""
    verdict = Verdict.HOLDS if holds(step) else Verdict.DIFFERS
    return verdict, f"Seen: {step}{f', {shown}' if shown else ''}."


def _route(operation: Operation[Any]) -> Callable[[Exchange], bool]:
    """Whether a request has the method and the route that we assume; a prefix is a server's."""
    return lambda step: step.method == operation.method and step.route.endswith(operation.route)


def _sign_in_fields(walk: Walk) -> Judged:
    names = _carriers(walk.sign_in, "username", "e-mail", "password")
    return _seen(
        walk.sign_in,
        lambda _: (
            {(each.where, each.name) for each in names}
            == {("json", "username"), ("json", "password")}
        ),
        ", ".join(map(str, names)),
    )


def _sign_in_by(walk: Walk) -> Judged:
    # It may be asked for on a page of its own.
    names = [name for each in walk.portal for name in _carriers(each, "username", "e-mail")]
    if walk.sign_in is None or not names:
        return Verdict.NOT_SEEN, ""
    mail = is_typed(names[0].value, "e-mail")
    return (Verdict.DIFFERS, "Seen: an e-mail.") if mail else (Verdict.HOLDS, "")


def _session(walk: Walk) -> Judged:
    """Who carries the session: what the sign-in's answer gave and later requests bring back."""
    if walk.sign_in is None:
        return Verdict.NOT_SEEN, ""
    portal = [*walk.portal]
    after = portal[portal.index(walk.sign_in) :]
    # The answer may send on to what gives it.
    last = next((n for n, each in enumerate(after) if not 300 <= each.status < 400), 0)
    given = {
        field.number: field
        for each in after[: last + 1]
        for field in each.received
        if field.number and field.name != "location"
    }
    back = [
        (given[field.number], field)
        for each in after[1:]
        for field in each.sent
        if field.number in given and field.where in {"cookie", "header", "json", "query"}
    ]
    if not back:
        return Verdict.NOT_SEEN, ""
    # Where there is a token, a cookie beside it may be of something else.
    source, field = next((pair for pair in back if pair[1].name == "authorization"), back[0])
    holds = field.name == "authorization" and source.where == "json"
    holds = holds and field.value.startswith("Bearer ")
    verdict = Verdict.HOLDS if holds else Verdict.DIFFERS
    return verdict, f"Seen: {source} comes back in {field}."


def _profile_version(walk: Walk) -> Judged:
    tag = _header(walk.profile, "etag")
    return _seen(walk.profile, lambda _: tag is not None, "with ETag" if tag else "without ETag")


def _method_fields(walk: Walk) -> Judged:
    profile = walk.profile
    if profile is None:
        return Verdict.NOT_SEEN, ""
    # Before something was chosen, it may not say what it says later.
    same = (each for each in walk.portal if str(each) == str(profile))
    names = [field for each in same for field in method_fields(each.received)]
    holds = {field.name for field in names if field.where == "json"} >= {
        "submission_method.source",
        "submission_method.scanner",
    }
    shown = ", ".join(dict.fromkeys(map(str, names)))
    return (Verdict.HOLDS if holds else Verdict.DIFFERS), f"Seen: {shown}."


def _link_field(walk: Walk) -> Judged:
    if walk.link is None:
        return Verdict.NOT_SEEN, ""
    field = next(field for field in walk.link.received if "client_id=" in field.value)
    holds = (field.where, field.name) == ("json", "authorization_url")
    return (Verdict.HOLDS if holds else Verdict.DIFFERS), f"Seen: {field}."


def _link_state(walk: Walk) -> Judged:
    sent = walk.authorize.sent if walk.authorize else ()
    names = [field.name for field in sent if field.where == "query"]
    return _seen(walk.authorize, lambda _: "state" not in names, f"with {', '.join(names)}")


def _redirect_layers(walk: Walk) -> Judged:
    field = walk.redirect.carries("code") if walk.redirect else None
    if field is None:
        return Verdict.NOT_SEEN, ""
    encoding = _encoding(field)
    holds = encoding == "percent-encoded twice"
    return (Verdict.HOLDS if holds else Verdict.DIFFERS), f"Seen: {encoding}."


def _code_form(walk: Walk) -> Judged:
    field = walk.code.carries("code") if walk.code else None
    if field is None:
        return Verdict.NOT_SEEN, ""
    encoding = _encoding(field)
    holds = encoding == "percent-encoded once"
    return (Verdict.HOLDS if holds else Verdict.DIFFERS), f"Seen: {encoding}, in {field}."


def _code_field(walk: Walk) -> Judged:
    field = walk.code.carries("code") if walk.code else None
    return _seen(
        walk.code,
        lambda _: field is not None and (field.where, field.name) == ("json", "code"),
        str(field),
    )


def _code_status(walk: Walk) -> Judged:
    status = walk.code.status if walk.code else 0
    return _seen(walk.code, lambda _: status == 202, f"status {status}")


def _draft(walk: Walk) -> Judged:
    if walk.code is None:
        return Verdict.NOT_SEEN, ""
    if walk.update is walk.code:
        return Verdict.DIFFERS, f"Seen: one request, {walk.code}, and none after it."
    if walk.update is None:
        return Verdict.NOT_SEEN, ""
    again = walk.update.carries("code") is not None
    verdict = Verdict.DIFFERS if again else Verdict.HOLDS
    return verdict, f"Seen: {walk.code}, then {walk.update}{' with the code' if again else ''}."


def _update_version(walk: Walk) -> Judged:
    if walk.update is None or walk.update is walk.code:
        return Verdict.NOT_SEEN, ""
    match = _header(walk.update, "if-match", sent=True)
    tags = {_number(_header(each, "etag")) for each in walk.portal} - {None}
    holds = match is not None and _number(match) in tags
    return _seen(walk.update, lambda _: holds, "with If-Match" if match else "without If-Match")


def _status(walk: Walk) -> Judged:
    if walk.code is None:
        return Verdict.NOT_SEEN, ""
    asked = [
        each for each in walk.portal if each.method == "GET" and _route(operations.STATUS)(each)
    ]
    return (Verdict.HOLDS, "") if asked else (Verdict.NOT_SEEN, "")


def _phrases(walk: Walk) -> Iterator[Judgement]:

    shown = {folded(field.value) for each in walk.portal for field in each.received}
    for phrase in PHRASES:
        seen = any(folded(words) in shown for words in phrase.words)
        yield Judgement(
            f"words.{phrase.name}",
            f"The portal shows the words {phrase.words[0]!r}.",
            Verdict.HOLDS if seen else Verdict.NOT_SEEN,
            "",
        )


_ASSUMPTIONS: tuple[tuple[str, str, Judge], ...] = (
    (
        "sign_in.route",
        f"Signing in is {operations.SIGN_IN.method} {operations.SIGN_IN.route}.",
        lambda walk: _seen(walk.sign_in, _route(operations.SIGN_IN)),
    ),
    ("sign_in.fields", "It sends JSON with username and password.", _sign_in_fields),
    ("sign_in.by", "The practice signs in with a user name.", _sign_in_by),
    ("session.carrier", "Its answer has a token in JSON, sent as a bearer token.", _session),
    (
        "profile.route",
        f"The profile is {operations.PROFILE.method} {operations.PROFILE.route}.",
        lambda walk: _seen(walk.profile, _route(operations.PROFILE)),
    ),
    ("profile.version", "The profile has an ETag.", _profile_version),
    (
        "profile.method",
        "The submission method is submission_method.source and .scanner.",
        _method_fields,
    ),
    (
        "link.route",
        f"Pressing here is {operations.AUTHORIZATION.method} {operations.AUTHORIZATION.route}.",
        lambda walk: _seen(walk.link, _route(operations.AUTHORIZATION)),
    ),
    ("link.field", "The link is in authorization_url.", _link_field),
    (
        "link.dialect",
        "The link leads to the classic sign-in, /oauth/authorise.",
        lambda walk: _seen(walk.authorize, lambda step: step.route.endswith("/oauth/authorise")),
    ),
    ("link.state", "The link carries no state.", _link_state),
    (
        "redirect.address",
        "The doctor is sent to ormco.com.",
        lambda walk: _seen(
            walk.redirect,
            lambda step: step.host == "ormco.com",
            f"host {walk.redirect.host}" if walk.redirect else "",
        ),
    ),
    ("redirect.layers", "The address has the code percent-encoded twice.", _redirect_layers),
    ("code.form", "The portal's field gets the code percent-encoded once.", _code_form),
    (
        "code.route",
        f"Entering the code is {operations.SUBMIT_CODE.method} {operations.SUBMIT_CODE.route}.",
        lambda walk: _seen(walk.code, _route(operations.SUBMIT_CODE)),
    ),
    ("code.field", "The code is in the JSON field code.", _code_field),
    ("code.status", "Entering the code answers 202.", _code_status),
    ("code.draft", "Ok keeps a draft, and Update is a request of its own.", _draft),
    (
        "update.route",
        f"Update is {operations.SAVE_PROFILE.method} {operations.SAVE_PROFILE.route}.",
        lambda walk: _seen(
            None if walk.update is walk.code else walk.update, _route(operations.SAVE_PROFILE)
        ),
    ),
    ("update.version", "Update names the profile's version in If-Match.", _update_version),
    (
        "status.route",
        f"The state is {operations.STATUS.method} {operations.STATUS.route}.",
        _status,
    ),
)


def _reusable(walk: Walk) -> Iterator[Reusable]:
    for name, step in (
        ("sign in", walk.sign_in),
        ("read the profile", walk.profile),
        ("get the link", walk.link),
        ("enter the code", walk.code),
        ("update", walk.update),
    ):
        if step is None:
            continue
        carried = [
            f"{field}: what was typed as {field.value[7:-1]}"
            for field in step.sent
            if field.value.startswith("{typed:")
        ]
        words = [
            f"{field}: {field.value}"
            for field in (*step.sent, *step.received)
            if "{" not in field.value and field.where in {"json", "form"}
        ]
        yield Reusable(name, str(step), tuple(dict.fromkeys((*carried, *words))))


def _carriers(step: Exchange | None, *typed: str) -> list[Field]:
    found = (step.carries(each) for each in typed) if step else ()
    return [field for field in found if field is not None]


def _encoding(field: Field) -> str:
    """How the value travelled: the words after its name in the placeholder."""
    return field.value.strip("{}").partition(" ")[2] or "as it is"


def _header(step: Exchange | None, name: str, *, sent: bool = False) -> Field | None:
    fields = () if step is None else step.sent if sent else step.received
    return next((f for f in fields if f.where == "header" and f.name == name), None)


def _number(field: Field | None) -> str | None:
    return None if field is None else field.number
